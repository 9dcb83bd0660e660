"""A provider is one row: a copy of Keyturn that has one more serves it, with no other line changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_process import ROOT, running_gateway
from tests.upstream import ChatUpstream
from tests.upstream import openai_chat as chat

WITHIN = 60
FILE = "providers/catalog/chat_apis.py"
BEFORE = "CHAT_APIS: tuple[ProviderSpec, ...] = (\n"
ROW = """\
    ProviderSpec(
        # docs.newcomer.test
        id="newcomer",
        title="Newcomer",
        prefixes=("NEWCOMER",),
        aliases=("newbie",),
        dialect="openai_chat",
        base_url="https://api.newcomer.test/v1",
        key_url="https://newcomer.test/keys",
        default_model="house/large",
        namespaces=("house",),
        quirks=Quirks(max_tokens_field="max_completion_tokens"),
        pooling="limits are per key (newcomer.test, read 2026-11)",
        as_of="2026-11",
    ),
"""


@dataclass(frozen=True)
class Copy:
    """A Keyturn of its own, and an empty home to run it in."""

    root: Path
    home: Path

    def run(self, *arguments: str, **env: str) -> str:
        command = [sys.executable, "-m", *arguments]
        environ = {"PYTHONPATH": str(self.root), "HOME": str(self.home), **env}
        done = subprocess.run(command, cwd=self.home, env=environ, capture_output=True, text=True, timeout=WITHIN)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("copy")
    for package in ("gateway", "middleware", "providers"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    rows = (root / FILE).read_text(encoding="utf-8")
    assert rows.count(BEFORE) == 1
    (root / FILE).write_text(rows.replace(BEFORE, BEFORE + ROW), encoding="utf-8")
    return Copy(root, tmp_path_factory.mktemp("home"))


def added(copied: str, shipped: str) -> list[str]:
    """The lines that the copy has and we do not; it lacks none of ours."""
    ours, theirs = shipped.splitlines(), iter(copied.splitlines())
    new: list[str] = []
    for line in ours:
        for other in theirs:
            if other == line:
                break
            new.append(other)
        else:
            raise AssertionError(f"the copy lacks {line!r}")
    return [*new, *theirs]


def test_the_example_of_settings_has_its_variables(copy: Copy) -> None:
    shipped = (ROOT / ".env.example").read_text(encoding="utf-8")
    new = [line for line in added(copy.run("gateway.cli.env_example"), shipped) if line]
    assert new[:4] == [
        "# -- Newcomer (newcomer)",
        "# Keys are made at https://newcomer.test/keys",
        "# Several keys: limits are per key (newcomer.test, read 2026-11)",
        "#NEWCOMER_API_KEY=<your key>",
    ]
    assert "#NEWCOMER_BASE_URL=https://api.newcomer.test/v1" in new
    assert all(line.startswith("#NEWCOMER_") for line in new[3:])


def test_the_page_of_providers_has_its_lines(copy: Copy) -> None:
    shipped = (ROOT / "docs/providers.md").read_text(encoding="utf-8")
    new = added(copy.run("gateway.cli.providers_table"), shipped)
    assert new[0] == "| `newcomer` | Newcomer | `newbie` | `NEWCOMER_API_KEY` | <https://newcomer.test/keys> |"
    assert len(new) == 4  # names, addresses, limits, models
    assert all(line.startswith("| `newcomer` |") for line in new)


def test_its_settings_and_references_are_understood(copy: Copy) -> None:
    shown = copy.run("gateway.cli", "check", NEWCOMER_API_KEY="nk-0123456789abcdef", MODEL_OPUS="newbie/small")
    assert "providers  newcomer  1 key: newcomer-01 ...cdef\n" in shown
    assert "default  newcomer/house/large, thinking on\n" in shown
    assert "opus     newcomer/small, thinking on\n" in shown
    assert "warning" not in shown


def test_without_a_key_its_variable_is_named(copy: Copy) -> None:
    shown = copy.run("gateway.cli", "check", MODEL="newcomer/x")
    assert "newcomer  no key: set NEWCOMER_API_KEY (make one at https://newcomer.test/keys)\n" in shown


def test_it_is_called(copy: Copy, tmp_path: Path) -> None:
    with ChatUpstream() as upstream:
        upstream.script(chat.stream(*chat.frames("house/small", [chat.text("hello from afar")])))
        env = {
            "PYTHONPATH": str(copy.root),
            "NEWCOMER_API_KEY": "nk-0123456789abcdef",
            "NEWCOMER_BASE_URL": upstream.base_url,
            "LOG_LEVEL": "WARNING",
        }
        with running_gateway(tmp_path, env) as gateway:
            headers, answer = asked(gateway.port, "house/small")
        (seen,) = upstream.chats
    assert answer["content"] == [{"type": "text", "text": "hello from afar"}]
    assert headers["x-keyturn-provider"] == "newcomer"
    assert seen.header("authorization") == "Bearer nk-0123456789abcdef"
    assert (seen.json["model"], seen.json["max_completion_tokens"]) == ("house/small", 9)


def asked(port: int, model: str) -> tuple[dict[str, str], dict[str, Any]]:
    body = json.dumps({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
    connection = HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    try:
        connection.request("POST", "/v1/messages", body, {"content-type": "application/json"})
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        return {name.lower(): value for name, value in reply.getheaders()}, json.loads(reply.read())
    finally:
        connection.close()
