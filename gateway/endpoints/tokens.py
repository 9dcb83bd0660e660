"""/admin/tokens: the clients' tokens. The auth middleware has let only the admin in."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from structlog.typing import FilteringBoundLogger

from gateway.clients.book import BookAway
from gateway.clients.office import NO_PLACE, Office, shown
from gateway.clients.roster import Roster
from gateway.clients.table import Refused
from providers.errors import Fault
from providers.json_object import JsonObject, NotJson

Json = dict[str, Any]


def routes(roster: Roster) -> APIRouter:
    """GET and POST /admin/tokens, DELETE /admin/tokens/{name}."""
    router = APIRouter(prefix="/admin/tokens")
    log: FilteringBoundLogger = structlog.get_logger("keyturn")
    office = Office(roster.book, roster.reserved, roster.now, roster.took) if roster.book else None

    @router.get("")
    async def listed() -> Json:
        now = roster.now()
        return {"tokens": [shown(grant, fixed, now) for grant, fixed in roster.all()]}

    @router.post("")
    async def create(request: Request) -> JSONResponse:
        wanted = _members(await request.body())
        try:
            token, what = await _placed(office).create(wanted)
        except (Refused, BookAway) as error:
            raise _fault(error) from error
        log.warning("client token made", client=what["name"])
        return JSONResponse({**what, "token": token}, 201, {"cache-control": "no-store"})

    @router.delete("/{name:path}")
    async def revoke(name: str) -> Json:
        try:
            await _placed(office).revoke(name)
        except (Refused, BookAway) as error:
            raise _fault(error) from error
        log.warning("client token revoked", client=name[:100])
        return {"name": name, "state": "revoked"}

    return router


def _placed(office: Office | None) -> Office:
    if office is None:
        raise Fault(409, "invalid_request_error", NO_PLACE, retry=False)
    return office


def _fault(error: Refused | BookAway) -> Fault:
    if isinstance(error, Refused):
        return Fault(400, "invalid_request_error", str(error), retry=False)
    return Fault(503, "api_error", f"{error}. Try again when it is back.", retry_after=5)


def _members(raw: bytes) -> Json:
    try:
        body = JsonObject(raw)
        return {name: body.get(name) for name in body}
    except NotJson as error:
        raise Fault(400, "invalid_request_error", f"body: {error}") from error
