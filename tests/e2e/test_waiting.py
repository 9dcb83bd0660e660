"""Claude Code takes an answer that continues a message which was begun while no upstream had begun to answer.

The scripted upstream sends what the gateway would: the client talks to it directly, but where the test is of what the
gateway makes of the client's next request.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from providers.call import Call, Operation
from providers.dialects.anthropic import DIALECT
from providers.json_object import JsonObject
from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import GatewayProcess
from tests.providers.support import Counted
from tests.upstream import (
    Block,
    Reply,
    Request,
    Upstream,
    block,
    block_start,
    error_event,
    frames,
    message,
    message_start,
    stream,
    text,
    thinking,
    tool_use,
)

ESTIMATE = 99
EARLY = {"input_tokens": 1234, "cache_read_input_tokens": 55, "output_tokens": 1}
LATE = {"output_tokens": 9}
OURS = {"type": "text", "text": ""}
THOUGHT = thinking("Let me see.", "c2lnbmF0dXJl")
CALL = tool_use("Bash", {"command": "echo from-bash"}, "toolu_bash")


@pytest.fixture
def claude(program: Path, upstream: Upstream, tmp_path: Path) -> Claude:
    return claude_at(program, upstream.url, tmp_path)


def after_a_wait(answer: Callable[[str], list[bytes]]) -> Callable[[Request], Reply]:
    """The answer's frames, for the model that is asked, behind what a long wait sends."""

    def reply(request: Request) -> Reply:
        body = JsonObject(request.body)
        call = Call(uuid4().hex, "anthropic", Operation.MESSAGES, body, request.model, True, estimate=Counted(ESTIMATE))
        waiting = DIALECT.waiting(call)
        before = [waiting.ping(), waiting.hold(), waiting.ping(), waiting.hold()]
        joined = [waiting.join(frame) for frame in answer(request.model)]
        return stream(*before, *(part for part in joined if part))

    return reply


def whole(*blocks: Block) -> Callable[[str], list[bytes]]:
    return lambda model: frames(model, blocks, usage=EARLY, late_usage=LATE)


def said(upstream: Upstream, number: int) -> list[Any]:
    """The assistant's turns in the history of that request, blocks without the client's cache marks."""
    turns = upstream.posts("/v1/messages")[number].json["messages"]
    return [[_plain(each) for each in turn["content"]] for turn in turns if turn["role"] == "assistant"]


def _plain(each: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in each.items() if name != "cache_control"}


def test_text(claude: Claude, upstream: Upstream) -> None:
    upstream.script(after_a_wait(whole(text("At last"))), message(text("Yes")))

    run = claude.ask("Say something")
    claude.ask("Really?", "--continue")

    assert run.code == 0, run.stderr
    assert run.result["result"] == "At last"
    usage = run.result["usage"]
    assert {name: usage[name] for name in EARLY | LATE} == EARLY | LATE
    assert said(upstream, 1) == [[{"type": "text", "text": "At last"}]]


def test_thinking_and_then_text(claude: Claude, upstream: Upstream) -> None:
    """The client sends our empty block back, which Anthropic's API refuses."""
    upstream.script(after_a_wait(whole(THOUGHT, text("At last"))), message(text("Yes")))

    run = claude.ask("Say something")
    claude.ask("Really?", "--continue")

    assert (run.code, run.result["result"]) == (0, "At last")
    assert run.result["usage"]["input_tokens"] == EARLY["input_tokens"]
    assert said(upstream, 1) == [[OURS, THOUGHT.whole, {"type": "text", "text": "At last"}]]


@pytest.mark.parametrize("first", [(), (THOUGHT,)], ids=["at once", "after a thought"])
def test_a_tool_call(first: tuple[Block, ...], claude: Claude, upstream: Upstream) -> None:
    upstream.script(after_a_wait(whole(*first, CALL)), after_a_wait(whole(text("It ran"))))

    run = claude.ask("Run it")

    assert (run.code, run.result["result"]) == (0, "It ran")
    [result] = [each for each in run.blocks("user") if each["type"] == "tool_result"]
    assert (result["tool_use_id"], result["content"]) == ("toolu_bash", "from-bash")
    assert said(upstream, 1) == [[OURS, *(each.whole for each in first), CALL.whole]]


@pytest.mark.parametrize("answer", [(CALL,), (THOUGHT, CALL)], ids=["call", "thought and call"])
def test_our_block_comes_back_and_goes_no_further(
    answer: tuple[Block, ...], program: Path, gateway: GatewayProcess, upstream: Upstream, tmp_path: Path
) -> None:
    claude = claude_at(program, gateway.url, tmp_path)
    upstream.script(after_a_wait(whole(*answer)), message(text("It ran")), message(text("Yes")))

    run = claude.ask("Run it")
    again = claude.ask("Really?", "--continue")

    assert (run.result["result"], again.result["result"]) == ("It ran", "Yes")
    assert said(upstream, 1) == [[each.whole for each in answer]]
    assert said(upstream, 2) == [[each.whole for each in answer], [{"type": "text", "text": "It ran"}]]


@pytest.mark.parametrize("begun", [(), (block_start(0, text("")),)], ids=["nothing", "text"])
def test_a_failure_in_our_block_is_asked_again(begun: tuple[bytes, ...], claude: Claude, upstream: Upstream) -> None:
    upstream.script(after_a_wait(failing(*begun)), message(text("At last")))

    run = claude.ask("Say something")

    assert (run.code, run.result["result"]) == (0, "At last")
    assert [post.json.get("stream") for post in upstream.posts("/v1/messages")] == [True, None]


@pytest.mark.parametrize("first", [THOUGHT, CALL], ids=["thought", "call"])
def test_a_failure_after_our_block_is_shown(first: Block, claude: Claude, upstream: Upstream) -> None:
    """To the client our block is a finished one, empty or not: this is what a long wait costs."""
    upstream.script(after_a_wait(failing(*block(0, first)[:-1])))

    run = claude.ask("Say something")

    assert (run.code, run.result["result"]) == (1, "API Error: Sorry")


def failing(*begun: bytes) -> Callable[[str], list[bytes]]:
    return lambda model: [message_start(model), *begun, error_event("api_error", "Sorry")]
