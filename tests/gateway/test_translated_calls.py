"""Messages clients over an upstream that speaks Chat Completions: the real gateway, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import Message, MessageParam, ToolParam

from tests.gateway_process import ONE_ATTEMPT
from tests.serving import Gateway, serving
from tests.test_upstream_anthropic import events, fold
from tests.upstream import ChatUpstream, Cut, Drip, Hang, Pause, Reply, Reset, Send, Signal, Step, json_reply
from tests.upstream import openai_chat as chat
from tests.upstream.bare_client import BOUND, Client, connected
from tests.upstream.openai_chat import Counts, Json, Shape

TOKEN = "freecc"
MODEL = "claude-opus-4-8"
AT_ONCE = 1.0  # seconds; ten times what the gateway may take to let go of an upstream
PATIENCE = 0.5  # seconds, of the gateway with short timeouts
PARTS = [
    chat.reasoning("Let me see."),
    chat.text("It is five."),
    chat.call("Bash", {"command": "echo 'ü'"}, "call_1"),
    chat.call("Read", {"file_path": "/a"}, "call_2"),
]
CONTENT: list[Json] = [
    {"type": "thinking", "thinking": "Let me see."},
    {"type": "text", "text": "It is five."},
    {"type": "tool_use", "id": "call_1", "name": "Bash", "input": {"command": "echo 'ü'"}},
    {"type": "tool_use", "id": "call_2", "name": "Read", "input": {"file_path": "/a"}},
]
TOOLS: list[ToolParam] = [{"name": name, "input_schema": {"type": "object"}} for name in ("Bash", "Read")]
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


@pytest.fixture(scope="module")
def scripted() -> Iterator[ChatUpstream]:
    with ChatUpstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(scripted: ChatUpstream) -> Iterator[ChatUpstream]:
    yield scripted
    scripted.forget()


def environment(upstream: ChatUpstream) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "sk-upstream-key",
        "OPENAI_BASE_URL": upstream.base_url,
        "MODEL": "openai/gpt-5",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
    } | ONE_ATTEMPT


@pytest.fixture
async def gateway(upstream: ChatUpstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with serving(tmp_path, environment(upstream)) as running:
        yield running


@pytest.fixture
async def impatient(upstream: ChatUpstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway whose timeouts are short."""
    short = {"REQUEST_DEADLINE": str(PATIENCE), "HTTP_READ_TIMEOUT": str(PATIENCE)}
    async with serving(tmp_path, environment(upstream) | short) as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(gateway) as connected:
        yield connected


def http_client(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers={"x-api-key": TOKEN}, trust_env=False, timeout=BOUND)


@pytest.fixture
async def sdk(gateway: Gateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key=TOKEN, base_url=gateway.url, max_retries=0, timeout=BOUND) as client:
        yield client


def ask(streamed: bool = True, **more: Any) -> Json:
    messages = [{"role": "user", "content": "How many?"}]
    return {"model": MODEL, "max_tokens": 64, "messages": messages, "stream": streamed, **more}


async def answer(client: anthropic.AsyncAnthropic, streamed: bool, messages: list[MessageParam]) -> Message:
    """The SDK's own reading of an answer, whole or accumulated."""
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 2048, "messages": messages, "tools": TOOLS}
    asked["thinking"] = {"type": "adaptive"}
    if not streamed:
        message: Message = await client.messages.create(**asked)
        return message
    async with client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


def unsigned(content: list[Any]) -> list[Json]:
    """Blocks without what is the gateway's own: the signature, and members that are not set."""
    return [
        {name: value for name, value in block.items() if name not in ("signature", "citations")} for block in content
    ]


@BOTH
@pytest.mark.parametrize("ignores_stream", [False, True], ids=["over a stream", "over a whole answer"])
async def test_the_sdk_reads_thinking_text_and_tools(
    sdk: anthropic.AsyncAnthropic, upstream: ChatUpstream, streamed: bool, ignores_stream: bool
) -> None:
    upstream.script(chat.completion(*PARTS, ignores_stream=ignores_stream))
    message = await answer(sdk, streamed, [{"role": "user", "content": "How many?"}])
    assert unsigned([block.model_dump(exclude_unset=True) for block in message.content]) == CONTENT
    assert (message.model, message.role, message.stop_reason) == (MODEL, "assistant", "tool_use")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (16, 5, 8)
    [request] = upstream.chats
    assert request.json["stream"] is True
    assert (request.model, request.json["messages"]) == ("gpt-5", [{"role": "user", "content": "How many?"}])


