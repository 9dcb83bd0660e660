"""What Claude Code does about a conversation that an upstream's window no longer holds: it compacts, and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import Answer, ChatUpstream, Reply, Request
from tests.upstream import openai_chat as chat

TOO_LONG = [
    "This model's maximum context length is 131072 tokens. However, your messages resulted in 140211 tokens.",
    "Your request exceeded model token limit: 131072 (requested: 140211)",
    "Please reduce the length of the messages or completion.",
]


@dataclass(frozen=True)
class Served:
    upstream: ChatUpstream
    gateway: GatewayProcess


@pytest.fixture
def served(program: Path, tmp_path: Path) -> Iterator[Served]:
    """A gateway whose one provider speaks Chat Completions."""
    with ChatUpstream() as upstream:
        environ = {
            "GROQ_API_KEY": "gk-1",
            "GROQ_BASE_URL": upstream.base_url,
            "MODEL": "groq/openai/gpt-oss-120b",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
        }
        with running_gateway(tmp_path / "gateway", environ) as gateway:
            yield Served(upstream, gateway)


@pytest.fixture
def claude(program: Path, served: Served, tmp_path: Path) -> Claude:
    return claude_at(program, served.gateway.url, tmp_path)


def is_summary(request: Request) -> bool:
    """The client asks for a summary of the conversation."""
    return b"CRITICAL: Respond with TEXT ONLY" in request.body


def working(words: str) -> Answer:
    """Calls Bash three times; then the conversation is too long, until it has been compacted."""

    def answer(request: Request) -> Reply:
        if is_summary(request):
            said = "<analysis>Looked.</analysis><summary>Three commands were run.</summary>"
            return of(request, chat.text(said))
        if b"This session is being continued" in request.body or b"Three commands were run" in request.body:
            return of(request, chat.text("All done"))
        done = sum(message["role"] == "tool" for message in request.json["messages"])
        if done >= 3:
            return chat.error(400, words)
        return of(request, chat.call("Bash", {"command": f"seq {done} 400"}, f"call_{done}"))

    return answer


def of(request: Request, *parts: chat.Part) -> Reply:
    reply = chat.completion(*parts)(request)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize("words", TOO_LONG, ids=["openai", "kimi", "groq"])
def test_a_conversation_that_is_too_long_is_compacted_and_goes_on(claude: Claude, served: Served, words: str) -> None:
    served.upstream.always(working(words))

    run = claude.ask("Run three commands")

    assert run.code == 0, run.stdout + run.stderr
    assert run.result["result"] == "All done"
    assert len([request for request in served.upstream.chats if is_summary(request)]) == 1
    shown = [event for event in run.events if event.get("subtype") == "compact_boundary"]
    assert len(shown) == 1, json.dumps(run.events)[-2000:]


def test_a_prompt_that_is_too_long_at_once_is_told(claude: Claude, served: Served) -> None:
    served.upstream.always(chat.error(400, TOO_LONG[0]))

    run = claude.ask("Say hello")

    assert run.code == 1
    assert run.result["result"].startswith("Prompt is too long")
    assert "140211 tokens (limit 131072)" in run.result["result"]
