"""Google Vertex AI as a whole: one row, two faces, one login; servers on loopback stand for Google's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT
from tests.moments import Moments
from tests.providers.google import TokenServer, service_account, written
from tests.serving import Gateway, Json, ask, refusal, serving
from tests.upstream import Upstream, count_tokens, error, frames, json_reply, message, stream, text
from tests.upstream import openai_chat as chat

PLACE = "/v1/projects/my-project/locations/us-central1"
CHAT = f"{PLACE}/endpoints/openapi/chat/completions"
CLAUDE = f"{PLACE}/publishers/anthropic/models"
GEMINI = "google/gemini-3.5-flash"
OPUS = "claude-opus-4-6"
TOOL: Json = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}


@dataclass
class Google:
    """Vertex AI, the server that gives tokens, the operator's file, and the gateway in front of them."""

    vertex: Upstream
    tokens: TokenServer
    file: Path
    gateway: Gateway
    client: httpx.AsyncClient

    async def post(self, model: str, path: str = "/v1/messages", headers: Json | None = None, **more: Any) -> Json:
        reply = await self.client.post(path, json=ask(model=model, **more), headers=headers)
        assert reply.status_code == 200, reply.text
        found: Json = reply.json()
        return found


@asynccontextmanager
async def google(home: Path, **environ: str) -> AsyncIterator[Google]:
    async with Upstream() as vertex, TokenServer() as tokens:
        file = written(home / "sa.json", service_account(tokens.token_uri))
        settings = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(file),
            "VERTEX_BASE_URL": f"{vertex.url}{PLACE}/endpoints/openapi",
            "MODEL": f"vertex/{GEMINI}",
            "MODEL_OPUS": f"vertex/{OPUS}",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
            **environ,
        }
        async with serving(home, settings, moments=Moments()) as gateway, gateway.client() as client:
            yield Google(vertex, tokens, file, gateway, client)
            assert "ya29" not in gateway.log.text
            assert "PRIVATE KEY" not in gateway.log.text


async def test_gemini_and_claude_are_asked_each_in_its_way_with_one_token(tmp_path: Path) -> None:
    async with google(tmp_path) as served:
        served.vertex.on(CHAT, chat.completion(chat.text("Hello from Gemini")))
        served.vertex.on(f"{CLAUDE}/{OPUS}:rawPredict", message(text("Hello from Claude"), model=OPUS))
        gemini, claude = await asyncio.gather(served.post("claude-sonnet-5"), served.post("claude-opus-4-8"))
        assert gemini["content"][0]["text"] == "Hello from Gemini"
        assert claude["content"][0]["text"] == "Hello from Claude"
        assert (gemini["model"], claude["model"]) == ("claude-sonnet-5", "claude-opus-4-8")
        asked = {request.path: request for request in served.vertex.requests}
        assert len(served.tokens.asked) == 1
    assert {request.header("authorization") for request in asked.values()} == {"Bearer ya29.token-1"}
    assert asked[CHAT].json["model"] == GEMINI
    assert asked[f"{CLAUDE}/{OPUS}:rawPredict"].json["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in asked[f"{CLAUDE}/{OPUS}:rawPredict"].json


async def test_a_stream_of_claudes_passes_as_it_came_but_for_the_model(tmp_path: Path) -> None:
    sent = frames(OPUS, [text("Hello wörld")])
    async with google(tmp_path) as served:
        served.vertex.on(f"{CLAUDE}/{OPUS}:streamRawPredict", stream(*sent))
        asked = ask(model="claude-opus-4-8", stream=True)
        reply = await served.client.post("/v1/messages", json=asked)
        assert reply.headers["x-keyturn-key"] == "vertex-01"
        [request] = served.vertex.requests
    assert reply.content == b"".join(sent).replace(OPUS.encode(), b"claude-opus-4-8")
    assert request.json == {**{name: asked[name] for name in asked if name != "model"},
                            "anthropic_version": "vertex-2023-10-16"}  # fmt: skip


async def test_many_calls_at_once_wait_for_one_token(tmp_path: Path) -> None:
    async with google(tmp_path) as served:
        served.vertex.on(CHAT, chat.completion(chat.text("Hi")))
        answers = await asyncio.gather(*(served.post("claude-sonnet-5") for _ in range(30)))
        assert len(answers) == 30
        assert len(served.tokens.asked) == 1


async def test_claudes_tokens_are_counted_there_and_geminis_are_estimated(tmp_path: Path) -> None:
    async with google(tmp_path) as served:
        served.vertex.on(f"{CLAUDE}/count-tokens:rawPredict", count_tokens(765))
        counted = await served.post("claude-opus-4-8", "/v1/messages/count_tokens")
        estimated = await served.post("claude-sonnet-5", "/v1/messages/count_tokens")
        [request] = served.vertex.requests
    assert counted == {"input_tokens": 765}
    assert 0 < estimated["input_tokens"] < 100
    assert request.json["model"] == OPUS


async def test_what_gemini_signed_goes_back_to_it_and_stays_a_secret_to_claude(tmp_path: Path) -> None:
    signature = {"extra_content": {"vertex": {"thought_signature": "c2lnbmVk"}}}
    call = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "Bash", "arguments": "{}"},
        **signature,
    }
    async with google(tmp_path) as served:
        served.vertex.on(f"{CLAUDE}/{OPUS}:rawPredict", message(text("Done"), model=OPUS))
        served.vertex.on(CHAT, chat.stream(
            chat.chunk({"role": "assistant", "tool_calls": [call]}),
            chat.chunk({}, finish_reason="tool_calls"),
            chat.DONE,
        ))  # fmt: skip
        first = await served.post("claude-sonnet-5", tools=[TOOL])
        [use] = [block for block in first["content"] if block["type"] == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "done"}
        turns = [
            {"role": "user", "content": "List"},
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": [result]},
        ]
        await served.client.post("/v1/messages", json=ask(model="claude-sonnet-5", tools=[TOOL]) | {"messages": turns})
        await served.client.post("/v1/messages", json=ask(model="claude-opus-4-8", tools=[TOOL]) | {"messages": turns})
        gemini, claude = served.vertex.requests[1:]
    [sent] = gemini.json["messages"][1]["tool_calls"]
    assert (sent["id"], sent["extra_content"]) == ("call_1", signature["extra_content"])
    assert b"c2lnbmVk" not in claude.body


