"""The response object: what stays the same all through an answer, and what changes. Pure.

Members: openai SDK 3.51.0, ``types/responses/response.py`` (2026-11-13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.call import Call
from providers.chat.events import Stop
from providers.dialects.openai_responses import usage as usages
from providers.dialects.openai_responses.marks import for_client
from providers.dialects.openai_responses.toolbox import Origin, input_of
from providers.json_object import JsonObject, encode
from providers.ports import Usage

Json = dict[str, Any]

INCOMPLETE: Mapping[Stop, str] = {
    Stop.MAX_TOKENS: "max_output_tokens",
    Stop.CONTEXT_EXCEEDED: "max_output_tokens",
    Stop.REFUSAL: "content_filter",
}

# What a request says and its response says again, with what holds where it says nothing.
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class Shell:
    """Writes the response of one call, as JSON."""

    def __init__(self, call: Call) -> None:
        self.id = f"resp_{call.request_id.removeprefix('req_')}"  # until the answer has an id of its own
        self._model = call.model
        self._created = call.received
        self._echo = _echo(call.body)

    def write(
        self,
        status: str,
        output: Sequence[Json] = (),
        usage: Usage | None = None,
        stop: Stop = Stop.END_TURN,
        **more: Any,
    ) -> bytes:
        """``more`` are members of a response that failed."""
        reason = INCOMPLETE.get(stop) if status == "incomplete" else None
        changing = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._model,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(output),
            "usage": None if usage is None else usages.write(usage),
            **more,
        }
        return encode(changing)[:-1] + b"," + self._echo


def _echo(body: JsonObject) -> bytes:
    """The rest of the object, from its first member's name to its end. Nothing is ever stored."""
    said = {name: usual if body.get(name) is None else body.get(name) for name, usual in _ECHOED.items()}
    fixed = {"background": False, "previous_response_id": None, "service_tier": "default", "store": False}
    return encode({**said, **fixed})[1:]


def message_item(identity: str, part: Json | None, status: str, phase: Mapping[str, Any]) -> Json:
    content = [] if part is None else [part]
    return {"id": identity, "type": "message", "status": status, "role": "assistant", "content": content, **phase}


def text_part(text: str, annotations: Sequence[Json] = ()) -> Json:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def refusal_part(text: str) -> Json:
    return {"type": "refusal", "refusal": text}


def reasoning_item(identity: str, text: str, signature: str) -> Json:
    summary = [summary_part(text)] if text else []
    return {"id": identity, "type": "reasoning", "summary": summary, "encrypted_content": for_client(signature)}


def redacted_item(identity: str, sealed: str) -> Json:
    return {"id": identity, "type": "reasoning", "summary": [], "encrypted_content": sealed}


def summary_part(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def call_item(identity: str, call_id: str, origin: Origin, arguments: str, status: str) -> Json:
    """A call as the client knows its tool; ``arguments`` are JSON text."""
    space = {"namespace": origin.namespace} if origin.namespace else {}
    named: Json = {"call_id": call_id, "name": origin.name, **space}
    if origin.custom:
        text = input_of(arguments) if arguments else ""
        return {"id": identity, "type": "custom_tool_call", "status": status, **named, "input": text}
    return {"id": identity, "type": "function_call", "status": status, **named, "arguments": arguments}
