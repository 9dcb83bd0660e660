"""Tools, answers through the guardian, and the samples of tests/wire/guardian."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.chat.events import (
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Started,
    Stop,
    TextDelta,
)
from providers.chat.fold import WholeMessage, fold
from providers.chat.grammar import Grammar
from providers.chat.guardian import Declared, Guardian
from providers.chat.request import Tool
from providers.ports import Usage

SAMPLES = Path(__file__).parents[3] / "wire" / "guardian"
TOKEN = "tok"

Json = dict[str, Any]


def tool(name: str, required: str = "", /, **properties: Any) -> Tool:
    """``required`` is a list of names with blanks between."""
    schema = {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}
    return Tool(name, f"Does {name}.", schema)


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
TODO = {"type": "object", "properties": {"content": STRING, "status": STRING, "priority": INTEGER}}
TOOLS = (
    tool("Bash", "command", command=STRING, timeout=INTEGER, run_in_background={"type": "boolean"}),
    tool("Read", "file_path", file_path=STRING, offset=INTEGER, limit=INTEGER),
    tool("Write", "file_path content", file_path=STRING, content=STRING),
    tool("TodoWrite", "todos", todos={"type": "array", "items": TODO}),
    tool("TaskList"),
    tool("get_weather", "city", city=STRING, date=STRING),
    tool("get_current_weather", "city state", city=STRING, state=STRING, unit=STRING),
    tool("calculate_area", "shape", shape=STRING, dimensions={"type": "object"}, precision=INTEGER),
    tool("add", "a b", a=NUMBER, b=NUMBER),
    tool("get_age", "name", name=STRING),
)


def guardian(tools: Iterable[Tool] = TOOLS, **options: bool) -> Guardian:
    return Guardian(Declared(tools), TOKEN, **options)


def answer(parts: Iterable[str], stop: Stop = Stop.END_TURN) -> list[Event]:
    """The events of an answer that is one block of text."""
    text = [TextDelta(part) for part in parts]
    opened, closed = BlockStarted(BlockKind.TEXT), BlockStopped()
    return [Started("msg_1", ""), opened, *text, closed, Finished(stop, Usage()), Ended()]


def passed(events: Iterable[Event], machine: Guardian | None = None) -> list[Event]:
    """What the guardian makes of events that come one by one. It is in order as long as they are."""
    machine = machine or guardian()
    made = [event for given in events for event in machine.take([given])]
    grammar = Grammar()
    for event in made:
        grammar.take(event)
    return made


def shown(message: WholeMessage) -> list[list[str]]:
    """[kind, text] or [name, arguments] of each block, but for one that only kept the client waiting for a call."""
    blocks = [[block.name or str(block.kind), block.text] for block in message.blocks]
    return [block for block in blocks if block != ["text", ""]] or blocks


@dataclass(frozen=True)
class Outcome:
    blocks: list[list[str]]
    stop: Stop
    repairs: Json = field(default_factory=dict)


def read(parts: Iterable[str], stop: Stop = Stop.END_TURN, machine: Guardian | None = None) -> Outcome:
    """What becomes of an answer that is one block of text, in these pieces."""
    machine = machine or guardian()
    message = fold(passed(answer(parts, stop), machine))
    return Outcome(shown(message), message.stop, dict(machine.repairs))


def text_of(outcome: Outcome) -> str:
    return "".join(text for kind, text in outcome.blocks if kind == "text")


@dataclass(frozen=True)
class Sample:
    name: str
    form: str
    text: str
    blocks: list[list[str]]
    repairs: list[str]


def samples() -> list[Sample]:
    """Calls in text, of all forms."""
    rows = tomllib.loads((SAMPLES / "calls.toml").read_text())["sample"]
    return [Sample(row["name"], row["form"], row["text"], row["blocks"], row.get("repairs", [])) for row in rows]


def talk() -> Iterator[tuple[str, str]]:
    """(name, text) of prose and code that mentions calls and makes none."""
    text = (SAMPLES / "talk.md").read_text()
    for number, part in enumerate(text.split("\n=====\n")[1:], 1):
        yield f"{number}: {part.strip()[:40]!r}", part