async def test_a_beta_that_vertex_does_not_know_is_left_out_from_then_on(tmp_path: Path) -> None:
    words = (
        "Unexpected value(s) `effort-2025-11-24`, `web-search-2025-03-05` for the `anthropic-beta` header. Please "
        "consult our documentation at docs.anthropic.com or try again without the header."
    )
    headers = {"anthropic-beta": "effort-2025-11-24,context-1m-2025-08-07,web-search-2025-03-05"}
    async with google(tmp_path) as served:
        served.vertex.script(error(400, "invalid_request_error", words))
        served.vertex.always(message(text("Hi"), model=OPUS))
        await served.post("claude-opus-4-8", headers=headers)
        await served.post("claude-opus-4-8", headers=headers)
        await served.post("claude-opus-4-8", headers={"anthropic-beta": "effort-2025-11-24"})
        betas = [request.header("anthropic-beta") for request in served.vertex.requests]
    assert betas == [headers["anthropic-beta"], "context-1m-2025-08-07", "context-1m-2025-08-07", None]


async def test_a_revoked_service_account_is_told_and_one_put_in_its_place_serves_without_a_restart(
    tmp_path: Path,
) -> None:
    async with google(tmp_path, **ONE_ATTEMPT) as served:
        served.vertex.on(CHAT, chat.completion(chat.text("Hi")))
        served.tokens.number = 1
        reply = await served.client.post("/v1/messages", json=ask(model="claude-sonnet-5"))
        said = refusal(reply, 502)
        assert reply.headers["x-should-retry"] == "false"
        again = refusal(await served.client.post("/v1/messages", json=ask(model="claude-sonnet-5")), 502)
        written(served.file, service_account(served.tokens.token_uri, 1))
        served.gateway.moments.ahead += 70
        assert (await served.post("claude-sonnet-5"))["content"]
        assert len(served.tokens.asked) == 2, "a login that was refused rests before it is tried again"
    assert "cannot log in to provider vertex with vertex-01 (GOOGLE_APPLICATION_CREDENTIALS)" in said
    assert "invalid_grant" in said
    assert "vertex-01 (GOOGLE_APPLICATION_CREDENTIALS)" in again
    assert "eyJ" not in said


async def test_a_token_that_google_no_longer_takes_is_replaced_unseen(tmp_path: Path) -> None:
    stale = {"error": {"code": 401, "message": "Request had invalid authentication credentials."}}
    async with google(tmp_path, **ONE_ATTEMPT) as served:
        served.vertex.script(json_reply(stale, 401))
        served.vertex.always(chat.completion(chat.text("Hi")))
        assert (await served.post("claude-sonnet-5"))["content"]
        used = [request.header("authorization") for request in served.vertex.requests]
    assert used == ["Bearer ya29.token-1", "Bearer ya29.token-2"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_key_is_googles_and_never_the_clients(tmp_path: Path, streamed: bool) -> None:
    async with google(tmp_path) as served:
        served.vertex.on(CHAT, chat.completion(chat.text("Hi")))
        await served.client.post("/v1/messages", json=ask(model="claude-sonnet-5", stream=streamed))
        [request] = served.vertex.requests
    names = [name.lower() for name, _ in request.headers]
    assert names.count("authorization") == 1
    assert "x-api-key" not in names
    assert "freecc" not in json.dumps(request.headers)


async def test_without_credentials_a_call_is_told_what_to_set(tmp_path: Path) -> None:
    async with serving(tmp_path, {"MODEL": f"vertex/{GEMINI}"}) as gateway, gateway.client() as client:
        said = refusal(await client.post("/v1/messages", json=ask()), 503)
    assert said.startswith("Provider vertex has no credentials and no project: run `gcloud auth application-default")
    assert "set VERTEX_PROJECT_ID" in said
