"""A search of the web as a Responses client is shown it, whoever ran it. Pure.

Members: openai SDK 3.51.0, ``types/responses/response_function_web_search.py`` (2026-11-13). The item has no place for
what was found but its sources, which a client has to ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.hosting import USE, Family
from providers.json_object import NotJson, decode

FAMILY: Family = "web_search"
KIND = "web_search_call"
SOURCES = "web_search_call.action.sources"  # of ``include``

Json = dict[str, Any]


def is_call(block: Mapping[str, Any]) -> bool:
    return block.get("type") == USE and block.get("name") == FAMILY


def begun(identity: str, arguments: str) -> Json:
    """The item of a search that goes on."""
    query = _query(arguments)
    return {"id": identity, "type": KIND, "status": "searching", "action": _action(query)}


def ended(item: Json, result: Mapping[str, Any], sources: bool) -> Json:
    """The same item with what came of it; ``sources`` says whether the client wants those."""
    hits = result.get("content")
    if not isinstance(hits, list):
        return {**item, "status": "failed"}
    found = {"sources": list(_sources(hits))} if sources else {}
    return {**item, "status": "completed", "action": {**item["action"], **found}}


def _action(query: str) -> Json:
    return {"type": "search", "query": query, "queries": [query]}


def _query(arguments: str) -> str:
    try:
        value = decode(arguments.encode("utf-8", "replace"))
    except NotJson:
        return ""
    query = value.get("query") if isinstance(value, dict) else None
    return query if isinstance(query, str) else ""


def _sources(hits: list[Any]) -> Iterator[Json]:
    for hit in hits:
        if isinstance(hit, dict) and isinstance(hit.get("url"), str):
            yield {"type": "url", "url": hit["url"]}
