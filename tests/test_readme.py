"""What the README shows is true: its targets exist, its settings load, its table is the catalog's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.routing import Ref, Route
from gateway.settings import load
from gateway.settings.row_settings import RowSettings, variables
from gateway.settings.variables import Globals
from providers.catalog import CATALOG
from tests.gateway_process import ROOT, running_gateway

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
TOMLS = [block for kind, block in BLOCKS if kind == "toml"]
COMMANDS = [line for line in LINES if line.startswith("keyturn ")]
TABLE = re.findall(r"^\| .*\|$", README, re.MULTILINE)[1:]
SETTINGS = [line for line in LINES if re.fullmatch(r"[A-Z_]+=\S.*", line) and " claude" not in line]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_every_make_command_is_a_target_with_help(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_keyturn_command_works_beside_a_running_gateway(line: str, tmp_path: Path) -> None:
    with running_gateway(tmp_path, {}) as gateway:
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(gateway.port)}
        command = [sys.executable, "-m", "gateway.cli", *line.split()[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (".config/keyturn/.env" if "init" in line else "demo") in done.stdout


def test_every_other_line_starts_claude_or_is_a_setting() -> None:
    others = [line for line in LINES if not line.startswith("make ") and line not in (*SETTINGS, *COMMANDS)]
    assert others
    assert all(re.fullmatch(r"(ANTHROPIC_\w+=\S+ )+claude( -p hi)?", line) for line in others)


@pytest.mark.parametrize("line", SETTINGS)
def test_every_setting_loads(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(line.replace("<your key>", "sk-0123456789abcdef") + "\n")
    settings = load({}, tmp_path, tmp_path)
    name, _, value = line.partition("=")
    if name == "MODEL":
        assert str(settings.routing.default) == value
    else:
        assert any(key.variable == name for provider in settings.providers for key in provider.keys)


def test_the_toml_means_what_the_text_says(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(TOMLS[1])
    environ = {"HOUSE_KEY": "hk-0123456789abcdef", "ADA_TOKEN": "ada-0123456789"}
    settings = load(environ, tmp_path, tmp_path)
    assert settings.routing.default == Ref("house", "large")
    assert settings.routing.routes == (Route("claude-haiku", "house", "small"),)
    assert [token.name for token in settings.tokens] == ["ada"]


def test_the_toml_of_keys_means_what_the_text_says(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(TOMLS[0])
    settings = load({"GROQ_WORK_KEY": "gk-0123456789abcdef"}, tmp_path, tmp_path)
    groq = next(provider for provider in settings.providers if provider.id == "groq")
    assert [(key.label, key.account, key.limits.requests) for key in groq.keys] == [("work", "acme", 30)]
    assert [(name, limits.tokens) for name, limits in groq.models] == [("openai/gpt-oss-120b", 8000)]
    assert groq.traffic.rate == 40


def test_every_variable_in_the_text_is_one() -> None:
    named = set(re.findall(r"`([A-Z_]+)(?:=[^`]*)?`", README))
    of_rows = {name for row in CATALOG for setting in ("API_KEY", "API_KEYS") for name in variables(row, setting)}
    of_rows |= {name for row in CATALOG for field in RowSettings.model_fields for name in variables(row, field.upper())}
    assert {"PROVIDER_RATE_LIMIT", "GROQ_KEY_ORDER", "MODEL_FALLBACKS"} <= named
    assert named - {name.upper() for name in Globals.model_fields} - of_rows == set()


def test_the_table_of_providers_is_true() -> None:
    rows = {row.id: row for row in CATALOG}
    shown = [re.findall(r"`([a-z_]+)`", line) for line in TABLE]
    assert len([name for names in shown for name in names]) >= 10
    for line, names in zip(TABLE, shown, strict=True):
        for name in names:
            assert rows[name].local or f"`{rows[name].key_variable}`" in line


def test_the_table_leads_to_the_page_of_all_providers() -> None:
    assert any("(docs/providers.md)" in line for line in TABLE)
    assert (ROOT / "docs/providers.md").is_file()
