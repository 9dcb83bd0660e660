"""OpenAI's official client of Responses through the gateway, over an upstream of every dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.gateway.endpoints.faces import CHAT, UPSTREAMS, Faces, Said, faces, refusal
from tests.upstream import Signal, openai_responses

each_upstream = pytest.mark.parametrize("dialect", UPSTREAMS)
openai_like = pytest.mark.parametrize("dialect", [*CHAT, "openai_responses"])
both = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])

SAID = Said("It is five.", "Let me see.", (("Bash", {"command": "ls -la"}, "call_1"), ("Plan", {}, "call_2")))
TOOLS: list[Any] = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("Bash", "Plan")]
CALLS = [("call_1", "Bash", {"command": "ls -la"}), ("call_2", "Plan", {})]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Faces]:
    async with faces(tmp_path) as running:
        yield running


async def answer(client: openai.AsyncOpenAI, streamed: bool, **asked: Any) -> Any:
    """The SDK's own reading of a response, whole or accumulated."""
    asked = {"model": "gpt-5", "input": "How many?", **asked}
    if not streamed:
        return await client.responses.create(**asked)
    async with client.responses.stream(**asked) as stream:
        return await stream.get_final_response()


@each_upstream
@both
async def test_text_reasoning_tools_and_usage(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with served.sdk(dialect) as client:
        response = await answer(client, streamed, tools=TOOLS, instructions="Be brief.")
    reasoning, message, *calls = response.output
    assert [part.text for part in reasoning.summary] == ["Let me see."]
    assert (message.role, message.status, response.output_text) == ("assistant", "completed", "It is five.")
    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == CALLS
    assert (response.status, response.model, response.object) == ("completed", "gpt-5", "response")
    assert (response.instructions, len(response.tools)) == ("Be brief.", 2)
    usage = response.usage
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (21, 5)
    assert (usage.output_tokens, usage.total_tokens) in ((7, 28), (8, 29))
    assert "Be brief." in json.dumps(served.asked(dialect))


@each_upstream
async def test_the_events_of_a_stream(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(SAID.answer(dialect))
    async with served.sdk(dialect) as client, client.responses.stream(model="m", input="Hi", tools=TOOLS) as stream:
        events = [event async for event in stream]
    kinds = [event.type.removeprefix("response.") for event in events]
    assert list(dict.fromkeys(kinds)) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "completed",
    ]
    assert (kinds.count("output_item.added"), kinds.count("output_item.done")) == (4, 4)
    assert [event.sequence_number for event in events] == list(range(len(events)))


@each_upstream
@both
async def test_a_conversation_goes_back_with_its_reasoning(served: Faces, dialect: str, streamed: bool) -> None:
    """The whole output is sent again, as agents without a store do."""
    served.upstreams[dialect].script(SAID.answer(dialect), Said("Five, then.").answer(dialect))
    async with served.sdk(dialect) as client:
        first = await answer(client, streamed, tools=TOOLS, store=False, include=["reasoning.encrypted_content"])
        said = [item.to_dict() for item in first.output]
        results = [
            {"type": "function_call_output", "call_id": each[0], "output": f"out of {each[0]}"} for each in CALLS
        ]
        turns = [{"role": "user", "content": "How many?"}, *map(_unparsed, said), *results]
        second = await answer(client, streamed, input=turns, tools=TOOLS)
    assert second.output_text == "Five, then."
    asked = served.asked(dialect)
    sent = json.dumps(asked, ensure_ascii=False)
    assert sent.count("out of call_1") == sent.count("out of call_2") == 1
    assert sent.index("It is five.") < sent.index("ls -la") < sent.index("out of call_1")
    if dialect == "anthropic":
        thought = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
        assert asked["messages"][1]["content"][0] == thought
    if dialect in CHAT:
        assert asked["messages"][1]["reasoning_content"] == "Let me see."
    if dialect == "openai_responses":
        sealed = openai_responses.reasoning("Let me see.").whole
        assert asked["input"][1] == sealed


def _unparsed(item: dict[str, Any]) -> dict[str, Any]:
    """What the SDK's helpers add is no part of a request."""
    return {key: value for key, value in item.items() if key not in ("parsed_arguments", "parsed")}


async def test_a_thought_of_one_provider_is_not_sent_to_another(served: Faces) -> None:
    served.upstreams["openai_responses"].script(SAID.answer("openai_responses"))
    served.upstreams["anthropic"].script(Said("Five.").answer("anthropic"))
    async with served.sdk("openai_responses") as client:
        first = await answer(client, False, tools=TOOLS)
    items: list[Any] = [item.to_dict() for item in first.output[:2]]
    async with served.sdk("anthropic") as client:
        reply = await client.responses.with_raw_response.create(
            model="m", input=[{"role": "user", "content": "a"}, *items, {"role": "user", "content": "b"}]
        )
    assert reply.headers["x-keyturn-lost"] == "messages.thinking"
    sent = json.dumps(served.asked("anthropic"))
    assert "Let me see." not in sent
    assert "sealed" not in sent


class Count(BaseModel):
    """What the structured answers are."""

    number: int
    unit: str


@each_upstream
@both
async def test_a_structured_answer_is_parsed(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(Said('{"number": 5, "unit": "files"}').answer(dialect))
    async with served.sdk(dialect) as client:
        if streamed:
            response = await answer(client, True, text_format=Count)
        else:
            response = await client.responses.parse(model="m", input="Hi", text_format=Count)
    assert response.output_parsed == Count(number=5, unit="files")


@openai_like
@both
async def test_a_refusal_is_told_as_one(served: Faces, dialect: str, streamed: bool) -> None:
    served.upstreams[dialect].script(Said(refusal="I would rather not.").answer(dialect))
    async with served.sdk(dialect) as client:
        response = await answer(client, streamed)
    (item,) = response.output
    assert [(part.type, part.refusal) for part in item.content] == [("refusal", "I would rather not.")]
    assert (response.status, response.output_text) == ("completed", "")


@openai_like
async def test_the_events_of_a_refusal(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said(refusal="I would rather not.").answer(dialect))
    async with served.sdk(dialect) as client, client.responses.stream(model="m", input="Hi") as stream:
        events = [event async for event in stream]
    kinds = [event.type.removeprefix("response.") for event in events]
    assert list(dict.fromkeys(kinds)) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


@each_upstream
async def test_the_events_of_a_structured_answer(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said('{"number": 5, "unit": "files"}').answer(dialect))
    async with (
        served.sdk(dialect) as client,
        client.responses.stream(model="m", input="Hi", text_format=Count) as stream,
    ):
        events = [event async for event in stream]
        response = await stream.get_final_response()
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert response.output_parsed == Count(number=5, unit="files")


@each_upstream
async def test_arguments_of_a_strict_tool_are_parsed(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said(calls=(("Count", {"number": 5, "unit": "files"}, "call_1"),)).answer(dialect))
    tool: Any = {"type": "function", **openai.pydantic_function_tool(Count)["function"]}
    async with served.sdk(dialect) as client:
        response = await client.responses.parse(model="m", input="Hi", tools=[tool])
    (call,) = response.output
    assert getattr(call, "parsed_arguments", None) == {"number": 5, "unit": "files"}


@each_upstream
@both
async def test_custom_tools_and_namespaces_are_calls_of_their_own_kind(
    served: Faces, dialect: str, streamed: bool
) -> None:
    """As Codex has them: a patch is text and no JSON, and MCP's tools are in a namespace."""
    called = (("apply_patch", {"input": '*** Begin "x"'}, "call_1"), ("docs__search", {"q": "a"}, "call_2"))
    served.upstreams[dialect].script(Said(calls=called).answer(dialect))
    search = {"type": "function", "name": "search", "parameters": {"type": "object"}}
    tools = [
        {"type": "custom", "name": "apply_patch", "description": "Edit."},
        {"type": "namespace", "name": "docs", "description": "Docs.", "tools": [search]},
    ]
    async with served.sdk(dialect) as client:
        patch, found = (await answer(client, streamed, tools=tools)).output
    assert (patch.type, patch.name, patch.input, patch.call_id) == (
        "custom_tool_call",
        "apply_patch",
        '*** Begin "x"',
        "call_1",
    )
    assert (found.type, found.name, found.namespace, json.loads(found.arguments)) == (
        "function_call",
        "search",
        "docs",
        {"q": "a"},
    )


@each_upstream
async def test_images_and_files_arrive(served: Faces, dialect: str) -> None:
    served.upstreams[dialect].script(Said("A dot.").answer(dialect))
    content: list[Any] = [
        {"type": "input_text", "text": "See."},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    ]
    async with served.sdk(dialect) as client:
        await answer(client, False, input=[{"role": "user", "content": content}])
    sent = json.dumps(served.asked(dialect))
    files = 0 if dialect == "openai_chat" else 1  # no row says that it takes them
    assert (sent.count("iVBORw0KGgo="), sent.count("JVBERi0=")) == (1, files)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", True),
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("prompt", {"id": "pmpt_1"}),
    ],
)
@both
async def test_what_needs_a_store_is_a_400_that_names_it(served: Faces, field: str, value: Any, streamed: bool) -> None:
    async with served.sdk("anthropic") as client:
        with pytest.raises(openai.BadRequestError) as failed:
            await client.responses.create(model="m", input="Hi", stream=streamed, **{field: value})
    body: Any = failed.value.body
    assert (body["param"], body["type"]) == (field, "invalid_request_error")
    assert field in failed.value.message


