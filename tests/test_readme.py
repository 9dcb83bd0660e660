"""What the README shows is true: its targets exist and CI runs them, its settings load, its tables are the catalog's.

The snippets of its Clients, and every line that starts claude, run in tests/e2e/test_clients.py, its lines for shells
in tests/gateway/cli/test_completion.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.check import report
from gateway.routing import Ref, Route
from gateway.settings import load
from gateway.settings.row_settings import RowSettings, variables
from gateway.settings.variables import Globals
from providers.catalog import CATALOG
from tests.gateway_process import ROOT, running_gateway
from tests.readme import BLOCKS, STARTS, TEXT, blocks

LINES = [line for block in BLOCKS if block.kind == "sh" for line in block.code.splitlines()]
TOMLS = [block.code for block in BLOCKS if block.kind == "toml"]
COMMANDS = [line for line in LINES if line.startswith("keyturn ")]
TOKENS = [line for line in COMMANDS if line.startswith("keyturn token ")]
MAKES = [line for line in LINES if line.startswith("make ")]
PROVIDERS = re.findall(
    r"^\| .*`[a-z_]+`.*\|$", TEXT.partition("\n## A real model\n")[2].partition("\n## ")[0], re.MULTILINE
)
SETTINGS = [line for line in LINES if re.fullmatch(r"[A-Z_]+=\S.*", line) and " claude" not in line]
RECIPES = [block.code for block in BLOCKS if block.kind == "dotenv"]
# What `keyturn check` has to say of each, in their order.
COMES_TO = (
    ("opus  anthropic/claude-opus-4-8", "haiku  groq/openai/gpt-oss-120b", "default  open_router/z-ai/glm-4.7"),
    ("nvidia_nim  3 keys", "default  nvidia_nim/z-ai/glm4.7, thinking on, then ollama/qwen3-coder"),
    ("groq  2 keys", "1000 calls a key a day"),
    ("lmstudio  http://localhost:1234/v1", "default  lmstudio/qwen3-coder"),
    (),
    (),
    ("0.0.0.0 port 8082", "token  required"),
)
# Commands in the midst of a sentence, and the test that runs each.
CLI = "tests/gateway/cli"
COMPLETES = f"{CLI}/test_completion.py::test_tab_completes_options_commands_and_models"
MENTIONED = {
    "--json": f"{CLI}/test_status.py::test_json_is_what_the_gateway_sent",
    "--list": f"{CLI}/test_pick.py::test_without_a_gateway_the_list_is_the_providers",
    "--model REF": "tests/e2e/test_pick.py::test_the_interactive_client_starts",
    "--print-env": f"{CLI}/test_pick.py::test_variables_for_other_clients",
    "--ui": f"{CLI}/test_status.py::test_the_status_page_and_its_password",
    "--url": f"{CLI}/test_status.py::test_an_address_of_ones_own",
    ".venv/bin/keyturn check": "tests/test_house.py::test_the_installed_program_is_the_wheels",
    ".venv/bin/keyturn init": "tests/test_house.py::test_the_installed_program_is_the_wheels",
    "claude-pick": "tests/e2e/test_pick_list.py::test_what_is_known_of_a_model_shows_beside_it",
    "claude-pick --print-env": f"{CLI}/test_pick.py::test_variables_for_other_clients",
    'eval "$(keyturn completion bash)"': COMPLETES,
    "keyturn check": f"{CLI}/test_cli.py::test_check_of_a_good_configuration",
    "keyturn check --schema": "tests/deploy/test_examples.py::test_the_schema_is_a_schema_and_is_published",
    "keyturn completion fish | source": COMPLETES,
    "keyturn serve": f"{CLI}/test_serve.py::test_the_banner_is_printed_once_the_gateway_listens",
    "keyturn serve --workers 4": f"{CLI}/test_workers.py::test_all_workers_serve_and_a_signal_ends_them_with_status_0",
    "keyturn token": f"{CLI}/test_token.py::test_a_token_is_shown_once_and_can_be_revoked",
    "make up": "tests/deploy/test_compose.py::test_docker_compose_takes_it",
}
HERE = ("sh", "toml", "dotenv")
ELSEWHERE = {"Clients": 8, "claude-pick": 3}  # blocks that other files run


def test_every_block_is_run_somewhere() -> None:
    here = [block for block in BLOCKS if block.kind in HERE]
    assert {block.section: len(blocks(block.section)) for block in BLOCKS if block not in here} == {
        section: count + len(blocks(section, *HERE)) for section, count in ELSEWHERE.items()
    }


@pytest.mark.parametrize("line", MAKES)
def test_every_make_command_is_a_target_with_help_that_ci_runs(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    ci = (ROOT / ".ci/run").read_text()
    (loop,) = re.findall(r"^for target in (.*); do$", ci, re.MULTILINE)
    newcomer = (ROOT / "scripts/newcomer.sh").read_text()
    assert target in loop.split() or f"make {target} " in ci or ("newcomer" in loop and f"make {target} " in newcomer)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in TOKENS])
def test_every_keyturn_command_works_beside_a_running_gateway(line: str, tmp_path: Path) -> None:
    with running_gateway(tmp_path, {}) as gateway:
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(gateway.port)}
        command = [sys.executable, "-m", "gateway.cli", *line.split()[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (".config/keyturn/.env" if "init" in line else "demo") in done.stdout


def test_a_token_is_made_shown_and_revoked(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    env["KEYTURN_STATE_FILE"] = str(tmp_path / "state.json")
    shown = []
    for line in TOKENS:
        command = [sys.executable, "-m", "gateway.cli", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        shown.append(done.stdout)
    assert "kt_" in shown[0]
    assert re.search(r"ada +good +house/\*", shown[1])


def test_every_other_line_starts_claude_or_is_a_setting() -> None:
    others = [line for line in LINES if line not in (*MAKES, *SETTINGS, *COMMANDS)]
    assert set(others) == {line for line in LINES if line in STARTS}


def test_every_command_in_a_sentence_is_run_by_a_test_that_is_there() -> None:
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`((?:keyturn |make |claude-pick|\.venv/|eval |uv |--)[^`]*)`", prose)
    assert {" ".join(each.split()) for each in found} - {*COMMANDS, *MAKES} == set(MENTIONED)
    for place in MENTIONED.values():
        path, _, name = place.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), place


@pytest.mark.parametrize(("code", "said"), list(zip(RECIPES, COMES_TO, strict=True)))
def test_every_recipe_comes_to_what_it_says(code: str, said: tuple[str, ...], tmp_path: Path) -> None:
    keys = iter(range(9))
    filled = re.sub(r"<[^>]*>", lambda _: f"a-made-up-value-0123456789-{next(keys)}", code)
    (tmp_path / ".env").write_text(filled)
    settings = load({}, tmp_path, tmp_path)
    names = [line.partition("=")[0] for line in code.splitlines()]
    shown = re.sub(r" {2,}", "  ", report(settings))
    assert not [warning for warning in settings.warnings if any(name in warning for name in names)]
    assert [words for words in said if words not in shown] == []


def test_the_recipe_of_a_proxy_and_that_of_limits(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(RECIPES[4] + RECIPES[5])
    keys = {"OPENROUTER_API_KEY": "sk-or-0123456789", "GROQ_API_KEY": "gsk-0123456789"}
    by_name = {each.id: each for each in load(keys, tmp_path, tmp_path).providers}
    router, groq = by_name["open_router"], by_name["groq"]
    assert (router.traffic.rate, router.traffic.window, router.traffic.concurrency) == (40, 60, 5)
    assert router.proxy is not None
    assert router.proxy.reveal() == "socks5://127.0.0.1:1080"
    assert groq.proxy is None


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
