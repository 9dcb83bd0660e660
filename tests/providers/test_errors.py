"""Errors read well, and faults and failures are told apart by what they are."""

from __future__ import annotations

import pytest

from providers.errors import ConfigError, ErrorKind, Fault, KeyturnError, Problem, UpstreamFailure

BAD_PORT = Problem("PORT", "is 'abc', not a number", "Write for example PORT=8082.", "environment")
NO_KEY = Problem("GROQ_API_KEY", "is not set", "Get a key.")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Fault(404, "not_found_error", "no such model"), "404 not_found_error: no such model"),
        (UpstreamFailure(ErrorKind.CUT, "it closed", provider="acme"), "acme: cut: it closed"),
        (
            ConfigError([BAD_PORT, NO_KEY]),
            "PORT (from environment): is 'abc', not a number. Write for example PORT=8082.\n"
            "GROQ_API_KEY: is not set. Get a key.",
        ),
        (ConfigError(), ""),
    ],
)
def test_errors_read_well(error: KeyturnError, told: str) -> None:
    assert isinstance(error, KeyturnError)
    assert str(error) == told


def test_each_raised_error_is_itself() -> None:
    assert Fault(400, "t", "m") != Fault(400, "t", "m")
    assert UpstreamFailure(ErrorKind.CUT, "w") != UpstreamFailure(ErrorKind.CUT, "w")
