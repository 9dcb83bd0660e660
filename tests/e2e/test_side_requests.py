"""What Claude Code asks beside the conversation: subagents, titles, token counts; and the token's model suffix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.e2e.terminal import interactive
from tests.gateway_process import running_gateway, upstream_env
from tests.upstream import Answer, Reply, Request, Upstream, count_tokens, error, message, text, thinking, tool_use

AGENT = "x-claude-code-agent-id"


def agent_call(kind: str) -> dict[str, str]:
    return {"description": "Find the number", "prompt": "Which number is it?", "subagent_type": kind}


def for_agents(agents: Answer, others: list[Answer]) -> Callable[[Request], Reply]:
    """Subagents get one answer, everybody else the others in turn."""
    turns = list(others)

    def answer(request: Request) -> Reply:
        assert turns or request.header(AGENT), f"one turn too many: {request.body[-600:]!r}"
        chosen = agents if request.header(AGENT) else turns.pop(0)
        return chosen if isinstance(chosen, Reply) else chosen(request)

    return answer


def test_subagent(claude: Claude, upstream: Upstream) -> None:
    calls = message(tool_use("Agent", agent_call("general-purpose"), "toolu_agent"))
    upstream.always(for_agents(message(text("It is 42")), [calls, message(text("The agent says 42"))]))

    run = claude.ask("Ask an agent")

    assert run.result["result"] == "The agent says 42"
    first, agent, last = upstream.posts("/v1/messages")
    assert [bool(request.header(AGENT)) for request in (first, agent, last)] == [False, True, False]
    assert agent.json["messages"][0]["content"][-1]["text"] == "Which number is it?"
    [result] = [block for block in last.json["messages"][-1]["content"] if block["type"] == "tool_result"]
    assert result["tool_use_id"] == "toolu_agent"
    assert result["content"][0]["text"] == "It is 42"


@pytest.fixture
def asking(program: Path, upstream: Upstream, tmp_path: Path) -> Iterator[Claude]:
    """A CLI whose gateway leaves titles to the model."""
    environ = upstream_env(upstream.url) | {"ENABLE_TITLE_GENERATION_SKIP": "false"}
    with running_gateway(tmp_path / "gateway", environ) as gateway:
        yield claude_at(program, gateway.url, tmp_path)


def test_session_title(asking: Claude, upstream: Upstream) -> None:
    def answer(request: Request) -> Reply:
        title = wants_title(request)
        return message(text(json.dumps({"title": "Greeting the gateway"}) if title else "Hello from upstream"))(request)

    upstream.always(answer)
    with interactive(asking) as terminal:
        terminal.wait_for("for shortcuts")
        terminal.press("Say hello to the gateway")
        terminal.wait_for("Say hello to the gateway")
        terminal.press("\r")
        terminal.wait_for("Hello from upstream")
        terminal.wait_until(lambda shown: any("Greeting the gateway" in title for title in shown.titles))

    posts = upstream.posts("/v1/messages")
    [asked] = [request for request in posts if wants_title(request)]
    schema = asked.json["output_config"]["format"]
    assert schema["type"] == "json_schema"
    assert list(schema["schema"]["properties"]) == ["title"]
    assert "Say hello to the gateway" in json.dumps(asked.json["messages"])
    assert "structured-outputs-2025-12-15" in (asked.header("anthropic-beta") or "")


def wants_title(request: Request) -> bool:
    return "format" in request.json.get("output_config", {})


def test_context_is_counted_by_the_upstream(claude: Claude, upstream: Upstream) -> None:
    upstream.on("/v1/messages/count_tokens", count_tokens(765))

    run = claude.run("-p", "/context")

    assert run.code == 0, run.stderr
    assert "| Messages | 765 |" in run.stdout
    counted = upstream.posts("/v1/messages/count_tokens")
    assert len(counted) >= 10
    assert all("token-counting-2024-11-01" in (request.header("anthropic-beta") or "") for request in counted)
    assert upstream.posts("/v1/messages") == []


def test_context_is_estimated_where_the_upstream_has_no_counter(claude: Claude, upstream: Upstream) -> None:
    upstream.on("/v1/messages/count_tokens", error(404, "not_found_error", "Not found"))

    run = claude.run("-p", "/context")

    assert run.code == 0, run.stderr
    rows = [line.split("|")[1:3] for line in run.stdout.splitlines() if line.startswith("| Messages")]
    [(_, tokens)] = rows
    assert 0 < int(tokens) < 100
    assert upstream.posts("/v1/messages") == []


def test_token_suffix_pins_every_request_of_the_process(claude: Claude, upstream: Upstream) -> None:
    thought = thinking("Ask around.", "c2lnbmF0dXJl")
    calls = message(thought, tool_use("Agent", agent_call("Explore"), "toolu_agent"))
    upstream.always(for_agents(message(text("It is 42")), [calls, message(text("The agent says 42"))]))

    run = claude.ask("Ask an agent", token="freecc:anthropic/some-model:free")

    assert run.result["result"] == "The agent says 42"
    posts = upstream.posts("/v1/messages")
    assert [request.model for request in posts] == ["some-model:free"] * 3
    assert not [value for request in posts for _, value in request.headers if "freecc" in value]
    shown = {event["message"]["model"] for event in run.events if event["type"] == "assistant"}
    assert shown == {"claude-opus-4-8"}
    assert set(run.result["modelUsage"]) == {"claude-opus-4-8[1m]", "claude-haiku-4-5-20251001"}
    assert thought.whole in posts[-1].json["messages"][-2]["content"]


def test_token_suffix_pins_token_counts(claude: Claude, upstream: Upstream) -> None:
    run = claude.run("-p", "/context", token="freecc:anthropic/some-model:free")

    assert "| Messages | 321 |" in run.stdout
    assert {request.model for request in upstream.posts("/v1/messages/count_tokens")} == {"some-model:free"}
