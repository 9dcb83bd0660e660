"""A conversation as Responses' input items, mended where that format is stricter. Pure.

Its rules: every call has its output and every output its call, and a reasoning item stands before what it led to. So
a missing output is supplied, one without a call becomes text, and a thought with nothing behind it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from providers.chat.request import (
    INTERRUPTED,
    Block,
    ChatRequest,
    Document,
    Image,
    Message,
    Raw,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from providers.dialects.openai_chat.naming import call_id, tool_name
from providers.dialects.openai_responses import marks

Json = dict[str, Any]


def history(request: ChatRequest, provider: str, lost: list[str]) -> list[Json]:
    """The ``input``; what it cannot hold is named in ``lost``."""
    writer = _Writer(provider, lost)
    for message in request.messages:
        writer.message(message)
    writer.settle()
    return writer.out


class _Writer:
    def __init__(self, provider: str, lost: list[str]) -> None:
        self.out: list[Json] = []
        self._provider = provider
        self._lost = lost
        self._owed: dict[str, None] = {}  # ids of calls whose outputs have not come

    def message(self, message: Message) -> None:
        if message.role == "assistant":
            self.settle()
            self._assistant(message.content)
        elif message.role == "user":
            self._user(message.content)
        else:
            self._say("developer", message.content)

    def settle(self) -> None:
        """Supply the outputs that never came."""
        for identity in self._owed:
            self.out.append(_output(identity, INTERRUPTED))
        self._owed.clear()

    def _assistant(self, content: Iterable[Block]) -> None:
        thoughts: list[Json] = []
        for block in content:
            match block:
                case Thinking():
                    self._think(block, thoughts)
                    continue
                case Text():
                    said = [_said(block)] if block.text else []
                case ToolUse():
                    said = [self._call(block)]
                case _:
                    self._lose(block)
                    continue
            if said:
                self.out += [*thoughts, *said]
                thoughts = []
        self._lost += ["messages.thinking" for _ in thoughts]

    def _think(self, thought: Thinking, thoughts: list[Json]) -> None:
        item = marks.item_for_upstream(thought, self._provider)
        if item is None:
            self._lost.append("messages.thinking")
        else:
            thoughts.append(item)

    def _call(self, use: ToolUse) -> Json:
        identity = call_id(use.id)
        self._owed[identity] = None
        arguments = use.arguments if use.arguments.strip() else "{}"
        return {"type": "function_call", "call_id": identity, "name": tool_name(use.name), "arguments": arguments}

    def _user(self, content: Iterable[Block]) -> None:
        said: list[Json] = []
        for block in content:
            said += self._result(block) if isinstance(block, ToolResult) else self._part(block)
        if said:
            self.out.append({"type": "message", "role": "user", "content": said})

    def _say(self, role: str, content: Iterable[Block]) -> None:
        said = [part for block in content for part in self._part(block)]
        if said:
            self.out.append({"type": "message", "role": role, "content": said})

    def _result(self, result: ToolResult) -> list[Json]:
        """Writes the output; answers with the parts of one that no call is waiting for."""
        identity = call_id(result.tool_use_id)
        parts = [part for block in result.content for part in self._part(block)]
        if result.is_error:
            parts = [_text("Error:"), *parts]
        if identity not in self._owed:
            return [_text(f"Result of an earlier tool call ({result.tool_use_id}):"), *parts]
        del self._owed[identity]
        plain = all(part["type"] == "input_text" for part in parts)
        self.out.append(_output(identity, "\n".join(part["text"] for part in parts) if plain else parts))
        return []

    def _part(self, block: Block) -> list[Json]:
        match block:
            case Text():
                return [_text(block.text)] if block.text else []
            case Image():
                url = block.url or f"data:{block.media_type};base64,{block.data}"
                return [{"type": "input_image", "image_url": url, "detail": block.detail or "auto"}]
            case Document():
                return [*_about(block), _file(block)]
            case Raw(dialect="openai_responses", type="input_image" | "input_file"):
                return [dict(block.value)]
        self._lose(block)
        return []

    def _lose(self, block: Block) -> None:
        self._lost.append(f"messages.{block.type if isinstance(block, Raw) else type(block).__name__.lower()}")


def _file(document: Document) -> Json:
    title = document.title or "document"
    if document.text:
        return _text(f'<document title="{title}">\n{document.text}\n</document>')
    if document.url:
        return {"type": "input_file", "file_url": document.url}
    data = f"data:{document.media_type};base64,{document.data}"
    return {"type": "input_file", "filename": title, "file_data": data}


def _said(said: Text) -> Json:
    part = {"type": "output_text", "text": said.text, "annotations": []}
    phase = {"phase": said.phase} if said.phase else {}
    return {"type": "message", "role": "assistant", "content": [part], **phase}


def _output(identity: str, output: str | list[Json]) -> Json:
    return {"type": "function_call_output", "call_id": identity, "output": output}


def _text(text: str) -> Json:
    return {"type": "input_text", "text": text}


def _about(document: Document) -> list[Json]:
    return [_text(document.about)] if document.about else []
