"""Nothing is dropped in silence, and docs/fidelity.md says what became of everything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import message_create_params
from anthropic.types.beta import beta_content_block_param, beta_tool_union_param
from anthropic.types.beta import message_create_params as beta_params
from openai.types.chat import completion_create_params
from openai.types.chat.chat_completion_content_part_param import ChatCompletionContentPartParam
from openai.types.responses import response_create_params, response_input_item_param, tool_param
from pydantic import BaseModel

from tests.fidelity import answering, asking
from tests.fidelity.cases import FOLDER, AnswerCase, RequestCase, answer_cases, request_cases
from tests.fidelity.match import holds
from tests.fidelity.page import text
from tests.fidelity.rows import rows
from tests.fidelity.verdict import Fate, Verdict
from tests.fidelity.ways import CLIENTS, DIALECTS, Way, ways
from tests.gateway_process import ROOT

REQUESTS = [case for client in CLIENTS for case in request_cases(client)]
ANSWERS = [case for client in CLIENTS for case in answer_cases(client)]
each_request = pytest.mark.parametrize("case", REQUESTS, ids=str)
each_client = pytest.mark.parametrize("client", CLIENTS)


@each_request
def test_a_feature_of_a_request_is_told_or_named(case: RequestCase) -> None:
    silent = [way.title for way in ways(case.client) if asking.judge(case, way).fate is Fate.SILENT]
    assert silent == []


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_a_feature_of_an_answer_is_told_or_named(case: AnswerCase) -> None:
    verdicts = {way.title: answering.judge(case, way) for way in ways(case.client)}
    assert {title: str(verdict) for title, verdict in verdicts.items() if verdict.fate is Fate.SILENT} == {}
    assert any(verdict.fate is not Fate.NONE for verdict in verdicts.values())


@each_client
def test_no_row_drops_anything_in_silence(client: str) -> None:
    """What a narrow row changes is its own matter; that it says nothing and names nothing is not."""
    silent = [
        f"{case.feature} at {name}"
        for name, way in rows(client)
        for case in request_cases(client)
        if (verdict := asking.judge(case, way)).fate is Fate.SILENT and not verdict.members and not named(case, way)
    ]
    assert silent == []


def named(case: RequestCase, way: Way) -> bool:
    """Whether what the feature needs was named as lost, and the feature with it."""
    return bool(asking.sent(way, case.without).lost)


@each_client
def test_every_reason_for_telling_nothing_is_one_somewhere(client: str) -> None:
    columns = [*ways(client), *(way for _, way in rows(client))]
    for case in request_cases(client):
        if case.needless:
            assert any(asking.judge(case, way).fate is Fate.NEEDLESS for way in columns), case
    for answered in answer_cases(client):
        if answered.needless:
            assert any(answering.judge(answered, way).fate is Fate.NEEDLESS for way in ways(client)), answered


def test_the_shipped_page_is_what_the_cases_say() -> None:
    shipped = (ROOT / "docs/fidelity.md").read_text(encoding="utf-8")
    assert shipped == text(), "run: python -m tests.fidelity > docs/fidelity.md"


def test_the_command_prints_the_page() -> None:
    command = [sys.executable, "-m", "tests.fidelity"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60).stdout
    assert printed == text()
    assert "silent" not in printed


def test_every_dialect_is_a_column_and_has_answers() -> None:
    for client in CLIENTS:
        assert {way.upstream for way in ways(client)} == set(DIALECTS)
    assert {path.stem for path in (FOLDER / "answers").glob("*.json")} >= set(DIALECTS)


def said(client: str) -> set[str]:
    """The members that the cases of a client set or need."""
    return {name for case in request_cases(client) for name in (*case.full,)}


def members(*params: Any) -> set[str]:
    """What an official SDK can send in a body; its keyword arguments for headers and its own switches apart."""
    apart = {"user_profile_id", "workspace_id"}
    return {name for each in params for name in typing.get_type_hints(each)} - apart


def test_every_member_that_an_official_sdk_sends_has_a_case() -> None:
    messages = members(message_create_params.MessageCreateParamsBase, beta_params.MessageCreateParamsBase)
    assert messages - said("anthropic") == set()
    assert members(completion_create_params.CompletionCreateParamsBase) - said("openai_chat") == set()
    assert members(response_create_params.ResponseCreateParamsBase) - said("openai_responses") == set()


def kinds(union: Any) -> Iterator[str]:
    """The values of ``type`` in a union of an SDK's params."""
    for each in typing.get_args(union):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield from texts(each.model_fields["type"].annotation)
        elif isinstance(each, type):
            yield from texts(typing.get_type_hints(each).get("type"))
        else:
            yield from kinds(each)


