"""What is sent to one upstream for one call, and how its answer is read: straight through, or translated. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.call import Call, ClientDialect, Dialect, Hints, Operation, StreamReader, UpstreamRequest
from providers.chat.guardian import Declared, Guardian
from providers.chat.request import ChatRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.govern import cached, governed, telling
from providers.quirks import Quirks
from providers.spec import ProviderConfig
from providers.translation import Translation

_FIT = re.compile(r"(?!messages\.|tools\.).*|\w+\.[A-Za-z0-9_.]{1,64}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exchange:
    """``streamed`` says how the upstream is asked, ``lost`` what could not be carried.

    ``repairs`` counts what the guardian repaired in the answer, by ``chat.guardian.Repair``, and ``untold`` names what
    the client's dialect has no place for; both grow while ``reader`` is fed.
    """

    request: UpstreamRequest
    streamed: bool
    reader: StreamReader
    lost: tuple[str, ...] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)
    untold: Sequence[str] = ()


def arrange(
    client: ClientDialect,
    upstream: Dialect,
    call: Call,
    model: str,
    thinking: bool,
    config: ProviderConfig,
    key: str,
    token: str,
) -> Exchange:
    """Straight where both speak one dialect that can, else through the neutral language, which always streams.

    Tool calls are repaired wherever they are translated; on a straight line, where a row's models write them as text.
    What the gateway runs itself is told in the neutral language from what the client runs, so what needs that takes no
    straight line.

    ``token`` makes ids. Raises UpstreamFailure where the upstream has nothing for the call's operation.
    """
    if config.reasoning:
        call = governed(call, config.reasoning)
    quirks = config.quirks.of(model)
    looks = quirks.guarded_calls if config.guardian is None else config.guardian
    straight = upstream.straight if client.name == upstream.name else None
    hosting = call.hosting
    if hosting is not None and not hosting.needed(quirks.server_tools if straight else ()):
        hosting = None
    if straight is not None and hosting is None and straight.fits(quirks, model, thinking):
        guarded = looks and _may_call(call)
        passing = straight.guarded(call, token) if guarded else (straight.reader(call), _NOTHING)
        if passing is not None:
            request = _cached(straight.request(call, model, thinking, config, key), upstream, call, quirks, config)
            return Exchange(request, call.stream, passing[0], request.lost, passing[1])
    if call.operation is not Operation.MESSAGES:
        raise UpstreamFailure(ErrorKind.NOT_FOUND, "it has no counter of tokens")
    asked = client.read_request(call.body, model, thinking)
    if hosting is not None:
        asked = hosting.offered(asked)
    translated = upstream.write_request(asked, telling(config, model), key, Hints(token, call.estimate()))
    guardian = None if config.guardian is False else _guardian(asked, translated.names, token, looks)
    writer = client.writer(call)
    if hosting is not None:
        writer = hosting.round(writer, token)
    reader = Translation(translated.reader, writer, call.stream, guardian)
    request = _cached(translated.request, upstream, call, quirks, config)
    repairs = guardian.repairs if guardian else {}
    return Exchange(request, True, reader, translated.lost, repairs, reader.lost)


def _cached(
    request: UpstreamRequest, upstream: Dialect, call: Call, quirks: Quirks, config: ProviderConfig
) -> UpstreamRequest:
    if config.cache is None or call.operation is not Operation.MESSAGES:
        return request
    return cached(request, upstream.name, config.cache, quirks)


_NOTHING: Mapping[str, int] = MappingProxyType({})
_EMPTY_LIST = re.compile(rb"\[\s*\]|null")


def told(lost: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what was lost, fit to be shown: of ``messages`` and ``tools`` a client writes the last part."""
    return tuple(name if _FIT.fullmatch(name) else f"{name.partition('.')[0]}.unnamed" for name in lost)


def _may_call(call: Call) -> bool:
    """Whether the request declares tools and lets them be called; they are not read for that."""
    tools = call.body.view("tools")
    if call.operation is not Operation.MESSAGES or not tools or _EMPTY_LIST.fullmatch(tools):
        return False
    choice = call.body.get("tool_choice")
    return "none" not in (choice, choice.get("type") if isinstance(choice, Mapping) else "")


def _guardian(asked: ChatRequest, names: Mapping[str, str], token: str, looks: bool) -> Guardian | None:
    """Only where a tool may be called. An answer that must be JSON is no call."""
    if not asked.tools or (asked.tool_choice and asked.tool_choice.mode == "none"):
        return None
    return Guardian(Declared(asked.tools, names), token, looks, bare_json=asked.format is None)
