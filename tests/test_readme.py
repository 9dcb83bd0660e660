"""What the README shows is true: its targets exist, its settings load, its table is the catalog's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.routing import Ref, Route
from gateway.settings import load
from providers.catalog import CATALOG
from tests.gateway_process import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
TABLE = re.findall(r"^\| .*\|$", README, re.MULTILINE)[1:]
SETTINGS = [line for line in LINES if re.fullmatch(r"[A-Z_]+=\S.*", line) and " claude" not in line]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_every_make_command_is_a_target_with_help(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_other_line_starts_claude_or_is_a_setting() -> None:
    others = [line for line in LINES if not line.startswith("make ") and line not in SETTINGS]
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
    (toml,) = [block for kind, block in BLOCKS if kind == "toml"]
    (tmp_path / "keyturn.toml").write_text(toml)
    environ = {"HOUSE_KEY": "hk-0123456789abcdef", "ADA_TOKEN": "ada-0123456789"}
    settings = load(environ, tmp_path, tmp_path)
    assert settings.routing.default == Ref("house", "large")
    assert settings.routing.routes == (Route("claude-haiku", "house", "small"),)
    assert [token.name for token in settings.tokens] == ["ada"]


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
