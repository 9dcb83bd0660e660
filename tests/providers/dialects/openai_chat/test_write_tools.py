"""Tools, thinking and formats of a Messages request as Chat Completions has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Hints
from providers.chat.events import BlockStarted
from providers.dialects.openai_chat import DIALECT
from providers.dialects.openai_chat.naming import tool_name
from providers.quirks import Quirks
from tests.providers.dialects.openai_chat.asking import (
    PLAIN,
    chat,
    config,
    neutral,
    tool,
)
from tests.providers.dialects.openai_chat.chunks import DONE, end, piece, tools

EFFORTS = Quirks(efforts=("minimal", "low", "medium", "high"))


def body(quirks: Quirks = PLAIN, **asked: Any) -> dict[str, Any]:
    made, lost = chat(quirks, **asked)
    assert lost == ()
    return made


def test_tools_are_functions() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    asked = [{"name": "Bash", "description": "Runs.", "input_schema": schema}, {"type": "custom", "name": "Plan"}]
    assert body(tools=asked)["tools"] == [
        {"type": "function", "function": {"name": "Bash", "description": "Runs.", "parameters": schema}},
        {"type": "function", "function": {"name": "Plan", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tools" not in body(tools=[])


def test_tools_that_anthropics_servers_run_are_lost_by_name() -> None:
    made, lost = chat(
        tools=[
            {"type": "web_search_20250305", "name": "web_search"},
            tool("Bash"),
            {"type": "browser_toolset_20260801"},
        ]
    )
    assert [each["function"]["name"] for each in made["tools"]] == ["Bash"]
    assert lost == ("tools.web_search_20250305", "tools.browser_toolset_20260801")
    assert "tools" not in chat(tools=[{"type": "web_search_20250305", "name": "web_search"}])[0]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "Bash"}, {"type": "function", "function": {"name": "Bash"}}),
    ],
)
def test_tool_choice(choice: dict[str, Any], written: Any) -> None:
    made = body(tools=[tool("Bash")], tool_choice=choice)
    assert made["tool_choice"] == written
    assert "parallel_tool_calls" not in made


def test_a_choice_of_a_tool_that_does_not_exist_is_lost_by_name() -> None:
    for tools_ in ([tool("Bash")], [tool("Bash"), {"type": "web_search_20250305", "name": "web_search"}]):
        made, lost = chat(tools=tools_, tool_choice={"type": "tool", "name": "web_search"})
        assert made["tool_choice"] == "auto"
        assert "tool_choice" in lost


@pytest.mark.parametrize(
    ("kind", "lost"), [("any", ("tool_choice",)), ("tool", ("tool_choice",)), ("auto", ()), ("none", ())]
)
def test_a_choice_without_tools_is_not_sent(kind: str, lost: tuple[str, ...]) -> None:
    made, named = chat(tool_choice={"type": kind, "name": "Bash", "disable_parallel_tool_use": True})
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & set(made)
    assert named == lost


def test_parallel_calls_can_be_switched_off() -> None:
    for kind in ("auto", "any"):
        asked = body(tools=[tool("Bash")], tool_choice={"type": kind, "disable_parallel_tool_use": True})
        assert asked["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in body(
        tools=[tool("Bash")], tool_choice={"type": "auto", "disable_parallel_tool_use": False}
    )


@pytest.mark.parametrize("name", ["mcp__a/b.c", "x" * 80, "münze", "a b", ""])
def test_odd_names_are_made_to_fit_and_stay_apart(name: str) -> None:
    assert len(tool_name(name)) <= 64
    assert tool_name(name).replace("_", "").replace("-", "").isalnum()
    assert tool_name(name) == tool_name(name) != tool_name(name + ".")


def test_a_name_that_fits_is_kept() -> None:
    for name in ("Bash", "mcp__server__tool-1", "x" * 64):
        assert tool_name(name) == name


def test_an_odd_name_is_chosen_and_called_as_it_was_mapped_and_comes_back() -> None:
    name = "mcp/" + "x" * 70
    asked = neutral({"tools": [tool(name)], "tool_choice": {"type": "tool", "name": name}})
    made = DIALECT.write_request(asked, config(), "", Hints("tok", 1))
    sent = json.loads(made.request.body)
    mapped = sent["tools"][0]["function"]["name"]
    assert sent["tool_choice"]["function"]["name"] == mapped
    events = made.reader.feed(tools(piece(mapped, "{}", index=0, id="call_1")) + end("tool_calls") + DONE)
    assert [event.name for event in events if isinstance(event, BlockStarted)] == [name]


def test_two_names_that_look_alike_once_mapped_stay_apart() -> None:
    made = body(tools=[tool("a.b"), tool("a/b"), tool("a_b")])
    assert len({each["function"]["name"] for each in made["tools"]}) == 3


CASES: list[tuple[dict[str, Any], str | None]] = [
    ({"output_config": {"effort": "low"}}, "low"),
    ({"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}, "high"),
    ({"output_config": {"effort": "xhigh"}}, "high"),
    ({"output_config": {"effort": "max"}}, "high"),
    ({"thinking": {"type": "adaptive"}}, None),
    ({}, None),
    ({"thinking": {"type": "disabled"}}, "minimal"),
    ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "minimal"),
    ({"thinking": {"type": "enabled", "budget_tokens": 256}}, "minimal"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "medium"),
    ({"thinking": {"type": "enabled", "budget_tokens": 8192}}, "high"),
    ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "high"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100_000}}, "high"),
    ({"thinking": {"type": "enabled", "budget_tokens": 31999}, "output_config": {"effort": "low"}}, "low"),
]


@pytest.mark.parametrize(("asked", "effort"), CASES, ids=[json.dumps(asked) for asked, _ in CASES])
def test_effort_is_the_nearest_that_the_model_takes(asked: dict[str, Any], effort: str | None) -> None:
    made, lost = chat(EFFORTS, model="gpt-5-mini", **asked)
    off = asked.get("thinking") == {"type": "disabled"}  # a model that thinks as little as it can still thinks
    assert (made.get("reasoning_effort"), lost) == (effort, ("thinking",) if off else ())


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(511, "minimal"), (512, "low"), (2047, "low"), (2048, "medium"), (8192, "high"), (16384, "xhigh"), (32768, "max")],
)
def test_the_bounds_of_budgets(budget: int, effort: str) -> None:
    """ferryllm's (seed-systems 5.7), its last two as one."""
    every = Quirks(efforts=("minimal", "low", "medium", "high", "xhigh", "max"))
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert body(every, model="gpt-5", thinking=thinking)["reasoning_effort"] == effort


def test_a_model_that_can_stop_thinking_is_told_to() -> None:
    none = Quirks(efforts=("none", "low", "high"))
    assert body(none, model="gpt-5", thinking={"type": "disabled"})["reasoning_effort"] == "none"


def test_a_route_that_switches_thinking_off_wins() -> None:
    asked: dict[str, Any] = {
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "output_config": {"effort": "high"},
    }
    made, lost = chat(EFFORTS, think=False, model="gpt-5", **asked)
    assert (made["reasoning_effort"], lost) == ("minimal", ("thinking",))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"output_config": {"effort": "high"}}, ("effort",)),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, ("thinking",)),
        ({"thinking": {"type": "adaptive"}}, ()),
        ({"thinking": {"type": "disabled"}}, ()),
    ],
)
def test_effort_for_a_model_that_takes_none_is_lost_by_name(asked: dict[str, Any], named: tuple[str, ...]) -> None:
    for quirks in (Quirks(), Quirks(models=((("gpt-5",), EFFORTS),))):
        made, lost = chat(quirks, model="gpt-4o", **asked)
        assert "reasoning_effort" not in made
        assert lost == named
