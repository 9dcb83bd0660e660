"""Which probes the real clients send, that the gateway answers them, and that they take the answers.

The columns 1.0.56 and 2.1.197 of the table in docs/local-answers.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.local_answers import Probe
from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.e2e.terminal import Terminal, interactive
from tests.gateway_process import GatewayProcess
from tests.upstream import Answer, Reply, Request, Upstream, message, text, tool_use

WORDS = "Say hello to the gateway"


@dataclass(frozen=True)
class Suggesting(Claude):
    """A client that asks for suggestions."""

    def environment(self, token: str) -> Mapping[str, str]:
        return {**super().environment(token), "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "1"}


@pytest.fixture
def older(older_program: Path, gateway: GatewayProcess, tmp_path: Path) -> Claude:
    (tmp_path / "older").mkdir()
    return claude_at(older_program, gateway.url, tmp_path / "older")


def answered(gateway: GatewayProcess) -> dict[str, float]:
    """How many probes of each kind the gateway has answered itself."""
    exposition = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
    samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]
    counts = {s.labels["kind"]: s.value for s in samples if s.name == "keyturn_local_answers_total"}
    assert set(counts) == {probe.kind for probe in Probe}
    return {kind: count for kind, count in counts.items() if count}


def turns(*answers: Answer) -> Callable[[Request], Reply]:
    """One answer after the other to the conversation, which alone has tools; a probe that gets here is an error."""
    left = list(answers)

    def answer(request: Request) -> Reply:
        assert request.json.get("tools"), f"a probe: {request.body[-300:]!r}"
        chosen = left.pop(0)
        return chosen if isinstance(chosen, Reply) else chosen(request)

    return answer


def bash(command: str) -> Callable[[Request], Reply]:
    return message(tool_use("Bash", {"command": command, "description": "Does it"}))


def shown(count: int, terminal: Terminal) -> bool:
    return terminal.text.count("Hellofromupstream") >= count


def ask_twice(terminal: Terminal, prompt: str = "") -> None:
    """``prompt`` is what the client prints before the words that it has read."""
    for turn, words in enumerate((WORDS, "Say it again"), 1):
        terminal.press(words)
        terminal.wait_for(prompt + words)
        terminal.enter_until(partial(shown, turn))


def is_titled(terminal: Terminal) -> bool:
    return any(WORDS in title for title in terminal.titles)


def test_todays_title_and_suggestions(claude: Claude, upstream: Upstream, gateway: GatewayProcess) -> None:
    upstream.always(turns(*[message(text("Hello from upstream"))] * 2))
    with interactive(Suggesting(claude.program, claude.url, claude.home, claude.work)) as terminal:
        terminal.wait_for("for shortcuts")
        ask_twice(terminal)
        terminal.wait_until(lambda _: "suggestion" in answered(gateway))
        terminal.wait_until(is_titled)
    counts = answered(gateway)
    assert counts.keys() == {"title", "suggestion"}
    assert counts["title"] == 1
    assert len(upstream.posts("/v1/messages")) == 2


@pytest.mark.parametrize("allow", ["Bash", "Bash(touch:*)"])
def test_todays_client_asks_nothing_about_a_command(
    allow: str, claude: Claude, upstream: Upstream, gateway: GatewayProcess
) -> None:
    upstream.always(turns(bash("touch 'made here' && cat *"), message(text("All done"))))
    run = claude.ask("Do it", allow=allow)
    assert run.result["result"] == "All done"
    assert answered(gateway) == {}


def test_an_older_clients_titles(older: Claude, upstream: Upstream, gateway: GatewayProcess) -> None:
    upstream.always(turns(*[message(text("Hello from upstream"))] * 2))
    with interactive(older) as terminal:
        terminal.wait_for("for shortcuts")
        ask_twice(terminal, prompt="> ")
        terminal.wait_until(lambda shown: any("Say hello to" in title for title in shown.titles))
    assert answered(gateway) == {"title": 2}


def result_of(upstream: Upstream) -> str:
    """What the client told the model of its last call."""
    [block] = [b for b in upstream.posts("/v1/messages")[-1].json["messages"][-1]["content"] if "content" in b]
    return json.dumps(block["content"])


def test_an_older_clients_question_for_file_paths(older: Claude, upstream: Upstream, gateway: GatewayProcess) -> None:
    (older.work / "a.txt").write_text("the text\n")
    upstream.always(turns(bash("cat a.txt"), message(text("All done"))))
    run = older.ask("Do it", allow="Bash(cat:*)")
    assert run.result["result"] == "All done"
    assert "the text" in result_of(upstream)
    assert answered(gateway) == {"filepaths": 1}


def test_what_an_older_clients_user_has_allowed_runs(
    older: Claude, upstream: Upstream, gateway: GatewayProcess
) -> None:
    """Quotation marks make it ask for the prefix; a wrong one, and it would not run."""
    upstream.always(turns(bash("touch 'made here'"), message(text("All done"))))
    older.ask("Do it", allow="Bash(touch:*)")
    assert (older.work / "made here").is_file()
    assert answered(gateway)["prefix"] >= 1


@pytest.mark.parametrize(
    "command", ["touch 'a' \"$(mkdir pwned)\"", "touch 'a'\nmkdir pwned", "touch 'a' `mkdir pwned`"]
)
def test_what_hides_another_command_does_not_run(
    command: str, older: Claude, upstream: Upstream, gateway: GatewayProcess
) -> None:
    upstream.always(turns(bash(command), message(text("All done"))))
    older.ask("Do it", allow="Bash(touch:*)")
    assert not list(older.work.iterdir())
    assert "requested permissions" in result_of(upstream)
    assert answered(gateway)["prefix"] >= 1


def test_a_command_that_leaves_a_doubt_is_the_models_to_read(
    older: Claude, upstream: Upstream, gateway: GatewayProcess
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        if not request.json.get("tools"):
            asked.append(json.dumps(request.json["messages"]))
            return message(text("command_injection_detected"))(request)
        first = len(request.json["messages"]) == 1
        return (bash("touch 'a' {b,c}") if first else message(text("All done")))(request)

    upstream.always(answer)
    older.ask("Do it", allow="Bash(touch:*)")
    assert not list(older.work.iterdir())
    assert any("{b,c}" in question for question in asked)
