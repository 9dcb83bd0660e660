"""A Chat Completions request for an upstream that speaks it too: the client's bytes, with as few edits as can be."""

from __future__ import annotations

from typing import Any

from providers.call import Call, UpstreamRequest
from providers.chat.effort import EFFORTS, fitting
from providers.headers import own_headers
from providers.json_object import JsonObject, encode
from providers.spec import ProviderConfig, Quirks

_LIMITS = ("max_tokens", "max_completion_tokens")

Edits = dict[str, bytes | None]


def build(call: Call, model: str, thinking: bool, config: ProviderConfig, key: str, url: str) -> UpstreamRequest:
    """The POST for this upstream."""
    lost: list[str] = []
    edits = _edits(call, model, config.quirks) | _effort(call.body, model, thinking, config.quirks, lost)
    headers = own_headers(config, key, "text/event-stream" if call.stream else "application/json")
    return UpstreamRequest(url, headers, call.body.edited(edits), config.timeouts, tuple(lost))


def _edits(call: Call, model: str, quirks: Quirks) -> Edits:
    body = call.body
    edits: Edits = {}
    if model != call.model:
        edits["model"] = encode(model)
    if call.stream and not asks_for_usage(body):
        edits["stream_options"] = encode({**(body.get("stream_options") or {}), "include_usage": True})
    if b'"developer"' in body.raw:
        edits |= _without_developers(body.get("messages"))
    return edits | _limit(body, quirks)


def asks_for_usage(body: JsonObject) -> bool:
    """Whether the client of a stream wants the chunk that says what it cost."""
    return (body.get("stream_options") or {}).get("include_usage") is True


def _limit(body: JsonObject, quirks: Quirks) -> Edits:
    """The limit by the name that it has here, and within the row's."""
    asked = body.get("max_completion_tokens") or body.get("max_tokens")
    if asked is None:
        return {}
    cap = quirks.max_output_tokens
    limit = min(asked, cap) if cap else asked
    edits: Edits = {name: None for name in _LIMITS if name in body and name != quirks.max_tokens_field}
    if body.get(quirks.max_tokens_field) != limit:
        edits[quirks.max_tokens_field] = encode(limit)
    return edits


def _without_developers(messages: list[dict[str, Any]]) -> Edits:
    """Every server knows the role "system"; to OpenAI's models the two are one."""
    if not any(message["role"] == "developer" for message in messages):
        return {}
    said = [{**each, "role": "system"} if each["role"] == "developer" else each for each in messages]
    return {"messages": encode(said)}


def _effort(body: JsonObject, model: str, thinking: bool, quirks: Quirks, lost: list[str]) -> Edits:
    """As asked, where the row does not say which of its models take which efforts."""
    asked = body.get("reasoning_effort")
    wanted = (asked or "") if thinking else "none"
    if quirks.effort_models and model.startswith(quirks.effort_models):
        known = wanted in EFFORTS and bool(quirks.efforts)
        fits = fitting(wanted, quirks.efforts) if known else asked
        return {} if fits == asked else {"reasoning_effort": encode(fits)}
    if asked is None or (thinking and not quirks.effort_models):
        return {}
    if thinking and asked != "none":
        lost.append("effort")
    return {"reasoning_effort": None}
