"""The fields of a Chat Completions request for a Messages upstream: each said, or lost by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Hints
from providers.chat.request import (
    ChatRequest,
    Message,
    Reasoning,
    Text,
)
from providers.dialects.anthropic import DIALECT, checks
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import Auth, ProviderConfig, ProviderSpec

HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
PLAIN = Quirks()
Json = dict[str, Any]


def config(quirks: Quirks = PLAIN) -> ProviderConfig:
    spec = ProviderSpec("acme", "Acme", ("ACME",), "anthropic", "https://acme.test", Auth.X_API_KEY)
    return ProviderConfig(spec, spec.base_url, quirks=quirks)


def written(request: ChatRequest, quirks: Quirks = PLAIN) -> tuple[Json, tuple[str, ...]]:
    """The body, which passes the dialect's own checks, and what was lost."""
    made = DIALECT.write_request(request, config(quirks), "sk-upstream", Hints("tok", 1))
    checks.check(JsonObject(made.request.body))
    return json.loads(made.request.body), made.lost


def messages(quirks: Quirks = PLAIN, think: bool = True, /, **body: Any) -> tuple[Json, tuple[str, ...]]:
    """What a Chat request becomes."""
    asked = JsonObject(json.dumps({"model": "asked", "messages": HI, **body}).encode())
    CHAT.check(asked)
    return written(CHAT.read_request(asked, "target", think), quirks)


def body(**asked: Any) -> Json:
    made, lost = messages(**asked)
    assert lost == ()
    return made


def function(name: str) -> Json:
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": SCHEMA}}


def test_the_limit_and_its_cap() -> None:
    assert body(max_tokens=5)["max_tokens"] == 5
    assert body(max_completion_tokens=5)["max_tokens"] == 5
    for quirks, asked, told, named in (
        (Quirks(max_output_tokens=4096), {}, 4096, ()),
        (Quirks(max_output_tokens=4096), {"max_tokens": 100}, 100, ()),
        (Quirks(max_output_tokens=4096), {"max_tokens": 5000}, 4096, ("max_tokens",)),
        (Quirks(min_output_tokens=200), {"max_tokens": 100}, 200, ("max_tokens",)),
    ):
        made, lost = messages(quirks, **asked)
        assert (made["max_tokens"], lost) == (told, named)


def test_sampling_and_stops() -> None:
    made = body(temperature=0, top_p=0.5, stop=["a", "b", "c", "d", "e"])
    assert (made["temperature"], made["top_p"], made["stop_sequences"]) == (0, 0.5, ["a", "b", "c", "d", "e"])
    assert written(ChatRequest("m", (Message("user", (Text("x"),)),), top_k=5))[0]["top_k"] == 5


@pytest.mark.parametrize("stop", [" ", "\n", "\n\n", "\t "])
def test_a_stop_of_blanks_is_lost_by_name(stop: str) -> None:
    """Messages: "stop sequences must contain non-whitespace" (400)."""
    made, lost = messages(stop=[stop, "END"])
    assert (made["stop_sequences"], lost) == (["END"], ("stop_sequences",))
    made, lost = messages(stop=stop)
    assert ("stop_sequences" in made, lost) == (False, ("stop_sequences",))


def test_a_temperature_above_one_is_one_and_named() -> None:
    made, lost = messages(temperature=1.4)
    assert (made["temperature"], lost) == (1.0, ("temperature",))
    assert body(temperature=1)["temperature"] == 1


FORCED = [("required", "any"), ({"type": "function", "function": {"name": "Bash"}}, "tool")]


@pytest.mark.parametrize(("choice", "made"), FORCED)
def test_a_forced_tool_leaves_no_room_for_thinking(choice: Any, made: str) -> None:
    """Messages: "Thinking may not be enabled when tool_choice forces tool use" (400)."""
    sent, lost = messages(reasoning_effort="high", tools=[function("Bash")], tool_choice=choice, temperature=0.2)
    assert sent["tool_choice"]["type"] == made
    assert ("thinking" in sent, sent["output_config"], sent["temperature"]) == (False, {"effort": "high"}, 0.2)
    assert lost == ("thinking",)


@pytest.mark.parametrize(
    ("asked", "sent", "named"),
    [
        ({"temperature": 0.2}, {}, ("temperature",)),
        ({"temperature": 1}, {"temperature": 1}, ()),
        ({"temperature": 2}, {"temperature": 1.0}, ("temperature",)),
        ({"top_p": 0.5}, {}, ("top_p",)),
        ({"top_p": 0.97}, {"top_p": 0.97}, ()),
    ],
)
def test_a_model_that_thinks_is_hardly_to_be_steered(asked: Json, sent: Json, named: tuple[str, ...]) -> None:
    """Messages: "`temperature` may only be set to 1 when thinking is enabled" (400), and the like for top_p."""
    made, lost = messages(reasoning_effort="low", **asked)
    assert ({name: made[name] for name in ("temperature", "top_p") if name in made}, lost) == (sent, named)