@each_upstream
@both
@pytest.mark.parametrize(
    ("status", "raised", "shown"),
    [
        (400, openai.BadRequestError, 400),
        (403, openai.InternalServerError, 502),
        (404, openai.NotFoundError, 404),
        (429, openai.RateLimitError, 429),
        (500, openai.InternalServerError, 500),
    ],
)
async def test_errors_wear_openais_shape(
    served: Faces, dialect: str, streamed: bool, status: int, raised: type[openai.APIStatusError], shown: int
) -> None:
    served.upstreams[dialect].script(refusal(dialect, status, "their words"))
    async with served.sdk(dialect) as client:
        with pytest.raises(raised) as failed:
            await client.responses.create(model="m", input="Hi", stream=streamed)
    assert failed.value.status_code == shown
    assert "their words" in failed.value.message


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_response_that_failed_inside_a_200_is_a_status(served: Faces, streamed: bool) -> None:
    begun = openai_responses.frames("m", [])[:2]
    failed = openai_responses.failed("rate_limit_exceeded", "their words")
    served.upstreams["openai_responses"].script(openai_responses.stream(*begun, failed))
    async with served.sdk("openai_responses") as client:
        with pytest.raises(openai.RateLimitError, match="their words"):
            await client.responses.create(model="m", input="Hi", stream=streamed)


