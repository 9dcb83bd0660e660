"""What the log tells of requests: one line each at INFO, one per failed attempt, and ferryllm's events."""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog
from structlog.typing import FilteringBoundLogger

from middleware.context import RequestContext
from providers.ports import Attempt, Clock

LONGEST = 200  # characters of what a client wrote
ENTRIES = {"openai_chat": "openai"}  # as ferryllm calls them


class RequestLog:
    """The observer that writes. ``ferryllm`` has that system's events at INFO, in its names (0.2, read 2026-11)."""

    def __init__(self, clock: Clock, ferryllm: bool = False, words: Callable[[str], str] | None = None) -> None:
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")
        self._logger = logging.getLogger("keyturn")
        self._clock = clock
        self.configured(ferryllm, words)

    def configured(self, ferryllm: bool, words: Callable[[str], str] | None) -> None:
        """Where ``words`` is set, what it makes of an upstream's own words is told of a failed attempt too: they may
        repeat some of a conversation.
        """
        self._events = logging.INFO if ferryllm else logging.DEBUG
        self._words = words
        self._store_told = False  # that it is away

    def incoming(self, context: RequestContext) -> None:
        """The request was read and is well formed."""
        if self._tells_events:
            self._log.log(
                self._events,
                "incoming request",
                request_id=context.request_id,
                entry=_entry(context),
                model=context.requested[:LONGEST],
                stream=context.stream,
            )

    def resolved(self, context: RequestContext) -> None:
        """Its targets are known."""
        if self._tells_events:
            target = context.targets[0]
            self._log.log(
                self._events,
                "resolved route",
                request_id=context.request_id,
                entry=_entry(context),
                display_model=context.requested[:LONGEST],
                backend_model=target.model,
                provider=target.provider,
                stream=context.stream,
                fallbacks=len(context.targets) - 1,
            )

    def attempt_began(self, attempt: Attempt) -> None:
        if self._tells_events:
            self._log.log(
                self._events,
                "sending streaming request" if attempt.stream else "sending chat request",
                request_id=attempt.request_id,
                provider=attempt.provider,
                model=attempt.model,
                key=attempt.key,
                stream=attempt.stream,
            )

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
                **({"words": self._words(attempt.words)} if self._words else {}),
            )

    def request_ended(self, context: RequestContext) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return  # structlog finds that out at fifty times the price
        now = self._clock()
        if context.entry and self._tells_events:
            self._completed(context, now)
        attempt = context.attempt
        usage = attempt.usage if attempt else None
        first = attempt.first_content if attempt else None
        self._log.info(
            "request",
            request_id=context.request_id,
            route=context.route,
            entry=context.entry or None,
            principal=context.principal or None,
            session=context.conversation or None,
            agent=context.agent or None,
            display_model=context.requested[:LONGEST] or None,
            backend_model=context.target[1] or None,
            provider=context.target[0] or None,
            key=attempt.key if attempt else None,
            attempts=len(context.attempts),
            local=context.local or None,
            stream=context.stream,
            status=context.status,
            outcome=context.outcome,
            first_content_seconds=round(first - context.started, 4) if first is not None else None,
            seconds=round(now - context.started, 4),
            own_seconds=round(context.own_seconds(now), 5),
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cache_read_tokens=usage.cache_read_tokens if usage else None,
            cache_write_tokens=usage.cache_write_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
        )

    def store_waited(self, seconds: float) -> None:
        return

    def store_settled(self, seconds: float) -> None:
        return

    def store_lost(self, reason: str) -> None:
        self._store_told = False

    def store_away(self, reason: str, words: str) -> None:
        self._store_told = True
        self._log.error("redis is away: each process keeps to its part of all limits", reason=reason, words=words)

    def store_returned(self, seconds: float) -> None:
        if self._store_told:
            self._log.warning("redis is back", away_seconds=round(seconds, 1))
        else:
            self._log.info("redis answered late", away_seconds=round(seconds, 1))

    @property
    def _tells_events(self) -> bool:
        return self._logger.isEnabledFor(self._events)

    def _completed(self, context: RequestContext, now: float) -> None:
        attempt = context.attempt
        self._log.log(
            self._events,
            "request completed",
            request_id=context.request_id,
            entry=_entry(context),
            model=context.requested[:LONGEST],
            provider=context.target[0] or None,
            stream=context.stream,
            status=context.status,
            latency_ms=round((now - context.started) * 1000),
            fallback_count=max(0, len(context.targets) - 1),
            error_kind=(attempt.reason if attempt else "") or ("none" if context.status < 400 else "request"),
        )


def _entry(context: RequestContext) -> str:
    return ENTRIES.get(context.entry, context.entry)
