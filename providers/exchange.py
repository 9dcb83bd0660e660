"""What is sent to one upstream for one call, and how its answer is read: straight through, or translated. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from providers.call import Call, Dialect, Hints, Operation, StreamReader, UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import ProviderConfig
from providers.translation import Translation


@dataclass(frozen=True, slots=True)
class Exchange:
    """``streamed`` says how the upstream is asked, ``lost`` what could not be carried."""

    request: UpstreamRequest
    streamed: bool
    reader: StreamReader
    lost: tuple[str, ...] = ()


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

    ``token`` makes ids. Raises UpstreamFailure where the upstream has nothing for the call's operation.
    """
    straight = upstream.straight if client.name == upstream.name else None
    if straight is not None and straight.fits(config.quirks.of(model), model, thinking):
        request = straight.request(call, model, thinking, config, key)
        return Exchange(request, call.stream, straight.reader(call), request.lost)
    if call.operation is not Operation.MESSAGES:
        raise UpstreamFailure(ErrorKind.NOT_FOUND, "it has no counter of tokens")
    asked = client.read_request(call.body, model, thinking)
    translated = upstream.write_request(asked, config, key, Hints(token, call.estimate()))
    reader = Translation(translated.reader, client.writer(call), call.stream)
    return Exchange(translated.request, True, reader, translated.lost)
