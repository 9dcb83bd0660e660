"""The ways from a client to an upstream: one for every dialect, and two where a straight line leads to its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from providers.chat.effort import EFFORTS
from providers.dialects import discover, of_clients
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec

DIALECTS = discover()
CLIENTS = ("anthropic", "openai_chat", "openai_responses")  # the faces of the gateway
FACES = of_clients(DIALECTS)
MODEL = "gpt-5-upstream"

# A row that takes all that its dialect can say, so that what is lost is lost to the dialect.
ABLE = Quirks(
    files=True,
    efforts=EFFORTS,
    samplers=("top_k", "min_p", "repetition_penalty"),
    call_ids=True,
    result_files=True,
)


@dataclass(frozen=True)
class Way:
    """``upstream`` is a dialect's name; ``straight`` says that the client's bytes pass."""

    client: str
    upstream: str
    straight: bool
    quirks: Quirks = ABLE

    @property
    def title(self) -> str:
        translated = self.upstream == self.client and not self.straight and DIALECTS[self.client].straight
        return f"{self.upstream}, translated" if translated else self.upstream

    @property
    def config(self) -> ProviderConfig:
        spec = ProviderSpec("acme", "Acme", ("ACME",), self.upstream, "https://acme.test/v1")
        return ProviderConfig(spec, spec.base_url, quirks=self.quirks)

    def at(self, quirks: Quirks) -> Way:
        """The same at a row with these quirks, translated."""
        return replace(self, quirks=quirks, straight=False)


def ways(client: str) -> list[Way]:
    """The columns of a client's tables."""
    own = [Way(client, client, True)] if DIALECTS[client].straight else []
    return [*own, *(Way(client, upstream, False) for upstream in sorted(DIALECTS, key=lambda name: name != client))]
