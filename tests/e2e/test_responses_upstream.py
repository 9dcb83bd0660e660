"""The main job through an upstream that speaks Responses."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.e2e.test_turns import png
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import Cut, Pause, ScriptedServer
from tests.upstream import openai_responses as responses

TOML = '[[providers]]\nname = "resp"\ntype = "openai_responses"\nbase_url = "{}/v1"\napi_key = "sk-upstream-key"\n'
READ = Pause(0.2)  # long enough for the gateway to have read what was sent


@dataclass(frozen=True)
class Served:
    upstream: ScriptedServer
    gateway: GatewayProcess

    @property
    def inputs(self) -> list[list[Any]]:
        """The input of every request so far."""
        return [request.json["input"] for request in self.upstream.posts("/v1/responses")]


@pytest.fixture
def served(program: Path, tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "gateway"
    home.mkdir()
    environ = {"MODEL": "resp/gpt-5.1", "ANTHROPIC_AUTH_TOKEN": "freecc"}
    with ScriptedServer() as upstream:
        (home / "keyturn.toml").write_text(TOML.format(upstream.url))
        with running_gateway(home, environ) as gateway:
            yield Served(upstream, gateway)


@pytest.fixture
def claude(program: Path, served: Served, tmp_path: Path) -> Claude:
    return claude_at(program, served.gateway.url, tmp_path)


def outputs(items: list[Any]) -> dict[str, Any]:
    """What each tool call returned."""
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}


def test_nothing_unknown_is_forwarded(claude: Claude, served: Served) -> None:
    served.upstream.script(responses.response(responses.text("Hello from the upstream"), model="gpt-5.1-2025-11-13"))

    run = claude.ask("Say hello")

    assert run.code == 0, run.stderr
    assert run.result["result"] == "Hello from the upstream"
    counted = {"input_tokens": 16, "cache_read_input_tokens": 5, "output_tokens": 8}
    assert {name: run.result["usage"][name] for name in counted} == counted
    [request] = served.upstream.posts("/v1/responses")
    own = {"model", "instructions", "input", "stream", "store", "tools", "reasoning", "include", "user"}
    assert set(request.json) == own | {"max_output_tokens"}
    assert (request.model, request.json["stream"], request.json["store"]) == ("gpt-5.1", True, False)
    assert request.json["reasoning"] == {"effort": "high", "summary": "auto"}
    assert {item["role"] for item in request.json["input"]} <= {"user", "developer"}
    assert {tool["strict"] for tool in request.json["tools"]} == {False}


def test_a_tool_loop_keeps_its_sealed_reasoning(claude: Claude, served: Served) -> None:
    target = claude.work / "made.txt"
    bash = {"command": f"echo from-bash | tee {target}"}
    thought = responses.reasoning("First a file.", "gAAAAfirst")
    served.upstream.script(
        responses.response(thought, responses.call("Bash", bash, "call_bash")),
        responses.response(
            responses.call("Read", {"file_path": str(target)}, "call_read"),
            responses.call("Bash", {"command": "echo two"}, "call_two"),
        ),
        responses.response(responses.text("All done")),
    )

    run = claude.ask("Make a file and read it")

    assert run.result["result"] == "All done"
    assert target.read_text() == "from-bash\n"
    assert [block["thinking"] for block in run.blocks("assistant") if block["type"] == "thinking"] == ["First a file."]
    last = served.inputs[-1]
    assert [item for item in last if item["type"] == "reasoning"] == [thought.whole]
    returned = outputs(last)
    assert (returned["call_bash"], returned["call_two"]) == ("from-bash", "two")
    assert "from-bash" in returned["call_read"]


def test_image_read_from_disk(claude: Claude, served: Served) -> None:
    picture = claude.work / "square.png"
    picture.write_bytes(png(4, 4))
    served.upstream.script(
        responses.response(responses.call("Read", {"file_path": str(picture)}, "call_read")),
        responses.response(responses.text("A red square")),
    )

    run = claude.ask("What is in square.png?")

    assert run.result["result"] == "A red square"
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    shown = [part for part in outputs(served.inputs[1])["call_read"] if part["type"] == "input_image"]
    assert shown == [{"type": "input_image", "image_url": url, "detail": "auto"}]


def test_a_call_that_was_cut_is_not_run(claude: Claude, served: Served) -> None:
    frames = responses.frames("m", [responses.call("Bash", {"command": "touch ran"}, "call_one")])
    served.upstream.script(
        responses.stream(*frames[:-2], READ, Cut()), responses.response(responses.text("Asked again"))
    )

    run = claude.ask("Run it")

    assert not (claude.work / "ran").exists()
    assert run.result["result"] == "Asked again"


def test_a_failure_inside_a_200_is_not_seen(claude: Claude, served: Served) -> None:
    failed = responses.failed("server_error", "come back later")
    served.upstream.script(
        responses.stream(*responses.frames("m", [])[:2], failed), responses.response(responses.text("Hello"))
    )

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello"
    assert [event for event in run.events if event.get("subtype") == "api_retry"] == []
    assert len(served.upstream.posts("/v1/responses")) == 2
