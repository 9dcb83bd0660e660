"""The neutral request: what any client can ask of any model. Pure data.

It is shaped like Anthropic's Messages, the richest of the dialects. What a dialect's reader does not know it keeps as
``Raw``, so that a writer can carry it or say that it is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

OURS = "keyturn:"  # begins the signature of a thought whose upstream signs none: keyturn:<provider>:<field>
INTERRUPTED = "No result: the call was interrupted."  # in the place of a tool's result that never came

JSON_MODE = "response_format"  # the aside that asks for some JSON object, without a schema
JSON_ONLY = "Answer with one JSON object and nothing else."

Role = Literal["user", "assistant", "system"]


@dataclass(frozen=True, slots=True)
class Text:
    """``phase`` is what a Responses upstream called its own words, commentary or final_answer: it wants that back."""

    text: str
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """``data`` is base64 and has a media type; else ``url`` is set."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""  # low | high | original: how closely OpenAI's models look; "" where nothing was said


@dataclass(frozen=True, slots=True)
class Document:
    """A file: base64 ``data`` of ``media_type`` (PDF), plain ``text``, or a ``url``."""

    media_type: str = ""
    data: str = ""
    text: str = ""
    url: str = ""
    title: str = ""
    context: str = ""  # what the client says about it

    @property
    def about(self) -> str:
        """The context as a sentence, "" where there is none."""
        return f"About {self.title or 'the document'}: {self.context}" if self.context else ""


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's reasoning; ``signature`` is opaque to everybody but the upstream that made it."""

    text: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A model's call of a tool. ``arguments`` is JSON text: an object, or what the model made of one."""

    id: str
    name: str
    arguments: str
    sound: bool = field(default=False, compare=False)  # the arguments are known to be an object


@dataclass(frozen=True, slots=True)
class ToolResult:
    tool_use_id: str
    content: tuple[Block, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """A block that only its own dialect knows, as it came; no other is sent it."""

    type: str
    value: Mapping[str, Any]
    dialect: str = "anthropic"


Block = Text | Image | Document | Thinking | ToolUse | ToolResult | Raw


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client runs. ``schema`` is its JSON Schema; ``strict`` demands calls that fit it."""

    name: str
    description: str
    schema: Mapping[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``any`` demands some tool, ``tool`` the one that ``name`` says."""

    mode: Literal["auto", "any", "tool", "none"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much a model should think: not at all, as it likes, or up to ``budget`` tokens; ``effort`` as named."""

    mode: Literal["unset", "off", "adaptive", "budget"] = "unset"
    budget: int = 0
    effort: str = ""  # minimal | low | medium | high | xhigh | max, "" where none was named
    shown: bool | None = None  # whether the client wants to see thoughts, where it says so


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The form that an answer must have."""

    schema: Mapping[str, Any]
    name: str = ""
    strict: bool | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """A member that only OpenAI's two formats have. ``name`` is the client's, under which it is lost elsewhere."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """``lost`` names what the reader found and this language cannot say: field names, in order."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: Reasoning = Reasoning()
    format: JsonSchema | None = None
    user: str = ""
    stream: bool = False
    lost: tuple[str, ...] = ()
    caches: bool = False  # the client marks a beginning of its prompt to be cached
    sampling: Mapping[str, Any] = field(default_factory=dict)  # what Messages has not, by Chat Completions' names
    asides: Mapping[str, Aside] = field(default_factory=dict)  # by Chat Completions' names; ``lost`` until said
    extra_body: Mapping[str, Any] = field(
        default_factory=dict
    )  # members for the upstream's body, as the client has them
