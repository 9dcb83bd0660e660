"""How far the estimate of a prompt's tokens is from what one model's upstream counts, learned from its usage. Pure.

Four numbers for a model: the ratio of what was counted to what was estimated, how far single prompts are from it, how
many were seen, and how many of the last ones in a row were far off on one side. A prompt moves the ratio by its share
of all that were seen, the last 32 at most; one that is far off does not move it, unless six in a row agree, as they do
when another model answers by the same name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

LEAST, MOST = 0.25, 4.0  # of a ratio; what is beyond was not counted as we mean it
SHORTEST = 200  # tokens of an estimate; in a shorter prompt, the upstream's own words weigh more than the client's
SMALL = 1000.0  # tokens; a prompt of so many counts half
MEMORY = 32.0  # prompts
PRIOR = 0.5  # prompts that the estimate itself is worth
DOUBT = 0.25  # relative error where nothing was seen
REACH = 3.0  # errors; what is farther off does not count
NEAREST = 0.15  # that reach is never shorter
PATIENCE = 6  # prompts in a row


@dataclass(frozen=True, slots=True)
class Calibration:
    """Immutable; ``seen`` is weighted by the prompts' sizes."""

    ratio: float = 1.0
    error: float = DOUBT  # mean, relative
    seen: float = 0.0
    astray: int = 0  # in a row; below 0 where fewer were counted than expected

    def tokens(self, estimate: int) -> int:
        """The estimate, corrected."""
        return max(1, round(estimate * self.ratio)) if estimate else 0

    def at_least(self, estimate: int) -> int:
        """Tokens that the prompt certainly has."""
        doubt = 1.0 if self.seen < PATIENCE else min(1.0, max(0.15, 4.0 * self.error))
        return round(estimate * self.ratio / (1.0 + doubt))

    def observed(self, estimate: int, counted: int) -> Calibration:
        """With one more prompt, for which the upstream reported ``counted`` tokens, cached ones included."""
        if estimate < SHORTEST or not LEAST <= counted / estimate <= MOST:
            return self
        off = math.log(counted / estimate / self.ratio)
        reach = max(NEAREST, REACH * self.error)
        astray = self._astray(off, reach)
        if abs(astray) >= PATIENCE:
            return replace(Calibration(), ratio=self.ratio, error=abs(off)).observed(estimate, counted)
        weight = estimate / (estimate + SMALL)
        share = weight / (min(self.seen, MEMORY) + PRIOR + weight)
        if astray:
            return replace(self, error=self.error + (reach - self.error) * share / 4, astray=astray)
        return Calibration(
            min(MOST, max(LEAST, self.ratio * math.exp(off * share))),
            self.error + (abs(off) - self.error) * share,
            min(MEMORY, self.seen + weight),
        )

    def _astray(self, off: float, reach: float) -> int:
        if abs(off) <= reach:
            return 0
        side = 1 if off > 0 else -1
        return self.astray + side if self.astray * side > 0 else side

    def plain(self) -> list[float]:
        """As four numbers, to be kept."""
        return [round(self.ratio, 4), round(self.error, 4), round(self.seen, 2), self.astray]

    @classmethod
    def of(cls, plain: Any) -> Calibration:
        """What ``plain`` gave; the beginning, where it is anything else."""
        if not isinstance(plain, Sequence) or len(plain) != 4 or not all(_is_number(each) for each in plain):
            return cls()
        ratio, error, seen, astray = plain
        if not (LEAST <= ratio <= MOST and 0 <= error <= 2 and 0 <= seen <= MEMORY and abs(astray) < PATIENCE):
            return cls()
        return cls(float(ratio), float(error), float(seen), int(astray))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
