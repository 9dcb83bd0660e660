"""GET /admin/usage: who used how much. GET /v1/usage: the same of the asking client alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.clients.overview import counted
from gateway.pool_view import moment
from gateway.usage import Row, UsageLedger, Used, Who, summed
from middleware.context import context_of
from providers.errors import bad_request

Json = dict[str, Any]
# By what the rows are put together; agent is the finest, and the main thread's is "".
GROUPS = {
    "client": lambda who: Who(who.client),
    "session": lambda who: Who(who.client, who.session),
    "agent": lambda who: who,
}
COLUMNS = (
    "client",
    "session",
    "agent",
    "requests",
    "failed",
    "refused",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "unpriced_tokens",
    "last",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def routes(usage: UsageLedger) -> APIRouter:
    """``?by=client|session|agent`` says how finely, ``?format=json|csv`` in what form.

    What is counted since the gateway's start; with Redis, of all processes, since the first request of any.
    """
    router = APIRouter()

    @router.get("/admin/usage")
    async def everybody(by: str = "client", format: str = "json") -> Response:
        return _shown(await usage.used(), by, format)

    @router.get("/v1/usage")
    async def own(request: Request, by: str = "session", format: str = "json") -> Response:
        return _shown(await usage.used(context_of(request.scope).principal), by, format)

    return router


def _shown(used: Used, by: str, form: str) -> Response:
    if by not in GROUPS:
        raise bad_request("by", f"one of {', '.join(GROUPS)} is needed.")
    if form not in ("json", "csv"):
        raise bad_request("format", "json or csv is needed.")
    found = [_row(row) for row in summed(used.rows, GROUPS[by])]
    if form == "json":
        return JSONResponse({"by": by, "since": moment(used.since), "usage": found})
    return Response(_csv(found), media_type="text/csv; charset=utf-8")


def _row(row: Row) -> Json:
    who = row.who
    named = {"client": who.client or None, "session": who.session or None, "agent": who.agent or None}
    return named | counted(row.tally)


def _csv(found: Iterable[Json]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in found)
    return text.getvalue()


def _cell(value: object) -> object:
    """Sessions and agents are names that clients choose: none of them is a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