@BOTH
async def test_the_sdk_sends_an_answer_back(
    sdk: anthropic.AsyncAnthropic, upstream: ChatUpstream, streamed: bool
) -> None:
    upstream.script(chat.completion(*PARTS), chat.completion(chat.text("Five, then.")))
    history: list[MessageParam] = [{"role": "user", "content": "How many?"}]
    first = await answer(sdk, streamed, history)
    made = [block.id for block in first.content if block.type == "tool_use"]
    history += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": each, "content": "5"} for each in made]},
    ]
    second = await answer(sdk, streamed, history)
    assert unsigned([block.model_dump(exclude_unset=True) for block in second.content]) == [
        {"type": "text", "text": "Five, then."}
    ]
    assert first.id != second.id
    _, said, *results = upstream.chats[1].json["messages"]
    assert (said["reasoning_content"], said["content"]) == ("Let me see.", "It is five.")
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in said["tool_calls"]
    ]
    assert calls == [("call_1", "Bash", {"command": "echo 'ü'"}), ("call_2", "Read", {"file_path": "/a"})]
    assert results == [{"role": "tool", "tool_call_id": each, "content": "5"} for each in ("call_1", "call_2")]


@pytest.mark.parametrize("counts", Counts)
@BOTH
async def test_usage_is_found_wherever_it_comes(
    sdk: anthropic.AsyncAnthropic, upstream: ChatUpstream, streamed: bool, counts: Counts
) -> None:
    upstream.script(chat.completion(chat.text("Five"), counts=counts))
    usage = (await answer(sdk, streamed, [{"role": "user", "content": "How many?"}])).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (16, 5, 8)


@BOTH
async def test_usage_that_never_comes_is_estimated(
    sdk: anthropic.AsyncAnthropic, upstream: ChatUpstream, streamed: bool
) -> None:
    upstream.script(chat.completion(chat.text("Five"), usage=None))
    usage = (await answer(sdk, streamed, [{"role": "user", "content": "How many? " * 100}])).usage
    assert 100 < usage.input_tokens < 500
    assert 1 <= usage.output_tokens < 5


async def test_the_sdk_raises_the_upstreams_words(sdk: anthropic.AsyncAnthropic, upstream: ChatUpstream) -> None:
    upstream.script(
        chat.error(400, "their words"), chat.stream(chat.chunk({"content": "Hal"}), chat.error_event("cut"))
    )
    with pytest.raises(anthropic.BadRequestError, match="their words"):
        await answer(sdk, False, [{"role": "user", "content": "How many?"}])
    with pytest.raises(anthropic.APIStatusError, match="cut"):
        await answer(sdk, True, [{"role": "user", "content": "How many?"}])


# The upstream's status, then what the client gets: status, type, x-should-retry.
STATUSES: list[tuple[int, int, str, str | None]] = [
    (400, 400, "invalid_request_error", None),
    (401, 502, "api_error", "false"),
    (402, 502, "api_error", "false"),
    (403, 502, "api_error", "false"),
    (404, 404, "not_found_error", None),
    (413, 413, "request_too_large", None),
    (422, 422, "invalid_request_error", None),
    (429, 429, "rate_limit_error", None),
    (500, 500, "api_error", None),
    (503, 503, "api_error", None),
    (529, 529, "overloaded_error", None),
]


def failed(reply: httpx.Response) -> Json:
    """The error of a reply in Anthropic's shape."""
    body = reply.json()
    assert (reply.headers["content-type"], body["type"]) == ("application/json", "error")
    assert reply.headers["x-keyturn-provider"] == "openai"
    assert body["request_id"] == reply.headers["request-id"]
    found: Json = body["error"]
    return found


@BOTH
@pytest.mark.parametrize(("said", "status", "kind", "retry"), STATUSES)
async def test_a_refusal_becomes_a_status(
    client: httpx.AsyncClient,
    upstream: ChatUpstream,
    streamed: bool,
    said: int,
    status: int,
    kind: str,
    retry: str | None,
) -> None:
    upstream.script(chat.error(said, "their words"))
    reply = await client.post("/v1/messages", json=ask(streamed))
    error = failed(reply)
    assert (reply.status_code, error["type"]) == (status, kind)
    assert reply.headers.get("x-should-retry") == retry
    assert "their words" in error["message"]
    assert ("OPENAI_API_KEY" in error["message"]) is (retry == "false")


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("status", [400, 503])
async def test_the_words_of_every_shape_arrive(
    client: httpx.AsyncClient, upstream: ChatUpstream, status: int, shape: Shape
) -> None:
    upstream.script(chat.error(status, "their words", shape))
    reply = await client.post("/v1/messages", json=ask())
    error = failed(reply)
    assert reply.status_code == status
    assert "their words" in error["message"]
    assert not set(error["message"]) & set("{}[]<>")
    if status == 400 and shape is not Shape.HTML:
        assert error["message"] == "their words"


