"""Thoughts that come as text, and calls that an upstream signs: Claude Code sees the first and carries the second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import running_gateway
from tests.upstream import ChatUpstream
from tests.upstream import openai_chat as chat
from tests.upstream.openai_chat import Part

SIGNATURE = "EjQKMgEMOdbHJChLX75QUCJjyYlm+x/y" * 40


@pytest.fixture(scope="module")
def upstream(program: Path) -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def url(upstream: ChatUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway whose model is known to write its thoughts into its text."""
    environ = {"GROQ_API_KEY": "sk-upstream-key", "GROQ_BASE_URL": upstream.base_url, "MODEL": "groq/qwen/qwen3-32b"}
    with running_gateway(tmp_path_factory.mktemp("gateway"), {**environ, "ANTHROPIC_AUTH_TOKEN": "freecc"}) as gateway:
        yield gateway.url


@pytest.fixture
def claude(program: Path, url: str, upstream: ChatUpstream, tmp_path: Path) -> Iterator[Claude]:
    yield claude_at(program, url, tmp_path)
    upstream.forget()


def said_by_the_model(upstream: ChatUpstream) -> list[Any]:
    return [message for message in upstream.chats[-1].json["messages"] if message["role"] == "assistant"]


def test_tags_are_thoughts_and_go_back_as_tags(claude: Claude, upstream: ChatUpstream) -> None:
    thought = chat.text("<think>\nWhich file?\n</think>\n\nI look.", pieces=17)
    upstream.script(
        chat.completion(thought, chat.call("Bash", {"command": "echo five"}, "call_one")),
        chat.completion(chat.text("<think>\n\n</think>\n\nWrite `<think>`: five.", pieces=17)),
    )

    run = claude.ask("How many?")

    assert run.result["result"] == "Write `<think>`: five."
    shown = [(block["type"], block.get("thinking", block.get("text"))) for block in run.blocks("assistant")]
    assert shown == [
        ("thinking", "Which file?\n"),
        ("text", "I look."),
        ("tool_use", None),
        ("text", "Write `<think>`: five."),
    ]
    [turn] = said_by_the_model(upstream)
    assert turn["content"] == "<think>\nWhich file?\n</think>\n\nI look."


def signed(part: Part, signature: str) -> Part:
    """The call as Gemini's OpenAI face streams it: whole, without an index, with what has to come back."""
    whole = {**part.value, "extra_content": {"google": {"thought_signature": signature}}}
    return Part(part.field, whole, lambda _: [{"tool_calls": [whole]}])


def test_the_signature_of_a_call_comes_back_with_it(claude: Claude, upstream: ChatUpstream) -> None:
    first = signed(chat.call("Bash", {"command": "echo one"}, "function-call-1"), SIGNATURE)
    second = chat.call("Bash", {"command": "echo two"}, "function-call-2")
    upstream.script(
        chat.completion(first, second), chat.completion(chat.text("Done")), chat.completion(chat.text("Yes"))
    )

    assert claude.ask("Run both").result["result"] == "Done"
    assert claude.ask("Really?", "--continue").result["result"] == "Yes"

    [turn, *_] = said_by_the_model(upstream)
    assert [call["id"] for call in turn["tool_calls"]] == ["function-call-1", "function-call-2"]
    assert turn["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": SIGNATURE}}
    assert "extra_content" not in turn["tool_calls"][1]
