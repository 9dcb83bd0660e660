"""Structured logs on stderr: one line per request and per failed attempt. Never a prompt, a key or a token."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Sequence

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from gateway.routing import Target
from middleware.context import RequestContext
from providers.call import Call, Operation
from providers.ports import Attempt, Clock
from providers.secret import Secret


def configure(level: str, style: str) -> None:
    """``style`` is json or console; for structlog and for the standard loggers of the libraries alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A Secret that got into an event is printed as one."""
    return {name: str(value) if isinstance(value, Secret) else value for name, value in event.items()}


class RouteLog:
    """Where a call goes, told before it goes there; by ferryllm's names for the events."""

    _ENTRIES = types.MappingProxyType({"openai_chat": "openai"})

    def __init__(self, level: int = logging.DEBUG) -> None:
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")
        self._gate = logging.getLogger("keyturn")
        self._level = level

    def routed(self, call: Call, targets: Sequence[Target]) -> None:
        """A call came, and this is where it may go."""
        if not self._told(call):
            return
        entry, first = self._ENTRIES.get(call.dialect, call.dialect), targets[0]
        who = {"request_id": call.request_id, "entry": entry}
        self._log.log(self._level, "incoming request", **who, model=call.model[:200], stream=call.stream)
        self._log.log(
            self._level,
            "resolved route",
            **who,
            display_model=call.model[:200],
            backend_model=first.model,
            provider=first.provider,
            stream=call.stream,
        )

    def sending(self, call: Call, target: Target) -> None:
        """It goes there now."""
        if not self._told(call):
            return
        what = {"request_id": call.request_id, "provider": target.provider, "model": target.model}
        self._log.log(self._level, "sending chat request", **what, stream=call.stream)
        if call.stream:
            self._log.log(self._level, "sending streaming request", **what)

    def _told(self, call: Call) -> bool:
        return self._gate.isEnabledFor(self._level) and call.operation is Operation.MESSAGES


class RequestLog:
    """The observer that writes. A request is one line at INFO, a failed attempt one at WARNING."""

    def __init__(self, clock: Clock) -> None:
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")
        self._level = logging.getLogger("keyturn")
        self._clock = clock

    def attempt_began(self, attempt: Attempt) -> None:
        return

    def attempt_ended(self, attempt: Attempt) -> None:
        if attempt.outcome == "failed":
            self._log.warning(
                "attempt failed",
                request_id=attempt.request_id,
                provider=attempt.provider,
                model=attempt.model,
                key=attempt.key,
                reason=attempt.reason,
                upstream_status=attempt.status,
            )

    def request_ended(self, context: RequestContext) -> None:
        if not self._level.isEnabledFor(logging.INFO):
            return  # structlog finds that out at fifty times the price
        now = self._clock()
        attempt = context.attempt
        self._log.info(
            "request",
            request_id=context.request_id,
            route=context.route,
            principal=context.principal or None,
            requested=context.requested[:200] or None,
            provider=context.target[0] or None,
            model=context.target[1] or None,
            key=attempt.key if attempt else None,
            attempts=len(context.attempts),
            status=context.status,
            outcome=context.outcome,
            seconds=round(now - context.started, 4),
            own_seconds=round(context.own_seconds(now), 5),
            input_tokens=attempt.usage.input_tokens if attempt else None,
            output_tokens=attempt.usage.output_tokens if attempt else None,
        )