def test_top_k_is_not_for_a_model_that_thinks() -> None:
    said = (Message("user", (Text("x"),)),)
    made, lost = written(ChatRequest("m", said, top_k=5, max_tokens=4000, reasoning=Reasoning("budget", 2000)))
    assert ("top_k" in made, lost) == (False, ("top_k",))


def test_a_strict_tool_is_a_tool_and_named() -> None:
    strict = {"type": "function", "function": {"name": "Bash", "parameters": SCHEMA, "strict": True}}
    made, lost = messages(tools=[strict])
    assert (made["tools"], lost) == ([{"name": "Bash", "input_schema": SCHEMA}], ("tools.strict",))
    strict["function"]["strict"] = False  # type: ignore[index]
    assert messages(tools=[strict])[1] == ()


def test_tools() -> None:
    made, lost = messages(
        tools=[function("Bash"), {"type": "function", "function": {"name": "Plan"}}, {"type": "next_year"}]
    )
    assert made["tools"] == [
        {"name": "Bash", "description": "d", "input_schema": SCHEMA},
        {"name": "Plan", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert lost == ("tools.next_year",)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({}, None),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"tool_choice": "required", "parallel_tool_calls": False}, {"type": "any", "disable_parallel_tool_use": True}),
        ({"tool_choice": {"type": "function", "function": {"name": "Bash"}}}, {"type": "tool", "name": "Bash"}),
    ],
)
def test_tool_choice(asked: Json, made: Json | None) -> None:
    assert body(tools=[function("Bash")], **asked).get("tool_choice") == made


def test_a_choice_that_cannot_be_is_lost_by_name() -> None:
    made, lost = messages(tool_choice="required")
    assert ("tool_choice" in made, lost) == (False, ("tool_choice",))
    made, lost = messages(tools=[function("Bash")], tool_choice={"type": "function", "function": {"name": "Gone"}})
    assert (made.get("tool_choice", {"type": "auto"}), lost) == ({"type": "auto"}, ("tool_choice",))


@pytest.mark.parametrize(
    ("effort", "made"),
    [
        (None, {}),
        ("none", {"thinking": {"type": "disabled"}}),
        ("minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ("low", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ("high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        ("max", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    ],
)
def test_effort(effort: str | None, made: Json) -> None:
    """Messages knows low, medium, high, xhigh and max (protocols-and-providers 1.2)."""
    sent = body(reasoning_effort=effort)
    assert {key: sent[key] for key in ("thinking", "output_config") if key in sent} == made


def test_a_route_that_switches_thinking_off_wins() -> None:
    made, _ = messages(PLAIN, False, reasoning_effort="high")
    assert (made["thinking"], "output_config" in made) == ({"type": "disabled"}, False)


@pytest.mark.parametrize(("budget", "limit", "made"), [(5000, 8000, 5000), (100, 8000, 1024), (9000, 8000, 7999)])
def test_a_budget_is_within_its_bounds(budget: int, limit: int, made: int) -> None:
    asked = ChatRequest(
        "m", (Message("user", (Text("x"),)),), max_tokens=limit, reasoning=Reasoning("budget", budget, "low")
    )
    sent, _ = written(asked)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": made}
    assert sent["output_config"] == {"effort": "low"}


def test_formats() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "t", "strict": True, "schema": SCHEMA}}
    made = body(response_format=form, reasoning_effort="low")
    assert made["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    made, lost = messages(response_format={"type": "json_object"})
    assert ("output_config" in made, lost) == (False, ("response_format",))


def test_the_user() -> None:
    assert body(user="u")["metadata"] == {"user_id": "u"}
    assert body(safety_identifier="s", user="u")["metadata"] == {"user_id": "s"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1),
        ("min_p", 1),
        ("logprobs", True),
        ("frequency_penalty", 1),
        ("functions", [{"name": "old"}]),
        ("verbosity", "low"),
        ("service_tier", "flex"),
        ("store", True),
        ("next_year", 1),
    ],
)
def test_other_fields_are_lost_by_name_and_not_sent(name: str, value: Any) -> None:
    made, lost = messages(**{name: value})
    assert set(made) == {"model", "messages", "max_tokens", "stream"}
    assert lost == (name,)


def test_json_mode_is_words_in_the_prompt() -> None:
    made, lost = messages(response_format={"type": "json_object"})
    assert made["system"] == [{"type": "text", "text": "Answer with one JSON object and nothing else."}]
    assert lost == ("response_format",)
