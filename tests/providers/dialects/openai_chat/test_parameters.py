"""Members of a body: taken, renamed, kept within bounds, left out by name; and what operators and clients add."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.call import Hints
from providers.chat.effort import nearest
from providers.dialects.openai_chat import DIALECT
from providers.quirks import Quirks
from tests.providers.dialects.openai_chat.asking import HI, chat, config, neutral, tool
from tests.providers.dialects.openai_chat.rows import FACES
from tests.providers.dialects.openai_chat.test_read_request import read

Json = dict[str, Any]
FORM: Json = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}}
ON: Json = {"thinking": {"type": "adaptive"}}
OFF: Json = {"thinking": {"type": "disabled"}}
BUDGET: Json = {"max_tokens": 3000, "thinking": {"type": "enabled", "budget_tokens": 2000}}


def from_chat(quirks: Quirks = Quirks(), **asked: Any) -> tuple[Json, tuple[str, ...]]:  # noqa: B008
    made = DIALECT.write_request(read(messages=HI, **asked), config(quirks), "", Hints("t", 1))
    return json.loads(made.request.body), made.lost


@pytest.mark.parametrize(
    ("refused", "asked", "lost"),
    [
        ("temperature", {"temperature": 0.3}, ("temperature",)),
        ("temperature", {"temperature": 1}, ()),
        ("top_p", {"top_p": 1}, ()),
        ("stop", {"stop_sequences": ["x"]}, ("stop_sequences",)),
        ("user", {"metadata": {"user_id": "u"}}, ("metadata.user_id",)),
        ("tool_choice", {"tools": [tool("Bash")], "tool_choice": {"type": "auto"}}, ()),
        ("tool_choice", {"tools": [tool("Bash")], "tool_choice": {"type": "none"}}, ("tool_choice",)),
        ("response_format", FORM, ("output_config.format",)),
        ("stream_options", {}, ()),
    ],
)
def test_what_is_refused_is_left_out_and_named_where_that_is_a_loss(
    refused: str, asked: Json, lost: tuple[str, ...]
) -> None:
    body, named = chat(Quirks(refused=(refused,)), **asked)
    assert refused not in body
    assert named == lost


def test_only_what_is_accepted_is_sent() -> None:
    body, lost = chat(Quirks(accepted=("max_tokens", "top_p")), temperature=0.1, top_p=0.2, tools=[tool("Bash")])
    assert set(body) == {"model", "messages", "stream", "max_tokens", "top_p"}
    assert lost == ("temperature", "tools")


def test_sampling_that_messages_does_not_have() -> None:
    asked: Json = {"seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0.2, "logit_bias": {"1": 2}}
    body, lost = from_chat(**asked)
    assert {name: body[name] for name in asked} == asked
    assert lost == ()
    assert from_chat(Quirks(renamed=(("seed", "random_seed"),)), seed=7)[0]["random_seed"] == 7


def test_a_tool_says_whether_it_is_strict() -> None:
    function: Json = {"name": "Bash", "parameters": {"type": "object", "properties": {}}, "strict": True}
    asked: Json = {"tools": [{"type": "function", "function": function}]}
    body, lost = from_chat(**asked)
    assert (body["tools"][0]["function"]["strict"], lost) == (True, ())
    body, lost = from_chat(Quirks(strict_tools=False), **asked)
    assert ("strict" in body["tools"][0]["function"], lost) == (False, ("tools.strict",))
    function["parameters"]["properties"]["a"] = {"type": "string", "pattern": "^x"}
    body, lost = from_chat(Quirks(schemas="llama_cpp"), **asked)
    assert ("strict" in body["tools"][0]["function"], lost) == (False, ("tools.input_schema", "tools.strict"))


def test_how_closely_to_look_at_an_image_is_said() -> None:
    url = {"url": "https://example.com/a.png", "detail": "low"}
    request = read(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": url}]}])
    made = DIALECT.write_request(request, config(), "", Hints("t", 1))
    assert json.loads(made.request.body)["messages"][0]["content"] == [{"type": "image_url", "image_url": url}]
    assert made.lost == ()


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty"])
def test_samplers_that_openai_has_not_are_for_those_that_have_them(name: str) -> None:
    assert from_chat(Quirks(), **{name: 2}) == (from_chat()[0], (name,))
    body, lost = from_chat(Quirks(samplers=(name,)), **{name: 2})
    assert (body[name], lost) == (2, ())


@pytest.mark.parametrize(("asked", "made", "lost"), [(0.5, 0.5, ()), (1.7, 1.0, ("temperature",)), (0, 0, ())])
def test_a_temperature_is_kept_within_bounds(asked: float, made: float, lost: tuple[str, ...]) -> None:
    body, named = from_chat(Quirks(temperature=(0.0, 1.0)), temperature=asked)
    assert (body["temperature"], named) == (made, lost)


def test_a_choice_that_cannot_be_said() -> None:
    asked: Json = {"tools": [tool("Bash"), tool("Read")]}
    named = {"type": "tool", "name": "Bash"}
    assert chat(Quirks(required_choice="any"), tool_choice={"type": "any"}, **asked)[0]["tool_choice"] == "any"
    for quirks, choice in (
        (Quirks(required_choice=""), {"type": "any"}),
        (Quirks(named_choice=False), named),
        (Quirks(required_choice="", named_choice=False), named),
    ):
        body, lost = chat(quirks, tool_choice=choice, **asked)
        assert (body["tool_choice"], lost) == ("auto", ("tool_choice",))


@pytest.mark.parametrize(
    ("quirks", "tools", "form"),
    [
        (Quirks(json_mode="json_object"), [], {"type": "json_object"}),
        (Quirks(json_mode=""), [], None),
        (Quirks(json_with_tools=False), [tool("Bash")], None),
    ],
)
def test_a_schema_that_cannot_bind_the_answer_stands_in_the_prompt(quirks: Quirks, tools: Any, form: Any) -> None:
    body, lost = chat(quirks, system="Be brief.", tools=tools, **FORM)
    assert body.get("response_format") == form
    assert body["messages"][0]["content"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert '{"type":"object","properties":{}}' in body["messages"][0]["content"]
    assert lost == ("output_config.format",)
    assert chat(Quirks(json_with_tools=False), **FORM)[1] == ()


def test_a_cap_of_single_models() -> None:
    quirks = Quirks(max_output_tokens=9000, models=((("tiny",), Quirks(max_output_tokens=50)),))
    for model, most in (("tiny-1", 50), ("large", 9000)):
        body, lost = chat(quirks, model=model, max_tokens=64000)
        assert (body["max_tokens"], lost) == (most, ("max_tokens",))
    body, lost = chat(quirks, model="tiny", max_tokens=5)
    assert (body["max_tokens"], lost) == (5, ())


# Thinking


SWITCH = Quirks(thinking_on={"thinking": {"type": "enabled"}}, thinking_off={"thinking": {"type": "disabled"}})


@pytest.mark.parametrize(
    ("quirks", "asked", "sent", "lost"),
    [
        (SWITCH, ON, {"thinking": {"type": "enabled"}}, ()),
        (SWITCH, OFF, {"thinking": {"type": "disabled"}}, ()),
        (SWITCH, {}, {}, ()),
        (SWITCH, BUDGET, {"thinking": {"type": "enabled"}}, ("thinking.budget_tokens",)),
        (replace(SWITCH, budget_field="thinking.n"), BUDGET, {"thinking": {"type": "enabled", "n": 2000}}, ()),
        (Quirks(budget_field="thinking_budget"), BUDGET, {"thinking_budget": 2000}, ()),
        (Quirks(effort_field="reasoning.effort", efforts=("low",)), BUDGET, {"reasoning": {"effort": "low"}}, ()),
        (Quirks(always_thinks=True), OFF, {}, ("thinking",)),
        (Quirks(always_thinks=True, efforts=("low", "high")), OFF, {"reasoning_effort": "low"}, ("thinking",)),
        (Quirks(efforts=("none", "low")), OFF, {"reasoning_effort": "none"}, ()),
        (replace(SWITCH, efforts=("low",)), ON | {"output_config": {"effort": "max"}},
         {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}, ()),
    ],
)  # fmt: skip
def test_thinking_in_each_providers_way(quirks: Quirks, asked: Json, sent: Json, lost: tuple[str, ...]) -> None:
    plain, _ = chat()
    body, named = chat(quirks, **asked)
    assert {name: value for name, value in body.items() if name not in plain} == sent
    assert named == lost


def test_a_budget_stays_under_the_cap() -> None:
    body, _ = chat(Quirks(budget_field="budget", max_output_tokens=1000), **BUDGET)
    assert (body["max_tokens"], body["budget"]) == (1000, 999)


@pytest.mark.parametrize(("asked", "lost"), [({}, ()), (OFF, ()), (ON, ("thinking",)), (BUDGET, ("thinking",))])
def test_an_effort_that_tools_go_with_is_the_only_one(asked: Json, lost: tuple[str, ...]) -> None:
    quirks = Quirks(efforts=("none", "high"), tool_effort="none")
    body, named = chat(quirks, tools=[tool("Bash")], **asked)
    assert (body["reasoning_effort"], named) == ("none", lost)
    assert chat(quirks, output_config={"effort": "high"})[0]["reasoning_effort"] == "high"


@pytest.mark.parametrize(
    ("wanted", "allowed", "made"),
    [
        ("none", ("none", "low"), "none"),
        ("minimal", ("none", "low"), "low"),
        ("none", ("low", "high"), "low"),
        ("medium", ("low", "high"), "low"),
        ("max", ("low", "high"), "high"),
    ],
)
def test_the_nearest_effort(wanted: str, allowed: tuple[str, ...], made: str) -> None:
    assert nearest(wanted, allowed) == made


# What rows, operators and clients add


def with_extras(row: Json, operator: Json, client: Json, **asked: Any) -> tuple[Json, tuple[str, ...]]:
    settings = replace(config(Quirks(body=row)), extra_body=operator)
    request = neutral({**asked, **({"extra_body": client} if client else {})})
    made = DIALECT.write_request(request, settings, "", Hints("t", 1))
    return json.loads(made.request.body), made.lost


def test_members_are_added_the_clients_over_the_operators_over_ours_over_the_rows() -> None:
    row = {"a": 1, "b": 1, "c": 1, "max_tokens": 1, "o": {"x": 1, "y": 1}}
    body, lost = with_extras(row, {"b": 2, "c": 2, "o": {"y": 2}}, {"c": 3, "o": {"z": 3}})
    assert (body["a"], body["b"], body["c"], body["max_tokens"]) == (1, 2, 3, 100)
    assert body["o"] == {"x": 1, "y": 2, "z": 3}
    assert lost == ()


@pytest.mark.parametrize("name", ["model", "messages", "tools", "stream"])
def test_what_the_gateway_answers_for_stays(name: str) -> None:
    for operator, client in (({name: "theirs"}, {}), ({}, {name: "theirs"})):
        body, lost = with_extras({}, operator, client, tools=[tool("Bash")])
        assert body[name] != "theirs"
        assert lost == (f"extra_body.{name}",)


def test_nothing_that_is_added_is_changed_or_shared() -> None:
    operator: Json = {"o": {"x": 1}}
    with_extras({"o": {"w": 0}}, operator, {"o": {"y": 2}})
    assert operator == {"o": {"x": 1}}


@pytest.mark.parametrize("wrong", [5, "x", [1], True])
def test_members_that_are_no_object_are_named_or_refused(wrong: Any) -> None:
    _, lost = chat(extra_body=wrong)
    assert lost == ("extra_body",)
    assert chat(extra_body=None)[1] == ()


def test_a_messages_upstream_is_given_them_too() -> None:
    request = read(messages=HI, extra_body={"top_k": 5, "model": "x"}, seed=7)
    settings = replace(
        config(Quirks(learned=("metadata",))), extra_body={"metadata": {"user_id": "u"}, "speed": "fast"}
    )
    made = FACES["anthropic"].write_request(request, settings, "", Hints("t", 1))
    body = json.loads(made.request.body)
    assert (body["top_k"], body["speed"], "metadata" in body) == (5, "fast", False)
    assert made.lost == ("seed", "extra_body.model")


def test_what_was_learned_goes_whoever_wants_it() -> None:
    settings = replace(config(Quirks(learned=("seed", "o.x"), body={"o": {"x": 1, "y": 1}})), extra_body={"seed": 1})
    body = json.loads(DIALECT.write_request(neutral({}), settings, "", Hints("t", 1)).request.body)
    assert "seed" not in body
    assert body["o"] == {"y": 1}