async def _read(stream: Any, kinds: list[str], seen: Signal) -> None:
    """``seen`` is set once there is text."""
    async for event in stream:
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            seen.set()


@each_upstream
async def test_a_cut_is_an_error_and_completes_nothing(served: Faces, dialect: str) -> None:
    seen, kinds = Signal(), list[str]()
    served.upstreams[dialect].script(Said("The first half").half(dialect, seen))
    async with served.sdk(dialect) as client:
        stream = await client.responses.create(model="m", input="Hi", stream=True)
        with pytest.raises(openai.APIError, match="Provider") as failed:
            await _read(stream, kinds, seen)
    body: Any = failed.value.body
    assert (body["code"], body["type"]) == ("server_error", "server_error")
    assert kinds[-1] == "response.output_text.delta"
    assert not {"response.output_item.done", "response.output_text.done", "response.completed"} & set(kinds)


async def test_a_client_that_reads_no_error_event_finds_a_failed_response(served: Faces) -> None:
    """Codex ignores ``error`` and waits for ``response.failed``."""
    seen = Signal()
    seen.set()
    served.upstreams["anthropic"].script(Said("The first half").half("anthropic", seen))
    async with served.gateway.client(token="freecc:anthropic/m") as client:
        reply = await client.post("/v1/responses", json={"model": "m", "input": "Hi", "stream": True})
    *_, error, failed = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert (error["type"], failed["type"], failed["response"]["status"]) == ("error", "response.failed", "failed")
    assert failed["sequence_number"] == error["sequence_number"] + 1
    created = json.loads(reply.text.splitlines()[1][6:])
    assert failed["response"]["id"] == created["response"]["id"]


async def test_a_request_as_codex_sends_it(served: Faces) -> None:
    body = json.loads((Path(__file__).parents[2] / "wire/openai_responses/requests/codex.json").read_text())
    served.upstreams["anthropic"].script(Said("Nothing.").answer("anthropic"))
    async with served.gateway.client(token="freecc:anthropic/m") as client:
        reply = await client.post("/v1/responses", json=body)
    assert reply.status_code == 200
    named = "text.verbosity, client_metadata, tools.custom.format, tools.web_search, messages.thinking"
    assert set(reply.headers["x-keyturn-lost"].split(", ")) == set(named.split(", "))
    asked = served.asked("anthropic")
    assert [tool["name"] for tool in asked["tools"]] == ["exec_command", "apply_patch", "mcp__docs__search"]
    calls = [block for turn in asked["messages"] for block in turn["content"] if block["type"] == "tool_use"]
    assert [each["name"] for each in calls] == ["exec_command", "apply_patch"]
