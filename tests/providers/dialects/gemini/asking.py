"""Gemini requests and streams in short."""

from __future__ import annotations

import json
from typing import Any

from providers.call import Hints
from providers.catalog import gemini_quirks
from providers.chat.events import Event
from providers.chat.request import ChatRequest, Message, Text
from providers.dialects.gemini import DIALECT
from providers.dialects.gemini.read_reply import GeminiReader
from providers.quirks import Quirks
from providers.spec import Auth, ProviderConfig, ProviderSpec

Json = dict[str, Any]
NEW, OLD = "gemini-3.8-flash", "gemini-2.5-flash"
HI = ChatRequest(NEW, (Message("user", (Text("Hi"),)),))


def config(
    quirks: Quirks = gemini_quirks.GEMINI, provider: str = "acme", base: str = "https://acme.test/v1beta", **more: Any
) -> ProviderConfig:
    spec = ProviderSpec(provider, "Acme", ("ACME",), "gemini", base, Auth.X_GOOG_API_KEY)
    return ProviderConfig(spec, base, quirks=quirks, **more)


def written(request: ChatRequest, **settings: Any) -> tuple[Json, tuple[str, ...]]:
    """The body, and what was lost."""
    made = DIALECT.write_request(request, config(**settings), "sk-upstream", Hints("tok", 7))
    return json.loads(made.request.body), made.lost


def reader(provider: str = "acme", hidden: bool = False, signs: bool = True) -> GeminiReader:
    return GeminiReader("tok", provider, 7, {"short": "a.long.name"}, hidden, signs)


def read_all(*parts: bytes, machine: GeminiReader | None = None) -> list[Event]:
    machine = machine or reader()
    return [made for part in parts for made in machine.feed(part)] + machine.finish()
