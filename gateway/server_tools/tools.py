"""web_search and web_fetch, run: a call and its tool in, the content of Anthropic's result block out.

Nothing is raised: whatever goes wrong is a result too, with one of Anthropic's codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from gateway.server_tools import domains, sources
from gateway.server_tools.engines import Hit, Query
from gateway.server_tools.failures import Code, ToolFailure
from gateway.server_tools.fetch import Fetcher, Page
from gateway.server_tools.quota import Quota
from gateway.server_tools.search import Search
from middleware.context import RequestContext
from providers.dialects.anthropic.server_blocks import sealed
from providers.hosting import HostedTool
from providers.ports import Clock

PER_TOKEN = 4  # characters, about

Json = dict[str, Any]
Observe = Callable[[str, str], None]
"""Told of every use: the tool, and ok or the code of its failure."""


class WebTools:
    """What runs the calls of all clients."""

    def __init__(self, search: Search, fetcher: Fetcher, quota: Quota, wall: Clock, observe: Observe) -> None:
        self._quota = quota
        self._search = search
        self._fetcher = fetcher
        self._wall = wall
        self._observe = observe
        self._log = structlog.get_logger("keyturn")

    async def run(
        self, tool: HostedTool, arguments: Mapping[str, Any], texts: Iterable[str], context: RequestContext
    ) -> Any:
        """The content of the result block. ``texts`` are what stands in the conversation, read where it matters."""
        try:
            if not self._quota.take(context.principal, context.grant.web_tools_per_minute if context.grant else None):
                raise ToolFailure(
                    "too_many_requests", "WEB_TOOLS_RATE_LIMIT, or web_tools_per_minute of its token, is used up"
                )
            if tool.family == "web_search":
                content: Any = await self._searched(tool, arguments)
            else:
                content = await self._fetched(tool, arguments, texts)
        except ToolFailure as failure:
            self._log.info("web tool failed", tool=tool.family, code=failure.code, reason=failure.words)
            self._observe(tool.family, failure.code)
            return refused(tool, failure.code)
        self._observe(tool.family, "ok")
        return content

    async def _searched(self, tool: HostedTool, arguments: Mapping[str, Any]) -> list[Json]:
        text = arguments.get("query")
        if not isinstance(text, str) or not text.strip():
            raise ToolFailure("invalid_tool_input", "the call has no query")
        hits = await self._search.find(Query(text.strip(), tool.allowed, tool.blocked, tool.country))
        return [_result(hit) for hit in hits]

    async def _fetched(self, tool: HostedTool, arguments: Mapping[str, Any], texts: Iterable[str]) -> Json:
        url = arguments.get("url")
        if not isinstance(url, str):
            raise ToolFailure("invalid_tool_input", "the call has no url")
        place = self._fetcher.target(url.strip())
        if not sources.stands_in(place, texts):
            raise ToolFailure("url_not_in_prior_context", "its URL does not stand in the conversation")
        most = tool.max_content_tokens
        page = await self._fetcher.fetch(
            place, domains.rule(tool.allowed, tool.blocked), most * PER_TOKEN if most else None
        )
        return _document(page, tool.citations, datetime.fromtimestamp(self._wall(), UTC))


def refused(tool: HostedTool, code: Code) -> Json:
    """The content of a result that is none."""
    return {"type": f"{tool.family}_tool_result_error", "error_code": code}


def _result(hit: Hit) -> Json:
    return {
        "type": "web_search_result",
        "url": hit.url,
        "title": hit.title,
        "encrypted_content": sealed(hit.snippet),
        "page_age": hit.age or None,
    }


def _document(page: Page, citations: bool, at: datetime) -> Json:
    document: Json = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": page.text},
        "title": page.title or None,
    }
    if citations:
        document["citations"] = {"enabled": True}
    retrieved = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": "web_fetch_result", "url": page.url, "content": document, "retrieved_at": retrieved}
