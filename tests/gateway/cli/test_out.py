"""Long lines on a terminal, and readers that leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.out import fitted

START = "start      ANTHROPIC_BASE_URL=http://127.0.0.1:8082 ANTHROPIC_AUTH_TOKEN=any claude"


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("token      open", 20, "token      open"),
        ("token      open: any token will do", 24, "token      open: any\n           token will do"),
        ("           groq  keys: one, two, three", 34, "           groq  keys: one, two,\n                 three"),
        ("  Put a valid key into GROQ_API_KEYS.", 24, "  Put a valid key into\n  GROQ_API_KEYS."),
        ("models     https://example.org/a-path", 25, "models     https://example.org/a-path"),
        ("provider  key  state  open for long", 30, "provider  key  state  open for long"),
        (START, 40, START),
    ],
    ids=["fits", "heading", "name", "indented", "one word", "a table's", "to copy"],
)
def test_a_long_line_goes_on_under_its_own_beginning(line: str, width: int, shown: str) -> None:
    assert fitted(line, width) == shown


@pytest.mark.parametrize("arguments", [["version"], ["check"], ["check", "--schema"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_failure_to_tell_of(arguments: list[str], tmp_path: Path) -> None:
    """``keyturn check | head -1`` ends as other programs do there: without a word."""
    left, writing = os.pipe()
    os.close(left)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
            cwd=tmp_path,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
