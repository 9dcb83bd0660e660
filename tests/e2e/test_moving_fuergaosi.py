"""A move from fuergaosi233/claude-code-proxy: its examples for OpenAI, Azure and Ollama, and its docker lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.moving import HELLO, RUN, chat_model, client, has_run, moved, says_hello, side_by_side
from tests.moving import example
from tests.upstream import ChatUpstream

CLIENT_KEY = "exact-matching-key"
AZURE = "/openai/deployments/your-deployment"
# (example, the host to point elsewhere, its key, where the key is sent, the path asked, sonnet's model, haiku's)
EXAMPLES = [
    (
        *("openai", "https://api.openai.com", "sk-your-openai-key", "authorization"),
        *("/v1/chat/completions", "gpt-4o", "gpt-4o-mini"),
    ),
    (
        *("azure", "https://your-resource.openai.azure.com", "your-azure-key", "api-key"),
        *(f"{AZURE}/chat/completions", "gpt-4", "gpt-35-turbo"),
    ),
    (
        *("ollama", "http://localhost:11434", "dummy-key", "authorization"),
        *("/v1/chat/completions", "llama3.1:70b", "llama3.1:8b"),
    ),
]
# Its example of a chat, but for the port.
BASIC_CHAT = """
import httpx

response = httpx.post(
    "http://localhost:8082/v1/messages",
    json={
        "model": "claude-3-5-sonnet-20241022",  # Maps to MIDDLE_MODEL
        "max_tokens": 100,
        "messages": [
            {"role": "user", "content": "Hello!"}
        ]
    }
)
"""


@pytest.fixture
def upstream() -> Iterator[ChatUpstream]:
    with ChatUpstream() as running:
        running.always(chat_model)
        yield running


@pytest.mark.parametrize(("name", "host", "key", "header", "path", "sonnet", "haiku"), EXAMPLES)
def test_an_example(
    name: str,
    host: str,
    key: str,
    header: str,
    path: str,
    sonnet: str,
    haiku: str,
    program: Path,
    upstream: ChatUpstream,
    tmp_path: Path,
) -> None:
    upstream.on(path, chat_model)
    text = example(f"fuergaosi/{name}", {host: upstream.url})
    with moved(tmp_path / "gateway", text, {}) as gateway:
        new = partial(client, program, gateway, ANTHROPIC_AUTH_TOKEN="", ANTHROPIC_API_KEY="any-value")
        runs = side_by_side(
            partial(new(tmp_path / "1").ask, RUN, "--model", "sonnet"),
            partial(new(tmp_path / "2").ask, HELLO, "--model", "haiku"),
        )
        code = BASIC_CHAT.replace("http://localhost:8082", gateway.url) + "print(response.json()['content'][0]['text'])"
        chat = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={})
        health = httpx.get(f"{gateway.url}/health", trust_env=False)
    assert [run.result["result"] for run in runs] == [has_run(sonnet), says_hello(haiku)]
    assert (chat.stdout, health.status_code) == (f"{says_hello(sonnet)}\n", 200), chat.stderr
    asked = [request for request in upstream.requests if request.method == "POST"]
    assert {request.path for request in asked} == {path}
    assert {request.header(header) for request in asked} == {key if header == "api-key" else f"Bearer {key}"}
    assert not [value for request in asked for _, value in request.headers if "any-value" in value]


def test_its_docker_lines_start_without_a_key_and_the_client_is_told_which_one(
    program: Path, upstream: ChatUpstream, tmp_path: Path
) -> None:
    text = example("fuergaosi/docker_svip", {"https://svip.xty.app/v1": upstream.base_url})
    with moved(tmp_path / "gateway", "", dict(line.split("=", 1) for line in text.splitlines())) as gateway:
        new = client(program, gateway, tmp_path / "1", ANTHROPIC_AUTH_TOKEN="", ANTHROPIC_API_KEY="sk-the-clients-own")
        run = new.ask(HELLO)
        answer = httpx.get(f"{gateway.url}/health", trust_env=False)
    assert "set OPENAI_API_KEY" in run.result["result"]
    assert "openai has no key, so its requests get status 503. Set OPENAI_API_KEY." in gateway.stdout
    assert (upstream.requests, answer.status_code) == ([], 200)


def test_its_docker_lines_with_a_key_serve_every_tier(program: Path, upstream: ChatUpstream, tmp_path: Path) -> None:
    """With the expected client key too, and everything else that may be set."""
    text = example("fuergaosi/docker_svip", {"https://svip.xty.app/v1": upstream.base_url})
    further = {
        "OPENAI_API_KEY": "sk-1",
        "ANTHROPIC_API_KEY": CLIENT_KEY,
        "MAX_TOKENS_LIMIT": "4096",
        "REQUEST_TIMEOUT": "90",
        "CUSTOM_HEADER_X_TEAM": "blue",
    }
    environ = dict(line.split("=", 1) for line in text.splitlines()) | further
    with moved(tmp_path / "gateway", "", environ) as gateway:
        new = partial(client, program, gateway, ANTHROPIC_AUTH_TOKEN="")
        runs = side_by_side(
            partial(new(tmp_path / "1", ANTHROPIC_API_KEY=CLIENT_KEY).ask, RUN, "--model", "opus"),
            partial(new(tmp_path / "2", ANTHROPIC_API_KEY=CLIENT_KEY).ask, HELLO, "--model", "sonnet"),
            partial(new(tmp_path / "3", ANTHROPIC_API_KEY="another-key").ask, HELLO),
        )
    said = [run.result["result"] for run in runs]
    assert said[:2] == [has_run("claude-opus-4-20250514"), says_hello("claude-sonnet-4-20250514")]
    assert (runs[2].result["is_error"], "API key" in said[2] or "401" in said[2]) == (True, True), said[2]
    assert {request.header("x-team") for request in upstream.chats} == {"blue"}
    assert {request.json["max_tokens"] for request in upstream.chats} == {4096}
    assert not [v for request in upstream.chats for _, v in request.headers if CLIENT_KEY in v or "another" in v]