INSIDE: dict[str, tuple[bytes, int]] = {
    "OpenAI, the request": (chat.error_event("their words", "invalid_request_error", "invalid_prompt"), 400),
    "OpenAI, the limit": (chat.error_event("their words", "tokens", "rate_limit_exceeded"), 429),
    "OpenAI, overloaded": (chat.error_event("their words", "service_unavailable_error", "server_is_overloaded"), 529),
    "OpenAI, the key": (chat.error_event("their words", "authentication_error", "invalid_api_key"), 502),
    "OpenAI, its own fault": (chat.error_event("their words"), 502),
    "OpenRouter, the limit": (chat.error_event("their words", code=429, choices=[]), 429),
    "OpenRouter, the provider": (chat.error_event("their words", code=502, choices=[]), 502),
    "vLLM, the request": (chat.error_event("their words", "BadRequestError", 400), 400),
    "Groq, with a name": (chat.error_event("their words", "invalid_request_error", name="error"), 400),
    "old vLLM": (
        chat.event({"object": "error", "message": "their words", "type": "BadRequestError", "code": 400}),
        400,
    ),
    "a string": (chat.event({"error": "their words"}), 502),
}


@BOTH
@pytest.mark.parametrize("begun", [False, True], ids=["first", "after the role"])
@pytest.mark.parametrize(("event", "status"), INSIDE.values(), ids=INSIDE)
async def test_an_error_inside_a_200_before_content_becomes_a_status(
    client: httpx.AsyncClient, upstream: ChatUpstream, streamed: bool, begun: bool, event: bytes, status: int
) -> None:
    role = [chat.chunk({"role": "assistant", "content": ""})] if begun else []
    upstream.script(chat.stream(*role, event))
    reply = await client.post("/v1/messages", json=ask(streamed))
    error = failed(reply)
    assert "their words" in error["message"]
    assert reply.status_code == status


BODIES: dict[str, Reply] = {
    "an error": json_reply({"error": {"message": "their words", "type": "server_error", "code": None}}),
    "a detail": json_reply({"detail": "their words"}),
    "vLLM's error": json_reply({"object": "error", "message": "their words", "code": 400}),
    "an HTML page": chat.error(200, "their words", Shape.HTML),
    "text": chat.error(200, "their words", Shape.TEXT),
}


@BOTH
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_200_that_is_no_answer_becomes_a_status(
    client: httpx.AsyncClient, upstream: ChatUpstream, streamed: bool, body: Reply
) -> None:
    upstream.script(body)
    reply = await client.post("/v1/messages", json=ask(streamed))
    assert reply.status_code >= 400
    assert "their words" in failed(reply)["message"]


ROLE = chat.chunk({"role": "assistant", "content": ""})
BASH = [chat.chunk(delta) for delta in chat.call("Bash", {"command": "echo five"}).deltas(0)]
EARLY: dict[str, tuple[bytes | Step, ...]] = {
    "nothing": (),
    "FIN": (Cut(),),
    "RST": (Reset(),),
    "the role": (ROLE,),
    "the role and FIN": (ROLE, Cut()),
    "half an event": (ROLE[:30], Cut()),
    "no JSON": (b"data: {\n\n",),
    "a failed reason": (ROLE, chat.chunk({}, finish_reason="network_error")),
    "a nameless call": (ROLE, chat.chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), chat.DONE),
}


@BOTH
@pytest.mark.parametrize("parts", EARLY.values(), ids=EARLY)
async def test_an_answer_that_ends_before_content_is_a_bad_gateway(
    client: httpx.AsyncClient, upstream: ChatUpstream, streamed: bool, parts: tuple[bytes | Step, ...]
) -> None:
    upstream.script(chat.stream(*parts))
    reply = await client.post("/v1/messages", json=ask(streamed))
    assert reply.status_code == 502
    assert "Provider openai" in failed(reply)["message"]


