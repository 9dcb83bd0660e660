"""The main job through an upstream that speaks Gemini's own dialect, as strict as Google's."""

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
from tests.upstream import Cut, GeminiUpstream, Pause, gemini

READ = Pause(0.2)  # long enough for the gateway to have read what was sent
SIGNATURE = "CtkBAVSoXO4Q2fGzP0r1l8o3m5n7p9qLk2Jh4Gf6Ds8A" * 20


@dataclass(frozen=True)
class Served:
    upstream: GeminiUpstream
    gateway: GatewayProcess

    @property
    def contents(self) -> list[Any]:
        """The conversation, as it was last sent."""
        found: list[Any] = self.upstream.chats[-1].json["contents"]
        return found

    @property
    def said_by_the_model(self) -> list[Any]:
        return [part for turn in self.contents if turn["role"] == "model" for part in turn["parts"]]

    @property
    def results(self) -> dict[str, Any]:
        """What each call returned, by its id."""
        parts = [part for turn in self.contents for part in turn["parts"]]
        found = [part["functionResponse"] for part in parts if "functionResponse" in part]
        return {result["id"]: result for result in found}


@pytest.fixture
def served(program: Path, tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "gateway"
    home.mkdir()
    with GeminiUpstream() as upstream:
        environ = {
            "GEMINI_API_KEY": "AIza-upstream-key",
            "GEMINI_DIALECT": "gemini",
            "GEMINI_BASE_URL": upstream.url,
            "MODEL": "gemini/gemini-3.8-flash",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
        }
        with running_gateway(home, environ) as gateway:
            yield Served(upstream, gateway)


@pytest.fixture
def claude(program: Path, served: Served, tmp_path: Path) -> Claude:
    return claude_at(program, served.gateway.url, tmp_path)


def test_nothing_unknown_is_forwarded(claude: Claude, served: Served) -> None:
    served.upstream.script(gemini.answer(gemini.thought("Let me see."), gemini.text("Hello from the upstream")))

    run = claude.ask("Say hello")

    assert run.code == 0, run.stderr
    assert run.result["result"] == "Hello from the upstream"
    counted = {"input_tokens": 16, "cache_read_input_tokens": 5, "output_tokens": 8}
    assert {name: run.result["usage"][name] for name in counted} == counted
    [request] = served.upstream.chats
    assert (request.path, request.query) == (
        "/v1beta/models/gemini-3.8-flash:streamGenerateContent",
        {"alt": "sse"},
    )
    assert request.header("x-goog-api-key") == "AIza-upstream-key"
    assert request.header("authorization") is None
    config = request.json["generationConfig"]
    assert config.keys() == {"maxOutputTokens", "thinkingConfig"}
    assert config["thinkingConfig"] == {"thinkingLevel": "HIGH", "includeThoughts": True}
    assert [block["thinking"] for block in run.blocks("assistant") if block["type"] == "thinking"] == ["Let me see."]


def test_a_tool_loop_keeps_its_signatures(claude: Claude, served: Served) -> None:
    target = claude.work / "made.txt"
    thought = gemini.thought("First a file.", pieces=1)
    bash = gemini.call("Bash", {"command": f"echo from-bash | tee {target}"}, "8f2b1a3c", SIGNATURE)
    two = gemini.call("Read", {"file_path": str(target)}, "9c3d2b4e", SIGNATURE[:40])
    three = gemini.call("Bash", {"command": "echo two"}, "1a2b3c4d")
    served.upstream.script(
        gemini.answer(thought, gemini.text("I make it.", SIGNATURE[:80], pieces=1), bash),
        gemini.answer(two, three),
        gemini.answer(gemini.text("All done")),
    )

    run = claude.ask("Make a file and read it")

    assert run.result["result"] == "All done"
    assert target.read_text() == "from-bash\n"
    signed = {"text": "I make it.", "thoughtSignature": SIGNATURE[:80]}
    said = served.said_by_the_model
    assert [part for part in said if "functionCall" not in part] == [*thought, signed]
    calls = {part["functionCall"]["id"]: part for part in said if "functionCall" in part}
    assert {identity: part.get("thoughtSignature") for identity, part in calls.items()} == {
        "8f2b1a3c": SIGNATURE,
        "9c3d2b4e": SIGNATURE[:40],
        "1a2b3c4d": None,
    }
    assert served.results["8f2b1a3c"]["response"] == {"output": "from-bash"}
    assert "from-bash" in served.results["9c3d2b4e"]["response"]["output"]
    assert served.results["1a2b3c4d"]["response"] == {"output": "two"}


def test_a_conversation_goes_on(claude: Claude, served: Served) -> None:
    served.upstream.script(
        gemini.answer(gemini.call("Bash", {"command": "exit 3"}, "8f2b1a3c", SIGNATURE)),
        gemini.answer(gemini.text("It failed"), gemini.text("", SIGNATURE)),
        gemini.answer(gemini.text("Yes")),
    )

    assert claude.ask("Run it").result["result"] == "It failed"
    assert claude.ask("Really?", "--continue").result["result"] == "Yes"

    assert "error" in served.results["8f2b1a3c"]["response"]
    assert served.said_by_the_model[0]["thoughtSignature"] == SIGNATURE


def test_image_read_from_disk(claude: Claude, served: Served) -> None:
    picture = claude.work / "square.png"
    picture.write_bytes(png(4, 4))
    served.upstream.script(
        gemini.answer(gemini.call("Read", {"file_path": str(picture)}, "8f2b1a3c", SIGNATURE)),
        gemini.answer(gemini.text("A red square")),
    )

    run = claude.ask("What is in square.png?")

    assert run.result["result"] == "A red square"
    data = base64.b64encode(picture.read_bytes()).decode()
    assert served.results["8f2b1a3c"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": data}}]


def test_a_call_that_nobody_ended_is_not_run(claude: Claude, served: Served) -> None:
    [call] = gemini.call("Bash", {"command": "touch ran"}, "8f2b1a3c")
    served.upstream.script(gemini.stream(gemini.chunk(call), READ, Cut()), gemini.answer(gemini.text("Asked again")))

    run = claude.ask("Run it")

    assert not (claude.work / "ran").exists()
    assert run.result["result"] == "Asked again"


@pytest.mark.parametrize("how", ["event", "bare"])
def test_a_failure_inside_a_200_is_not_seen(claude: Claude, served: Served, how: str) -> None:
    failed = gemini.error_body(500, "An internal error has occurred.")
    start = gemini.chunk(usage={"promptTokenCount": 21})
    said = gemini.event(failed) if how == "event" else gemini.event(failed).removeprefix(b"data: ")
    served.upstream.script(gemini.stream(start, said), gemini.answer(gemini.text("Hello")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello"
    assert [event for event in run.events if event.get("subtype") == "api_retry"] == []
    assert len(served.upstream.chats) == 2


def test_a_malformed_call_is_asked_for_again(claude: Claude, served: Served) -> None:
    served.upstream.script(
        gemini.stream(gemini.chunk(reason="MALFORMED_FUNCTION_CALL", usage=gemini.USAGE)),
        gemini.answer(gemini.text("Hello")),
    )

    assert claude.ask("Say hello").result["result"] == "Hello"
