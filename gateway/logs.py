"""Structured logs on stderr: one line per request and per failed attempt. Never a prompt, a key or a token."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from middleware.context import RequestContext
from providers.ports import Attempt, Clock
from providers.secret import Secret

FILE_SIZE = 50 * 1024 * 1024  # bytes
OLD_FILES = 4


def configure(level: str, style: str, file: Path | None = None, file_level: str = "INFO") -> None:
    """``style`` is json or console; for structlog and for the standard loggers of the libraries alike.

    ``file`` gets a copy, always as JSON. Raises OSError where it cannot be written.
    """
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
    handlers = [_handler(logging.StreamHandler(sys.stderr), level, shared, renderer)]
    if file:
        copy = RotatingFileHandler(file, maxBytes=FILE_SIZE, backupCount=OLD_FILES, encoding="utf-8")
        handlers.append(_handler(copy, file_level, shared, structlog.processors.JSONRenderer()))
    logging.basicConfig(handlers=handlers, level=min(handler.level for handler in handlers), force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _handler(
    handler: logging.Handler,
    level: str,
    shared: list[structlog.typing.Processor],
    renderer: structlog.typing.Processor,
) -> logging.Handler:
    handler.setLevel(level.upper())
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, renderer]))
    return handler


def mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A Secret that got into an event is printed as one."""
    return {name: str(value) if isinstance(value, Secret) else value for name, value in event.items()}


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
