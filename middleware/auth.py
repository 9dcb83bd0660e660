"""Who is asking, and which model their token pins: ``token:provider/model``."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from middleware.asgi import App, Receive, Scope, Send, header
from middleware.context import context_of
from middleware.grant import Grant
from middleware.loopback import is_loopback
from providers.errors import Fault
from providers.secret import Secret

_OPEN_PATHS = frozenset({"/health", "/healthz", "/readyz"})
_FORWARDING = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"cf-connecting-ip"}
)
_PROTECTED = (
    "This Keyturn has no client token, so it serves only this machine, and nobody through a proxy. Add one of "
    "two lines to its .env and restart it: ANTHROPIC_AUTH_TOKEN=<a token you choose>, or KEYTURN_ALLOW_OPEN=true."
)
_MISSING = "This Keyturn needs a client token. Set ANTHROPIC_AUTH_TOKEN to the one that its owner gave you."
_PAGE = (
    "This Keyturn has no client token, so pages of other sites may not use it. Set ANTHROPIC_AUTH_TOKEN in its .env, "
    "or KEYTURN_ALLOW_OPEN=true, and restart it."
)
_UNKNOWN = "This client token is not one of this Keyturn's. Set ANTHROPIC_AUTH_TOKEN to the one its owner gave you."
_ENDED = (
    "Your client token {name} {how} on {day}. Ask whoever runs this Keyturn for a new one, and set "
    "ANTHROPIC_AUTH_TOKEN to it."
)
_HOW = {"revoked": "was revoked", "expired": "expired"}
_UNREAD = "This Keyturn cannot look up client tokens right now, since its store is away. Try again in a few seconds."
_ADMIN_OFF = (
    "/admin and /ui are off here. To switch them on, set KEYTURN_ADMIN_TOKEN in this Keyturn's .env and restart it; "
    "started by `keyturn serve` on 127.0.0.1, it makes a token of its own, which `keyturn status` finds."
)
_ADMIN = (
    "/admin and /ui need the admin token, KEYTURN_ADMIN_TOKEN in this Keyturn's settings: send it as a Bearer token."
)
_ADMIN_PAGE = "Pages of other sites may not use /admin or /ui."
_ASK_FOR_PASSWORD = ((b"www-authenticate", b'Basic realm="Keyturn, any name and the admin token", charset="UTF-8"'),)
_METRICS = "The metrics need a token here: start Keyturn with METRICS_TOKEN set and send it as a Bearer token."


class Clients(Protocol):
    """All client tokens there are."""

    @property
    def required(self) -> bool:
        """Whether there are any, or ever were: then nobody is served without one."""

    @property
    def complete(self) -> bool:
        """False while those of the store could not be read even once."""

    def find(self, offered: str) -> Grant | None:
        """Whose token this is, good or not. It takes as long for one that nobody has."""

    def now(self) -> float:
        """Seconds since 1970."""


class NoClients:
    """See Clients."""

    required, complete = False, True

    def find(self, offered: str) -> Grant | None:
        return None

    def now(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Access:
    """``beyond`` says that the gateway listens on more than loopback."""

    clients: Clients = field(default_factory=NoClients)
    allow_open: bool = False
    beyond: bool = False
    metrics_token: Secret | None = None
    admin_token: Secret | None = None  # None: /admin is off


class Auth:
    """Sets the context's principal and pin, or raises Fault 401 or 403."""

    def __init__(self, app: App, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _needs_nothing(scope):
            if scope["path"] == "/metrics":
                self._metrics(scope)
            elif scope["path"].startswith(("/admin/", "/ui/")) or scope["path"] == "/ui":
                self._admin(scope)
            else:
                self._client(scope)
        await self.app(scope, receive, send)

    def _client(self, scope: Scope) -> None:
        context = context_of(scope)
        offered = list(credentials(scope))
        if self.access.clients.required:
            context.grant, context.pin = self._known(offered)
            context.principal = context.grant.name
        elif not self.access.clients.complete and _from_beyond(scope) and not self.access.allow_open:
            raise Fault(503, "api_error", _UNREAD, retry_after=2)
        elif not self.access.allow_open and _from_beyond(scope):
            raise Fault(403, "permission_error", _PROTECTED, retry=False)
        elif not self.access.allow_open and _from_a_page(scope):
            raise Fault(403, "permission_error", _PAGE, retry=False)
        else:
            context.pin = next((pin for each in offered if (pin := each.partition(":")[2].strip())), "")

    def _known(self, offered: Sequence[str]) -> tuple[Grant, str]:
        """The whole value is tried first, so that a token may hold a colon; then the part before the first one.

        All are looked up before anything is said, so that the time tells nobody what was found.
        """
        clients = self.access.clients
        tried = [each for value in offered for each in ((value, ""), _split(value))]
        found = [(grant, pin) for candidate, pin in tried if (grant := clients.find(candidate))]
        now = clients.now()
        for grant, pin in found:
            if not grant.ended(now):
                return grant, pin
        if found:
            raise Fault(401, "authentication_error", _ended(found[0][0], now), retry=False)
        if offered and not clients.complete:
            raise Fault(503, "api_error", _UNREAD, retry_after=2)
        raise Fault(401, "authentication_error", _UNKNOWN if offered else _MISSING, retry=False)

    def _metrics(self, scope: Scope) -> None:
        if not (self.access.beyond or _from_beyond(scope)):
            return
        token = self.access.metrics_token
        if token is None or not any(token.matches(value) for value in credentials(scope)):
            raise Fault(401, "authentication_error", _METRICS, retry=False)

    def _admin(self, scope: Scope) -> None:
        """A client's token opens nothing here, and this one nothing else."""
        token = self.access.admin_token
        if token is None:
            raise Fault(404, "not_found_error", _ADMIN_OFF, retry=False)
        if _from_a_page(scope) and not _from_own_page(scope):
            raise Fault(403, "permission_error", _ADMIN_PAGE, retry=False)
        if any(token.matches(value) for value in (*credentials(scope), *_password(scope))):
            return
        asks = _ASK_FOR_PASSWORD if scope["path"].startswith("/ui") else ()
        raise Fault(401, "authentication_error", _ADMIN, retry=False, headers=asks)


def credentials(scope: Scope) -> Iterator[str]:
    """Every credential that the request carries: x-api-key, Authorization: Bearer, anthropic-auth-token."""
    if key := header(scope, b"x-api-key").strip():
        yield key
    scheme, _, rest = header(scope, b"authorization").strip().partition(" ")
    if rest.strip() and scheme.lower() == "bearer":
        yield rest.strip()
    elif scheme and not rest:
        yield scheme
    if token := header(scope, b"anthropic-auth-token").strip():
        yield token.removeprefix("Bearer ").strip()


def _ended(grant: Grant, now: float) -> str:
    """For whoever holds that very token."""
    how = grant.ended(now)
    at = grant.revoked if how == "revoked" else grant.expires
    return _ENDED.format(name=grant.name, how=_HOW[how], day=datetime.fromtimestamp(at or 0.0, UTC).date())


def _password(scope: Scope) -> Iterator[str]:
    """What a browser sends of a name and a password: the password, whatever the name."""
    scheme, _, rest = header(scope, b"authorization").strip().partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            yield base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[2]


def _split(value: str) -> tuple[str, str]:
    token, _, pin = value.partition(":")
    return token.strip(), pin.strip()


def _needs_nothing(scope: Scope) -> bool:
    return scope["path"] in _OPEN_PATHS or (scope["path"] == "/" and scope["method"] == "HEAD")


def _from_a_page(scope: Scope) -> bool:
    """From a page of another site in this machine's browser, which sends such a POST without asking first.

    Editors and desktop programs have origins of other schemes.
    """
    origin = header(scope, b"origin")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return True
    return origin == "null" or (parts.scheme in ("http", "https") and not is_loopback(parts.hostname or ""))


def _from_own_page(scope: Scope) -> bool:
    """From a page that this gateway served. A name that was bent to it passes here too, and still has no token."""
    return urlsplit(header(scope, b"origin")).netloc == header(scope, b"host") != ""


def _from_beyond(scope: Scope) -> bool:
    """From another machine, or forwarded by somebody: a proxy on this one may stand open to the world."""
    peer = (scope.get("client") or ("",))[0]
    if peer and not is_loopback(peer):  # a unix socket has no peer, and is this machine's
        return True
    return any(name in _FORWARDING for name, _ in scope["headers"])
