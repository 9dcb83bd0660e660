"""claude-pick as a person has it: an alias with an absolute path, fzf on a screen, and what it gives to claude."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.pick import fzf
from tests.checkout import made_in
from tests.e2e.claude import QUIET
from tests.e2e.tmux import Screen, tmux
from tests.eventually import eventually
from tests.gateway_process import ROOT, GatewayProcess, running_gateway
from tests.upstream import ChatUpstream, Reply, Request, free_port, json_reply, openai_chat

LIMITED, GOOD = "gsk-pick-limited-5e92", "gsk-pick-good-f4d8"
SMALL: dict[str, Any] = {"id": "vendor/small-one", "context_window": 32768, "max_completion_tokens": 4096}
LISTED = {"data": [{"id": "openai/gpt-oss-120b"}, SMALL]}
TELLS = '#!/bin/sh\necho "started: $*"; env | grep -e ANTHROPIC -e CLAUDE_ | sort; echo over\n'


def provider(request: Request) -> Reply:
    if LIMITED in (request.header("authorization") or ""):
        return openai_chat.error(429, "Rate limit reached", headers=[("retry-after", "90")])
    return openai_chat.completion(openai_chat.text("It answers"))(request)


@pytest.fixture
def groq() -> Iterator[ChatUpstream]:
    with ChatUpstream() as scripted:
        scripted.always(provider)
        scripted.on("/v1/models", json_reply(LISTED))
        yield scripted


@pytest.fixture
def gateway(groq: ChatUpstream, tmp_path: Path) -> Iterator[GatewayProcess]:
    """One of its two keys is limited, each may be used 500 times, and one call was made."""
    environ = {
        "GROQ_API_KEYS": f"{LIMITED} {GOOD}",
        "GROQ_BASE_URL": groq.base_url,
        "GROQ_KEY_USAGE_LIMIT": "500",
        "MODEL": "groq/openai/gpt-oss-120b",
        "CATALOG_REFRESH": "3600",
    }
    with running_gateway(tmp_path, environ) as process:
        body = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        asked = httpx.post(f"{process.url}/v1/messages", json=body, headers={"x-api-key": "any"}, trust_env=False)
        assert asked.status_code == 200
        asyncio.run(eventually(lambda: listed(process)))
        yield process


async def listed(gateway: GatewayProcess) -> bool:
    """Whether the gateway has the provider's own list by now."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return SMALL["id"] in (await client.get(f"{gateway.url}/v1/models?limit=1000")).text


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A claude that tells what it was started with, and the fzf that came with the installation."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").write_text(TELLS)
    (folder / "claude").chmod(0o755)
    (folder / "fzf").symlink_to(fzf.find("/nowhere"))
    return folder


@pytest.fixture
def shell(tmp_path: Path, programs: Path, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """bash in another folder, with the alias of the README; no gateway where the parameter says so."""
    found = shutil.which("tmux")
    if found is None:
        pytest.skip("no tmux here: apt install tmux")
    alone = getattr(request, "param", "") == "alone"
    port = free_port() if alone else request.getfixturevalue("gateway").port
    (tmp_path / "start").write_text(f"alias claude-pick={made_in(tmp_path)}/claude-pick\nPS1='ready> '\n")
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "tmux-256color",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "CLAUDE_PICK_PORT": str(port),
        "MODEL": "groq/openai/gpt-oss-120b",
        "ANTHROPIC_MODEL": "of-another-start",
        "ANTHROPIC_API_KEY": "sk-ant-of-the-clients-own",
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with tmux(found, tmp_path) as server:
        command = ["bash", "--noprofile", "--rcfile", str(tmp_path / "start"), "-i"]
        screen = server.screen("picks", "bash", command, environ, (100, 40), elsewhere)
        screen.wait_for("ready>")
        yield screen


def test_what_is_known_of_a_model_shows_beside_it(shell: Screen) -> None:
    shell.press("claude-pick", "Enter")
    shell.wait_for(fzf.STARTS)
    shell.wait_for("groq-02  ready, 499 of 500 calls left")
    shown = shell.shown()
    assert "context   131,072 tokens" in shown
    assert "answer    up to 65,536 tokens" in shown
    assert "price     in $" in shown
    assert "groq-01  rate limited, " in shown
    assert "131k  1 of 2 ready" in shown
    assert not [key for key in (LIMITED, GOOD) if key in shown]


def test_a_pick_is_given_to_claude_with_its_room_and_is_the_first_of_the_next_list(
    shell: Screen, gateway: GatewayProcess
) -> None:
    shell.press("claude-pick --continue 'two words'", "Enter")
    shell.wait_for("groq/vendor/small-one")
    shell.press("small")
    shell.wait_for("1/2")
    shell.press("Enter")
    shell.wait_for("over")
    lines = shell.shown().splitlines()
    start = lines.index("started: --continue two words")
    assert lines[start + 1 : lines.index("over")] == [
        "ANTHROPIC_AUTH_TOKEN=keyturn:groq/vendor/small-one",
        f"ANTHROPIC_BASE_URL={gateway.url}",
        "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE=25",
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW=100000",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS=4096",
        f"CLAUDE_PICK_PORT={gateway.port}",
    ]
    shell.press("clear; claude-pick", "Enter")
    shell.wait_for("groq/openai/gpt-oss-120b")
    again = shell.shown()
    assert again.index("groq/vendor/small-one") < again.index("groq/openai/gpt-oss-120b")


def test_the_real_client_keeps_to_what_the_model_may_answer(
    shell: Screen, groq: ChatUpstream, programs: Path, program: Path
) -> None:
    quiet = " ".join(f"{name}={value}" for name, value in QUIET.items())
    (programs / "claude").write_text(f'#!/bin/sh\nexec env {quiet} "{program}" --no-session-persistence "$@"\n')
    shell.press("claude-pick -p 'Say hello'", "Enter")
    shell.wait_for("groq/vendor/small-one")
    shell.press("small")
    shell.wait_for("1/2")
    shell.press("Enter")
    shell.wait_for("It answers")
    asked = [request.json for request in groq.chats if request.model == "vendor/small-one"]
    assert asked
    assert {body.get("max_completion_tokens") or body.get("max_tokens") for body in asked} == {4096}


@pytest.mark.parametrize("shell", ["alone"], indirect=True)
def test_without_a_gateway_the_list_says_so_and_a_pick_names_the_next_step(shell: Screen) -> None:
    shell.press("claude-pick", "Enter")
    shell.wait_for("no gateway runs: start one with `keyturn serve`")
    shell.press("Enter")
    shell.wait_for("Start one with `keyturn serve`")
    assert "started:" not in shell.shown()
