"""What is sent to one upstream for one call, and how its answer is read: straight through, or translated. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.call import Call, Dialect, Hints, Operation, StreamReader, UpstreamRequest
from providers.chat.guardian import Declared, Guardian
from providers.chat.request import ChatRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.govern import cached, governed
from providers.spec import ProviderConfig
from providers.translation import Translation


@dataclass(frozen=True, slots=True)
class Exchange:
    """``streamed`` says how the upstream is asked, ``lost`` what could not be carried.

    ``repairs`` counts what the guardian repaired in the answer, by ``chat.guardian.Repair``; it grows while ``reader``
    is fed.
    """

    request: UpstreamRequest
    streamed: bool
    reader: StreamReader
    lost: tuple[str, ...] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)


def arrange(
    client: Dialect,
    upstream: Dialect,
    call: Call,
    model: str,
    thinking: bool,
    config: ProviderConfig,
    key: str,
    token: str,
) -> Exchange:
    """Straight where both speak one dialect that can, else through the neutral language, which always streams.

    Tool calls are repaired in the neutral language only, so what may need that takes no straight line.
    ``token`` makes ids. Raises UpstreamFailure where the upstream has nothing for the call's operation.
    """
    if config.reasoning:
        call = governed(call, config.reasoning)
    straight = upstream.straight if client.name == upstream.name else None
    quirks = config.quirks.of(model)
    guarded = quirks.guarded_calls and _calls_tools(call)
    if straight is not None and not guarded and straight.fits(quirks, model, thinking):
        request = _cached(straight.request(call, model, thinking, config, key), upstream, call, model, config)
        return Exchange(request, call.stream, straight.reader(call), request.lost)
    if call.operation is not Operation.MESSAGES:
        raise UpstreamFailure(ErrorKind.NOT_FOUND, "it has no counter of tokens")
    asked = client.read_request(call.body, model, thinking)
    translated = upstream.write_request(asked, config, key, Hints(token, call.estimate()))
    guardian = _guardian(asked, translated.names, token) if quirks.guarded_calls else None
    reader = Translation(translated.reader, client.writer(call), call.stream, guardian)
    request = _cached(translated.request, upstream, call, model, config)
    return Exchange(request, True, reader, translated.lost, guardian.repairs if guardian else {})


def _cached(
    request: UpstreamRequest, upstream: Dialect, call: Call, model: str, config: ProviderConfig
) -> UpstreamRequest:
    if config.cache is None or call.operation is not Operation.MESSAGES:
        return request
    return cached(request, upstream.name, config.cache, config.quirks.of(model))


def _calls_tools(call: Call) -> bool:
    return call.operation is Operation.MESSAGES and bool(call.body.get("tools"))


def _guardian(asked: ChatRequest, names: Mapping[str, str], token: str) -> Guardian | None:
    """Only where a tool may be called. An answer that must be JSON is no call."""
    if not asked.tools or (asked.tool_choice and asked.tool_choice.mode == "none"):
        return None
    return Guardian(Declared(asked.tools, names), token, bare_json=asked.format is None)
