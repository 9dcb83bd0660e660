"""Neutral requests as a Responses upstream wants them: fields said, or lost by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from providers.call import Hints
from providers.chat.request import ChatRequest, Image, JsonSchema, Message, Reasoning, Text, Tool, ToolChoice
from providers.chat.unseen import UNSEEN
from providers.dialects.openai_responses import DIALECT, url
from providers.quirks import Quirks
from tests.providers.dialects.openai_responses.asking import Json, config, written

HI = ChatRequest("gpt-4o", (Message("user", (Text("Hi"),)),))
THINKER = replace(HI, model="gpt-5.1")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
BASH, PLAN = Tool("Bash", "Runs.", {"type": "object"}), Tool("Plan", "", SCHEMA, True)
LONG = "mcp.server/with a name"


def body(request: ChatRequest = HI, /, **more: Any) -> Json:
    made, lost = written(replace(request, **more))
    assert lost == ()
    return made


def lost(request: ChatRequest = HI, /, **more: Any) -> tuple[str, ...]:
    return written(replace(request, **more))[1]


def test_a_small_request_is_streamed_and_not_stored() -> None:
    said = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    assert body() == {"model": "gpt-4o", "input": said, "stream": True, "store": False}


def test_the_system_is_instructions() -> None:
    assert body(system=(Text("a"), Text(""), Text("b")))["instructions"] == "a\n\nb"


def test_where_it_goes_and_with_what() -> None:
    made = DIALECT.write_request(HI, config(), "sk-up", Hints("tok", 1)).request
    assert made.url == "https://acme.test/v1/responses"
    assert ("authorization", "Bearer sk-up") in made.headers
    assert ("accept", "text/event-stream") in made.headers
    assert url("https://acme.test") == url("https://acme.test/") == made.url
    assert url("https://acme.test/openai/v1/") == "https://acme.test/openai/v1/responses"


def test_limits() -> None:
    made = body(max_tokens=100, temperature=0.5, top_p=0.9)
    assert (made["max_output_tokens"], made["temperature"], made["top_p"]) == (100, 0.5, 0.9)
    for quirks, told in ((Quirks(max_output_tokens=64), 64), (Quirks(min_output_tokens=200), 200)):
        made, named = written(replace(HI, max_tokens=100), quirks)
        assert (made["max_output_tokens"], named) == (told, ("max_tokens",))


def test_an_image_for_a_model_that_cannot_see_is_a_note() -> None:
    shown = replace(HI, messages=(Message("user", (Image("image/png", "aGk="),)),))
    made, named = written(shown, Quirks(vision=False))
    assert made["input"][0]["content"] == [{"type": "input_text", "text": UNSEEN}]
    assert named == ("messages.image",)


def test_a_limit_below_the_least_is_raised_and_named() -> None:
    made, named = written(replace(HI, max_tokens=1))
    assert (made["max_output_tokens"], named) == (16, ("max_tokens",))


def test_what_responses_cannot_say_is_lost_by_name() -> None:
    assert lost(top_k=5, stop=("END",), lost=("before",)) == ("before", "top_k", "stop_sequences")


def test_tools_say_whether_they_are_strict() -> None:
    made = body(tools=(BASH, PLAN), parallel_tools=False)
    assert made["tools"] == [
        {"type": "function", "name": "Bash", "description": "Runs.", "parameters": {"type": "object"}, "strict": False},
        {"type": "function", "name": "Plan", "parameters": SCHEMA, "strict": True},
    ]
    assert made["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("any"), "required"),
        (ToolChoice("tool", "Bash"), {"type": "function", "name": "Bash"}),
    ],
)
def test_tool_choice(choice: ToolChoice, made: Any) -> None:
    assert body(tools=(BASH,), tool_choice=choice)["tool_choice"] == made


def test_a_choice_of_no_tool_is_lost() -> None:
    made, named = written(replace(HI, tools=(BASH,), tool_choice=ToolChoice("tool", "gone")))
    assert (made["tool_choice"], named) == ("auto", ("tool_choice",))
    assert lost(tool_choice=ToolChoice("any")) == ("tool_choice",)
    assert lost(tool_choice=ToolChoice("auto")) == ()


def test_a_name_that_does_not_fit_is_another_and_comes_back() -> None:
    made = DIALECT.write_request(replace(HI, tools=(Tool(LONG, "", {}),)), config(), "", Hints("t", 1))
    short = b"mcp_server_with_a_name_"
    assert short in made.request.body
    assert LONG.encode() not in made.request.body


@pytest.mark.parametrize(
    ("reasoning", "made"),
    [
        (Reasoning(), None),
        (Reasoning("adaptive"), {"summary": "auto"}),
        (Reasoning("adaptive", 0, "low"), {"effort": "low", "summary": "auto"}),
        (Reasoning("adaptive", 0, "low", shown=False), {"effort": "low"}),
        (Reasoning("unset", 0, "max", shown=True), {"effort": "high", "summary": "auto"}),
        (Reasoning("budget", 4000), {"effort": "medium", "summary": "auto"}),
        (Reasoning("off"), {"effort": "low"}),
    ],
)
def test_a_model_that_reasons_is_told_how_much(reasoning: Reasoning, made: Json | None) -> None:
    asked, named = written(replace(THINKER, reasoning=reasoning))
    assert asked.get("reasoning") == made
    assert named == (("thinking",) if reasoning.mode == "off" else ())
    assert asked["include"] == ["reasoning.encrypted_content"]


def test_a_row_knows_its_models_and_their_efforts_best() -> None:
    quirks = Quirks(models=((("gpt-4",), Quirks(efforts=("none", "xhigh"))),))
    asked, named = written(replace(HI, reasoning=Reasoning("off")), quirks)
    assert (asked["reasoning"], named) == ({"effort": "none"}, ())
    asked, named = written(replace(THINKER, reasoning=Reasoning("budget", 4000)), quirks)
    assert "reasoning" not in asked
    assert "include" not in asked
    assert named == ("thinking",)


@pytest.mark.parametrize(
    ("reasoning", "named"),
    [
        (Reasoning("adaptive", 0, "low"), ("effort",)),
        (Reasoning("budget", 4000), ("thinking",)),
        (Reasoning("off"), ()),
        (Reasoning(), ()),
    ],
)
def test_a_model_that_does_not_reason_is_not_asked_to(reasoning: Reasoning, named: tuple[str, ...]) -> None:
    asked, said = written(replace(HI, reasoning=reasoning))
    assert asked.keys() == {"model", "input", "stream", "store"}
    assert said == named


@pytest.mark.parametrize(
    ("form", "name", "strict"),
    [(JsonSchema(SCHEMA), "answer", True), (JsonSchema({"type": "object"}, "t"), "t", False)],
)
def test_the_form_of_an_answer(form: JsonSchema, name: str, strict: bool) -> None:
    made = body(format=form)["text"]["format"]
    assert made == {"type": "json_schema", "name": name, "schema": form.schema, "strict": strict}
    assert body(format=replace(form, strict=not strict))["text"]["format"]["strict"] is not strict


def test_a_long_user_is_hashed() -> None:
    assert body(user="u" * 64)["user"] == "u" * 64
    made = body(user="u" * 65)["user"]
    assert len(made) == 64
    assert made != "u" * 64


def test_members_are_added_and_refused_ones_left_out() -> None:
    settings = replace(config(Quirks(learned=("service_tier",))), extra_body={"service_tier": "flex", "input": "x"})
    asked = replace(HI, extra_body={"truncation": "auto"}, sampling={"seed": 7})
    made = DIALECT.write_request(asked, settings, "", Hints("t", 1))
    sent = json.loads(made.request.body)
    assert (sent["truncation"], "service_tier" in sent, sent["input"] == "x") == ("auto", False, False)
    assert made.lost == ("seed", "extra_body.input")
