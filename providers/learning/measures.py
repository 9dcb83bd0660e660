"""What one live provider's models count and how much they hold, as far as this process has found out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from providers.call import Estimate
from providers.errors import UpstreamFailure
from providers.learning.calibration import Calibration
from providers.learning.overflow import completed, for_anthropic, measured, room, understood
from providers.ports import Usage

REMEMBERED = 256  # models
EAGER = 8  # prompts of a model that are all counted
RARELY = 16  # from then on, one of so many: an estimate takes a millisecond for a prompt of 100 KB
MOSTLY_TEXT = 0.1  # the share of images and documents, which are guesses, in a prompt that teaches

AT_ODDS = 1.5  # times the estimate: a larger window is not what refused the prompt


class Windows(Protocol):
    """The tokens that a prompt may have, as they are known before anything was asked."""

    def __call__(self, model: str, sure: bool = False) -> int | None:
        """None where nobody knows; with ``sure`` too, where it is known of models of this name elsewhere only."""


def nobody_knows(model: str, sure: bool = False) -> int | None:
    """See Windows."""
    return None


@dataclass(slots=True)
class Measured:
    """One model."""

    calibration: Calibration = field(default_factory=Calibration)
    window: int | None = None  # of a prompt's tokens, from a refusal
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Corrected:
    """An estimate for one model, corrected by what was counted before. See ``providers.call.Estimate``."""

    estimate: Estimate
    model: str
    calibration: Calibration

    def __call__(self, model: str = "") -> int:
        return self.calibration.tokens(self.estimate(self.model))

    @property
    def media(self) -> int:
        return self.estimate.media


class Measures:
    """One per provider and process. ``windows`` is asked where no refusal has told."""

    def __init__(self, windows: Windows = nobody_knows) -> None:
        self._windows = windows
        self._known: dict[str, Measured] = {}

    @property
    def known(self) -> Mapping[str, Measured]:
        """By model."""
        return self._known

    def window(self, model: str, sure: bool = False) -> int | None:
        """The most tokens that a prompt may have. See Windows."""
        return self._of(model).window or self._windows(model, sure)

    def corrected(self, estimate: Estimate, model: str) -> Corrected:
        """The estimate as this model's upstream would count."""
        return Corrected(estimate, model, self._of(model).calibration)

    def outgrows(self, estimate: Estimate, model: str, size: int) -> bool:
        """Whether the prompt certainly does not fit. ``size`` in bytes: no prompt has more tokens."""
        window = self.window(model, sure=True)
        if window is None or size <= window:
            return False
        return self._of(model).calibration.at_least(estimate(model)) > window

    def smaller(self, model: str, prompt: int) -> bool:
        """Whether the window is certainly smaller than a prompt of so many tokens, as another model counts them."""
        window = self.window(model, sure=True)
        return window is not None and window * AT_ODDS < prompt

    def answered(self, estimate: Estimate, model: str, usage: Usage) -> None:
        """A prompt was answered, with this usage in the end."""
        counted = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        known = self._remembered(model)
        known.answers += 1
        if known.window and counted > known.window:
            known.window = None  # the model was started anew, with more room
        if counted and (known.answers <= EAGER or known.answers % RARELY == 0):
            self._learn(known, estimate, model, counted)

    def _learn(self, known: Measured, estimate: Estimate, model: str, counted: int) -> None:
        guess = estimate(model)
        if estimate.media > guess * MOSTLY_TEXT or counted == known.calibration.tokens(guess):
            return  # the second: the upstream said nothing, and was given our own number
        known.calibration = known.calibration.observed(guess, counted)

    def overflowed(self, failure: UpstreamFailure, estimate: Estimate, model: str, body: bytes) -> None:
        """Gives an overflow its numbers and the words that clients act on; what it says of the window is kept.

        Where the answer that was asked for is what does not fit, the failure becomes mendable, with its room.
        """
        found = measured(body)
        corrected = self.corrected(estimate, model)()
        window = self.window(model)
        failure.overflow = completed(found, corrected, None if window and window > corrected * AT_ODDS else window)
        if found.limit and (found.answer is None or not failure.overflow.answer):
            self._remembered(model).window = failure.overflow.limit
        if failure.room is None and (left := room(found, corrected)):
            failure.room, failure.mendable = left, True
        if not understood(failure.words):
            failure.words, failure.body = for_anthropic(failure.overflow, failure.words), None

    def plain(self) -> dict[str, Any]:
        """By model, what is worth keeping."""
        return {model: [each.calibration.plain(), each.window] for model, each in self._known.items()}

    def restore(self, plain: Any) -> None:
        """Takes what ``plain`` gave of models that are new here; anything else teaches nothing."""
        for model, kept in list(plain.items())[:REMEMBERED] if isinstance(plain, Mapping) else ():
            match kept:
                case [calibration, int() | None as window] if isinstance(model, str) and model not in self._known:
                    self._known[model] = Measured(Calibration.of(calibration), window or None, EAGER)

    def _of(self, model: str) -> Measured:
        return self._known.get(model) or _NOTHING

    def _remembered(self, model: str) -> Measured:
        if model not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[model] = Measured()
        return self._known[model]


_NOTHING = Measured()
