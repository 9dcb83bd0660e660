"""Long lines on a terminal."""

from __future__ import annotations

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
