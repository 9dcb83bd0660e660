"""A move from chachako/freecc: each of its two examples, started as its document says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.moving import HELLO, RUN, chat_model, client, has_run, moved, says_hello, side_by_side
from tests.gateway_process import GatewayProcess
from tests.moving import example
from tests.providers.google import TokenServer, service_account, written
from tests.serving import ask
from tests.upstream import ChatUpstream, ScriptedServer

BIG_KEY, SMALL_KEY, GLOBAL_KEY = "sk-of-the-big-one", "sk-of-the-small-one", "sk-of-all"


@dataclass(frozen=True)
class House:
    gateway: GatewayProcess
    big: ChatUpstream
    small: ChatUpstream


@pytest.fixture
def upstreams() -> Iterator[tuple[ChatUpstream, ChatUpstream]]:
    with ChatUpstream() as big, ChatUpstream() as small:
        big.always(chat_model)
        small.always(chat_model)
        yield big, small


@pytest.fixture
def two_openai(upstreams: tuple[ChatUpstream, ChatUpstream], tmp_path: Path) -> Iterator[House]:
    """Its example 1; OpenAI itself is the big upstream."""
    big, small = upstreams
    changes = {
        'BIG_MODEL_API_KEY="sk-..."': f'BIG_MODEL_API_KEY="{BIG_KEY}"',
        'SMALL_MODEL_API_KEY="sk-..."': f'SMALL_MODEL_API_KEY="{SMALL_KEY}"',
        "https://xyz.llm.com/v1": small.base_url,
    }
    environ = {"OPENAI_API_BASE": big.base_url, "OPENAI_API_KEY": GLOBAL_KEY}
    with moved(tmp_path / "gateway", example("freecc/two_openai", changes), environ) as gateway:
        yield House(gateway, big, small)


def keys(upstream: ChatUpstream) -> set[tuple[str, str | None]]:
    return {(request.model, request.header("authorization")) for request in upstream.chats}


def test_two_tiers_with_keys_of_their_own(two_openai: House, program: Path, tmp_path: Path) -> None:
    new = partial(client, program, two_openai.gateway)
    runs = side_by_side(
        partial(new(tmp_path / "1").ask, RUN, "--model", "sonnet"),
        partial(new(tmp_path / "2").ask, RUN, "--model", "haiku"),
        partial(new(tmp_path / "3").ask, HELLO, "--model", "opus"),
    )
    said = [has_run("gpt-4.1"), has_run("gpt-4o-mini"), says_hello("gpt-4.1")]
    assert [run.result["result"] for run in runs] == said
    assert keys(two_openai.big) == {("gpt-4.1", f"Bearer {BIG_KEY}")}
    assert keys(two_openai.small) == {("gpt-4o-mini", f"Bearer {SMALL_KEY}")}
    with httpx.Client(base_url=two_openai.gateway.url, trust_env=False, timeout=30) as http:
        whole = http.post("/v1/messages", json=ask(HELLO, model="claude-3-sonnet-20240229", stream=False))
        direct = http.post("/v1/messages", json=ask(HELLO, model="openai/gpt-4o-mini"))
    assert whole.json()["content"][0]["text"] == says_hello("gpt-4.1")
    assert whole.headers["x-keyturn-provider"] == "openai-big"
    assert direct.json()["content"][0]["text"] == says_hello("gpt-4o-mini")
    assert two_openai.big.chats[-1].header("authorization") == f"Bearer {GLOBAL_KEY}"
    assert "read as a configuration of chachako/freecc, told by BIG_MODEL_PROVIDER" in two_openai.gateway.stdout


def test_vertex_and_a_local_model(program: Path, tmp_path: Path) -> None:
    """Its example 2, with a service account for Google's login."""
    with ScriptedServer() as vertex, TokenServer() as tokens, ChatUpstream() as local:
        vertex.always(chat_model)
        local.always(chat_model)
        text = example("freecc/vertex_and_local", {"http://localhost:8000/v1": local.base_url})
        environ = {
            "VERTEX_BASE_URL": f"{vertex.url}/v1/projects/your-gcp-project-id/locations/us-central1/endpoints/openapi",
            "GOOGLE_APPLICATION_CREDENTIALS": str(written(tmp_path / "sa.json", service_account(tokens.token_uri))),
        }
        with moved(tmp_path / "gateway", text, environ) as gateway:
            new = partial(client, program, gateway)
            big, small = side_by_side(
                partial(new(tmp_path / "1").ask, RUN, "--model", "sonnet"),
                partial(new(tmp_path / "2").ask, RUN, "--model", "haiku"),
            )
        asked = "google/gemini-1.5-pro-preview-0514"
        assert [big.result["result"], small.result["result"]] == [has_run(asked), has_run("local-llama-3")]
        sent = {(request.model, request.header("authorization")) for request in vertex.requests}
        assert sent == {(asked, "Bearer ya29.token-1")}
        assert keys(local) == {("local-llama-3", "Bearer lm-studio")}
