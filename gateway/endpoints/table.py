"""The (method, path) table that stands before FastAPI, and the answers to everything that is not in it.

FastAPI's router redirects, answers 404 and 405 in a shape of its own, and costs a request some 30 us; the hot paths
never reach it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import structlog

from middleware.asgi import App, Receive, Scope, Send
from providers.errors import Fault

Endpoints = Mapping[tuple[str, str], App]

_DOUBLED = "/v1/v1/"
_PROBES = ("HEAD", "OPTIONS")


class EndpointTable:
    """Serves ``hot`` itself, probes and refusals too, and leaves the paths of ``served`` to ``app``."""

    def __init__(self, app: App, hot: Endpoints, served: Mapping[str, tuple[str, ...]]) -> None:
        """``served`` has every path that is served, with its methods; a path may have one ``{name}``."""
        self.app = app
        self.hot = hot
        self.served = served
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith(_DOUBLED):
            self._undouble(scope)
        method, path = scope["method"], scope["path"]
        route = template(self.served, path)
        if endpoint := self.hot.get((method, path)):
            await endpoint(scope, receive, send)
        elif route is None:
            raise self._not_found(method, path)
        elif method in self.served[route]:
            await self.app(scope, receive, send)
        else:
            await self._other_method(send, method, path, self.served[route])

    async def _other_method(self, send: Send, method: str, path: str, methods: tuple[str, ...]) -> None:
        allow = (b"allow", ", ".join((*methods, *_PROBES)).encode())
        if method not in _PROBES:
            raise Fault(
                405,
                "invalid_request_error",
                f"{path} is not served for {method[:20]}; use {' or '.join(methods)}.",
                headers=(allow,),
            )
        await send({"type": "http.response.start", "status": 204, "headers": [allow]})
        await send({"type": "http.response.body", "body": b""})

    def _not_found(self, method: str, path: str) -> Fault:
        served = ", ".join(f"{' '.join(methods)} {route}" for route, methods in self.served.items())
        return Fault(404, "not_found_error", f"{method[:20]} {path[:200]} is not served here. Served: {served}.")

    def _undouble(self, scope: Scope) -> None:
        scope["path"] = scope["path"].removeprefix("/v1")
        if not self._warned:
            self._warned = True
            structlog.get_logger("keyturn").warning(
                "a client asks for /v1/v1/...: its ANTHROPIC_BASE_URL should not end in /v1",
                user_agent=dict(scope["headers"]).get(b"user-agent", b"")[:100].decode("latin-1"),
            )


def template(served: Collection[str], path: str) -> str | None:
    """The served path that ``path`` is, None where it is none; a doubled /v1 is one."""
    if path.startswith(_DOUBLED):
        path = path.removeprefix("/v1")
    if path in served:
        return path
    return next((route for route in served if "{" in route and _fits(route, path)), None)


def _fits(route: str, path: str) -> bool:
    stem, _, rest = route.partition("{")
    tail = rest.partition("}")[2]
    return path.startswith(stem) and path.endswith(tail) and len(path) > len(stem) + len(tail)
