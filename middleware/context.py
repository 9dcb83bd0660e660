"""What is known of one request while it is served. Made by ``request_id``, filled on the way, read by ``access``."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from middleware.grant import Grant
from providers.ports import Attempt, Trail

_SLOT = "keyturn"


class Chosen(Protocol):
    """A place that the routing chose."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def why(self) -> str: ...


@dataclass(slots=True)
class RequestContext:
    """Times are on the gateway's monotonic clock, in seconds."""

    request_id: str
    started: float
    route: str = "unmatched"
    entry: str = ""  # the dialect that the client speaks, where it asks a model
    stream: bool = False  # the client wants its answer as a stream
    principal: str = ""  # the name of the client token
    grant: Grant | None = None  # what that token allows; None: all
    barred: str = ""  # what the token did not allow: requests, tokens, concurrency, model, web_tools
    pin: str = ""  # the token's suffix
    requested: str = ""  # the model that the client named
    trail: Trail = field(default_factory=Trail)
    session: bool = False  # the client named the session that the request is of
    conversation: str = ""  # that session's id
    trace_parent: str = ""  # the client's header, where traces are on
    agent: str = ""  # the subagent that asks, where the client says so
    targets: Sequence[Chosen] = ()  # where it may go, in this order
    target: tuple[str, str] = ("", "")  # provider and model that were asked last
    routed: float | None = None  # when the request was read and its targets were known
    local: str = ""  # the kind of probe that was answered here, by no provider
    sent: float | None = None  # when the first attempt was sent
    content: float | None = None  # when an upstream's first content, or its last failure, had come
    status: int = 0  # 0 until the reply starts
    outcome: str = ""  # ok | error | cut | client_gone
    ended: float | None = None

    @property
    def attempts(self) -> list[Attempt]:
        return self.trail.attempts

    @property
    def attempt(self) -> Attempt | None:
        """The one that decided the call."""
        return self.attempts[-1] if self.attempts else None

    def own_seconds(self, now: float) -> float:
        """Time spent in Keyturn itself: all but the wait for upstreams."""
        waited = (self.content or now) - self.sent if self.sent is not None else 0.0
        return max(0.0, now - self.started - waited)


def context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """The request's context; every request has one behind ``RequestId``."""
    return cast(RequestContext, scope[_SLOT])


def attach(scope: MutableMapping[str, Any], context: RequestContext) -> None:
    scope[_SLOT] = context
