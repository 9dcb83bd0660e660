"""Which error shape a path's client can read."""

from __future__ import annotations

import json

import pytest

from middleware.shapes import error_body, error_headers, speaks_openai
from providers.errors import Fault, bad_request
from tests.serving import http_scope


@pytest.mark.parametrize(
    ("path", "openai"),
    [
        ("/v1/messages", False),
        ("/v1/messages/batches", False),
        ("/v1/messages/count_tokens", False),
        ("/v1/complete", False),
        ("/", False),
        ("/nonsense", False),
        ("/v1/chat/completions", True),
        ("/v1/completions", True),
        ("/v1/responses", True),
        ("/v1/responses/resp_1", True),
        ("/v1/v1/responses", True),
        ("/v1/embeddings", True),
        ("/v1/images/generations", True),
        ("/v1/audio/speech", True),
        ("/v1/moderations", True),
        ("/v1/batches", True),
    ],
)
def test_the_path_decides(path: str, openai: bool) -> None:
    assert speaks_openai(http_scope(path)) is openai
    assert speaks_openai(http_scope(path, anthropic_version="2023-06-01")) is openai


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/a/b", "/v1/files", "/v1/files/file_1/content"])
def test_on_a_path_of_both_the_client_decides(path: str) -> None:
    assert speaks_openai(http_scope(path)) is True
    assert speaks_openai(http_scope(path, anthropic_version="2023-06-01")) is False


@pytest.mark.parametrize(
    ("ours", "theirs", "code"),
    [
        ("invalid_request_error", "invalid_request_error", "invalid_request_error"),
        ("authentication_error", "invalid_request_error", "invalid_api_key"),
        ("permission_error", "invalid_request_error", "permission_error"),
        ("not_found_error", "invalid_request_error", "not_found_error"),
        ("request_too_large", "invalid_request_error", "request_too_large"),
        ("rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
        ("api_error", "server_error", "api_error"),
        ("overloaded_error", "server_error", "overloaded_error"),
        ("timeout_error", "server_error", "timeout_error"),
    ],
)
def test_types_are_translated(ours: str, theirs: str, code: str) -> None:
    shaped = json.loads(error_body(Fault(400, ours, "m"), "req_1", openai=True))
    assert shaped == {"error": {"message": "m", "type": theirs, "param": None, "code": code}}


def test_a_body_in_anthropics_shape_is_not_sent_to_an_openai_client() -> None:
    fault = Fault(400, "invalid_request_error", "m", body=b'{"type":"error"}')
    assert error_body(fault, "r") == b'{"type":"error"}'
    assert json.loads(error_body(fault, "r", openai=True))["error"]["message"] == "m"


def test_an_openai_client_is_told_which_field_is_wrong() -> None:
    shaped = json.loads(error_body(bad_request("input.0.role", "should be a word"), "r", openai=True))
    assert (shaped["error"]["param"], shaped["error"]["message"]) == (
        "input[0].role",
        "input[0].role: should be a word",
    )


@pytest.mark.parametrize(("retry", "shown"), [(True, b"true"), (False, b"false"), (None, None)])
def test_retry_headers(retry: bool | None, shown: bytes | None) -> None:
    headers = dict(error_headers(Fault(500, "api_error", "m", retry=retry)))
    assert headers.get(b"x-should-retry") == shown
    assert b"retry-after" not in headers
