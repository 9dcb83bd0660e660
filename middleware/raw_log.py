"""Requests and answers word for word, for who looks for an error: only where an operator switched that on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container

import structlog
from structlog.typing import FilteringBoundLogger

from middleware.asgi import App, Message, Receive, Scope, Send
from middleware.context import context_of


class RawLog:
    """Writes the bodies of calls to the log at DEBUG, without secrets and long base64. Stands behind ``Auth``."""

    def __init__(
        self, app: App, routes: Container[str], redact: Callable[[str], str], requests: bool, replies: bool
    ) -> None:
        """``routes`` are those whose bodies are logged."""
        self.app = app
        self._routes = routes
        self._redact = redact
        self._requests = requests
        self._replies = replies
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")
        self._logger = logging.getLogger("keyturn")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._wanted(scope):
            await self.app(scope, receive, send)
            return
        request_id = context_of(scope).request_id
        await self.app(
            scope,
            self._read(receive, request_id) if self._requests else receive,
            self._sent(send, request_id) if self._replies else send,
        )

    def _wanted(self, scope: Scope) -> bool:
        return context_of(scope).route in self._routes and self._logger.isEnabledFor(logging.DEBUG)

    def _read(self, receive: Receive, request_id: str) -> Receive:
        parts: list[bytes] = []

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    self._write("request body", request_id, b"".join(parts))
            return message

        return read

    def _sent(self, send: Send, request_id: str) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body" and (body := message.get("body")):
                self._write("answer", request_id, body)
            await send(message)

        return sent

    def _write(self, event: str, request_id: str, body: bytes) -> None:
        self._log.debug(event, request_id=request_id, body=self._redact(body.decode("utf-8", "replace")))
