"""A checked Messages request in the neutral language. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from providers import extra_body
from providers.chat import unread
from providers.chat.effort import known
from providers.chat.request import (
    Block,
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Raw,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from providers.chat.strict import strictable
from providers.json_object import JsonObject, encode

# Fields that the neutral language says, or that mean nothing to another upstream's answer.
_KNOWN = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "metadata",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "cache_control",
        "betas",
        "extra_body",
    }
)
_BARE = {"text": 2, "tool_use": 4}  # members of a checked block that has only those that it must have
# Claude Code's first system block changes from call to call and tells a model nothing.
_ATTRIBUTION = "x-anthropic-billing-header:"
_CHOICES = ("auto", "any", "tool", "none")
_THOUGHTS = (None, "adaptive", "disabled", "enabled")
# What is read of a message, of each kind of block and of a tool.
_OF_MESSAGE = frozenset({"role", "content"})
_OF_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_OF_BLOCK: Mapping[str, tuple[frozenset[str], str]] = {
    kind: (frozenset({"type", "cache_control", *members}), f"messages.{kind}")
    for kind, members in {
        "text": ("text",),
        "image": ("source",),
        "document": ("source", "title", "context"),
        "thinking": ("thinking", "signature"),
        "tool_use": ("id", "name", "input"),
        "tool_result": ("tool_use_id", "content", "is_error"),
        "search_result": ("source", "title", "content"),
    }.items()
}
_EMPTY = Text("")


def read(body: JsonObject, model: str, thinking: bool) -> ChatRequest:
    """``model`` is the target's; ``thinking`` False switches thinking off whatever the client wants."""
    lost = [name for name in body if name not in _KNOWN]
    offered = tuple(_tools(body.get("tools") or (), lost))
    choice = body.get("tool_choice") or {}
    if choice and choice.get("type") not in _CHOICES:
        lost.append("tool_choice")
    output = body.get("output_config") or {}
    thoughts = body.get("thinking") or {}
    lost += _unheard(thoughts)
    lost += [extra_body.MEMBER] if extra_body.wrong(body) else []
    lost += [f"output_config.{name}" for name in output if name not in ("effort", "format")]
    return ChatRequest(
        model=model,
        messages=tuple(_message(message, lost) for message in body.get("messages")),
        system=tuple(_system(body.get("system"), lost)),
        tools=offered,
        tool_choice=_tool_choice(choice),
        parallel_tools=False if choice.get("disable_parallel_tool_use") is True else None,
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=tuple(body.get("stop_sequences") or ()),
        reasoning=_reasoning(thoughts, _effort(output, lost), thinking),
        format=_format(output.get("format"), lost),
        user=_user(body.get("metadata") or {}),
        stream=body.get("stream") is True,
        lost=tuple(dict.fromkeys(lost)),
        caches=b'"cache_control"' in body.raw,
        extra_body=extra_body.of_request(body),
    )


def tools(body: JsonObject) -> Iterator[Tool]:
    """The tools of a checked body that the client runs. Nothing of it is read before the first one is asked for."""
    yield from _tools(body.get("tools") or (), [])


def _message(message: Mapping[str, Any], lost: list[str]) -> Message:
    if len(message) > 2:
        unread.note(message, _OF_MESSAGE, "messages", lost)
    blocks = tuple(_blocks(message.get("content"), lost))
    if message["role"] == "assistant":  # with an empty text an answer began that was long waited for
        blocks = tuple(block for block in blocks if block != _EMPTY) or blocks
    return Message(cast(Role, message["role"]), blocks)


