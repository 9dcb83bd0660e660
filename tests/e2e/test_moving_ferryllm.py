"""A user of ferryllm moves in: its configuration unchanged, its recipes for Claude Code, the real CLI."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.claude import Claude, Run
from tests.e2e.conftest import claude_at
from tests.gateway.ferryllm import CC_SWITCH, KEY, SETTINGS, example
from tests.gateway_process import GatewayProcess, running_gateway
from tests.moving.pages import PAGES
from tests.upstream import ChatUpstream, Cut, Pause
from tests.upstream import openai_chat as chat

WITHIN = 60  # seconds
KEY_FILE = "CODX_API_KEY"  # as its example names the variable
CLAUDE_LINE = r"\bclaude( |$)"


@dataclass(frozen=True)
class Recipe(Claude):
    """A CLI with the variables of a recipe in place of our own."""

    variables: Mapping[str, str]

    def environment(self, token: str) -> Mapping[str, str]:
        own = {name: text for name, text in Claude.environment(self, token).items() if name != "ANTHROPIC_AUTH_TOKEN"}
        return {**own, **self.variables}


@pytest.fixture
def upstream(program: Path) -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        yield scripted


@pytest.fixture
def gateway(upstream: ChatUpstream, tmp_path: Path) -> Iterator[GatewayProcess]:
    home = tmp_path / "gateway"
    home.mkdir()
    (home / "codexapis.toml").write_text(example(upstream.url))
    with running_gateway(home, KEY, ("--config", "codexapis.toml")) as process:
        yield process


def recipe(program: Path, gateway: GatewayProcess, base: Path, variables: Mapping[str, str]) -> Recipe:
    plain = claude_at(program, gateway.url, base)
    return Recipe(plain.program, plain.url, plain.home, plain.work, variables)


def events(gateway: GatewayProcess, name: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in gateway.stderr.splitlines()]
    return [line for line in lines if line["event"] == name]


def pong(run: Run, gateway: GatewayProcess, upstream: ChatUpstream) -> None:
    assert run.code == 0, run.stderr + run.stdout
    assert "pong" in run.stdout
    assert {request.model for request in upstream.chats} == {"gpt-5.4"}
    assert {request.header("authorization") for request in upstream.chats} == {"Bearer your-api-key"}
    resolved = events(gateway, "resolved route")[-1]
    expected = {
        "entry": "anthropic",
        "display_model": "claude-opus-4-6",
        "backend_model": "gpt-5.4",
        "provider": "codexapis",
    }
    assert expected.items() <= resolved.items()
    [*_, incoming] = events(gateway, "incoming request")
    assert {"entry": "anthropic", "model": "claude-opus-4-6", "stream": True}.items() <= incoming.items()
    sent = {"provider": "codexapis", "model": "gpt-5.4", "stream": True}
    assert sent.items() <= events(gateway, "sending streaming request")[-1].items()


def test_the_first_command_of_its_guide(
    program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    upstream.always(chat.completion(chat.text("pong")))
    claude = recipe(program, gateway, tmp_path, {"ANTHROPIC_API_KEY": "dummy"})
    run = claude.run("--bare", "--print", "--model", "claude-opus-4-6", "Reply with exactly one short word: pong")
    pong(run, gateway, upstream)


@pytest.mark.parametrize("line", PAGES["ferryllm"].lines(CLAUDE_LINE))
def test_the_pages_lines_as_they_stand_there(
    line: str, program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    upstream.always(chat.completion(chat.text("pong")))
    own = recipe(program, gateway, tmp_path, {})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/claude").symlink_to(program)
    env = {name: text for name, text in own.environment("").items() if not name.startswith("ANTHROPIC")}
    env["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    script = line.replace("127.0.0.1:3000", f"127.0.0.1:{gateway.port}")
    script = script if "--print" in script else f"{script} --print pong --model claude-opus-4-6"
    done = subprocess.run(["sh", "-c", script], cwd=own.work, env=env, capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stdout.strip()) == (0, "pong"), done.stderr
    assert upstream.chats[-1].model == "gpt-5.4"


@pytest.mark.parametrize("how", ["variables", "cc-switch"])
def test_the_variables_of_its_recipes(
    how: str, program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    upstream.always(chat.completion(chat.text("pong")))
    claude = recipe(program, gateway, tmp_path, SETTINGS if how == "variables" else CC_SWITCH)
    pong(claude.run("-p", "Say pong"), gateway, upstream)


def test_its_settings_file(program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path) -> None:
    """~/.claude/settings.json as the guide and cc-switch write it."""
    upstream.always(chat.completion(chat.text("pong")))
    claude = recipe(program, gateway, tmp_path, {})
    (claude.home / ".claude").mkdir()
    settings = {"env": {"ANTHROPIC_BASE_URL": gateway.url, **SETTINGS}}
    (claude.home / ".claude/settings.json").write_text(json.dumps(settings))
    pong(claude.run("-p", "Say pong"), gateway, upstream)


def test_a_tool_loop(program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path) -> None:
    upstream.script(
        chat.completion(chat.call("Bash", {"command": "echo from-bash"})),
        chat.completion(chat.text("All done")),
    )
    run = recipe(program, gateway, tmp_path, SETTINGS).ask("Say it")
    assert run.result["result"] == "All done"
    [result] = [each["content"] for each in upstream.chats[-1].json["messages"] if each["role"] == "tool"]
    assert "from-bash" in str(result)
    keys = {request.json["prompt_cache_key"] for request in upstream.chats}
    assert len(keys) == 1, "the prefix is the same, so is the key"
    assert keys.pop().startswith("ferryllm-gpt-5.4-")


def test_what_the_client_asks_again_without_a_stream(
    program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path
) -> None:
    """As it does where a stream broke."""
    upstream.script(chat.stream(chat.chunk({"content": "half of it"}), Pause(0.2), Cut()))
    upstream.always(chat.completion(chat.text("pong")))
    run = recipe(program, gateway, tmp_path, SETTINGS).ask("Say pong")
    assert run.result["result"] == "pong"
    [told] = events(gateway, "sending chat request")
    assert {"provider": "codexapis", "model": "gpt-5.4", "stream": False}.items() <= told.items()
    assert [each["stream"] for each in events(gateway, "incoming request")] == [True, False]


def test_its_key_in_a_file_is_followed_while_it_runs(program: Path, upstream: ChatUpstream, tmp_path: Path) -> None:
    upstream.always(chat.completion(chat.text("pong")))
    home = tmp_path / "gateway"
    home.mkdir()
    (home / "codexapis.toml").write_text(example(upstream.url).replace("api_key_env", "api_key_file"))
    (home / KEY_FILE).write_text("sk-first")
    with running_gateway(home, {}, ("--config", "codexapis.toml")) as gateway:
        claude = recipe(program, gateway, tmp_path, SETTINGS)
        assert "pong" in claude.run("-p", "Say pong").stdout
        (home / KEY_FILE).write_text("sk-second")
        end = time.monotonic() + WITHIN
        while not events(gateway, "configuration reloaded"):
            assert time.monotonic() < end
            with suppress(subprocess.TimeoutExpired):
                gateway.process.wait(0.1)
        first = len(upstream.chats)
        assert "pong" in claude.run("-p", "Say pong").stdout
    sent = [request.header("authorization") for request in upstream.chats]
    assert (set(sent[:first]), set(sent[first:])) == ({"Bearer sk-first"}, {"Bearer sk-second"})


def test_its_alias(program: Path, gateway: GatewayProcess, upstream: ChatUpstream, tmp_path: Path) -> None:
    upstream.always(chat.completion(chat.text("pong")))
    run = recipe(program, gateway, tmp_path, SETTINGS).run("-p", "Say pong", "--model", "cc-gpt55")
    assert "pong" in run.stdout
    assert upstream.chats[-1].model == "gpt-5.4"
    assert events(gateway, "resolved route")[-1]["display_model"] == "cc-gpt55"
