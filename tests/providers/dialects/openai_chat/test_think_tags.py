"""Tags around thoughts: where they are believed, at every split, and never a character lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.chat.events import BlockKind
from providers.dialects.openai_chat.think_tags import MAX_BLANKS, ThinkTags

THOUGHT, TEXT = BlockKind.THINKING, BlockKind.TEXT
property_test = settings(max_examples=300, deadline=None, derandomize=True)
WAYS: list[dict[str, Any]] = [{}, {"known": True}, {"unopened": True}, {"known": True, "unopened": True}]


def pieces(*parts: str, tags: ThinkTags | None = None) -> list[tuple[BlockKind, str]]:
    """What comes out, pieces of one kind put together."""
    tags = tags or ThinkTags()
    made = [piece for part in parts for piece in tags.feed(part)] + list(tags.end())
    runs = itertools.groupby(made, key=lambda piece: piece[0])
    return [(kind, "".join(text for _, text in run)) for kind, run in runs]


def split(text: str, cuts: Iterable[int]) -> list[str]:
    places = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("<think>why</think>so", [(THOUGHT, "why"), (TEXT, "so")]),
        ("<think>\nwhy\n</think>\n\nso\n", [(THOUGHT, "why\n"), (TEXT, "so\n")]),
        (" \n\t<think>why</think> so", [(THOUGHT, "why"), (TEXT, "so")]),
        ("<think></think>so", [(TEXT, "so")]),
        ("<think>\n\n</think>\n\nso", [(TEXT, "so")]),
        ("<think>why</think>", [(THOUGHT, "why")]),
        ("<think>why", [(THOUGHT, "why")]),
        ("<think>why</thi", [(THOUGHT, "why</thi")]),
        ("<think>a<b>c</d></think>so", [(THOUGHT, "a<b>c</d>"), (TEXT, "so")]),
        ("<thi", [(TEXT, "<thi")]),
        ("<thin air", [(TEXT, "<thin air")]),
        ("<thinking>why</thinking>so", [(TEXT, "<thinking>why</thinking>so")]),
        ("<Think>why</Think>so", [(TEXT, "<Think>why</Think>so")]),
        ("\n\nso", [(TEXT, "\n\nso")]),
        ("  ", [(TEXT, "  ")]),
        ("so <think>why</think>", [(TEXT, "so <think>why</think>")]),
        ("`<think>` begins a thought", [(TEXT, "`<think>` begins a thought")]),
        ("```\n<think>\nx\n</think>\n```", [(TEXT, "```\n<think>\nx\n</think>\n```")]),
        ("</think>so", [(TEXT, "</think>so")]),
        ("so</think>", [(TEXT, "so</think>")]),
        ("", []),
    ],
)
def test_only_the_beginning_of_an_answer_is_a_thought(said: str, expected: Sequence[tuple[BlockKind, str]]) -> None:
    for parts in ([said], list(said), *(split(said, [cut]) for cut in range(len(said)))):
        assert pieces(*parts) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("<think>a</think><think>b</think>so", [(THOUGHT, "ab"), (TEXT, "so")]),
        ("<think>a</think>\n\n<think>\nb\n</think>\nso", [(THOUGHT, "ab\n"), (TEXT, "so")]),
        ("<think><think>a</think></think>so", [(THOUGHT, "a"), (TEXT, "so")]),
        ("<think>\n<think>\na</think>\n</think>\nso", [(THOUGHT, "a"), (TEXT, "so")]),
        ("<think>a <think>b</think> c</think>so", [(THOUGHT, "a <think>b"), (TEXT, "c</think>so")]),
        ("<think>a</think>so<think>b</think>", [(THOUGHT, "a"), (TEXT, "so<think>b</think>")]),
    ],
)
def test_repeated_and_nested_tags(said: str, expected: Sequence[tuple[BlockKind, str]]) -> None:
    for parts in ([said], list(said)):
        assert pieces(*parts) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("so\n<think>\nwhy\n</think>\nyes", [(TEXT, "so\n"), (THOUGHT, "why\n"), (TEXT, "yes")]),
        ("so\r\n<think>\r\nwhy</think>yes", [(TEXT, "so\r\n"), (THOUGHT, "why"), (TEXT, "yes")]),
        ("so\n<think>why\n</think>", [(TEXT, "so\n<think>why\n</think>")]),
        ("so <think>\nwhy\n</think>", [(TEXT, "so <think>\nwhy\n</think>")]),
        ("so\n <think>\nwhy\n</think>", [(TEXT, "so\n <think>\nwhy\n</think>")]),
        ("so\n<think>", [(TEXT, "so\n<think>")]),
        ("```\n<think>\nwhy\n</think>\n```\n", [(TEXT, "```\n<think>\nwhy\n</think>\n```\n")]),
        ("```\n```\n<think>\nwhy", [(TEXT, "```\n```\n"), (THOUGHT, "why")]),
        ("````\n```\n<think>\nx\n````\n<think>\nwhy", [(TEXT, "````\n```\n<think>\nx\n````\n"), (THOUGHT, "why")]),
        ("~~~py\n```\n<think>\n", [(TEXT, "~~~py\n```\n<think>\n")]),
        ("```a``` b\n<think>\nwhy", [(TEXT, "```a``` b\n"), (THOUGHT, "why")]),
        ("<think>a</think>so\n<think>\nb</think>yes", [(THOUGHT, "a"), (TEXT, "so\n"), (THOUGHT, "b"), (TEXT, "yes")]),
    ],
)
def test_a_model_known_for_it_may_think_again(said: str, expected: Sequence[tuple[BlockKind, str]]) -> None:
    for parts in ([said], list(said), *(split(said, [cut]) for cut in range(len(said)))):
        assert pieces(*parts, tags=ThinkTags(known=True)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("why\n</think>\n\nso", [(THOUGHT, "why\n"), (TEXT, "so")]),
        ("\nwhy</think>so", [(THOUGHT, "why"), (TEXT, "so")]),
        ("</think>so", [(TEXT, "so")]),
        ("<think>why</think>so", [(THOUGHT, "why"), (TEXT, "so")]),
        ("so", [(THOUGHT, "so")]),
    ],
)
def test_an_answer_that_begins_inside_the_thought(said: str, expected: Sequence[tuple[BlockKind, str]]) -> None:
    for parts in ([said], list(said)):
        assert pieces(*parts, tags=ThinkTags(unopened=True)) == expected


def test_an_upstream_that_tells_thoughts_itself_is_believed() -> None:
    tags = ThinkTags(unopened=True)
    tags.told()
    assert pieces("so", tags=tags) == [(TEXT, "so")]


@pytest.mark.parametrize(
    ("said", "unclosed"),
    [
        ("<think>\nwhy", "<think>\nwhy"),
        ("<think>", "<think>"),
        ("<think>why</th", "<think>why</th"),
        ("<think>a</think>", ""),
    ],
)
def test_what_was_never_closed_is_known_as_it_came(said: str, unclosed: str) -> None:
    for parts in ([said], list(said)):
        tags = ThinkTags()
        pieces(*parts, tags=tags)
        assert tags.unclosed == unclosed
    tags = ThinkTags(unopened=True)
    pieces(*"\n so", tags=tags)
    assert tags.unclosed == "\n so"


def test_other_names_are_believed_of_the_models_that_have_them() -> None:
    own = ("thought", "think")
    assert pieces("<thought>why</thought>so", tags=ThinkTags(own)) == [(THOUGHT, "why"), (TEXT, "so")]
    assert pieces("<think>why</think>so", tags=ThinkTags(own)) == [(THOUGHT, "why"), (TEXT, "so")]
    assert pieces("<think>why</thought></think>so", tags=ThinkTags(own)) == [(THOUGHT, "why</thought>"), (TEXT, "so")]
    tags = ThinkTags(own)
    pieces("<think>why", tags=tags)
    assert tags.name == "think"


def test_text_is_not_kept_back() -> None:
    tags = ThinkTags(known=True)
    for part in ("Hi", " a < b", " <", "think", "> or\n", "</think>", "\n\n", "`<think>`\n", "<b>"):
        assert "".join(text for _, text in tags.feed(part)) == part
    assert not ThinkTags().passes("x")
    assert not tags.done
    assert (tags.passes("more"), tags.passes("<x")) == (True, False)


@pytest.mark.parametrize("before", ["", "<think>", "<think>a</think>"])
def test_behind_many_blanks_no_tag_is_looked_for(before: str) -> None:
    blanks = " " * (MAX_BLANKS + 5)
    said = f"{before}{blanks}<think>\nb"
    one = pieces(said)
    assert one == pieces(*split(said, [len(before), len(before) + MAX_BLANKS])) == pieces(before, *blanks, "<think>\nb")
    assert one[-1][1].endswith("  <think>\nb")


def test_a_thousand_thoughts_are_no_deeper_than_one() -> None:
    said = "<think>\na\n</think>\nb\n" * 5000
    assert len(pieces(said, tags=ThinkTags(known=True))) == 10000
    assert pieces("<think>a</think>" * 5000 + "b") == [(THOUGHT, "a" * 5000), (TEXT, "b")]


WORDS = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<think>\n",
        "\n",
        " ",
        "a",
        "b<",
        "<",
        "</",
        "`",
        "```",
        "```\n",
        "~~~",
        "th",
        "ink>",
        "\r\n",
        "é",
    ]
)
answers = st.lists(WORDS, max_size=14).map("".join)


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[str, list[str]]:
    said = draw(answers)
    return said, split(said, draw(st.lists(st.integers(0, len(said)), max_size=6)))


@pytest.mark.parametrize("way", WAYS, ids=str)
@property_test
@given(case=cut_up())
def test_every_split_says_the_same(way: dict[str, Any], case: tuple[str, list[str]]) -> None:
    said, parts = case
    whole = pieces(said, tags=ThinkTags(**way))
    assert pieces(*parts, tags=ThinkTags(**way)) == whole
    assert pieces(*said, tags=ThinkTags(**way)) == whole


@pytest.mark.parametrize("way", WAYS, ids=str)
@property_test
@given(said=answers)
def test_nothing_is_lost_but_tags_and_blanks(way: dict[str, Any], said: str) -> None:
    """Without blanks and tags, what came in is what comes out, in its order."""
    made = "".join(text for _, text in pieces(said, tags=ThinkTags(**way)))
    assert _bare(made) == _bare(said)


@property_test
@given(said=answers)
def test_text_without_a_tag_at_its_beginning_is_only_text(said: str) -> None:
    if not said.lstrip().startswith("<think>"):
        assert pieces(said) == ([(TEXT, said)] if said else [])


def _bare(text: str) -> str:
    return re.sub(r"\s", "", re.sub(r"</?think>", "", text))