HALF = chat.chunk({"content": "The first half"})
OPENROUTER: Any = {"code": 502, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}
LATE: dict[str, tuple[tuple[bytes | Step, ...], int]] = {
    "FIN in the text": ((Cut(),), 0),
    "RST in the text": ((Reset(),), 0),
    "a clean end in the text": ((), 0),
    "an error in the text": ((chat.error_event("their words"),), 0),
    "OpenRouter's error in the text": ((chat.error_event("their words", **OPENROUTER),), 0),
    "a failed reason": ((chat.chunk({}, finish_reason="network_error"),), 0),
    "no JSON": ((b"data: {\n\n",), 0),
    "FIN in a call": ((*BASH[:-1], Cut()), 1),
    "a clean end in a call": ((*BASH[:-1],), 1),
    "DONE in a call": ((*BASH[:-1], chat.DONE), 1),
    "FIN after a call": ((*BASH, Cut()), 1),
    "an error after a call": ((*BASH, chat.error_event("their words")), 1),
}


@pytest.mark.parametrize(("parts", "closed"), LATE.values(), ids=LATE)
async def test_a_stream_that_breaks_ends_with_an_error_event(
    gateway: Gateway, upstream: ChatUpstream, parts: tuple[bytes | Step, ...], closed: int
) -> None:
    seen = Signal()
    upstream.script(chat.stream(HALF, Pause(seen), *parts))
    async with connected(gateway.port) as client:
        post(client, ask())
        head = await client.until(b"\r\n\r\n")
        begun = await client.until(b'"text":"The first half"}}\n\n')
        seen.set()
        rest = await client.until(b"\r\n0\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert begun.count(b"event: ") == 3
    assert rest.count(b"event: content_block_stop\n") == closed
    assert b"event: message_" not in rest
    *_, last = rest.split(b"event: ")
    assert last.startswith(b'error\ndata: {"type":"error","error":{"type":"api_error","message":"Provider openai: ')
    assert (b"their words" in last) is any(b"their words" in part for part in parts if isinstance(part, bytes))


@pytest.mark.parametrize(("parts", "closed"), LATE.values(), ids=LATE)
async def test_a_whole_call_commits_at_its_end(
    client: httpx.AsyncClient, upstream: ChatUpstream, parts: tuple[bytes | Step, ...], closed: int
) -> None:
    upstream.script(chat.stream(HALF, *parts))
    reply = await client.post("/v1/messages", json=ask(False))
    assert (reply.status_code, failed(reply)["type"]) == (502, "api_error")


async def test_content_travels_as_it_comes(gateway: Gateway, upstream: ChatUpstream) -> None:
    gates = [Signal() for _ in range(3)]
    call = chat.call("Bash", {"command": "echo five"}, pieces=2)
    begun = chat.frames("gpt-5", [chat.reasoning("Hm.", pieces=1), chat.text("One two", pieces=2), call])
    waits = [Pause(gate) for gate in gates]
    role, hm, one, two, head, arguments, *rest = begun
    upstream.script(chat.stream(role, hm, waits[0], one, waits[1], two, head, arguments, waits[2], *rest))
    async with connected(gateway.port) as client:
        post(client, ask())
        await client.until(b'"thinking":"Hm."')
        gates[0].set()
        await client.until(b'"text":"One ')
        gates[1].set()
        await client.until(b'"partial_json":"{')
        gates[2].set()
        assert b"message_stop" in await client.until(b"\r\n0\r\n\r\n")


def post(client: Client, body: Json) -> None:
    raw = json.dumps(body).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: gateway\r\nx-api-key: {TOKEN}\r\ncontent-length: {len(raw)}\r\n\r\n"
    client.write(head.encode() + raw)


FRAMES = b"".join(chat.frames("gpt-5", PARTS))
SPELLINGS = {
    "byte by byte": Drip(FRAMES),
    "with CRLF": Send(FRAMES.replace(b"\n", b"\r\n")),
    "with CRLF, byte by byte": Drip(FRAMES.replace(b"\n", b"\r\n")),
    "with comments": Send(FRAMES.replace(b"data:", b": PROCESSING\n\ndata:")),
    "without spaces": Send(FRAMES.replace(b"data: ", b"data:")),
    "without blank lines": Send(FRAMES.replace(b"\n\n", b"\n")),
    "without the last blank line": Send(FRAMES.rstrip()),
    "without an end": Send(FRAMES.removesuffix(chat.DONE)),
}


@BOTH
@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_stream_however_it_is_written(
    client: httpx.AsyncClient, upstream: ChatUpstream, streamed: bool, spelt: Step
) -> None:
    upstream.script(chat.stream(spelt))
    reply = await client.post("/v1/messages", json=ask(streamed))
    content = fold(events(reply.content)) if streamed else reply.json()["content"]
    assert unsigned(content) == CONTENT


WAITS: dict[str, tuple[bytes | Step, ...]] = {
    "before the head": (),
    "after the role": (ROLE,),
    "in the text": (ROLE, HALF),
    "in a call": (HALF, *BASH[:-1]),
    "after the reason": (HALF, chat.chunk({}, finish_reason="stop")),
}


@BOTH
@pytest.mark.parametrize("parts", WAITS.values(), ids=WAITS)
async def test_a_client_that_leaves_closes_the_upstream_at_once(
    gateway: Gateway, upstream: ChatUpstream, streamed: bool, parts: tuple[bytes | Step, ...]
) -> None:
    sent = Signal()
    upstream.script(chat.stream(*parts, Pause(sent), Hang()) if parts else Reply((Pause(sent), Hang())))
    async with connected(gateway.port) as client:
        post(client, ask(streamed))
        request = await upstream.request()
        sent.set()
        if streamed and HALF in parts:
            await client.until(b'"text":"The first half"')
        assert not request.gone.is_set()
    await request.gone.wait(AT_ONCE)


FINISHED = chat.frames("gpt-5", [chat.text("Five"), PARTS[2]])
ENDS = {"no usage, no end": FINISHED[:-2], "no end": FINISHED[:-1], "an end that stays open": FINISHED}


@BOTH
@pytest.mark.parametrize("frames", ENDS.values(), ids=ENDS)
async def test_an_upstream_that_never_closes_after_its_reason(
    impatient: Gateway, upstream: ChatUpstream, streamed: bool, frames: list[bytes]
) -> None:
    upstream.script(chat.stream(*frames, Hang()))
    async with http_client(impatient) as client:
        reply = await client.post("/v1/messages", json=ask(streamed))
    await upstream.requests[0].gone.wait()
    assert reply.status_code == 200
    if streamed:
        found = events(reply.content)
        assert found[-1] == {"type": "message_stop"}
        stopped, usage = found[-2]["delta"]["stop_reason"], found[-2]["usage"]
    else:
        stopped, usage = reply.json()["stop_reason"], reply.json()["usage"]
    assert stopped == "tool_use"
    assert usage.pop("output_tokens_details", {"thinking_tokens": 3}) == {"thinking_tokens": 3}
    assert all(isinstance(count, int) for count in usage.values())
    assert usage["output_tokens"] == 8 or frames is ENDS["no usage, no end"]


@BOTH
@pytest.mark.parametrize("parts", [(), (ROLE,), (ROLE, b": still here\n\n")], ids=["head", "role", "comment"])
async def test_no_content_in_time(
    impatient: Gateway, upstream: ChatUpstream, streamed: bool, parts: tuple[bytes, ...]
) -> None:
    upstream.script(chat.stream(*parts, Hang()))
    async with http_client(impatient) as client:
        reply = await client.post("/v1/messages", json=ask(streamed))
    await upstream.requests[0].gone.wait()
    assert (reply.status_code, failed(reply)["type"]) == (504, "timeout_error")


async def test_a_stall_after_content(impatient: Gateway, upstream: ChatUpstream) -> None:
    upstream.script(chat.stream(HALF, Hang()), chat.stream(HALF, Hang()))
    async with http_client(impatient) as client:
        streamed, whole = [await client.post("/v1/messages", json=ask(each)) for each in (True, False)]
    [*before, error] = events(streamed.content)
    assert error["error"]["type"] == "timeout_error"
    assert [event["type"] for event in before] == ["message_start", "content_block_start", "content_block_delta"]
    assert (whole.status_code, failed(whole)["type"]) == (504, "timeout_error")


LOST: dict[str, tuple[Json, str | None]] = {
    "nothing": ({"temperature": 1, "stop_sequences": [], "thinking": {"type": "adaptive"}}, None),
    "a parameter": ({"top_k": 5}, "top_k"),
    "unknown members": ({"context_management": {"edits": []}, "brand_new": 1}, "context_management, brand_new"),
    "what its models refuse": ({"stop_sequences": list("abcdef"), "temperature": 0.5}, "temperature, stop_sequences"),
    "a server's tool": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tools.web_search_20250305",
    ),
    "a block": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "container_upload", "file_id": "f"}, {"type": "text", "text": "a"}],
                }
            ]
        },
        "messages.container_upload",
    ),
}


@BOTH
@pytest.mark.parametrize(("more", "lost"), LOST.values(), ids=LOST)
async def test_what_could_not_be_carried_is_named(
    client: httpx.AsyncClient, upstream: ChatUpstream, streamed: bool, more: Json, lost: str | None
) -> None:
    upstream.script(chat.completion(chat.text("Five")))
    reply = await client.post("/v1/messages", json=ask(streamed) | more)
    assert reply.status_code == 200
    assert reply.headers.get("x-keyturn-lost") == lost
