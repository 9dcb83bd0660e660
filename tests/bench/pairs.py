"""What one chunk of a stream costs on its way from an upstream of each dialect to a client of each.

CPU time of reading, of the neutral language and of writing, without sockets: one network read per chunk, as upstreams
send them. All pairs take turns in one process, so that their ratios hold on a machine where the times do not. The
chunks are those of tests/wire/fidelity, which every dialect has.
"""

from __future__ import annotations

import gc
import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import thread_time_ns
from typing import Any

from providers.call import StreamReader
from providers.chat.guardian import Declared, Guardian
from providers.chat.request import Tool
from tests.fidelity.answering import samples, straight, stream_of, translation
from tests.fidelity.ways import CLIENTS, DIALECTS, Way, ways

WORD = " gateway"
KINDS = {"text": ("plain", "Hello."), "thoughts": ("thinking", "Be kind.")}
LOOKS = Tool("look", "", {"type": "object", "properties": {"q": {"type": "string"}}})


@dataclass(frozen=True)
class Line:
    """One line of the table: a way, what is streamed, and whether tool calls are looked for in it."""

    way: Way
    kind: str
    guarded: bool = False

    def __str__(self) -> str:
        more = ", guarded" if self.guarded else ""
        return f"{self.way.upstream} to {self.way.client}{'' if self.way.straight else ' (hub)'}{more}"


@dataclass(frozen=True)
class Frames:
    """A stream's bytes: up to a piece of the answer, and the piece."""

    before: bytes
    piece: bytes


def lines() -> list[Line]:
    """Every pair with text, every upstream's thoughts and its guarded text on their way to Messages."""
    every = [Line(way, "text") for client in CLIENTS for way in ways(client)]
    through = [Way("anthropic", upstream, False) for upstream in sorted(DIALECTS)]
    return [*every, *(Line(way, "text", True) for way in through), *(Line(way, "thoughts") for way in through)]


def frames(upstream: str, kind: str) -> Frames:
    """The sample's stream up to its one piece of the answer, which says WORD."""
    name, words = KINDS[kind]
    events = samples(upstream)[name]["stream"]
    at = next(number for number, event in enumerate(events) if words in json.dumps(event))
    piece: Any = json.loads(json.dumps(events[at]).replace(words, WORD))
    return Frames(stream_of(events[:at]), stream_of([piece]))


def measure(chunks: int, repetitions: int) -> Mapping[Line, Sequence[float]]:
    """Microseconds per chunk, one figure for each repetition; the lines take turns."""
    found: defaultdict[Line, list[float]] = defaultdict(list)
    given = {(line.way.upstream, line.kind): frames(line.way.upstream, line.kind) for line in lines()}
    gc.collect()
    gc.freeze()
    for _ in range(repetitions):
        for line in lines():
            found[line].append(cost(line, given[line.way.upstream, line.kind], chunks))
    gc.unfreeze()
    return found


def cost(line: Line, given: Frames, chunks: int) -> float:
    """Microseconds per chunk. Raises AssertionError where the stream was not taken."""
    reader = _reader(line)
    sent = [reader.feed(given.before), reader.feed(given.piece)]
    began = thread_time_ns()
    sent += [reader.feed(given.piece) for _ in range(chunks)]
    took = thread_time_ns() - began
    assert reader.failure is None
    assert b"".join(sent).count(WORD.encode()) == chunks + 1
    return took / chunks / 1000


def _reader(line: Line) -> StreamReader:
    if line.way.straight:
        return straight(line.way, True)
    return translation(line.way, True, Guardian(Declared([LOOKS]), "0123abcd") if line.guarded else None)


def table(figures: Mapping[Line, Sequence[float]]) -> str:
    """Median [min-max] of each line, beside the straight line of Messages in the same run."""
    basis = next(values for line, values in figures.items() if line.way.straight and line.way.client == "anthropic")
    told = [f"{'us per chunk':<46}{'median':>9}{'min-max':>16}{'ratio':>8}"]
    kind = ""
    for line, values in figures.items():
        if line.kind != kind:
            kind = line.kind
            told += ["", f"{kind}, upstream to client"]
        ratios = [value / base for value, base in zip(values, basis, strict=True)]
        spread = f"{min(values):.2f}-{max(values):.2f}"
        told.append(f"  {line!s:<44}{statistics.median(values):>9.2f}{spread:>16}{statistics.median(ratios):>8.2f}")
    return "\n".join([*told, "", "ratio: to Messages passed straight through, in the same repetition."])
