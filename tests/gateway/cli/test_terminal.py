"""What the commands look like on a terminal, and in a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import on_terminal
from tests.gateway_process import ROOT, running_gateway
from tests.upstream import ChatUpstream, Pause, Reply, Request, Signal, openai_chat

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*3[1-7]m")
KEYS = ("gsk-terminal-one-31c7", "gsk-terminal-two-84e0")


def environment(home: Path, **more: str) -> dict[str, str]:
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    return {**own, "ENABLE_MODEL_THINKING": "false", **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway.cli", *arguments]


def test_doctor_asks_all_at_once_and_shows_how_far_it_is(tmp_path: Path) -> None:
    go = Signal()

    def held(request: Request) -> Reply:
        """Nothing is answered before both keys were asked for both models."""
        part = openai_chat.call("report", {"ok": True}) if "tools" in request.json else openai_chat.text("OK")
        reply = openai_chat.completion(part)(request)
        return Reply((Pause(go), *reply.steps))

    with ChatUpstream() as groq:
        groq.always(held)
        environ = environment(
            tmp_path,
            GROQ_API_KEYS=" ".join(KEYS),
            GROQ_BASE_URL=groq.base_url,
            MODEL="groq/one",
            MODEL_HAIKU="groq/two",
        )
        with on_terminal(command("doctor"), tmp_path, environ) as terminal:
            groq.arrival(4).wait_in_thread(30)
            terminal.wait_for("0/6")
            go.set()
            terminal.wait_for("haiku works: groq/two answers")
            shown = terminal.text
    assert "asking" in shown
    assert shown.index("groq/one") < shown.index("groq/two")
    assert not [key for key in KEYS if key in shown]


@pytest.mark.parametrize(
    ("arguments", "more", "coloured"),
    [(["status"], {}, True), (["status"], {"NO_COLOR": "1"}, False), (["check"], {}, True), (["doctor"], {}, True)],
    ids=["status", "no colour", "check", "doctor"],
)
def test_a_terminal_has_colours_and_a_pipe_has_none(
    tmp_path: Path, arguments: list[str], more: dict[str, str], coloured: bool
) -> None:
    with running_gateway(tmp_path, {}) as gateway:
        environ = environment(tmp_path, PORT=str(gateway.port), **more)
        with on_terminal(command(*arguments), tmp_path, environ) as terminal:
            terminal.wait_until_over()
        done = subprocess.run(
            command(*arguments), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
        )
    assert "demo" in terminal.text
    assert bool(COLOUR.search(terminal.written)) is coloured
    assert (done.returncode, done.stderr) == (0, "")
    assert "demo" in done.stdout
    assert "\x1b" not in done.stdout


def test_init_does_not_show_a_key_that_is_pasted(tmp_path: Path) -> None:
    with on_terminal(command("init"), tmp_path, environment(tmp_path)) as terminal:
        terminal.wait_for("Which provider")
        terminal.press("groq\r")
        terminal.wait_for("not shown while you paste it")
        terminal.press(f"{KEYS[0]}\r")
        terminal.wait_for("Another provider")
        terminal.press("\r")
        terminal.wait_for("Next: `keyturn doctor` tries your keys")
        assert KEYS[0] not in terminal.text
    assert f"GROQ_API_KEY={KEYS[0]}" in (tmp_path / ".config/keyturn/.env").read_text()


@pytest.mark.parametrize("arguments", [["init"], ["check"], ["doctor", "--json"]])
def test_nothing_is_asked_where_nobody_can_answer(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        command(*arguments),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
