"""A Messages request for a Messages upstream: the client's bytes, with as few edits as its row and route ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from providers import extra_body
from providers.call import Call, Operation, UpstreamRequest
from providers.chat.unseen import refusal
from providers.dialects.anthropic import history, hosts
from providers.headers import Pairs, own_headers
from providers.json_object import JsonObject, decode, encode
from providers.learning import lessons
from providers.quirks import Paths, Quirks
from providers.spec import ProviderConfig, UnseenImages

DEFAULT_VERSION = "2023-06-01"

# New features arrive as a header together with a body field, so the lists are open; the client's own credentials
# and what only its own HTTP client means are not sent on.
_TRAVEL = ("anthropic-", "x-anthropic-", "x-claude-code-")
_TRAVEL_TOO = frozenset({"x-app", "traceparent", "tracestate"})
_STAY = frozenset({"anthropic-auth-token", "anthropic-dangerous-direct-browser-access"})


def build(call: Call, model: str, thinking: bool, config: ProviderConfig, key: str) -> UpstreamRequest:
    """The POST for this upstream. Raises UpstreamFailure for an image that must not be left out."""
    own = own_headers(config, key, "application/json")
    named = {name for name, _ in own}
    quirks = config.quirks.of(model)
    headers = (*(pair for pair in _travelling(call, quirks) if pair[0] not in named), *own)
    edits = extra_body.edits(call.body, config.extra_body, call.operation is Operation.MESSAGES)
    changed = _edits(call.body, call.model, model, thinking, quirks)
    edits |= changed
    tools, lost = _tools(call.body, quirks)
    edits |= tools
    edits |= lessons.edits(call.body, quirks.learned)
    edits |= _placed(quirks, call.operation)
    lost += extra_body.kept_out((*config.extra_body, *extra_body.of_request(call.body)))
    if "max_tokens" in changed:
        lost.append("max_tokens")
    if not quirks.vision:
        edits |= _unseen(changed.get("messages") or bytes(call.body.view("messages")), model, config, lost)
    if quirks.learned:
        lost += lessons.edited_out(call.body, quirks.learned)
        lost += lessons.betas_out(call.headers, quirks.learned)
    where = url(config.base_url, call.operation, quirks.paths, model, call.stream)
    return UpstreamRequest(where, _versioned(headers), call.body.edited(edits), config.timeouts, tuple(lost))


def translated(body: Mapping[str, Any], config: ProviderConfig, key: str) -> UpstreamRequest:
    """The POST of a request that came in another dialect, which is streamed."""
    model = body["model"]
    quirks = config.quirks.of(model)
    headers = _versioned(own_headers(config, key, "text/event-stream"))
    if quirks.paths is not None:
        body = {name: value for name, value in body.items() if name != "model"}
    if quirks.body_version:
        body = {**body, "anthropic_version": quirks.body_version}
    where = url(config.base_url, Operation.MESSAGES, quirks.paths, model, True)
    return UpstreamRequest(where, headers, encode(body), config.timeouts)


def _versioned(headers: Pairs) -> Pairs:
    named = any(name == "anthropic-version" for name, _ in headers)
    return headers if named else (*headers, ("anthropic-version", DEFAULT_VERSION))


def url(base: str, operation: Operation, paths: Paths | None = None, model: str = "", stream: bool = False) -> str:
    """``/messages`` under a base that ends in ``/v1``, else ``/v1/messages``; or the row's own ``paths``."""
    base, counts = base.rstrip("/"), operation is Operation.COUNT_TOKENS
    if paths is not None:
        path = paths.count if counts else paths.stream if stream else paths.whole
        return f"{base}/{path.replace('{model}', quote(model, safe='@'))}"
    path = "/messages" if base.endswith("/v1") else "/v1/messages"
    return base + path + ("/count_tokens" if counts else "")


def _placed(quirks: Quirks, operation: Operation) -> dict[str, bytes | None]:
    """What changes in the body where the URL names the model; that of a counter does not."""
    edits: dict[str, bytes | None] = {}
    if quirks.paths is not None and operation is Operation.MESSAGES:
        edits["model"] = None
    if quirks.body_version:
        edits["anthropic_version"] = encode(quirks.body_version)
    return edits


def _travelling(call: Call, quirks: Quirks) -> list[tuple[str, str]]:
    found = [
        (name, value)
        for name, value in call.headers
        if (name.startswith(_TRAVEL) or name in _TRAVEL_TOO) and name not in _STAY
    ]
    return lessons.headers(found, quirks.learned) if quirks.learned else found


def _edits(body: JsonObject, asked: str, model: str, thinking: bool, quirks: Quirks) -> dict[str, bytes | None]:
    edits: dict[str, bytes | None] = {}
    if model != asked:
        edits["model"] = encode(model)
    messages = history.cleaned(body, quirks.signed_thoughts, quirks.server_tools)
    if messages is not None:
        edits["messages"] = messages
    if not thinking:
        edits |= _without_thinking(body, quirks.thinks_unasked)
    limit = body.get("max_tokens")
    if limit is not None and quirks.bounded(limit) != limit:
        edits["max_tokens"] = encode(quirks.bounded(limit))
    return edits


def _tools(body: JsonObject, quirks: Quirks) -> tuple[dict[str, bytes | None], list[str]]:
    """The edits, and what was taken out: web tools that this upstream does not run."""
    edits: dict[str, bytes | None] = {}
    lost: list[str] = []
    if hosts.lists(body):
        kept, missing = hosts.without(body, quirks.server_tools)
        lost = [f"tools.{tool['type']}" for tool in missing]
        if missing:
            edits["tools"] = kept
        named = {tool.get("name") for tool in missing}
        forced = (body.get("tool_choice") or {}).get("name")
        if "tool_choice" in body and (kept is None or (forced is not None and forced in named)):
            edits["tool_choice"] = None
    if quirks.untyped_tools and any(tool.get("type") == "custom" for tool in body.get("tools") or ()):
        edits["tools"] = encode([_untyped(tool) for tool in decode(edits.get("tools") or bytes(body.view("tools")))])
    return edits, lost


def _unseen(messages: bytes, model: str, config: ProviderConfig, lost: list[str]) -> dict[str, bytes]:
    """For a model that cannot see."""
    noted = history.unseen(messages) if messages else messages
    if noted == messages:
        return {}
    if config.images is UnseenImages.REFUSE:
        raise refusal(model)
    lost.append("messages.image")
    return {"messages": noted}


def _without_thinking(body: JsonObject, unasked: bool) -> dict[str, bytes | None]:
    """Thinking off, and with it the context edits that the API refuses without thinking."""
    edits: dict[str, bytes | None] = {}
    if unasked or "thinking" in body:
        edits["thinking"] = encode({"type": "disabled"})
    management = body.get("context_management") or {}
    context_edits = management.get("edits")
    if not isinstance(context_edits, list):
        return edits
    kept = [edit for edit in context_edits if not _clears_thinking(edit)]
    if len(kept) < len(context_edits):
        edits["context_management"] = encode({**management, "edits": kept}) if kept else None
    return edits


def _clears_thinking(edit: Any) -> bool:
    return isinstance(edit, dict) and str(edit.get("type", "")).startswith("clear_thinking_")


def _untyped(tool: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if name != "type" or value != "custom"}
