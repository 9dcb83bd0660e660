"""A conversation as Chat Completions' messages, mended where that format is stricter. Pure.

Its rules: a call's results follow at once, as text, one message each; a result without its call and a call without
its result are refused. So images in results move to a user turn, text that stood after a call moves behind its
results, an orphan becomes text, and a missing result is supplied.
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
from providers.dialects.openai_chat.replay import Thoughts
from providers.dialects.openai_chat.tool_calls import is_object
from providers.json_object import encode
from providers.quirks import Quirks

Json = dict[str, Any]


def history(request: ChatRequest, quirks: Quirks, provider: str, lost: list[str]) -> list[Json]:
    """The ``messages``; what they cannot hold is named in ``lost``."""
    writer = _Writer(quirks, Thoughts(request, quirks, provider, lost), lost)
    if system := "\n\n".join(part.text for part in request.system if part.text):
        writer.out.append({"role": "system", "content": system})
    for message in request.messages:
        writer.message(message)
    writer.settle()
    return writer.out


class _Writer:
    def __init__(self, quirks: Quirks, thoughts: Thoughts, lost: list[str]) -> None:
        self.out: list[Json] = []
        self._quirks = quirks
        self._thoughts = thoughts
        self._lost = lost
        self._owed: dict[str, None] = {}  # ids of calls whose results have not come
        self._behind: list[Json] = []  # what has to wait for them

    def message(self, message: Message) -> None:
        match message.role:
            case "assistant":
                self.settle()
                self._assistant(message.content)
            case "system":
                self._later_or_now(self._said("system", message.content))
            case _:
                self._user(message.content)

    def settle(self) -> None:
        """Supply the results that never came, and let out what waited for them."""
        for identity in self._owed:
            self.out.append({"role": "tool", "tool_call_id": identity, "content": INTERRUPTED})
        self._owed.clear()
        self._release()

    def _release(self) -> None:
        if not self._owed:
            self.out += self._behind
            self._behind.clear()

    def _later_or_now(self, messages: list[Json]) -> None:
        (self._behind if self._owed else self.out).extend(messages)

    def _said(self, role: str, content: Iterable[Block]) -> list[Json]:
        self._drop(content, Text)
        text = "\n\n".join(block.text for block in content if isinstance(block, Text) and block.text)
        return [{"role": role, "content": text}] if text else []

    def _assistant(self, content: tuple[Block, ...]) -> None:
        calls = [at for at, block in enumerate(content) if isinstance(block, ToolUse)]
        first = content[: calls[0]] if calls else content
        message: Json = {"role": "assistant", "content": "\n\n".join(_texts(first))}
        self._thoughts.add(message, content, bool(calls))
        if calls:
            uses = [block for block in content if isinstance(block, ToolUse)]
            message["tool_calls"] = [self._call(use) for use in uses]
            self._thoughts.sign(message["tool_calls"], uses)
            self._owed.update(dict.fromkeys(call_id(use.id) for use in uses))
        self._drop(content, (Text, Thinking, ToolUse))
        if message["content"] or calls or len(message) > 2:
            self.out.append(message)
        if after := "\n\n".join(_texts(content[calls[0] :])) if calls else "":
            self._behind.append({"role": "assistant", "content": after})

    def _call(self, use: ToolUse) -> Json:
        arguments = use.arguments if use.sound or is_object(use.arguments) else _wrapped(use.arguments)
        function = {"name": tool_name(use.name), "arguments": arguments}
        return {"id": call_id(use.id), "type": "function", "function": function}

    def _user(self, content: tuple[Block, ...]) -> None:
        lifted: list[Json] = []
        for block in content:
            if isinstance(block, ToolResult):
                lifted += self._result(block)
        self._release()
        parts = [*lifted, *(part for block in content for part in self._part(block))]
        if parts:
            self._later_or_now([{"role": "user", "content": _joined(parts)}])

    def _result(self, result: ToolResult) -> list[Json]:
        """Writes the result's text; answers with the parts that only a user turn can hold."""
        identity = call_id(result.tool_use_id)
        parts = [part for block in result.content for part in self._part(block)]
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        others = [part for part in parts if part["type"] != "text"]
        if result.is_error:
            text = f"Error: {text}" if text else "Error"
        if identity not in self._owed:
            return [_text(f"Result of an earlier tool call ({result.tool_use_id}): {text}"), *others]
        del self._owed[identity]
        if others:
            text = f"{text}\n(What else it returned follows in the next message.)".strip()
            others.insert(0, _text(f"Returned by the tool call {identity}:"))
        self.out.append({"role": "tool", "tool_call_id": identity, "content": text})
        return others

    def _part(self, block: Block) -> list[Json]:
        match block:
            case Text():
                return [_text(block.text)] if block.text else []
            case Image():
                url = block.url or f"data:{block.media_type};base64,{block.data}"
                detail = {"detail": block.detail} if block.detail else {}
                return [{"type": "image_url", "image_url": {"url": url, **detail}}]
            case Document():
                return [*_about(block), *self._document(block)]
            case Raw(dialect="openai_chat", type="file" | "input_audio") if self._quirks.files:
                return [dict(block.value)]
            case Raw():
                self._lost.append(f"messages.{block.type}")
        return []

    def _document(self, document: Document) -> list[Json]:
        title = document.title or "document"
        if document.text:
            return [_text(f'<document title="{title}">\n{document.text}\n</document>')]
        if document.data and self._quirks.files:
            data = f"data:{document.media_type};base64,{document.data}"
            return [{"type": "file", "file": {"filename": title, "file_data": data}}]
        self._lost.append("messages.document")
        where = f" It is at {document.url}" if document.url else ""
        return [_text(f"[{title}: a {document.media_type or 'file'} that this model cannot be shown.{where}]")]

    def _drop(self, content: Iterable[Block], kept: Any) -> None:
        self._lost += [f"messages.{_kind(block)}" for block in content if not isinstance(block, kept)]


def _kind(block: Block) -> str:
    return block.type if isinstance(block, Raw) else type(block).__name__.lower()


def _wrapped(arguments: str) -> str:
    """A call whose arguments the model left unreadable, as an object: servers refuse anything else."""
    return encode({"unparsed": arguments}).decode() if arguments.strip() else "{}"


def _texts(content: Iterable[Block]) -> list[str]:
    return [block.text for block in content if isinstance(block, Text) and block.text]


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _joined(parts: list[Json]) -> str | list[Json]:
    """One string where all is text, which every server takes; else the parts."""
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _about(document: Document) -> list[Json]:
    return [_text(document.about)] if document.about else []
