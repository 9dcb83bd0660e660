"""Random Messages conversations for property tests, whole and damaged."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.providers.dialects.openai_chat.asking import PNG, result, text, use

Json = dict[str, Any]
NAMES = st.sampled_from(["Bash", "Read", "mcp/odd.name", "x" * 70])


class Words:
    """Every text of one conversation, each of them once in it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._calls = itertools.count()

    def new(self) -> str:
        self.said.append(f"word{len(self.said)}.")
        return self.said[-1]

    def call(self) -> str:
        return f"toolu_{next(self._calls)}"


def document(words: Words) -> Json:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": words.new()}}


PIECES: list[Callable[[Words], Json]] = [lambda words: text(words.new()), lambda words: PNG, document]


def spoken(draw: st.DrawFn, words: Words, least: int = 0) -> list[Json]:
    return [piece(words) for piece in draw(st.lists(st.sampled_from(PIECES), min_size=least, max_size=3))]


def results(draw: st.DrawFn, words: Words, ids: list[str]) -> list[Json]:
    made = []
    for identity in ids:
        content = draw(st.sampled_from(["text", "none", "blocks"]))
        said: Any = words.new() if content == "text" else spoken(draw, words) if content == "blocks" else None
        made.append(result(identity, said, is_error=draw(st.booleans())))
    return made


def assistant_turn(draw: st.DrawFn, words: Words) -> tuple[Json, list[str]]:
    kinds = draw(st.lists(st.sampled_from(["text", "use", "use"]), min_size=1, max_size=4))
    content, ids = [], list[str]()
    for kind in kinds:
        if kind == "text":
            content.append(text(words.new()))
        else:
            ids.append(words.call())
            content.append(use(ids[-1], draw(NAMES), said=words.new()))
    return {"role": "assistant", "content": content}, ids


@st.composite
def conversations(draw: st.DrawFn, damaged: bool) -> tuple[list[Json], list[str]]:
    """A valid Messages history and its texts; a damaged one lacks results, has orphans, and system turns in between."""
    words = Words()
    messages: list[Json] = [{"role": "user", "content": [text(words.new()), *spoken(draw, words)]}]
    for _ in range(draw(st.integers(0, 3))):
        turn, ids = assistant_turn(draw, words)
        messages.append(turn)
        if damaged:
            ids = draw(st.permutations(ids))[: draw(st.integers(0, len(ids)))]
            ids += draw(st.lists(st.sampled_from(["toolu_gone", "toolu_0"]), max_size=1))
        if damaged and draw(st.booleans()):
            messages.append({"role": "system", "content": words.new()})
        before = [text(words.new())] if draw(st.booleans()) else []
        after = spoken(draw, words, 0 if ids else 1)
        messages.append({"role": "user", "content": [*before, *results(draw, words, ids), *after]})
    return messages, words.said
