"""Azure in all its ways, over a scripted upstream: what is asked where, with which header, and what an error means.

The upstream is a fake on loopback, so the shapes of requests and errors are as Microsoft and Anthropic document them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import ONE_ATTEMPT, ROOT
from tests.serving import Gateway, ask, refusal, serving
from tests.test_upstream_anthropic import events, fold
from tests.upstream import ChatUpstream, Reply, Request, ScriptedServer, json_reply
from tests.upstream import openai_chat as chat
from tests.upstream import openai_responses as responses
from tests.upstream.anthropic import frames as message_frames
from tests.upstream.anthropic import message, stream, text

KEY = "azure-0123456789abcdef"
SECOND = "azure-fedcba9876543210"
OPENING = (ROOT / "tests/wire/openai_chat/answers/azure.sse").read_bytes()
NEW = "/openai/v1/chat/completions"

Json = dict[str, Any]


@pytest.fixture
def upstream() -> Iterator[ChatUpstream]:
    with ChatUpstream() as running:
        yield running


@pytest.fixture
def bare() -> Iterator[ScriptedServer]:
    """An upstream that speaks anything but Chat Completions."""
    with ScriptedServer() as running:
        yield running


def serve(home: Path, **environ: str) -> AbstractAsyncContextManager[Gateway]:
    settings = {"AZURE_API_KEY": KEY, "MODEL": "azure/our-gpt", "ANTHROPIC_AUTH_TOKEN": "freecc", **environ}
    return serving(home, settings | ONE_ATTEMPT)


async def post(gateway: Gateway, body: Json, path: str = "/v1/messages") -> httpx.Response:
    async with gateway.client() as client:
        return await client.post(path, json=body)


def keyed(request: Request, key: str = KEY) -> Request:
    """The same request, which carries its key in Azure's header and nowhere else."""
    assert request.header("api-key") == key
    assert request.header("authorization") is None
    assert request.header("x-api-key") is None
    assert key not in request.target
    return request


async def test_the_api_without_versions(upstream: ChatUpstream, tmp_path: Path) -> None:
    upstream.script(chat.completion(chat.text("Fine.")))
    async with serve(tmp_path, AZURE_OPENAI_ENDPOINT=upstream.url) as gateway:
        reply = await post(gateway, ask("Hi"))
    [request] = upstream.requests
    assert (request.method, request.target) == ("POST", NEW)
    assert keyed(request).json["model"] == "our-gpt"
    assert reply.json()["content"] == [{"type": "text", "text": "Fine."}]
    assert reply.headers["x-keyturn-provider"] == "azure"


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_stream_that_opens_with_a_chunk_without_choices(
    upstream: ChatUpstream, tmp_path: Path, streamed: bool
) -> None:
    upstream.script(chat.stream(OPENING))
    async with serve(tmp_path, AZURE_BASE_URL=f"{upstream.url}/openai/v1") as gateway:
        reply = await post(gateway, ask("Hi", stream=streamed))
    assert reply.status_code == 200, reply.text
    content = fold(events(reply.content)) if streamed else reply.json()["content"]
    assert content == [{"type": "text", "text": "Fine."}]
    assert b'"output_tokens":10' in reply.content
    assert upstream.requests[0].target == NEW


@pytest.mark.parametrize(
    ("environ", "version"),
    [
        ({"AZURE_BASE_URL": "{}/openai/deployments"}, "2024-10-21"),
        ({"AZURE_OPENAI_ENDPOINT": "{}", "AZURE_API_VERSION": "2024-10-21"}, "2024-10-21"),
        ({"AZURE_OPENAI_ENDPOINT": "{}", "AZURE_API_VERSION": "2025-04-01-preview"}, "2025-04-01-preview"),
    ],
)
async def test_the_older_api_has_the_deployment_in_its_path_and_its_version_behind(
    upstream: ChatUpstream, tmp_path: Path, environ: dict[str, str], version: str
) -> None:
    upstream.always(chat.completion(chat.text("Fine.")))
    placed = {name: value.format(upstream.url) for name, value in environ.items()}
    async with serve(tmp_path, **placed) as gateway:
        await post(gateway, ask("Hi"))
        await post(gateway, ask("Hi", model="azure/o4-mini"))
    for request, model in zip(upstream.requests, ("our-gpt", "o4-mini"), strict=True):
        assert keyed(request).path == f"/openai/deployments/{model}/chat/completions"
        assert request.query == {"api-version": version}


