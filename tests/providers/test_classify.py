"""What an upstream said when it failed: the kind by its status, the words from whatever shape it used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import policy
from providers.classify import classify, error_inside, settled, status_failure, words
from providers.errors import ErrorKind, Rest, Scope, UpstreamFailure
from providers.reset import LONGEST
from tests.providers.support import property_test

ANTHROPIC = b'{"type":"error","error":{"type":"invalid_request_error","message":"Say less"},"request_id":"req_1"}'


def raw(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.INVALID_REQUEST),
        (401, ErrorKind.KEY_REFUSED),
        (402, ErrorKind.KEY_UNPAID),
        (403, ErrorKind.KEY_FORBIDDEN),
        (404, ErrorKind.NOT_FOUND),
        (408, ErrorKind.SERVER_ERROR),
        (409, ErrorKind.SERVER_ERROR),
        (413, ErrorKind.TOO_LARGE),
        (422, ErrorKind.INVALID_REQUEST),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.SERVER_ERROR),
        (502, ErrorKind.SERVER_ERROR),
        (503, ErrorKind.SERVER_ERROR),
        (504, ErrorKind.SERVER_ERROR),
        (522, ErrorKind.SERVER_ERROR),
        (529, ErrorKind.OVERLOADED),
        (101, ErrorKind.MALFORMED),
        (307, ErrorKind.MALFORMED),
        (405, ErrorKind.MALFORMED),
        (418, ErrorKind.MALFORMED),
    ],
)
def test_the_kind_follows_the_status(status: int, kind: ErrorKind) -> None:
    failure = status_failure(status, {}, ANTHROPIC)
    assert (failure.kind, failure.status, failure.words) == (kind, status, "Say less")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("invalid_request_error", ErrorKind.INVALID_REQUEST),
        ("authentication_error", ErrorKind.KEY_REFUSED),
        ("billing_error", ErrorKind.KEY_UNPAID),
        ("permission_error", ErrorKind.KEY_FORBIDDEN),
        ("not_found_error", ErrorKind.NOT_FOUND),
        ("request_too_large", ErrorKind.TOO_LARGE),
        ("rate_limit_error", ErrorKind.RATE_LIMITED),
        ("overloaded_error", ErrorKind.OVERLOADED),
        ("timeout_error", ErrorKind.SERVER_ERROR),
        ("api_error", ErrorKind.SERVER_ERROR),
        ("brand_new_error", ErrorKind.SERVER_ERROR),
    ],
)
def test_the_kind_of_an_error_inside_a_200_follows_its_type(kind: str, expected: ErrorKind) -> None:
    failure = error_inside(raw({"type": "error", "error": {"type": kind, "message": "Sorry"}}))
    assert (failure.kind, failure.status, failure.words) == (expected, None, "Sorry")


# Bodies as providers send them: reference list, section 2.5, and each provider's notes.
SAID = {
    "anthropic": (ANTHROPIC, "Say less"),
    "openai": (
        raw({"error": {"message": "No such model", "type": "x", "param": None, "code": "404"}}),
        "No such model",
    ),
    "error string": (raw({"error": "model not found"}), "model not found"),
    "detail": (raw({"detail": "Unauthorized"}), "Unauthorized"),
    "details of fields": (raw({"detail": [{"loc": ["body"], "msg": "field required"}]}), "field required"),
    "message": (raw({"object": "error", "message": "Rate limit exceeded", "code": "1300"}), "Rate limit exceeded"),
    "title": (raw({"status": 429, "title": "Too Many Requests"}), "Too Many Requests"),
    "title and detail": (raw({"status": 403, "title": "Forbidden", "detail": "No credits"}), "No credits"),
    "json list": (raw([{"error": {"code": 429, "message": "Quota exceeded", "status": "X"}}]), "Quota exceeded"),
    "json string": (raw("down for repair"), "down for repair"),
    "lists in lists": (raw([[{"message": "deep"}]]), "deep"),
    "html": (b"<!DOCTYPE html>\n<html><head><TITLE class=x>\n 502 Bad\n</TITLE>", "an HTML page titled '502 Bad'"),
    "html without a title": (b"\n <html><body>Sorry</body></html>", "an HTML page"),
    "plain": (b" upstream connect error\n", "upstream connect error"),
    "half json": (b'{"error":{"message":"cut', '{"error":{"message":"cut'),
    "unicode": (raw({"error": {"message": "zu groß 🙂"}}), "zu groß 🙂"),
    "latin-1": (b"gr\xf6\xdfer", "gr\ufffd\ufffder"),
}


@pytest.mark.parametrize(("body", "said"), SAID.values(), ids=SAID.keys())
def test_words_are_found_in_every_shape(body: bytes, said: str) -> None:
    assert words(body) == said
    assert status_failure(500, {}, body).words == said
    assert error_inside(body).words == said


SILENT = [
    b"",
    b"  \n",
    b"{}",
    b"[]",
    b"null",
    b"7",
    b'{"error":{}}',
    b'{"error":null}',
    b'{"detail":[]}',
    b'{"message":7}',
]


@pytest.mark.parametrize("body", SILENT)
def test_silence_gets_words_too(body: bytes) -> None:
    assert status_failure(503, {}, body).words == "HTTP 503 without a message"
    assert error_inside(body).words == "an error without a message"


def test_words_are_cut_at_two_thousand_characters() -> None:
    assert words(b"x" * 3000) == "x" * 2000
    assert words(raw({"error": "ü" * 3000})) == "ü" * 2000


@pytest.mark.parametrize("depth", [50, 500, 900, 1500, 5000, 100_000])
@pytest.mark.parametrize("unit", [(b"[", b"]"), (b'{"error":', b"}"), (b'[{"error":', b"}]")])
def test_deep_bodies_end_in_words(depth: int, unit: tuple[bytes, bytes]) -> None:
    body = unit[0] * depth + b'"deep"' + unit[1] * depth
    assert isinstance(words(body), str)
    assert status_failure(500, {}, body).words
    assert error_inside(body).words


@pytest.mark.parametrize(
    "body",
    [
        ANTHROPIC,
        b' {"type": "error", "error": {"type": "x", "message": "", "details": {}}, "new": 1}\n',
        b'{"error":{"message":"m","type":"t"},"type":"error"}',
    ],
)
def test_a_body_in_anthropics_shape_is_kept_byte_for_byte(body: bytes) -> None:
    assert status_failure(400, {}, body).body == body
    assert error_inside(body).body == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        b"[" + ANTHROPIC + b"]",
        b'{"error":{"type":"t","message":"m"}}',
        b'{"type":"error","error":"m"}',
        b'{"type":"error","error":{"message":"m"}}',
        b'{"type":"error","error":{"type":"t"}}',
        b'{"type":"error","error":{"type":"t","message":null}}',
        b'{"type":"error","error":tru}',
        ANTHROPIC[:-1],
    ],
)
def test_a_body_in_another_shape_is_not_kept(body: bytes) -> None:
    assert status_failure(400, {}, body).body is None
    assert error_inside(body).body is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 30 ", 30),
        ("0", 0),
        ("9999999", 9999999),
        ("", None),
        ("-1", None),
        ("99999999", None),
        ("²", None),
        ("٣", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    assert status_failure(429, {"retry-after": value}, b"").retry_after == seconds


def test_no_retry_after() -> None:
    assert status_failure(429, {"x-retry-after": "7"}, b"").retry_after is None


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda part: (
        st.lists(part, max_size=2)
        | st.dictionaries(st.sampled_from(["error", "message", "detail", "title", "type", "msg"]), part, max_size=3)
    ),
    max_leaves=6,
)


@property_test
@given(st.integers(100, 599), st.binary(max_size=60) | JSON.map(raw))
def test_anything_is_classified(status: int, body: bytes) -> None:
    failure = status_failure(status, {}, body)
    assert failure.words
    assert failure.kind in ErrorKind
    assert error_inside(body).words
    assert failure.body in (None, body)


def test_an_error_inside_is_judged_again_by_its_provider() -> None:
    failure = error_inside(raw({"error": {"code": "1113", "message": "Insufficient balance"}}))
    assert (failure.kind, failure.scope) == (ErrorKind.SERVER_ERROR, Scope.PROVIDER)
    words_before, body_before = failure.words, failure.body
    assert settled(failure, "zai", {}) is failure
    assert (failure.kind, failure.scope, failure.rest) == (ErrorKind.KEY_UNPAID, Scope.ACCOUNT, Rest(4 * 3600.0))
    assert (failure.words, failure.body, failure.evidence) == (words_before, body_before, None)
    assert settled(failure, "acme", {}).kind is ErrorKind.KEY_UNPAID


def test_the_headers_of_the_answer_count_for_an_error_inside_it() -> None:
    failure = error_inside(raw({"error": {"code": 429, "message": "Too many"}}))
    assert settled(failure, "acme", {"retry-after": "9"}).rest == Rest(9.0, honest=True)
    assert failure.retry_after is None


def test_other_failures_are_left_alone() -> None:
    failure = UpstreamFailure(ErrorKind.CUT, "it closed")
    assert settled(failure, "zai", {}) is failure
    assert (failure.kind, failure.scope, failure.rest) == (ErrorKind.CUT, None, None)


@pytest.mark.parametrize("status", [401, 402, 429])
@pytest.mark.parametrize("body", [{"error": {"message": "prompt is too long", "code": "context_length_exceeded"}}])
def test_a_key_or_a_limit_is_never_the_requests_fault(status: int, body: Any) -> None:
    assert status_failure(status, {}, raw(body)).scope is not Scope.REQUEST


def test_a_request_that_is_echoed_does_not_name_the_error() -> None:
    echoed = {"type": "authentication_error", "code": "insufficient_quota", "message": "rate limit, 50 per day"}
    detail = [{"type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": echoed}]
    failure = status_failure(422, {}, raw({"detail": detail, "request": {"error": echoed}}))
    assert (failure.kind, failure.scope, failure.rest) == (ErrorKind.INVALID_REQUEST, Scope.REQUEST, None)


def test_a_request_that_is_blamed_rests_nothing() -> None:
    failure = status_failure(400, {"retry-after": "30"}, ANTHROPIC)
    assert (failure.scope, failure.rest, failure.retry_after) == (Scope.REQUEST, None, 30)


def test_a_refused_key_rests_as_long_as_we_say() -> None:
    failure = status_failure(401, {"retry-after": "1"}, b"")
    assert (failure.scope, failure.rest) == (Scope.KEY, Rest(1800.0))


@pytest.mark.parametrize("code", ["9" * 5000, "٤٢٩", "²", "", True, None, 4.29, -429, 10**400, {}])
def test_odd_codes(code: Any) -> None:
    assert error_inside(raw({"error": {"message": "m", "code": code}})).kind is ErrorKind.SERVER_ERROR


HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-ratelimit-reset", "cf-mitigated", "x-amzn-errortype"]),
    st.text(max_size=20),
    max_size=3,
)


@property_test
@given(
    st.sampled_from(["", "zai", "open_router", "gemini", "minimax", "acme"]),
    st.none() | st.integers(100, 999),
    HEADERS,
    st.binary(max_size=60) | JSON.map(raw),
)
def test_anything_has_a_scope_and_a_rest(
    provider: str, status: int | None, headers: dict[str, str], body: bytes
) -> None:
    failure = classify(provider, status, headers, body, 1.8e9)
    assert failure.scope is not None
    assert (failure.rest is None) is (failure.scope in (Scope.REQUEST, Scope.US))
    if failure.rest is not None and failure.rest.seconds is not None:
        assert 0 <= failure.rest.seconds <= LONGEST
    assert 400 <= policy.fault(failure).status <= 599
