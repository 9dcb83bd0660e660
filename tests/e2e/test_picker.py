"""What Claude Code's own list of models shows of the gateway's: its discovery, in the mode that asks on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.e2e.terminal import interactive
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import ChatUpstream, json_reply
from tests.upstream import openai_chat as chat

LISTED = {"data": [{"id": "openai/gpt-oss-120b"}, {"id": "vendor/brand-new"}, {"id": "whisper-large-v3"}]}


@dataclass(frozen=True)
class Discovering(Claude):
    """A CLI that asks the gateway which models there are."""

    def environment(self, token: str) -> Mapping[str, str]:
        asks = {"CLAUDE_CODE_USE_GATEWAY": "1", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
        return {**super().environment(token), **asks}


@pytest.fixture
def upstream(program: Path) -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        scripted.on("/v1/models", json_reply(LISTED))
        yield scripted


@pytest.fixture
def gateway(upstream: ChatUpstream, tmp_path: Path) -> Iterator[GatewayProcess]:
    environ = {
        "GROQ_API_KEY": "gk-1",
        "GROQ_BASE_URL": upstream.base_url,
        "MODEL": "groq/openai/gpt-oss-120b",
        "ANTHROPIC_AUTH_TOKEN": "freecc",
        "CATALOG_REFRESH": "3600",
    }
    with running_gateway(tmp_path / "gateway", environ) as process:
        upstream.arrival(1).wait_in_thread()
        yield process


def test_the_picker_shows_what_the_providers_list(
    program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    upstream.always(chat.completion(chat.text("Hello from the upstream")))
    plain = claude_at(program, gateway.url, tmp_path)
    claude = Discovering(plain.program, plain.url, plain.home, plain.work)
    with interactive(claude) as terminal:
        terminal.wait_for("for shortcuts")
        terminal.press("/model")
        terminal.wait_for("/model")
        terminal.press("\r")
        terminal.wait_for("groq/vendor/brand-new")

    reply = httpx.get(f"{gateway.url}/v1/models?limit=1000", headers={"x-api-key": "freecc"}, trust_env=False)
    assert "whisper" not in reply.text
    assert reply.elapsed.total_seconds() < 1


def test_an_alias_of_the_list_can_be_asked_for(
    program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    upstream.always(chat.completion(chat.text("Hello from the upstream")))
    claude = claude_at(program, gateway.url, tmp_path)

    run = claude.ask("Say hello", "--model", "claude-groq/vendor/brand-new")

    assert run.result["result"] == "Hello from the upstream"
    assert upstream.chats[-1].model == "vendor/brand-new"
