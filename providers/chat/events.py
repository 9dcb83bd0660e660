"""The neutral stream: the closed set of things that can happen while a model answers. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from providers.errors import UpstreamFailure
from providers.ports import Usage


class Stop(StrEnum):
    """Why a model stopped, in Anthropic's words."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    PAUSE_TURN = "pause_turn"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "model_context_window_exceeded"


class BlockKind(StrEnum):
    TEXT = "text"
    REFUSAL = "refusal"  # text in which the model refuses, where its dialect says so
    THINKING = "thinking"
    TOOL_USE = "tool_use"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Started:
    """The answer begins. ``usage`` may be an estimate of the input."""

    id: str
    model: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """``id`` and ``name`` are a tool call's; ``raw`` is the whole start of a block that only its dialect knows.

    Of a text it is what its dialect alone says of it.
    """

    kind: BlockKind
    id: str = ""
    name: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = field(default=False, compare=False)  # the upstream gave no id, or one twice: this one is made up


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class SignatureDelta:
    signature: str


@dataclass(frozen=True, slots=True)
class ArgumentsDelta:
    """A piece of a tool call's JSON text."""

    json: str


@dataclass(frozen=True, slots=True)
class RawDelta:
    """A delta that only its dialect knows, as it came, or where words come from: see ``chat.citations``."""

    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockStopped:
    """The open block is whole. A call's ``unargued`` says that its {} stands for nothing at all."""

    unargued: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing but the end will follow. ``usage`` is the last word on it, ``details`` why the model refused."""

    stop: Stop
    usage: Usage
    stop_sequence: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The upstream said that it failed, or broke its own grammar. Nothing follows."""

    failure: UpstreamFailure


Delta = TextDelta | ThinkingDelta | SignatureDelta | ArgumentsDelta | RawDelta
Event = Started | BlockStarted | Delta | BlockStopped | Finished | Ended | Failed
