"""Why an answer of Chat Completions ended, in every word that upstreams have for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers import classify
from providers.chat.events import Stop
from providers.dialects.openai_chat.usage import Holder
from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import encode

# With those that litellm 1.109.1 and the providers' own pages name (read 2026-11).
STOPS: Mapping[str, Stop] = {
    "stop": Stop.END_TURN,
    "end_turn": Stop.END_TURN,
    "eos": Stop.END_TURN,
    "eos_token": Stop.END_TURN,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "length": Stop.MAX_TOKENS,
    "max_tokens": Stop.MAX_TOKENS,
    "continuation": Stop.MAX_TOKENS,  # Gemini 4, at the limit of one request (ai.google.dev, long decode)
    "model_length": Stop.MAX_TOKENS,
    "tool_calls": Stop.TOOL_USE,
    "function_call": Stop.TOOL_USE,
    "tool_use": Stop.TOOL_USE,
    "content_filter": Stop.REFUSAL,
    "refusal": Stop.REFUSAL,
    "sensitive": Stop.REFUSAL,
    "guardrail_intervened": Stop.REFUSAL,
    "safety": Stop.REFUSAL,
    "recitation": Stop.REFUSAL,
    "blocklist": Stop.REFUSAL,
    "prohibited_content": Stop.REFUSAL,
    "spii": Stop.REFUSAL,
    "model_armor": Stop.REFUSAL,
    "language": Stop.REFUSAL,
    "other": Stop.REFUSAL,
}
FAILURES: Mapping[str, ErrorKind] = {
    "error": ErrorKind.SERVER_ERROR,
    "abort": ErrorKind.SERVER_ERROR,  # vLLM and SGLang, where the server gave a request up
    "network_error": ErrorKind.SERVER_ERROR,
    "insufficient_system_resource": ErrorKind.OVERLOADED,
    "malformed_function_call": ErrorKind.SERVER_ERROR,
    "malformed_response": ErrorKind.SERVER_ERROR,
    "unexpected_tool_call": ErrorKind.SERVER_ERROR,
    "too_many_tool_calls": ErrorKind.SERVER_ERROR,
    "missing_thought_signature": ErrorKind.SERVER_ERROR,
}


def failure_of(reason: str) -> ErrorKind | None:
    """The kind of failure that a reason is; Gemini may write ``function_call_filter: MALFORMED_FUNCTION_CALL``."""
    return FAILURES.get(reason.lower().rpartition(": ")[2])


def stop_of(reason: str) -> Stop:
    """An unknown reason, of which new ones come, is a plain end; Gemini's IMAGE_... ones are all refusals."""
    reason = reason.lower()
    return STOPS.get(reason, Stop.REFUSAL if reason.startswith("image_") else Stop.END_TURN)


def failure_in(chunk: Holder, data: bytes) -> UpstreamFailure | None:
    """An error that came in place of a chunk or a whole answer, or MiniMax's in one of its own kind."""
    status = chunk.get("base_resp")
    refused = isinstance(status, dict) and bool(status.get("status_code"))
    if chunk.get("error") or refused or (chunk.get("choices") is None and classify.words(data)):
        return classify.error_inside(data)
    return None


def failure_in_choice(choice: Mapping[str, Any]) -> UpstreamFailure | None:
    """OpenRouter's choices can have one."""
    return classify.error_inside(encode({"error": choice["error"]})) if choice.get("error") else None
