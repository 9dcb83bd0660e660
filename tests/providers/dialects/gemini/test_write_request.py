"""Neutral requests as Gemini wants them: fields said, or lost by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.call import Hints
from providers.chat.request import (
    JSON_MODE,
    Aside,
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Raw,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.gemini import DIALECT, url
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import Auth
from tests.providers.dialects.conformance.samples import Sample, samples
from tests.providers.dialects.gemini.asking import HI, NEW, OLD, Json, config, written
from tests.upstream.gemini import objection

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
BASH = Tool("Bash", "Runs.", {"type": "object", "properties": {"n": {"const": 1}}})
PLAN = Tool("Plan", "", SCHEMA, True)
READ = Tool("Read", "", {"type": "object"})
LONG = "mcp.server/with a name"
MESSAGES_REQUESTS = Path(__file__).parents[3] / "wire" / "anthropic" / "requests"
GOLDEN = samples("gemini", "requests/*.json")


def body(request: ChatRequest = HI, /, **more: Any) -> Json:
    made, lost = written(replace(request, **more))
    assert lost == ()
    assert objection(made) == ""
    return made


def lost(request: ChatRequest = HI, /, **more: Any) -> tuple[str, ...]:
    return written(replace(request, **more))[1]


def generation(request: ChatRequest = HI, /, **more: Any) -> Json:
    made: Json = body(request, **more)["generationConfig"]
    return made


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_what_a_messages_client_asks(golden: Sample) -> None:
    asked = JsonObject((MESSAGES_REQUESTS / f"{golden.notes['of']}.json").read_bytes())
    made, _ = written(MESSAGES.read_request(asked, golden.notes["model"], True))
    assert made == json.loads(golden.raw)
    assert golden.stem == "requests/blocks" or objection(made) == ""  # that one ends with the model's words


def test_a_small_request() -> None:
    assert body() == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_the_system_is_an_instruction() -> None:
    assert body(system=(Text("a"), Text(""), Text("b")))["systemInstruction"] == {
        "parts": [{"text": "a"}, {"text": "b"}]
    }


@pytest.mark.parametrize(
    ("base", "model", "wanted"),
    [
        ("https://g.test", NEW, "https://g.test/v1beta/models/gemini-3.8-flash"),
        ("https://g.test/", f"models/{NEW}", "https://g.test/v1beta/models/gemini-3.8-flash"),
        ("https://g.test/v1beta", "tunedModels/mine", "https://g.test/v1beta/tunedModels/mine"),
        ("https://g.test/v1beta/openai", NEW, "https://g.test/v1beta/models/gemini-3.8-flash"),
        ("https://proxy.test/gemini", NEW, "https://proxy.test/gemini/v1beta/models/gemini-3.8-flash"),
        (
            "https://aiplatform.test/v1/projects/p/locations/global/publishers/google",
            NEW,
            "https://aiplatform.test/v1/projects/p/locations/global/publishers/google/models/gemini-3.8-flash",
        ),
        ("https://g.test/v1", "../../secret?x=1#y", "https://g.test/v1/models/..%2F..%2Fsecret%3Fx%3D1%23y"),
    ],
)
def test_where_it_goes(base: str, model: str, wanted: str) -> None:
    assert url(base, model) == f"{wanted}:streamGenerateContent?alt=sse"


def test_with_what_it_goes() -> None:
    made = DIALECT.write_request(HI, config(), "sk-up", Hints("tok", 1)).request
    assert ("x-goog-api-key", "sk-up") in made.headers
    assert ("accept", "text/event-stream") in made.headers
    assert b"sk-up" not in made.body
    bearer = replace(config(), spec=replace(config().spec, auth=Auth.BEARER))
    made = DIALECT.write_request(HI, bearer, "sk-up", Hints("tok", 1)).request
    assert ("authorization", "Bearer sk-up") in made.headers


def test_sampling_and_limits() -> None:
    old = replace(HI, model=OLD, sampling={"seed": 7})
    asked = {"max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop": ("END",)}
    assert generation(old, **asked) == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END"],
        "seed": 7,
    }
    for model, most in ((OLD, 65535), (HI.model, 65536)):
        made, named = written(replace(HI, model=model, max_tokens=10**6))
        assert (made["generationConfig"]["maxOutputTokens"], named) == (most, ("max_tokens",))


def test_what_a_generation_ignores_is_lost_by_name() -> None:
    made, named = written(replace(HI, temperature=0.5, top_p=0.9, top_k=40, sampling={"presence_penalty": 1}))
    assert "generationConfig" not in made
    assert named == ("temperature", "top_p", "top_k", "presence_penalty")
    assert lost(temperature=1.0, top_p=1.0) == ()


def test_what_it_has_no_word_for() -> None:
    asked = replace(HI, user="u", parallel_tools=False, tools=(READ,), sampling={"logit_bias": {"1": 1}}, lost=("x",))
    assert lost(asked) == ("x", "tool_choice.disable_parallel_tool_use", "logit_bias", "metadata.user_id")
    assert lost(parallel_tools=True, tools=(READ,)) == ()


def test_five_stop_sequences() -> None:
    made, named = written(replace(HI, stop=tuple("abcdef")))
    assert made["generationConfig"]["stopSequences"] == list("abcde")
    assert named == ("stop_sequences[5:]",)


def test_what_was_learned_is_left_out() -> None:
    asked = replace(HI, model="other", temperature=0.5, top_k=3, stop=("END",))
    made, named = written(asked, quirks=Quirks(learned=("top_k", "stop_sequences")))
    assert made["generationConfig"] == {"temperature": 0.5}
    assert named == ("top_k", "stop_sequences")


def test_tools_are_cleaned_to_its_profile() -> None:
    made, named = written(replace(HI, tools=(BASH, PLAN, Tool(LONG, "", {"type": "object"}))))
    [tools] = made["tools"]
    bash, plan, named_anew = tools["functionDeclarations"]
    assert bash["parameters"]["properties"]["n"] == {"type": "integer", "description": "One of: 1."}
    assert plan == {"name": "Plan", "parameters": {key: SCHEMA[key] for key in ("type", "properties", "required")}}
    assert named_anew.keys() == {"name"}
    assert named == ("tools.input_schema", "tools.strict")
    assert objection(made) == ""
    assert DIALECT.write_request(replace(HI, tools=(Tool(LONG, "", {}),)), config(), "", Hints("t", 1)).names == {
        named_anew["name"]: LONG
    }


def test_a_row_without_a_profile_is_sent_json_schema() -> None:
    made, named = written(replace(HI, tools=(PLAN,)), quirks=Quirks())
    assert made["tools"] == [{"functionDeclarations": [{"name": "Plan", "parametersJsonSchema": SCHEMA}]}]
    assert named == ("tools.strict",)


@pytest.mark.parametrize(
    ("choice", "wanted", "missing"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}, ()),
        (ToolChoice("any"), {"mode": "ANY"}, ()),
        (ToolChoice("none"), {"mode": "NONE"}, ()),
        (ToolChoice("tool", "Read"), {"mode": "ANY", "allowedFunctionNames": ["Read"]}, ()),
        (ToolChoice("tool", "Nobody"), {"mode": "AUTO"}, ("tool_choice",)),
    ],
)
def test_which_tool(choice: ToolChoice, wanted: Json, missing: tuple[str, ...]) -> None:
    made, named = written(replace(HI, tools=(READ,), tool_choice=choice))
    assert (made["toolConfig"]["functionCallingConfig"], named) == (wanted, missing)


def test_a_choice_among_no_tools() -> None:
    assert body(tool_choice=ToolChoice("auto")) == body()
    assert lost(tool_choice=ToolChoice("any")) == ("tool_choice",)


def test_an_answer_in_json() -> None:
    form = JsonSchema(SCHEMA, "answer")
    assert generation(format=form) == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    assert generation(format=form, tools=(READ,))["responseJsonSchema"] == SCHEMA


def test_an_answer_in_json_beside_tools_before_gemini_3() -> None:
    asked = replace(HI, model=OLD, format=JsonSchema(SCHEMA), tools=(READ,))
    made, named = written(asked)
    assert "generationConfig" not in made
    assert json.dumps(SCHEMA, separators=(",", ":")) in made["systemInstruction"]["parts"][0]["text"]
    assert named == ("output_config.format",)


def test_json_without_a_schema() -> None:
    made, named = written(replace(HI, format=JsonSchema(SCHEMA)), quirks=Quirks(json_mode="json_object"))
    assert made["generationConfig"] == {"responseMimeType": "application/json"}
    assert "JSON Schema" in made["systemInstruction"]["parts"][0]["text"]
    assert named == ("output_config.format",)


def test_members_of_the_operator_and_of_the_client() -> None:
    extra = {"generationConfig": {"seed": 2}, "contents": [], "labels": {"a": "b"}}
    request = replace(HI, max_tokens=9, extra_body=extra)
    made, named = written(request, extra_body={"safetySettings": [], "generationConfig": {"seed": 1, "topK": 3}})
    assert made["generationConfig"] == {"maxOutputTokens": 9, "seed": 2, "topK": 3}
    assert (made["safetySettings"], made["labels"]) == ([], {"a": "b"})
    assert made["contents"] == body()["contents"]
    assert named == ("extra_body.contents",)


def test_arguments_go_as_the_client_wrote_them() -> None:
    said = '{"n": 1.50, "big": 12345678901234567890, "nested": {"a": [ ]}}'
    turns = (
        Message("user", (Text("Hi"),)),
        Message("assistant", (ToolUse("toolu_1", "Bash", said), ToolUse("toolu_2", "Bash", "{broken"))),
        Message("user", (ToolResult("toolu_1", ()), ToolResult("toolu_2", ()))),
    )
    raw = DIALECT.write_request(replace(HI, messages=turns), config(), "", Hints("t", 1)).request.body
    assert said.encode() in raw
    calls = [part["functionCall"] for part in json.loads(raw)["contents"][1]["parts"]]
    assert calls[1]["args"] == {"unparsed": "{broken"}


def test_what_a_system_says_first_is_an_instruction_too() -> None:
    said = (Message("system", (Text("a"),)), *HI.messages, Message("system", (Text("b"),)))
    made = body(system=(Text("s"),), messages=said)
    assert made["systemInstruction"] == {"parts": [{"text": "s"}, {"text": "a"}]}
    assert made["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "<system>\nb\n</system>"}]}]


def test_where_only_a_system_speaks_it_is_heard_as_the_user() -> None:
    made = body(messages=(Message("system", (Text("a"),)),))
    assert made == {"contents": [{"role": "user", "parts": [{"text": "<system>\na\n</system>"}]}]}


def test_what_a_system_cannot_say_is_named() -> None:
    said = (*HI.messages, Message("system", (Text("a"), Raw("tool_removal", {"type": "tool_removal"}))))
    assert lost(messages=said) == ("messages.tool_removal",)


def test_how_closely_to_look_is_named() -> None:
    assert lost(messages=(Message("user", (Image(url="https://a.test/b.png", detail="low"),)),)) == (
        "messages.image.detail",
    )


def test_what_is_said_of_a_document_stands_before_it() -> None:
    said = Document("text/plain", text="words", title="Notes", context="It is old.")
    (turn,) = body(messages=(Message("user", (said,)),))["contents"]
    assert [part["text"].splitlines()[0] for part in turn["parts"]] == [
        "About Notes: It is old.",
        '<document title="Notes">',
    ]


def test_some_json_object_as_chat_completions_asks_for_it() -> None:
    asked = {JSON_MODE: Aside("response_format", {"type": "json_object"})}
    made, named = written(replace(HI, asides=asked, lost=("response_format", "x")))
    assert (made["generationConfig"], named) == ({"responseMimeType": "application/json"}, ("x",))


def test_a_schema_is_described() -> None:
    form = JsonSchema(SCHEMA, description="How many.")
    assert generation(format=form)["responseJsonSchema"] == {"description": "How many.", **SCHEMA}
