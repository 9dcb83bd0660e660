"""A Chat Completions request for an upstream that speaks it too: the client's bytes, with as few edits as can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from providers import extra_body
from providers.call import Call, UpstreamRequest
from providers.chat.marks import ID_MARK, plain_id
from providers.dialects.openai_chat.naming import of_model
from providers.headers import own_headers
from providers.json_object import JsonObject, encode
from providers.quirks import Quirks
from providers.spec import ProviderConfig

_LIMITS = ("max_tokens", "max_completion_tokens")

Edits = dict[str, bytes | None]


def fits(quirks: Quirks, model: str) -> bool:
    """Whether the edits below are all that this model asks for: any other quirk, a new one too, is the writer's.

    Thoughts between tags are for the reader, which tells them from text.
    """
    known = replace(quirks, max_output_tokens=None, min_output_tokens=0, max_tokens_field="max_tokens", models=())
    others = replace(known, files=False, samplers=(), untyped_tools=False, thinks_unasked=False, signed_thoughts=False)
    return others == Quirks() and not of_model(model, quirks.think_models)


def build(call: Call, model: str, config: ProviderConfig, key: str, url: str) -> UpstreamRequest:
    """The POST for this upstream."""
    quirks = config.quirks.of(model)
    edits = extra_body.edits(call.body, config.extra_body, True) | _edits(call, model, quirks)
    headers = own_headers(config, key, "text/event-stream" if call.stream else "application/json")
    lost = extra_body.kept_out((*config.extra_body, *extra_body.of_request(call.body)))
    asked = _asked(call.body)
    if asked is not None and quirks.bounded(asked) != asked:
        lost.append("max_tokens")
    return UpstreamRequest(url, headers, call.body.edited(edits), config.timeouts, tuple(lost))


def _edits(call: Call, model: str, quirks: Quirks) -> Edits:
    body = call.body
    edits: Edits = {}
    if model != call.model:
        edits["model"] = encode(model)
    if call.stream and not asks_for_usage(body):
        edits["stream_options"] = encode({**(body.get("stream_options") or {}), "include_usage": True})
    if b'"developer"' in body.raw or ID_MARK.encode() in body.raw:
        edits |= _messages(body.get("messages"))
    return edits | _limit(body, quirks)


def asks_for_usage(body: JsonObject) -> bool:
    """Whether the client of a stream wants the chunk that says what it cost."""
    return (body.get("stream_options") or {}).get("include_usage") is True


def _limit(body: JsonObject, quirks: Quirks) -> Edits:
    """The limit by the name that it has here, and within the row's."""
    asked = _asked(body)
    if asked is None:
        return {}
    limit = quirks.bounded(asked)
    edits: Edits = {name: None for name in _LIMITS if name in body and name != quirks.max_tokens_field}
    if body.get(quirks.max_tokens_field) != limit:
        edits[quirks.max_tokens_field] = encode(limit)
    return edits


def _asked(body: JsonObject) -> int | None:
    asked: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    return asked


def _messages(messages: list[dict[str, Any]]) -> Edits:
    """No edit where what is looked for stands in a text only: then the messages keep their bytes."""
    changed = [_unsigned(_as_system(message)) for message in messages]
    same = all(new is old for new, old in zip(changed, messages, strict=True))
    return {} if same else {"messages": encode(changed)}


def _as_system(message: dict[str, Any]) -> dict[str, Any]:
    """Every server knows the role "system"; to OpenAI's models the two are one."""
    return {**message, "role": "system"} if message["role"] == "developer" else message


def _unsigned(message: dict[str, Any]) -> dict[str, Any]:
    """A message without the signatures that another upstream gave its calls, in their ids."""
    identity = message.get("tool_call_id")
    if isinstance(identity, str) and ID_MARK in identity:
        return {**message, "tool_call_id": plain_id(identity)}
    calls = message.get("tool_calls") or ()
    if not any(ID_MARK in str(call.get("id")) for call in calls):
        return message
    return {**message, "tool_calls": [{**call, "id": plain_id(str(call.get("id")))} for call in calls]}
