"""Fixtures of the end-to-end tests: the real CLI, the real gateway, a scripted upstream, all on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.claude import OLDER, VERSION, Claude, find_claude, find_older_claude
from tests.gateway_process import GatewayProcess, running_gateway, upstream_env
from tests.upstream import Upstream


@pytest.fixture(scope="session")
def program() -> Path:
    """The CLI's executable."""
    found = find_claude()
    if found is None:
        pytest.skip(f"no Claude Code {VERSION} here: `make e2e` installs it, or name it in KEYTURN_TEST_CLAUDE")
    assert found.is_file(), f"KEYTURN_TEST_CLAUDE names no program: {found}"
    return found


@pytest.fixture(scope="session")
def older_program() -> Path:
    """The executable of an older CLI."""
    found = find_older_claude()
    if found is None:
        pytest.skip(f"no Claude Code {OLDER} here: `make e2e` installs it, or name it in KEYTURN_TEST_OLDER_CLAUDE")
    assert found.is_file(), f"KEYTURN_TEST_OLDER_CLAUDE names no program: {found}"
    return found


@pytest.fixture
def upstream(program: Path) -> Iterator[Upstream]:
    with Upstream() as scripted:
        yield scripted


@pytest.fixture
def gateway(upstream: Upstream, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway with the scripted upstream as its one provider, and `freecc` as its client token."""
    with running_gateway(tmp_path / "gateway", upstream_env(upstream.url)) as process:
        yield process


@pytest.fixture
def claude(program: Path, gateway: GatewayProcess, tmp_path: Path) -> Claude:
    """A CLI in a fresh home and an empty directory, pointed at the gateway."""
    return claude_at(program, gateway.url, tmp_path)


def claude_at(program: Path, url: str, base: Path) -> Claude:
    home, work = base / "home", base / "work"
    home.mkdir()
    work.mkdir()
    return Claude(program, url, home, work)
