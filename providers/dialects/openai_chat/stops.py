"""Why an answer of Chat Completions ended, in every word that upstreams have for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from providers.chat.events import Stop
from providers.errors import ErrorKind

# With those that litellm 1.109.1 and the providers' own pages name (read 2026-11).
STOPS: Mapping[str, Stop] = {
    "stop": Stop.END_TURN,
    "end_turn": Stop.END_TURN,
    "eos": Stop.END_TURN,
    "eos_token": Stop.END_TURN,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "length": Stop.MAX_TOKENS,
    "max_tokens": Stop.MAX_TOKENS,
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
