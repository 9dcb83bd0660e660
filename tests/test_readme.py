"""What the README shows is true: its targets exist and CI runs them, its settings load, its tables are the catalog's.

The snippets of its Clients run in tests/e2e/test_clients.py, its lines for shells in
tests/gateway/cli/test_completion.py.
"""

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
from tests.readme import BLOCKS, TEXT, blocks

LINES = [line for block in BLOCKS if block.kind == "sh" for line in block.code.splitlines()]
TOMLS = [block.code for block in BLOCKS if block.kind == "toml"]
COMMANDS = [line for line in LINES if line.startswith("keyturn ")]
MAKES = [line for line in LINES if line.startswith("make ")]
PROVIDERS = re.findall(
    r"^\| .*`[a-z_]+`.*\|$", TEXT.partition("\n## A real model\n")[2].partition("\n## ")[0], re.MULTILINE
)
SETTINGS = [line for line in LINES if re.fullmatch(r"[A-Z_]+=\S.*", line) and " claude" not in line]
ELSEWHERE = {"Clients": 8, "claude-pick": 3}  # blocks that other files run


def test_every_block_is_run_somewhere() -> None:
    here = [block for block in BLOCKS if block.kind in ("sh", "toml")]
    assert {block.section: len(blocks(block.section)) for block in BLOCKS if block not in here} == {
        section: count + len(blocks(section, "sh", "toml")) for section, count in ELSEWHERE.items()
    }


@pytest.mark.parametrize("line", MAKES)
def test_every_make_command_is_a_target_with_help_that_ci_runs(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    ci = (ROOT / ".ci/run").read_text()
    (loop,) = re.findall(r"^for target in (.*); do$", ci, re.MULTILINE)
    newcomer = (ROOT / "scripts/newcomer.sh").read_text()
    assert target in loop.split() or f"make {target} " in ci or ("newcomer" in loop and f"make {target} " in newcomer)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_keyturn_command_works_beside_a_running_gateway(line: str, tmp_path: Path) -> None:
    with running_gateway(tmp_path, {}) as gateway:
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(gateway.port)}
        command = [sys.executable, "-m", "gateway.cli", *line.split()[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (".config/keyturn/.env" if "init" in line else "demo") in done.stdout


def test_every_other_line_starts_claude_or_is_a_setting() -> None:
    others = [line for line in LINES if line not in (*MAKES, *SETTINGS, *COMMANDS)]
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
    named = set(re.findall(r"`([A-Z_]+)(?:=[^`]*)?`", TEXT))
    of_rows = {name for row in CATALOG for setting in ("API_KEY", "API_KEYS") for name in variables(row, setting)}
    of_rows |= {name for row in CATALOG for field in RowSettings.model_fields for name in variables(row, field.upper())}
    assert {"PROVIDER_RATE_LIMIT", "GROQ_KEY_ORDER", "MODEL_FALLBACKS"} <= named
    assert named - {name.upper() for name in Globals.model_fields} - of_rows == set()


def test_the_table_of_providers_is_true() -> None:
    rows = {row.id: row for row in CATALOG}
    shown = [re.findall(r"`([a-z_]+)`", line) for line in PROVIDERS]
    assert len([name for names in shown for name in names]) >= 10
    for line, names in zip(PROVIDERS, shown, strict=True):
        for name in names:
            assert rows[name].local or f"`{rows[name].key_variable}`" in line


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([a-z-]+))?\)", TEXT)
    headings = {
        re.sub(r"[^a-z -]", "", name.lower()).replace(" ", "-") for name in re.findall(r"^## (.*)$", TEXT, re.M)
    }
    assert {"docs/providers.md", "docs/configuration.md", "docs/troubleshooting.md"} <= {path for path, _ in links}
    assert [path for path, _ in links if path and not (ROOT / path).exists()] == []
    assert [anchor for path, anchor in links if not path and anchor not in headings] == []


def test_the_picture_is_a_small_picture_behind_the_two_commands() -> None:
    first, second, picture = TEXT.find("make run\n"), TEXT.find(" claude -p hi\n"), TEXT.find("](docs/picture.svg)")
    assert 0 < first < second < picture < TEXT.find("\n## ")
    shown = (ROOT / "docs/picture.svg").read_text(encoding="utf-8")
    assert shown.startswith("<svg ")
    assert len(shown) < 150_000
    # Pages show it from a place where nothing else is fetched.
    assert re.findall(r"url\(https?:|(?<!xmlns=)\"https?://(?!www\.w3\.org)", shown) == []