@pytest.mark.parametrize(
    ("environ", "version"), [({}, "2024-10-21"), ({"AZURE_API_VERSION": "2024-06-01"}, "2024-06-01")]
)
async def test_a_deployments_url_as_openais_base_url_is_azure(
    upstream: ChatUpstream, tmp_path: Path, environ: dict[str, str], version: str
) -> None:
    """The example that claude-code-proxy's README gives for Azure."""
    upstream.script(chat.completion(chat.text("Fine.")))
    openai = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{upstream.url}/openai/deployments/your-deployment",
        "MODEL": "openai/gpt-5-mini",
        "AZURE_API_KEY": "",
    }
    async with serve(tmp_path, **openai, **environ) as gateway:
        reply = await post(gateway, ask("Hi"))
    [request] = upstream.requests
    assert keyed(request).target == f"/openai/deployments/your-deployment/chat/completions?api-version={version}"
    assert reply.headers["x-keyturn-provider"] == "openai"


@pytest.mark.parametrize("host", ["mine.openai.azure.com", "mine.services.ai.azure.com"])
async def test_an_azure_host_under_another_providers_name(tmp_path: Path, host: str) -> None:
    """The provider's own proxy sees the host that is asked for, and answers in its stead."""
    async with ChatUpstream() as proxy:
        proxy.script(chat.completion(chat.text("Fine.")))
        openai = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"http://{host}",
            "OPENAI_PROXY": proxy.url,
            "MODEL": "openai/gpt-5-mini",
            "AZURE_API_KEY": "",
        }
        async with serve(tmp_path, **openai) as gateway:
            reply = await post(gateway, ask("Hi"))
        assert reply.status_code == 200, reply.text
        [request] = proxy.requests
        assert keyed(request).target == f"http://{host}{NEW}"


async def test_the_clients_own_bytes_go_there_too(upstream: ChatUpstream, tmp_path: Path) -> None:
    """A provider without quirks is asked straight."""
    upstream.script(chat.completion(chat.text("Fine.")))
    (tmp_path / "keyturn.toml").write_text(
        "[[providers]]\nname = 'work'\ntype = 'openai'\n"
        f"base_url = '{upstream.url}/openai/deployments/{{model}}'\napi_key = '{SECOND}'\n"
    )
    body = {"model": "work/our gpt", "messages": [{"role": "user", "content": "Hi"}]}
    async with serve(tmp_path) as gateway:
        reply = await post(gateway, body, "/v1/chat/completions")
    [request] = upstream.requests
    assert keyed(request, SECOND).target == ("/openai/deployments/our%20gpt/chat/completions?api-version=2024-10-21")
    assert request.json == {**body, "model": "our gpt"}
    assert reply.json()["choices"][0]["message"]["content"] == "Fine."


