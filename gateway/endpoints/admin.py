"""/admin: the live pool, and keys that a person rests and wakes. The auth middleware has let only the admin in."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request
from structlog.typing import FilteringBoundLogger

from gateway.pool_view import PoolView, labels
from gateway.stories import KEPT, Stories
from providers.errors import Fault, Scope, bad_request
from providers.json_object import JsonObject, NotJson
from providers.keys import Key
from providers.registry import Registry
from providers.state import OPERATOR, WHOLE, RestOrder

HOUR = 3600.0
MONTH = 31 * 24 * HOUR  # the longest rest
LONGEST_NAME = 300  # characters of a model's name

Json = dict[str, Any]


class Keys:
    """Keys that a person rests and wakes, by their labels. Raises Fault (404) for a label that no key has."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._log: FilteringBoundLogger = structlog.get_logger("keyturn")

    async def rest(self, label: str, model: str = WHOLE, seconds: float = HOUR) -> str:
        """Returns the key's provider."""
        provider, key = _known(self._registry, label)
        order = RestOrder(Scope.KEY_MODEL if model else Scope.KEY, OPERATOR, seconds, honest=True)
        await self._registry.pools[provider].rest(key, model, order)
        self._log.warning("key rested by hand", provider=provider, key=label, model=model or None, seconds=seconds)
        return provider

    async def wake(self, label: str) -> str:
        """Ends every rest of it; returns the key's provider."""
        provider, key = _known(self._registry, label)
        await self._registry.pools[provider].wake(key)
        self._log.warning("key woken by hand", provider=provider, key=label)
        return provider


def routes(keys: Keys, view: PoolView, stories: Stories) -> APIRouter:
    """GET /admin/pool, POST /admin/keys/{label}/rest and /wake, GET /admin/explain/{request-id}."""
    router = APIRouter(prefix="/admin")

    @router.get("/pool")
    async def pool() -> Json:
        return await view.whole()

    @router.post("/keys/{label:path}/rest")
    async def rest(label: str, request: Request) -> Json:
        return await view.key(await keys.rest(label, *read_order(await request.body())), label)

    @router.post("/keys/{label:path}/wake")
    async def wake(label: str) -> Json:
        return await view.key(await keys.wake(label), label)

    @router.get("/explain/{request_id:path}")
    async def explain(request_id: str) -> Json:
        told = await stories.told(request_id)
        if told is None:
            raise forgotten(request_id)
        return told

    return router


def read_order(raw: bytes) -> tuple[str, float]:
    """The model (or WHOLE) that a key is to rest for, and for how many seconds. Raises Fault (400) naming the field."""
    try:
        body = JsonObject(raw.strip() or b"{}")
        fields = {name: body.get(name) for name in body}
    except NotJson as error:
        raise Fault(400, "invalid_request_error", f"body: {error}") from error
    for name in fields.keys() - {"seconds", "model"}:
        raise bad_request(name[:50], 'no such field; there are "seconds" and "model".')
    return _model(fields.get("model")), _seconds(fields.get("seconds", HOUR))


def _seconds(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 1 <= value <= MONTH:
        return float(value)
    raise bad_request("seconds", f"a number from 1 to {MONTH:.0f} (31 days) is needed.")


def _model(value: Any) -> str:
    if value is None:
        return WHOLE
    if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME:
        return value
    raise bad_request("model", "the name of a model is needed; without it, the key rests for all of them.")


def forgotten(request_id: str) -> Fault:
    """A request that nobody remembers."""
    return Fault(
        404,
        "not_found_error",
        f"no request {request_id[:100]!r} is remembered; the last {KEPT} to models are, and those under way.",
    )


def _known(registry: Registry, label: str) -> tuple[str, Key]:
    known = labels(registry)
    if label not in known:
        raise Fault(404, "not_found_error", f"no key has the label {label[:100]!r}; there are {', '.join(known)}.")
    return known[label]
