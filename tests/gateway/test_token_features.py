"""What a text is counted as being made of, and which family a model's name says it is of."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.families import FAMILIES, family, tokens
from gateway.tokens.texts import FEATURES, SCRIPTS, WHOLE, features
from tests.tokens.page import SAMPLES

MIXED = b"".join((SAMPLES / f"{kind}.txt").read_bytes() for kind in ("python", "english", "json_pretty", "russian"))


def named(text: str) -> dict[str, float]:
    found = zip(FEATURES, features(text.encode("utf-8", "surrogatepass")), strict=True)
    return {name: number for name, number in found if number}


@pytest.mark.parametrize(
    ("text", "made_of"),
    [
        ("", {}),
        ("abc", {"lower": 3, "words": 1}),
        ("getUserName2", {"lower": 9, "upper": 2, "digit": 1, "words": 1, "humps": 2, "numbers": 1}),
        ("a  b", {"lower": 2, "space": 2, "words": 2, "gaps": 1}),
        ("    \n\tif", {"space": 4, "line": 2, "lower": 2, "words": 1, "gaps": 1}),
        ("x += 12.5;", {"lower": 1, "space": 2, "sign": 4, "digit": 3, "words": 1, "signs": 3, "numbers": 2}),
        ("\u4f60\u597d", {"han": 2}),
        ("\u0434\u0430, yes", {"cyrillic": 2, "sign": 1, "space": 1, "lower": 3, "words": 1, "signs": 1}),
        ("na\u00efve", {"lower": 4, "latin": 1, "words": 2, "foreign": 4}),
        ("\U0001f600", {"emoji": 1}),
    ],
)
def test_what_a_text_is_made_of(text: str, made_of: dict[str, float]) -> None:
    assert named(text) == made_of


def test_the_scripts_cover_utf8() -> None:
    borders = [(low, high) for _, low, high in SCRIPTS]
    assert borders[0][0] == 0xC2
    assert borders[-1][1] == 0xF4
    assert all(before[1] + 1 == after[0] for before, after in pairwise(borders))


def test_a_long_text_is_read_in_pieces_and_comes_out_as_if_it_were_read_whole() -> None:
    long = MIXED * 20
    assert len(long) > 10 * WHOLE
    parts = [features(long[at : at + WHOLE]) for at in range(0, len(long), WHOLE)]
    for of in FAMILIES:
        whole = sum(tokens(part, of) for part in parts)
        assert tokens(features(long), of) == pytest.approx(whole, rel=0.03)


@given(text=st.text(max_size=300), more=st.text(max_size=100), of=st.sampled_from(FAMILIES))
def test_more_text_is_never_fewer_tokens(text: str, more: str, of: str) -> None:
    both = tokens(features((text + more).encode()), of)
    assert both >= tokens(features(text.encode()), of) >= 0
    assert both <= len((text + more).encode()) * 3


@pytest.mark.parametrize("of", FAMILIES)
def test_a_megabyte_of_one_character_is_no_trouble(of: str) -> None:
    for character in (" ", "a", "A", "\n", "(", "7", "\u3000", "\u4f60", "\ud83d"):
        text = (character * 300_000).encode("utf-8", "replace")
        assert 0 <= tokens(features(text), of) <= len(text)


@pytest.mark.parametrize(
    ("model", "of"),
    [
        ("claude-opus-4-8", "claude"),
        ("claude-opus-4-7", "claude"),
        ("claude-sonnet-5", "claude"),
        ("claude-fable-5-1", "claude"),
        ("claude-mythos-preview", "claude"),
        ("claude-haiku-5-5", "claude"),
        ("global.anthropic.claude-opus-4-8", "claude"),
        ("anthropic/claude-opus-4.6", "claude_before_4_7"),
        ("claude-opus-4-20250514", "claude_before_4_7"),
        ("claude-sonnet-4-5@20250929", "claude_before_4_7"),
        ("claude-haiku-4-5-20251001", "claude_before_4_7"),
        ("claude-3-5-haiku-20241022", "claude_before_4_7"),
        ("gpt-5.6-sol", "gpt"),
        ("openai/gpt-oss-120b", "gpt"),
        ("o3-mini", "gpt"),
        ("gemini-3.8-flash", "gemini"),
        ("google/gemma-3-27b-it:free", "gemini"),
        ("Qwen/Qwen3-Coder-480B", "qwen"),
        ("devstral-medium-latest", "qwen"),
        ("z-ai/glm4.7", "other"),
        ("kimi-k3", "other"),
        ("", "other"),
    ],
)
def test_the_family_of_a_model(model: str, of: str) -> None:
    assert family(model) == of
