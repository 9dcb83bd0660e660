"""Every row's ways of being asked: tests/wire/openai_chat/written has what goes out, and where that is read from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.chat.schemas import PROFILES
from providers.quirks import Quirks
from tests.providers.dialects.openai_chat.asking import faults
from tests.providers.dialects.openai_chat.rows import BASES, ROWS, config, sent

WRITTEN = Path(__file__).parents[3] / "wire" / "openai_chat" / "written"
GOLDEN = {path.stem: json.loads(path.read_text()) for path in sorted(WRITTEN.glob("*.json"))}
Json = dict[str, Any]
OF_MESSAGES: Json = {  # the other face's
    "untyped_tools": False,
    "thinks_unasked": False,
    "signed_thoughts": False,
    "server_tools": (),
}
HI: list[Json] = [{"role": "user", "content": "Hi"}]
ASKED: Json = {"model": "asked", "max_tokens": 500, "messages": HI}
TOOL: Json = {"name": "Bash", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
EVERY = {row: [ROWS[row].default_model, *ROWS[row].examples] for row in BASES}
MODELS = [(row, model) for row, models in EVERY.items() for model in models]
each_model = pytest.mark.parametrize(("row", "model"), MODELS, ids=[f"{row}-{model}" for row, model in MODELS])


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
def test_what_goes_out(golden: Json) -> None:
    assert golden["from"]
    body, lost = sent(golden["row"], golden["model"], golden["asked"], golden["client"])
    assert body == golden["sent"]
    assert lost == golden["lost"]


def test_every_row_with_a_departure_has_its_golden_file() -> None:
    shown = {golden["row"] for golden in GOLDEN.values()}
    assert {row for row in BASES if replace(ROWS[row].quirks, **OF_MESSAGES) != Quirks()} <= shown


def nulls(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        if each is None:
            yield value
        yield from nulls(each)


@each_model
def test_no_row_is_sent_a_null_or_a_conversation_that_chat_completions_refuses(row: str, model: str) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}
    turns = [*HI, {"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
    body, _ = sent(row, model, {**ASKED, "messages": turns, "tools": [TOOL]})
    assert list(nulls(body)) == []
    assert list(faults(body["messages"])) == []


@each_model
def test_thinking_off_is_said_or_named_as_lost_where_thinking_can_be_on(row: str, model: str) -> None:
    """Rows without any switch have models that do not think, or that say nothing of it."""
    quirks = config(row).quirks.of(model)
    off, lost = sent(row, model, {**ASKED, "thinking": {"type": "disabled"}})
    on, _ = sent(row, model, {**ASKED, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}})
    bound = bool(quirks.efforts) and not quirks.thinking_off and "none" not in quirks.efforts
    if quirks.thinking_on or quirks.thinking_off or quirks.efforts or quirks.always_thinks:
        assert off != on or "thinking" in lost
        assert ("thinking" in lost) is (quirks.always_thinks or bound)


@each_model
def test_a_route_that_switches_thinking_off_does_so_in_the_providers_way(row: str, model: str) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = {**ASKED, "max_tokens": 4000, "thinking": thinking, "output_config": {"effort": "high"}}
    switched, _ = sent(row, model, asked, think=False)
    said, _ = sent(row, model, {**ASKED, "max_tokens": 4000, "thinking": {"type": "disabled"}})
    assert switched == said


@each_model
def test_caps_are_never_exceeded(row: str, model: str) -> None:
    quirks = config(row).quirks.of(model)
    body, lost = sent(row, model, {**ASKED, "max_tokens": 1_000_000})
    assert body[quirks.max_tokens_field] == (quirks.max_output_tokens or 1_000_000)
    assert ("max_tokens" in lost) is (quirks.max_output_tokens is not None)


@pytest.mark.parametrize("row", list(BASES))
def test_the_rows_quirks_hold_together(row: str) -> None:
    quirks = ROWS[row].quirks
    variants = [quirks, *(own for _, own in quirks.models)]
    assert all(not own.models for _, own in quirks.models)
    for own in variants:
        assert own.schemas in ("", *PROFILES)
        assert own.json_mode in ("json_schema", "json_object", "")
        assert own.vendors == quirks.vendors
        assert all(getattr(own, name) == getattr(quirks, name) for name in OF_MESSAGES)
        assert not {"model", "messages", "tools", "stream"} & set(own.refused)
        assert not set(own.refused) & set(own.accepted)
        assert set(own.samplers) <= {"top_k", "min_p", "repetition_penalty"}
        assert own.learned == ()
    beginnings = [beginning for names, _ in quirks.models for beginning in names]
    assert len(set(beginnings)) == len(beginnings)


# Quirks as data


A, B = Quirks(max_output_tokens=10), Quirks(max_output_tokens=20)


@pytest.mark.parametrize(("model", "cap"), [("gpt-5-mini", 10), ("gpt-5.4", 20), ("gpt-4o", 5), ("my-gpt-5", 5)])
def test_the_longest_beginning_decides(model: str, cap: int) -> None:
    quirks = Quirks(max_output_tokens=5, models=((("gpt-5",), A), (("gpt-5.4", "gpt-6"), B)))
    assert quirks.of(model).max_output_tokens == cap


def test_an_operators_cap_holds_for_every_model() -> None:
    quirks = Quirks(models=((("gpt-5",), A),)).capped(7)
    assert [quirks.of(model).max_output_tokens for model in ("gpt-5", "gpt-4o")] == [7, 7]


@pytest.mark.parametrize(
    ("quirks", "asked", "bounded"),
    [
        (Quirks(), 5, 5),
        (Quirks(min_output_tokens=100), 5, 100),
        (Quirks(min_output_tokens=100), 500, 500),
        (Quirks(min_output_tokens=100, max_output_tokens=50), 5, 50),
        (Quirks().capped(50, 20), 5, 20),
        (Quirks(max_output_tokens=9, min_output_tokens=7).capped(None), 5, 7),
        (Quirks(max_output_tokens=9).capped(None, 3), 50, 9),
    ],
)
def test_bounds_of_an_answer(quirks: Quirks, asked: int, bounded: int) -> None:
    assert quirks.bounded(asked) == bounded


@pytest.mark.parametrize(
    ("model", "whole"), [("qwen3", "qwen/qwen3"), ("glm4.7", "z-ai/glm4.7"), ("z-ai/glm4.7", "z-ai/glm4.7"), ("x", "x")]
)
def test_a_name_without_its_vendor_gets_it(model: str, whole: str) -> None:
    assert Quirks(vendors=(("qwen", "qwen"), ("glm", "z-ai"))).named(model) == whole
