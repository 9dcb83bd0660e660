"""``keyturn pick``: its list, its variables, and one plain line for everything that is missing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli import main
from tests.serving import Gateway, serving
from tests.upstream import ChatUpstream, free_port, json_reply, refusing

TOKEN = "a-client-token"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Gateway]:
    environ = {"GROQ_API_KEY": "gsk-1", "MODEL": "groq/a", "MODEL_OPUS": "cerebras/b", "CEREBRAS_API_KEY": "csk-2"}
    async with serving(tmp_path, {**environ, "ANTHROPIC_AUTH_TOKEN": TOKEN}) as gateway:
        yield gateway


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own: a file of settings that names the token, and nothing else of this machine."""
    for name in [name for name in os.environ if name.startswith(("ANTHROPIC", "CLAUDE", "XDG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "picks.env"
    path.write_text(f"ANTHROPIC_AUTH_TOKEN={TOKEN}\n")
    monkeypatch.setenv("CLAUDE_PICK_ENV_FILE", str(path))
    return tmp_path


@pytest.fixture
def at(running: Gateway, home: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("CLAUDE_PICK_PORT", str(running.port))
    return running


async def picked(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["pick", *arguments])


async def test_the_list_is_the_gateways(at: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert await picked("--list") == 0
    assert {"groq/a", "cerebras/b"} <= set(capsys.readouterr().out.splitlines())


async def test_one_providers_models_alone(
    at: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_PROVIDER", "cerebras")
    assert await picked("--list") == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed
    assert all(ref.startswith("cerebras/") for ref in listed)


@pytest.mark.parametrize("form", ["vscode", "jetbrains", "cc-switch"])
async def test_variables_for_other_clients(at: Gateway, capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert await picked("--model", "groq/any-model", "--print-env", form) == 0
    out = capsys.readouterr().out
    assert json.loads(out)
    assert f'"{TOKEN}:groq/any-model"' in out
    assert f"http://127.0.0.1:{at.port}" in out


async def test_a_listed_model_is_named_as_the_gateway_names_it(
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was started with a file that claude-pick does not read, and knows a provider more."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "keyturn.toml").write_text(
        'model = "house/a"\n[[providers]]\nname = "house"\ntype = "openai"\n'
        f'base_url = "http://127.0.0.1:{free_port()}/v1"\napi_key = "k"\n'
    )
    async with serving(folder, {"ANTHROPIC_AUTH_TOKEN": TOKEN}) as gateway:
        monkeypatch.setenv("CLAUDE_PICK_PORT", str(gateway.port))
        assert await picked("--model", "house/a", "--print-env", "cc-switch") == 0
    assert f'"{TOKEN}:house/a"' in capsys.readouterr().out


async def test_what_was_picked_is_remembered(at: Gateway, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await picked("--model", "groq/a", "--print-env", "shell")
    assert json.loads((home / ".local/state/keyturn/picked.json").read_text()) == ["groq/a"]
    assert "export ANTHROPIC_BASE_URL=" in capsys.readouterr().out


async def test_a_misspelt_provider_is_named(at: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert await picked("--model", "gorq/a") == 1
    assert "Did you mean groq?" in one_line(capsys)


async def test_a_provider_that_is_none_is_named(
    at: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_PROVIDER", "nobody")
    assert await picked("--list") == 1
    assert "CLAUDE_PICK_PROVIDER" in one_line(capsys)


async def test_without_a_terminal_the_flag_is_named(at: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert await picked("-p", "hello") == 1
    assert "--model" in one_line(capsys)


async def test_without_claude_the_next_step_is_named(
    at: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert await picked("--model", "groq/a") == 127
    assert "npm install" in one_line(capsys)


async def test_a_wrong_token_is_told(at: Gateway, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "picks.env").write_text("ANTHROPIC_AUTH_TOKEN=another-token\n")
    assert await picked("--list") == 1
    assert "ANTHROPIC_AUTH_TOKEN" in one_line(capsys)


async def test_without_a_gateway_the_next_step_is_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_PORT", str(free_port()))
    assert await picked("--model", "groq/a") == 1
    assert "keyturn serve" in one_line(capsys)


async def test_without_a_gateway_the_list_is_the_providers(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_PORT", str(free_port()))
    async with ChatUpstream() as upstream:
        upstream.on("/v1/models", json_reply({"data": [{"id": "vendor/brand-new"}]}))
        lines = ["GROQ_API_KEY=gsk-1", f"GROQ_BASE_URL={upstream.base_url}", "MODEL_HAIKU=groq/tiny"]
        (home / "picks.env").write_text("\n".join(lines))
        assert await picked("--list") == 0
        assert {"groq/vendor/brand-new", "groq/tiny"} <= set(capsys.readouterr().out.splitlines())
        assert await picked("--model", "groq/tiny", "--print-env", "shell") == 0
        assert "groq/tiny" in capsys.readouterr().out


async def test_without_a_network_the_models_of_the_settings_are_left(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_PORT", str(free_port()))
    with refusing() as nobody:
        (home / "picks.env").write_text(f"GROQ_API_KEY=gsk-1\nGROQ_BASE_URL={nobody}\nMODEL=groq/one\n")
        assert await picked("--list") == 0
    assert capsys.readouterr().out.splitlines() == ["groq/one"]


@pytest.mark.parametrize("place", [".claude/settings.json", "work/.claude/settings.local.json"])
async def test_a_setting_of_the_clients_that_would_win_is_named(
    at: Gateway, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = home / place
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": "another-token:kimi/k2"}}))
    (home / "work").mkdir(exist_ok=True)
    monkeypatch.chdir(home / "work")
    assert await picked("--model", "groq/a") == 1
    line = one_line(capsys)
    assert f"{path} sets ANTHROPIC_AUTH_TOKEN" in line
    assert "another-token" not in line


async def test_an_unreadable_file_is_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_PICK_ENV_FILE", str(home / "not-there.env"))
    assert await picked("--list") == 2
    assert "not-there.env" in one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line
