"""What goes back to an upstream of its own thoughts and signatures, in the form that it takes. Pure.

Thoughts go back to the provider that had them and to nobody else. Some models refuse a conversation without:

- DeepSeek: in thinking mode every assistant's message of a turn with calls has its ``reasoning_content``, "" or a
  blank where there was none; elsewhere it is ignored (api-docs.deepseek.com/guides/thinking_mode).
- Kimi: the same for messages with calls ("thinking is enabled but reasoning_content is missing in assistant tool call
  message": github.com/anomalyco/opencode/issues/25758). litellm 1.109.1 sends both a blank where a thought is unknown.
- MiniMax M2: the <think> of its text, or its ``reasoning_details``, as they came
  (platform.minimax.io/docs/api-reference/text-openai-api).
- Mistral: its thinking parts, as parts (docs.mistral.ai/capabilities/reasoning; @ai-sdk/mistral 3.0.52).
- Gemini 3: the signature of each call that had one, the first of a message's at least; calls that another model made
  say so with a fixed word (ai.google.dev/gemini-api/docs/thought-signatures).

All read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from providers.chat.marks import call_signature, thought_origin
from providers.chat.request import Block, ChatRequest, Thinking, ToolUse
from providers.dialects.openai_chat import reasoning_details
from providers.dialects.openai_chat.naming import of_model, think_names
from providers.dialects.openai_chat.thinking import thinks
from providers.quirks import Quirks, Replay

UNKNOWN_THOUGHT = " "
FOREIGN_CALL = "skip_thought_signature_validator"

_OWED = "reasoning_content"
_FIELDS = ("reasoning_content", "reasoning", "thinking")

Json = dict[str, Any]


class Thoughts:
    """Those of one conversation, on their way to one model."""

    def __init__(self, request: ChatRequest, quirks: Quirks, provider: str, lost: list[str]) -> None:
        self._quirks = quirks
        self._provider = provider
        self._lost = lost
        self._thinks = thinks(request.reasoning, quirks)
        self._owed = self._thinks and of_model(request.model, quirks.owed_models)
        self._signs = of_model(request.model, quirks.signed_models)
        self._tags = think_names(request.model, quirks) if of_model(request.model, quirks.think_models) else ()

    def add(self, message: Json, blocks: Iterable[Block], calling: bool) -> None:
        """Puts the thoughts among the blocks into the message that the rest of them became."""
        tagged = ""
        parts: list[Json] = []
        for block in blocks:
            if not isinstance(block, Thinking):
                continue
            field, payload = self._origin(block)
            if field in _FIELDS:
                message[field] = message.get(field, "") + block.text
            elif field == reasoning_details.FIELD:
                message.setdefault(field, []).extend(reasoning_details.restored(payload, block.text))
            elif field == "content":
                parts.append({"type": "thinking", "thinking": [_text(block.text)], "closed": True})
            elif field:
                tagged += f"<{field}>\n{block.text.strip()}\n</{field}>\n\n"
            else:
                self._lost.append("messages.thinking")
        message["content"] = tagged + message["content"]
        if parts:
            message["content"] = [*parts, *([_text(message["content"])] if message["content"] else [])]
        if self._owed and (calling or self._quirks.owed_always) and not any(name in message for name in _FIELDS):
            message[_OWED] = UNKNOWN_THOUGHT

    def sign(self, calls: Sequence[Json], uses: Sequence[ToolUse]) -> None:
        """Gives the calls the signatures that their uses carry."""
        for call, use in zip(calls, uses, strict=True):
            space, signature = call_signature(use.id, self._provider)
            if signature:
                call["extra_content"] = {space: {"thought_signature": signature}}
        if self._signs and calls and not any("extra_content" in call for call in calls):
            calls[0]["extra_content"] = {self._quirks.signature_space: {"thought_signature": FOREIGN_CALL}}

    def _origin(self, thought: Thinking) -> tuple[str, str]:
        """The field that a thought goes back in and what goes with it, ("", "") where it cannot."""
        field, payload = thought_origin(thought.signature, self._provider)
        if not thought.signature and self._owed:
            field = _OWED  # of a client that knows no signatures, for a model that wants its thoughts
        if not field or not self._thinks or self._quirks.replay is Replay.NEVER:
            return "", ""
        if self._quirks.replay is Replay.TAGS:
            return (self._tags[0], "") if self._tags else ("", "")
        known = (*_FIELDS, reasoning_details.FIELD, "content", *self._tags)
        return (field, payload) if field in known else ("", "")


def _text(text: str) -> Json:
    return {"type": "text", "text": text}