async def test_responses(bare: ScriptedServer, tmp_path: Path) -> None:
    bare.script(responses.response(responses.reasoning("Hm."), responses.text("Fine.")))
    environ = {"AZURE_DIALECT": "responses", "AZURE_RESOURCE_NAME": "", "AZURE_BASE_URL": bare.url}
    async with serve(tmp_path, **environ) as gateway:
        reply = await post(gateway, ask("Hi"))
    assert keyed(bare.requests[0]).target == "/openai/v1/responses"
    assert reply.json()["content"][-1] == {"type": "text", "text": "Fine."}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_claude_in_foundry_gets_the_clients_bytes(bare: ScriptedServer, tmp_path: Path, streamed: bool) -> None:
    bare.script(stream(*message_frames("claude-sonnet-5", [text("Fine.")])) if streamed else message(text("Fine.")))
    foundry = {
        "AZURE_API_KEY": "",
        "ANTHROPIC_FOUNDRY_API_KEY": KEY,
        "ANTHROPIC_FOUNDRY_BASE_URL": bare.url,
        "MODEL": "azure/claude-sonnet-5",
    }
    body = ask("Hi", stream=streamed, thinking={"type": "adaptive"}, metadata={"user_id": "u"})
    async with serve(tmp_path, **foundry) as gateway:
        reply = await post(gateway, body)
    assert reply.status_code == 200, reply.text
    [request] = bare.requests
    assert keyed(request).target == "/anthropic/v1/messages"
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.body == json.dumps({**body, "model": "claude-sonnet-5"}, separators=(",", ":")).encode()
    content = fold(events(reply.content)) if streamed else reply.json()["content"]
    assert content == [{"type": "text", "text": "Fine."}]


def error(status: int, code: str, words: str, *headers: tuple[str, str], **more: Any) -> Reply:
    return json_reply({"error": {"code": code, "message": words, **more}}, status, headers)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (
            error(404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
            404,
            "The API deployment for this resource does not exist.",
        ),
        (
            error(
                400,
                "content_filter",
                "The response was filtered.",
                innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
            ),
            400,
            "The response was filtered.",
        ),
        (error(404, "404", "Resource not found"), 404, "Resource not found"),
        (error(401, "401", "Access denied due to invalid subscription key"), 502, "set AZURE_API_KEY"),
    ],
    ids=["deployment", "content", "path", "key"],
)
async def test_what_an_error_comes_to(
    upstream: ChatUpstream, tmp_path: Path, answer: Reply, status: int, words: str
) -> None:
    upstream.script(answer)
    async with serve(tmp_path, AZURE_OPENAI_ENDPOINT=upstream.url) as gateway:
        reply = await post(gateway, ask("Hi"))
        assert words in refusal(reply, status)
    assert len(upstream.requests) == 1
    assert KEY not in reply.text


async def test_a_used_up_minute_moves_to_the_next_key_for_as_long_as_azure_says(
    upstream: ChatUpstream, tmp_path: Path
) -> None:
    words = "have exceeded the token rate limit of your current pricing tier. Please retry after 24 seconds."
    upstream.script(
        error(429, "429", words, ("retry-after", "24"), ("retry-after-ms", "23750")),
        chat.completion(chat.text("Fine.")),
    )
    keys = {"AZURE_API_KEYS": SECOND, "KEYTURN_ADMIN_TOKEN": "kt-admin-0123456789"}
    async with serve(tmp_path, AZURE_OPENAI_ENDPOINT=upstream.url, **keys) as gateway:
        reply = await post(gateway, ask("Hi"))
        async with gateway.admin() as client:
            pool = (await client.get("/admin/pool")).json()
    assert reply.headers["x-keyturn-key"] == "azure-02"
    assert [request.header("api-key") for request in upstream.requests] == [KEY, SECOND]
    azure = next(each for each in pool["providers"] if each["provider"] == "azure")
    [rest] = azure["keys"][0]["rests"]
    assert (rest["scope"], rest["reason"]) == ("model", "rate_limited")
    assert 20 < rest["seconds"] < 27


async def test_without_an_address_nothing_is_asked(tmp_path: Path) -> None:
    async with serve(tmp_path) as gateway:
        reply = await post(gateway, ask("Hi"))
    assert refusal(reply, 503) == (
        "Provider azure has no base URL: set AZURE_BASE_URL in .env or the environment and restart Keyturn."
    )
    assert reply.headers["x-should-retry"] == "false"
