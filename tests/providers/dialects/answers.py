"""Neutral answers for property tests, and what clients' formats make of them."""

from __future__ import annotations

import json
from itertools import chain

from hypothesis import strategies as st

from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.ports import Usage

_TEXT = st.text(max_size=8)
_PIECES = st.lists(_TEXT.filter(bool), max_size=4)
_NAMES = st.sampled_from(["Bash", "apply_patch", "docs__search", "Ünknown"])
_ARGUMENTS = st.dictionaries(st.sampled_from(["input", "path"]), _TEXT, max_size=2).map(json.dumps)


@st.composite
def _text(draw: st.DrawFn) -> list[Event]:
    cited: list[Event] = [RawDelta({"type": "citations_delta", "citation": {}})] if draw(st.booleans()) else []
    return [BlockStarted(BlockKind.TEXT), *map(TextDelta, draw(_PIECES)), *cited, BlockStopped()]


@st.composite
def _thinking(draw: st.DrawFn) -> list[Event]:
    signed = draw(st.sampled_from(["", "EqQB", "keyturn:acme:responses:rs_1:gAAAA"]))
    signature: list[Event] = [SignatureDelta(signed)] if signed else []
    return [BlockStarted(BlockKind.THINKING), *map(ThinkingDelta, draw(_PIECES)), *signature, BlockStopped()]


@st.composite
def _call(draw: st.DrawFn) -> list[Event]:
    arguments = draw(_ARGUMENTS | st.just(""))
    cut = draw(st.integers(0, len(arguments)))
    pieces = [ArgumentsDelta(piece) for piece in (arguments[:cut], arguments[cut:]) if piece]
    identity = f"call_{draw(st.integers(0, 10**9))}"
    return [BlockStarted(BlockKind.TOOL_USE, identity, draw(_NAMES)), *pieces, BlockStopped()]


_RAW: st.SearchStrategy[list[Event]] = st.sampled_from(
    [
        [BlockStarted(BlockKind.RAW, raw={"type": "redacted_thinking", "data": "Zm9v"}), BlockStopped()],
        [BlockStarted(BlockKind.RAW, raw={"type": "server_tool_use", "id": "s"}), ArgumentsDelta("{}"), BlockStopped()],
    ]
)
_USAGE = st.builds(Usage, *[st.integers(0, 9)] * 5)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A whole answer as events."""
    blocks: list[list[Event]] = draw(st.lists(_text() | _thinking() | _call() | _RAW, max_size=5))
    finished = Finished(draw(st.sampled_from(Stop)), draw(_USAGE), None)
    return [Started("msg_tok", "m"), *chain.from_iterable(blocks), finished, Ended()]
