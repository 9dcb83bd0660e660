"""docs/troubleshooting.md: every symptom is made to happen, and Keyturn does what the page says.

The login screen of VS Code is what its client says without the variables: tests/e2e/test_clients.py has that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.pick.launch import FORMATS, Room, environment
from tests.gateway_process import ROOT
from tests.serving import TOKEN, Gateway, ask, refusal, serving
from tests.upstream import ChatUpstream, Cut, Head, Reply, Send, Upstream, error, message, openai_chat, stream, text
from tests.upstream.anthropic import block_delta, block_start, message_start

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHOWN: set[str] = set()
TWO_KEYS = "sk-trouble-one-1a2b sk-trouble-two-3c4d"


def shows(*symptoms: str) -> Callable[[Any], Any]:
    """Marks a test as the one that makes these symptoms happen."""
    assert all(symptom in SECTIONS for symptom in symptoms), symptoms
    SHOWN.update(symptoms)
    return lambda test: test


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


def environ(upstream: Upstream, keys: str = TWO_KEYS, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_UPSTREAM_API_KEYS": keys,
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "PROVIDER_MAX_RETRIES": "0",
        "QUEUE_MAX_WAIT": "0.01",
        **more,
    }


async def told(gateway: Gateway, request_id: str) -> str:
    """The story of a request, as an operator asks for it."""
    async with gateway.admin() as client:
        return (await client.get(f"/admin/explain/{request_id}")).text


def page(body: bytes = b"<html>not a model</html>") -> Reply:
    return Reply((Head(200, (("content-type", "text/html"),)), Send(body)))


@shows("Claude Code says that the response was empty or malformed")
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_that_is_none(upstream: Upstream, tmp_path: Path, streamed: bool) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        upstream.script(page(), message(text("Here I am", pieces=1)))
        hidden = await client.post("/v1/messages", json=ask(stream=streamed))
        upstream.script(page(b""), page())
        seen = await client.post("/v1/messages", json=ask(stream=streamed))
        story = await told(gateway, seen.headers["request-id"])
    assert hidden.status_code == 200
    assert "Here I am" in hidden.text
    assert '"usage"' in hidden.text
    assert seen.status_code >= 500
    assert "an answer that is none" in story


@shows("The base URL ends in /v1")
async def test_a_doubled_path(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(message(text("Hello")))
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        for _ in range(2):
            assert (await client.post("/v1/v1/messages", json=ask())).status_code == 200
        warned = [line for line in gateway.log.text.splitlines() if "ANTHROPIC_BASE_URL" in line]
    assert len(warned) == 1


@shows("A local runtime answers 400")
async def test_a_runtime_that_cannot(upstream: Upstream, tmp_path: Path) -> None:
    words = "this model does not support tools"
    upstream.always(error(400, "invalid_request_error", words))
    local = {"OLLAMA_BASE_URL": upstream.url, "MODEL": "ollama/small", "ANTHROPIC_AUTH_TOKEN": TOKEN}
    async with serving(tmp_path, local) as gateway, gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask())
    said = reply.json()["error"]["message"]
    assert reply.status_code == 400
    assert words in said
    assert len(said) > len(words) + 20
    assert "Ollama" in said


@shows("Connections are cut: incomplete chunked read, server disconnected")
async def test_a_cut(upstream: Upstream, tmp_path: Path) -> None:
    begun = (message_start("claude-x"), block_start(0, text("")), block_delta(0, {"type": "text_delta", "text": "Hel"}))
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        upstream.script(stream(message_start("claude-x"), Cut()), message(text("Whole", pieces=1)))
        hidden = await client.post("/v1/messages", json=ask(stream=True))
        upstream.script(stream(*begun, Cut()))
        seen = await client.post("/v1/messages", json=ask(stream=True))
        counted = await gateway.metric("keyturn_attempts_total", reason="cut")
        async with gateway.admin() as operator:
            lines = (await operator.get("/metrics")).text.splitlines()
    assert "Whole" in hidden.text
    assert "event: error" in seen.text
    assert "message_stop" not in seen.text
    assert counted == 2
    assert [line for line in lines if "cut" in line and 'provider="anthropic"' in line]


@shows("429, 5xx and overload")
async def test_limits_and_overload(upstream: Upstream, tmp_path: Path) -> None:
    limited = error(429, "rate_limit_error", "slow down", [("retry-after", "40")])
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        upstream.script(limited, message(text("The other key")))
        assert (await client.post("/v1/messages", json=ask())).status_code == 200
        upstream.script(limited)
        refused = await client.post("/v1/messages", json=ask())
        async with gateway.admin() as admin:
            keys = (await admin.get("/admin/pool")).json()["providers"][0]["keys"]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 45
    assert [key["state"] for key in keys] == ["limited", "limited"]


@shows("The token is refused")
async def test_a_token_that_is_another(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(message(text("Hello")))
    async with serving(tmp_path, environ(upstream)) as gateway:
        async with gateway.client("another") as client:
            said = refusal(await client.post("/v1/messages", json=ask()), 401)
        async with gateway.client(f"{TOKEN}:anthropic/claude-y") as client:
            chosen = await client.post("/v1/messages", json=ask())
    assert "ANTHROPIC_AUTH_TOKEN" in said
    assert chosen.headers["x-keyturn-model"] == "claude-y"
    assert any("ANTHROPIC_AUTH_TOKEN" in warning for warning in gateway.settings.warnings)


@shows("Tool calls show up as text")
async def test_a_call_in_text(tmp_path: Path) -> None:
    tool = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
    said = '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>'
    async with ChatUpstream() as nim:
        nim.always(openai_chat.completion(openai_chat.text(said)))
        settings = {"NVIDIA_NIM_API_KEY": "nvapi-1", "NVIDIA_NIM_BASE_URL": nim.url, "ANTHROPIC_AUTH_TOKEN": TOKEN}
        async with serving(tmp_path, settings) as gateway, gateway.client() as client:
            answer = (await client.post("/v1/messages", json=ask(tools=[tool]))).json()
            counted = await gateway.metric("keyturn_tool_repairs_total")
    assert answer["stop_reason"] == "tool_use"
    assert [block["input"] for block in answer["content"]] == [{"command": "ls"}]
    assert counted


@shows("VS Code shows a login screen")
def test_what_vs_code_is_told() -> None:
    env = environment("http://127.0.0.1:8082", TOKEN, "groq/a", Room())
    ((name, pairs),) = json.loads(FORMATS["vscode"](env)).items()
    assert name == "claudeCode.environmentVariables"
    assert {"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"} <= {pair["name"] for pair in pairs}


@shows("The prompt is too long, or Claude Code never compacts")
async def test_a_prompt_that_is_too_long(tmp_path: Path) -> None:
    words = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
    async with ChatUpstream() as groq:
        groq.always(openai_chat.error(400, words, code="context_length_exceeded"))
        settings = {"GROQ_API_KEY": "gsk-1", "GROQ_BASE_URL": groq.url, "ANTHROPIC_AUTH_TOKEN": TOKEN}
        async with serving(tmp_path, settings) as gateway, gateway.client() as client:
            said = refusal(await client.post("/v1/messages", json=ask()), 400)
    assert "prompt is too long: 9001 tokens > 8192 maximum" in said


def test_every_symptom_of_the_page_is_made_to_happen() -> None:
    assert set(SECTIONS) == SHOWN
    for name, section in SECTIONS.items():
        for part in ("*What Keyturn does.*", "*See the cause.*", "*Change.*"):
            assert section.count(part) == 1, name
        cause = section.partition("*See the cause.*")[2].partition("*Change.*")[0]
        assert re.search(r"`(keyturn |claude-pick|curl |grep |/admin/)", cause), f"{name}: no command shows the cause"
