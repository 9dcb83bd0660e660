"""References to models, as operators write them: each is read, or reported by the name of its setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.redaction import without_keys
from gateway.routing import Ref, missing, parse_ref
from gateway.settings.layers import Value
from gateway.settings.report import Report
from providers.errors import Fault
from providers.spec import Lack, ProviderSpec

DEMO = "demo"
EXAMPLE = "anthropic/claude-sonnet-5"


@dataclass(frozen=True, slots=True)
class RefReader:
    """Knows the providers: all of them by id, and the ids of those that have what a call needs."""

    specs: Mapping[str, ProviderSpec]
    usable: frozenset[str]
    report: Report
    lacks: Mapping[str, tuple[Lack, ...]] = field(default_factory=dict)  # what the others need

    def read(self, value: Value, default: str, strict: bool = False) -> Ref | None:
        """What ``value`` names, read against the provider ``default``; None, and a problem, where it is nothing."""
        text = value.text.strip()
        if without_keys(text) != text:
            fix = f"Write for example {value.assignment(EXAMPLE)}; a key goes into its provider's own setting."
            value.reject(self.report, "is a key, not a model", fix)
            return None
        try:
            ref = parse_ref(text, self.specs, self.usable, default, strict)
        except Fault as fault:
            problem, _, fix = fault.message.removeprefix("model: ").partition(". ")
            value.reject(self.report, problem, fix)
            return None
        if ref.provider == DEMO == default and text.partition("/")[0] != DEMO:
            value.reject(
                self.report,
                f"{text!r} names no provider, and none is configured",
                f"Write provider/model, for example {value.assignment(EXAMPLE)}.",
            )
        successor = dict(self.specs[ref.provider].retired).get(ref.model)
        if successor:
            value.warn(self.report, f"{ref.provider} no longer serves {ref.model}. Use {ref.provider}/{successor}.")
        return ref

    def warn_of_unusable(self, place: Value, provider: str, consequence: str) -> None:
        """Say what a reference to a provider without a key, say, comes to; of the others nothing."""
        if provider not in self.usable:
            what, how = missing(self.specs[provider], self.lacks.get(provider, ()))
            place.warn(self.report, f"{provider} has {what}, so {consequence}. {how[:1].upper()}{how[1:]}.")
