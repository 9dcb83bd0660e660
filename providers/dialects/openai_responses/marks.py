"""Who a reasoning item belongs to. Pure.

What an upstream sealed is opaque, and refused by every other. So a thought of a Responses upstream is signed
``keyturn:<provider>:responses:<item>:<sealed>``, and goes back to that provider only. A client of Responses is given
such a mark as ``encrypted_content``; the signature that a Messages upstream made stands behind ``keyturn::``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.chat.request import OURS, Block, Raw, Thinking

_SEALED = "responses"  # with encrypted_content
_PLAIN = "reasoning_text"  # open models show all of their reasoning and seal nothing
_SIGNED = f"{OURS}:"
_REDACTED = f"{OURS}!:"
_STRANGE = f"{OURS}?:"  # sealed by somebody that is no provider of ours; no provider can be named so


def of_upstream(provider: str, item: Mapping[str, Any], plain: bool) -> str:
    """The signature of an upstream's finished reasoning item, "" where it could not be sent back."""
    identity, sealed = _text(item.get("id")), _text(item.get("encrypted_content"))
    if sealed:
        return f"{OURS}{provider}:{_SEALED}:{identity}:{sealed}"
    return f"{OURS}{provider}:{_PLAIN}:{identity}" if plain else ""


def item_for_upstream(thought: Thinking, provider: str) -> dict[str, Any] | None:
    """The reasoning item that this provider once sent, None where another made the thought."""
    mark = f"{OURS}{provider}:"
    if not thought.signature.startswith(mark):
        return None
    kind, _, rest = thought.signature.removeprefix(mark).partition(":")
    identity, _, sealed = rest.partition(":")
    named = {"id": identity} if identity else {}
    if kind == _SEALED:
        summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
        return {"type": "reasoning", **named, "summary": summary, "encrypted_content": sealed}
    if kind == _PLAIN:
        content = [{"type": "reasoning_text", "text": thought.text}]
        return {"type": "reasoning", **named, "summary": [], "content": content}
    return None


def for_client(signature: str) -> str | None:
    """The ``encrypted_content`` of a thought."""
    if not signature:
        return None
    return signature if signature.startswith(OURS) else _SIGNED + signature


def for_client_redacted(raw: Mapping[str, Any]) -> str | None:
    """The same of a thought that Anthropic hides; None for any other block."""
    return _REDACTED + _text(raw.get("data")) if raw.get("type") == "redacted_thinking" else None


def of_client(text: str, sealed: str) -> Block:
    """The thought that a client sends back."""
    if sealed.startswith(_REDACTED):
        value = {"type": "redacted_thinking", "data": sealed.removeprefix(_REDACTED)}
        return Raw("redacted_thinking", value)
    if sealed.startswith(_SIGNED):
        return Thinking(text, sealed.removeprefix(_SIGNED))
    return Thinking(text, sealed if sealed.startswith(OURS) or not sealed else _STRANGE)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
