"""References to models, as operators write them: each is read, or reported by the name of its setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.routing import Ref, parse_ref
from gateway.settings.layers import Value
from gateway.settings.report import Report
from providers.errors import Fault
from providers.spec import ProviderSpec

DEMO = "demo"
EXAMPLE = "anthropic/claude-sonnet-5"


@dataclass(frozen=True, slots=True)
class RefReader:
    """Knows the providers: all of them by id, and the ids of those that have what a call needs."""

    specs: Mapping[str, ProviderSpec]
    usable: frozenset[str]
    report: Report

    def read(self, value: Value, default: str, strict: bool = False) -> Ref | None:
        """What ``value`` names, read against the provider ``default``; None, and a problem, where it is nothing."""
        text = value.text.strip()
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

    def warn_of_keyless(self, name: str, origin: str, provider: str, consequence: str) -> None:
        """Say what a reference to a provider without a key comes to; of the others nothing."""
        if provider not in self.usable:
            lack, _, fix = self.specs[provider].lack.partition(": ")
            self.report.warn(name, f"{provider} has {lack}, so {consequence}. {fix[:1].upper()}{fix[1:]}.", origin)