def texts(literal: Any) -> Iterator[str]:
    for each in typing.get_args(literal):
        yield from (each,) if isinstance(each, str) else texts(each)


def written(client: str) -> str:
    return json.dumps([case.full for case in request_cases(client)])


def family(kind: str) -> str:
    """A kind without its date: new ones of the same kind come several times a year."""
    return re.sub(r"(?:_\d+)+$", "", kind)


def test_every_kind_of_block_and_tool_that_an_official_sdk_knows_has_a_case() -> None:
    blocks = set(kinds(beta_content_block_param.BetaContentBlockParam))
    tools = {family(kind) for kind in kinds(beta_tool_union_param.BetaToolUnionParam)}
    parts = set(kinds(ChatCompletionContentPartParam))
    hosted = {family(kind) for kind in kinds(tool_param.ToolParam)}
    items = set(kinds(response_input_item_param.ResponseInputItemParam))
    for client, wanted in (
        ("anthropic", blocks | tools),
        ("openai_chat", parts),
        ("openai_responses", hosted | items),
    ):
        assert sorted(kind for kind in wanted if f'"{kind}' not in written(client)) == []


CASE = replace(REQUESTS[0], set={"a": 1}, forms={"openai_chat": {"b": 1}}, near={}, marks=(), needless={})
WAY = Way("anthropic", "openai_chat", False)


@pytest.mark.parametrize(
    ("told", "members", "names", "fate"),
    [
        ({"b": 1}, ("b",), (), Fate.CARRIED),
        ({"b": 1}, ("b",), ("a",), Fate.ADAPTED),
        ({"b": 2}, ("b",), ("a",), Fate.ADAPTED),
        ({"b": 2}, ("b",), (), Fate.SILENT),
        ({}, (), ("a",), Fate.LOST),
        ({}, (), (), Fate.SILENT),
    ],
)
def test_what_decides(told: dict[str, Any], members: tuple[str, ...], names: tuple[str, ...], fate: Fate) -> None:
    assert asking.decided(CASE, WAY, told, members, names).fate is fate


def test_what_stands_in_its_stead_decides_too() -> None:
    near = replace(CASE, near={"openai_chat": {"b": 2}})
    assert asking.decided(near, WAY, {"b": 2}, ("b",), ()).fate is Fate.ADAPTED
    assert asking.decided(near, WAY, {"b": 3}, ("b",), ()).fate is Fate.SILENT
    marked = replace(CASE, marks=("word",))
    assert asking.decided(marked, WAY, {"b": ["a word"]}, ("b",), ()).fate is Fate.ADAPTED
    assert asking.decided(marked, WAY, {"b": ["a"]}, ("b",), ()).fate is Fate.SILENT
    excused = replace(CASE, needless={"all": "it is so"})
    assert asking.decided(excused, WAY, {}, (), ()).fate is Fate.NEEDLESS
    assert asking.decided(excused, WAY, {"b": 2}, ("b",), ()).fate is Fate.SILENT


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2, 3], [1, 3], True),
        ([1, 2, 3], [3, 1], False),
        ([], [], True),
        (1, True, False),
        (True, 1, False),
        ("Well, then", "…then…", True),
        ("Well", "…then…", False),
        ("Well", "…", True),
        ([{"type": "text", "text": "Hi"}], "Hi", True),
        ([{"text": "Hi"}, {"text": "Ho"}], "Hi", False),
        (None, {"a": 1}, False),
    ],
)
def test_forms(value: Any, form: Any, expected: bool) -> None:
    assert holds(value, form) is expected


def test_verdicts_in_words() -> None:
    assert str(Verdict(Fate.CARRIED)) == "carried"
    assert str(Verdict(Fate.ADAPTED, ("a", "b"), ("c",))) == "adapted: `a`, `b`; named: `c`"
    assert str(Verdict(Fate.ADAPTED, ("a",), (), "in words")) == "adapted: in words"
    assert str(Verdict(Fate.LOST, (), ("a", "b"))) == "lost: `a`, `b`"
    assert str(Verdict(Fate.REFUSED, (), ("n",))) == "refused: `n`"
    assert str(Verdict(Fate.NEEDLESS, why="it is so")) == "not needed: it is so"
    assert str(Verdict(Fate.NONE)) == ""
