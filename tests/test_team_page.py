"""docs/team.md: its settings load, and its commands work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.metrics.clients import MOST
from gateway.settings import load
from gateway.usage import KEPT
from tests.gateway_process import ROOT

PAGE = (ROOT / "docs/team.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_its_settings_load(tmp_path: Path) -> None:
    ((_, block),) = [each for each in BLOCKS if each[0] == "toml"]
    (tmp_path / "keyturn.toml").write_text(block)
    (ada,) = load({}, tmp_path, tmp_path).tokens
    assert ada.grant.limits.tokens == 200_000
    assert ada.grant.allows("groq", "some-haiku")
    assert not ada.grant.allows("anthropic", "claude-haiku-5")


def test_its_commands_work_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KEYTURN_STATE_FILE", "state.json")
    monkeypatch.delenv("REDIS_URL", raising=False)
    commands = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
    assert len(commands) >= 4
    for line in commands:
        assert main(shlex.split(line)[1:]) == 0, line


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"Up to {MOST} clients" in PAGE
    assert f"latest {KEPT:,} sessions" in PAGE
