"""The real Claude Code CLI: where it is, and how to run it so that it talks to loopback only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "2.1.197"
OLDER = "1.0.56"
RUN_WITHIN = 60.0
_ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = ".e2e"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "1",
    "API_TIMEOUT_MS": "30000",
    "LANG": "C.UTF-8",
}

Json = dict[str, Any]


def find_claude() -> Path | None:
    """KEYTURN_TEST_CLAUDE as given, else the pinned version where ``make e2e`` installs it or on PATH."""
    named = os.environ.get("KEYTURN_TEST_CLAUDE")
    if named:
        return Path(named)
    return next((path for path in _candidates() if _version(path).startswith(VERSION)), None)


def find_older_claude() -> Path | None:
    """KEYTURN_TEST_OLDER_CLAUDE as given, else where ``make e2e`` installs it."""
    named = os.environ.get("KEYTURN_TEST_OLDER_CLAUDE")
    installed = _ROOT / _INSTALLED / "older/node_modules/@anthropic-ai/claude-code/cli.js"
    return Path(named) if named else installed if installed.is_file() else None


def _candidates() -> Iterator[Path]:
    yield from (_ROOT / _INSTALLED).glob("**/@anthropic-ai/claude-code-*/claude")
    on_path = shutil.which("claude")
    if on_path:
        yield Path(on_path)


def _version(path: Path) -> str:
    try:
        return subprocess.run([path, "--version"], capture_output=True, text=True, timeout=RUN_WITHIN).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


@dataclass(frozen=True)
class Run:
    """One finished ``claude -p``: what the user and the scripts around it saw."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def events(self) -> list[Json]:
        """The stream-json lines: init, then messages, then the result."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def result(self) -> Json:
        last = self.events[-1]
        assert last["type"] == "result", self.stdout + self.stderr
        return last

    def blocks(self, role: str) -> list[Json]:
        """The content blocks of that role that were shown, in order, of the main conversation and of subagents."""
        shown = [event["message"]["content"] for event in self.events if event["type"] == role]
        return [block for content in shown for block in content]


@dataclass(frozen=True)
class Claude:
    """A CLI pointed at ``url`` with a home and a working directory of its own; runs share them."""

    program: Path
    url: str
    home: Path
    work: Path

    def ask(self, prompt: str, *arguments: str, token: str = "freecc", allow: str = "Bash,Read,Write,Agent") -> Run:
        """``claude -p`` with this prompt, its answer as stream-json."""
        shape = ("--output-format", "stream-json", "--verbose", "--allowedTools", allow)
        return self.run("-p", prompt, *shape, *arguments, token=token)

    def run(self, *arguments: str, token: str = "freecc") -> Run:
        started = time.monotonic()
        process = subprocess.Popen(
            [self.program, *arguments],
            cwd=self.work,
            env=self.environment(token),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=RUN_WITHIN)
        finally:
            end_group(process)
        return Run(process.returncode, stdout, stderr, time.monotonic() - started)

    def environment(self, token: str) -> Mapping[str, str]:
        """Nothing inherited but PATH."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        return {**own, **QUIET, "ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_AUTH_TOKEN": token}


def end_group(process: subprocess.Popen[Any]) -> None:
    """End a program started in a session of its own, and the tools that it left running."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(RUN_WITHIN)
