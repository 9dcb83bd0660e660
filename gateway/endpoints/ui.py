"""/ui: the status page. The auth middleware has let only the admin in."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.endpoints.admin import Keys, forgotten
from gateway.explain import story
from gateway.pool_view import PoolView
from gateway.stories import Stories
from gateway.ui.view import page
from gateway.words import spell
from providers.ports import Clock

# Nothing from elsewhere, nothing inline, no page around it.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # with no-referrer a browser calls the origin of the buttons' forms "null"
    "x-content-type-options": "nosniff",
}
ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}


def routes(view: PoolView, stories: Stories, keys: Keys, clock: Clock, draining: Callable[[], bool]) -> APIRouter:
    """GET /ui, /ui/requests/{request-id} and the two assets; POST /ui/keys/{label}/rest and /wake."""
    router = APIRouter(prefix="/ui", include_in_schema=False)
    templates = Environment(
        loader=PackageLoader("gateway", "ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["spell"] = spell

    @router.get("")
    async def whole() -> Response:
        shown = page(await view.whole(), stories.running(), stories.over(), clock(), draining())
        return HTMLResponse(templates.get_template("page.html").render(page=shown), headers=HEADERS)

    @router.get("/requests/{request_id:path}")
    async def explain(request_id: str) -> Response:
        context = stories.find(request_id)
        if context is None:
            raise forgotten(request_id)
        told = templates.get_template("story.html").render(story=story(context, clock()))
        return HTMLResponse(told, headers=HEADERS)

    @router.get("/page.css")
    async def style() -> Response:
        return _asset("page.css")

    @router.get("/page.js")
    async def script() -> Response:
        return _asset("page.js")

    @router.post("/keys/{label:path}/rest")
    async def rest(label: str) -> Response:
        await keys.rest(label)
        return RedirectResponse("/ui", 303)

    @router.post("/keys/{label:path}/wake")
    async def wake(label: str) -> Response:
        await keys.wake(label)
        return RedirectResponse("/ui", 303)

    return router


def _asset(name: str) -> Response:
    text = files("gateway.ui").joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=f"{ASSETS[name]}; charset=utf-8", headers=HEADERS)
