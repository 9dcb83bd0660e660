"""A newcomer's first minute: nothing is configured, and Claude Code answers."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import running_gateway


def test_demo_answers_where_nothing_is_configured(program: Path, tmp_path: Path) -> None:
    with running_gateway(tmp_path / "gateway", {}) as gateway:
        claude: Claude = claude_at(program, gateway.url, tmp_path)
        run = claude.ask("hi", token="any")

    assert run.code == 0, run.stderr
    assert run.result["is_error"] is False
    assert "demo" in run.result["result"].lower()
    assert "_API_KEY" in run.result["result"]