def _blocks(content: Any, lost: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        yield Text(content)
        return
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and isinstance(block.get("type"), str):
            yield _block(block, lost)


def _block(block: Mapping[str, Any], lost: list[str]) -> Block:
    kind = block["type"]
    if len(block) != _BARE.get(kind) and kind in _OF_BLOCK and not block.keys() <= _OF_BLOCK[kind][0]:
        unread.note(block, *_OF_BLOCK[kind], lost)
    if kind == "text":
        return Text(_string(block, "text"))
    if kind == "image":
        return _image(block)
    if kind == "document":
        return _document(block, lost)
    if kind == "thinking":
        return Thinking(_string(block, "thinking"), _string(block, "signature"))
    if kind == "tool_use":
        return ToolUse(_string(block, "id"), _string(block, "name"), encode(block.get("input") or {}).decode(), True)
    if kind == "tool_result":
        content = tuple(_blocks(block.get("content"), lost))
        return ToolResult(_string(block, "tool_use_id"), content, block.get("is_error") is True)
    if kind == "search_result":
        return _search_result(block, lost)
    return Raw(kind, block)


def _image(block: Mapping[str, Any]) -> Block:
    source = block.get("source")
    match source:
        case {"type": "base64", "media_type": str() as media_type, "data": str() as data}:
            return Image(media_type, data)
        case {"type": "url", "url": str() as url}:
            return Image(url=url)
    return Raw("image", block)


def _document(block: Mapping[str, Any], lost: list[str]) -> Block:
    title, context = _string(block, "title"), _string(block, "context")
    source = block.get("source")
    match source:
        case {"type": "base64", "media_type": str() as media_type, "data": str() as data}:
            return Document(media_type, data, title=title, context=context)
        case {"type": "text", "data": str() as text}:
            return Document("text/plain", text=text, title=title, context=context)
        case {"type": "url", "url": str() as url}:
            return Document("application/pdf", url=url, title=title, context=context)
        case {"type": "content", "content": content}:
            return Document("text/plain", text=_plain(content, "document", lost), title=title, context=context)
    return Raw("document", block)


def _search_result(block: Mapping[str, Any], lost: list[str]) -> Block:
    title, source = _string(block, "title"), _string(block, "source")
    text = _plain(block.get("content"), "search_result", lost)
    return Document(
        "text/plain", text=text, title=title or source, context=f"It was found at {source}." if title else ""
    )


def _plain(content: Any, holder: str, lost: list[str]) -> str:
    """The texts; what else stands there is lost."""
    blocks = tuple(_blocks(content, lost))
    lost += [f"messages.{holder}.{type(block).__name__.lower()}" for block in blocks if not isinstance(block, Text)]
    return "\n".join(block.text for block in blocks if isinstance(block, Text))


def _system(system: Any, lost: list[str]) -> Iterator[Text]:
    for block in _blocks(system, lost):
        if isinstance(block, Text) and not block.text.startswith(_ATTRIBUTION):
            yield block


def _tools(tools: Any, lost: list[str]) -> Iterator[Tool]:
    """Tools that the client runs; those that Anthropic's servers run exist nowhere else."""
    for tool in tools:
        name, kind = _string(tool, "name"), tool.get("type")
        if not name or kind not in (None, "custom"):
            lost.append(f"tools.{kind or 'unnamed'}")
            continue
        if not tool.keys() <= _OF_TOOL:
            unread.note(tool, _OF_TOOL, "tools", lost)
        schema = tool.get("input_schema") or {"type": "object", "properties": {}}
        strict = tool.get("strict") is True and strictable(schema)
        if tool.get("strict") and not strict:
            lost.append("tools.strict")
        yield Tool(name, _string(tool, "description"), schema, strict or None)


def _tool_choice(choice: Mapping[str, Any]) -> ToolChoice | None:
    match choice.get("type"):
        case "auto" | "any" | "tool" | "none" as mode:
            return ToolChoice(mode, _string(choice, "name"))
    return None


def _unheard(thinking: Mapping[str, Any]) -> Iterator[str]:
    """What of ``thinking`` no other dialect has a word for."""
    if thinking.get("type") not in _THOUGHTS:
        yield "thinking"
    if thinking.get("display") not in (None, "summarized"):
        yield "thinking.display"
    for name in thinking:
        if name not in ("type", "budget_tokens", "display"):
            yield f"thinking.{name}"


def _effort(output: Mapping[str, Any], lost: list[str]) -> str:
    return known(_string(output, "effort"), "output_config.effort", lost)


def _reasoning(thinking: Mapping[str, Any], effort: str, wanted: bool) -> Reasoning:
    if not wanted or thinking.get("type") == "disabled":
        return Reasoning("off")
    shown = True if thinking.get("display") == "summarized" else None
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "enabled" and isinstance(budget, int):
        return Reasoning("budget", budget, effort, shown)
    return Reasoning("adaptive" if thinking.get("type") == "adaptive" else "unset", 0, effort, shown)


def _format(form: Any, lost: list[str]) -> JsonSchema | None:
    if form is None:
        return None
    match form:
        case {"type": "json_schema", "schema": dict() as schema}:
            return JsonSchema(schema)
    lost.append("output_config.format")
    return None


def _user(metadata: Mapping[str, Any]) -> str:
    return _string(metadata, "user_id")


def _string(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""
