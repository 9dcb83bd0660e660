"""What a delta, or a whole message, of Chat Completions says, in whichever of its fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.chat import citations
from providers.dialects.openai_chat import reasoning_details

UNTOLD = ("audio", "images")  # parts of an answer that nothing else has
REASONING = ("reasoning_content", "reasoning", reasoning_details.FIELD, "thinking")


def reasoning(delta: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, text): the first field that holds reasoning, and Mistral's thinking parts inside ``content``."""
    for field in REASONING:
        if text := _said(delta.get(field)):
            yield field, text
            return
    content = delta.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") == "thinking" and (text := text_of(part.get("thinking"))):
            yield "content", text


def text_of(content: Any) -> str:
    """A string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type", "text") == "text")
    return "".join(part for part in parts if isinstance(part, str))


def calls(delta: Mapping[str, Any]) -> Any:
    """The pieces of tool calls; the ``function_call`` of before 2023-11 is one."""
    legacy = delta.get("function_call")
    return delta.get("tool_calls") or ([{"index": 0, "function": legacy}] if isinstance(legacy, dict) else [])


def sources(delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The annotations with an address."""
    found = delta.get("annotations")
    told = [citations.delta_of(each) for each in found] if isinstance(found, list) else []
    return [each for each in told if each is not None]


def call_signature(holder: Mapping[str, Any]) -> tuple[str, str]:
    """(google or vertex, signature) of a call that Google signed, ("", "") of any other.

    ai.google.dev/gemini-api/docs/thought-signatures; Vertex: github.com/earendil-works/pi/issues/6733 (read 2026-11).
    """
    match holder.get("extra_content"):
        case {"google": {"thought_signature": str() as signature}}:
            return "google", signature
        case {"vertex": {"thought_signature": str() as signature}}:
            return "vertex", signature
    return "", ""


def _said(value: Any) -> str:
    return value if isinstance(value, str) else reasoning_details.text_of(value)
