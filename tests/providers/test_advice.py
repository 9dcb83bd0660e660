"""One sentence of a row behind the upstream's own words."""

from __future__ import annotations

import json

import pytest

from providers.advice import advise
from providers.catalog import CATALOG
from providers.errors import ErrorKind, UpstreamFailure

SAYS = "Start it with more room."
BODY = b'{"type":"error", "error":{"type":"invalid_request_error","message":"too long"},"request_id":"r"}'


@pytest.mark.parametrize(
    "kind",
    [
        ErrorKind.INVALID_REQUEST,
        ErrorKind.UNSUPPORTED,
        ErrorKind.CONTEXT_OVERFLOW,
        ErrorKind.NOT_FOUND,
        ErrorKind.MODEL_NOT_FOUND,
    ],
)
def test_it_follows_the_words(kind: ErrorKind) -> None:
    assert advise(UpstreamFailure(kind, "model not found, pull it"), SAYS).words == f"model not found, pull it. {SAYS}"


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.SERVER_ERROR, ErrorKind.KEY_REFUSED])
def test_other_failures_stay(kind: ErrorKind) -> None:
    assert advise(UpstreamFailure(kind, "words", body=BODY), SAYS).words == "words"


def test_it_is_said_once_and_where_there_is_one() -> None:
    failure = UpstreamFailure(ErrorKind.NOT_FOUND, "Gone!")
    assert advise(advise(failure, SAYS), SAYS).words == f"Gone! {SAYS}"
    assert advise(UpstreamFailure(ErrorKind.NOT_FOUND, "Gone"), "").words == "Gone"
    assert advise(UpstreamFailure(ErrorKind.NOT_FOUND, ""), SAYS).words == SAYS


def test_a_body_of_the_clients_shape_says_it_too_and_else_stays() -> None:
    made = advise(UpstreamFailure(ErrorKind.CONTEXT_OVERFLOW, "too long", body=BODY), SAYS).body
    assert made is not None
    assert json.loads(made)["error"]["message"] == f"too long. {SAYS}"
    assert made.replace(f". {SAYS}".encode(), b"") == BODY


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"error":5}', b'{"error":{"message":5}}', b'{"detail":"x"}'])
def test_a_body_of_another_shape_stays(body: bytes) -> None:
    assert advise(UpstreamFailure(ErrorKind.NOT_FOUND, "x", body=body), SAYS).body == body


def test_every_local_row_advises_in_one_sentence_and_no_other_row_does() -> None:
    for row in CATALOG:
        assert bool(row.advice) is (row.local and row.id != "demo")
        if row.advice:
            assert row.advice.endswith(".")
            assert ". " not in row.advice.replace("llama.cpp", "")
            assert len(row.advice) < 120
