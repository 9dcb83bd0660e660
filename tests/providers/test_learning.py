"""What a refusal teaches, and a request once it is learned: tests/wire/refusals has the answers."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.json_object import JsonObject
from providers.learning import lessons
from providers.learning.lessons import DROPPABLE, Learned, Lesson, applied, lesson, without
from providers.quirks import Quirks
from tests.providers.dialects.openai_chat.asking import config
from tests.providers.support import property_test

WIRE = Path(__file__).parents[1] / "wire"
Case = dict[str, Any]


def cases(*names: str) -> list[Case]:
    return [case for name in names for case in tomllib.loads((WIRE / "refusals" / name).read_text())["case"]]


def ids(found: list[Case]) -> list[str]:
    return [case["name"] for case in found]


def of(case: Case) -> Lesson:
    status = case.get("status", 400)
    return lesson(None if status == 200 else status, case["body"].encode())


TEACH = cases("members.toml", "limits.toml")
SILENT = cases("nothing.toml")


@pytest.mark.parametrize("case", TEACH, ids=ids(TEACH))
def test_what_a_refusal_teaches(case: Case) -> None:
    assert case["source"]
    expected = Learned(
        frozenset(case.get("members", ())),
        case.get("cap"),
        case.get("limit", ""),
        case.get("quiet_tools", False),
        case.get("blind", False),
    )
    assert of(case) == Lesson(expected, case.get("room"))


@pytest.mark.parametrize("case", SILENT, ids=ids(SILENT))
def test_what_teaches_nothing(case: Case) -> None:
    assert case["source"]
    assert not of(case)


def test_there_are_enough_of_both() -> None:
    assert len(TEACH) >= 25
    assert len(SILENT) >= 10


ERRORS = [
    (f"{path.stem}: {case['name']}", case)
    for path in sorted((WIRE / "errors").glob("*.toml"))
    for case in tomllib.loads(path.read_text())["case"]
]
# The errors of tests/wire/errors that refuse a member; all others are about something else.
REFUSING = {"nvidia_nim: parameter", "openai: parameter", "openai: value"}


@pytest.mark.parametrize(("name", "case"), ERRORS, ids=[name for name, _ in ERRORS])
def test_other_errors_teach_nothing(name: str, case: Case) -> None:
    assert bool(of(case)) is (name in REFUSING)


def test_nothing_that_makes_the_request_can_go() -> None:
    for name in ("model", "messages", "tools", "stream", "max_tokens", "max_completion_tokens", "system", "functions"):
        for body in (
            {"error": {"message": f"Unsupported parameter: '{name}' is not supported with this model."}},
            {"error": {"message": "No.", "param": name, "code": "unsupported_parameter"}},
            {"detail": [{"type": "extra_forbidden", "loc": ["body", name]}]},
            {"error": {"message": f"property 'body.{name}' is unsupported"}},
        ):
            assert lesson(400, json.dumps(body).encode()).learned.members == frozenset()
    assert not DROPPABLE & {"model", "messages", "tools", "stream", "max_tokens", "system"}


SAID = st.sampled_from([case["body"] for case in TEACH])


@property_test
@given(said=SAID, before=st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and ":" not in text))
def test_behind_other_words_a_refusal_is_an_echo(said: str, before: str) -> None:
    """A prompt that quotes a whole answer teaches nothing, whatever stands before it."""
    body = json.dumps({"error": {"message": f"Invalid prompt {before}| {said}", "type": "invalid_request_error"}})
    assert not lesson(400, body.encode())


@property_test
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), status=st.sampled_from([400, 422, None]))
def test_no_body_is_too_odd_to_be_read(body: bytes, status: int | None) -> None:
    assert lesson(status, body) is not None


# What is learned, in a request


def test_lessons_add_up() -> None:
    first = Learned(frozenset({"seed"}), cap=8192, blind=True)
    second = Learned(frozenset({"top_p"}), cap=4096, limit="max_tokens", quiet_tools=True)
    assert first.joined(second) == Learned(frozenset({"seed", "top_p"}), 4096, "max_tokens", True, True)
    assert second.joined(first) == first.joined(second)
    assert first.joined(Learned()) == first
    assert not Learned()


def test_what_is_learned_lies_over_the_models_quirks() -> None:
    own = Quirks(max_output_tokens=5000, vision=True)
    quirks = Quirks(models=((("gpt-5",), own),))
    learned = Learned(frozenset({"seed", "response_format"}), 8192, "max_completion_tokens", True, True)
    made = applied(config(quirks), "gpt-5-mini", learned).quirks
    assert (made.max_output_tokens, made.max_tokens_field) == (5000, "max_completion_tokens")
    assert (made.tool_effort, made.vision, made.json_mode) == ("none", False, "")
    assert made.learned == ("response_format", "seed")
    assert made.of("gpt-5-mini") is made
    assert applied(config(quirks), "gpt-4o", learned).quirks.max_output_tokens == 8192


def test_the_room_of_one_call_is_a_cap() -> None:
    assert applied(config(), "m", Learned(), 3000).quirks.max_output_tokens == 3000
    assert applied(config(), "m", Learned(cap=2000), 3000).quirks.max_output_tokens == 2000
    plain = config()
    assert applied(plain, "m", Learned()) is plain


BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "assistant", "content": "a", "reasoning_content": "r"}, {"role": "user", "content": "b"}],
    "seed": 7,
    "chat_template_kwargs": {"reasoning_budget": 5, "enable_thinking": True},
}


def test_members_are_left_out_of_a_body() -> None:
    before = json.dumps(BODY)
    made = without(BODY, ("seed", "chat_template_kwargs.reasoning_budget", "messages.reasoning_content", "nothing"))
    assert made == {
        "model": "m",
        "messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}],
        "chat_template_kwargs": {"enable_thinking": True},
    }
    assert json.dumps(BODY) == before
    assert without(BODY, ()) is BODY


def test_members_are_left_out_of_bytes_that_else_stay() -> None:
    raw = JsonObject(b'{ "model":"m","seed" : 7,"output_config":{"effort":"low","format":{}},"messages":[ ]}')
    edits = lessons.edits(raw, ("seed", "output_config.effort", "messages.reasoning_content", "thinking"))
    assert edits == {"seed": None, "output_config": b'{"format":{}}'}
    assert lessons.edits(raw, ("top_p", "output_config.nothing")) == {}
    both = lessons.edits(raw, ("output_config.effort", "output_config.format"))
    assert both == {"output_config": b"{}"}
