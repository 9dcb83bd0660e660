"""What is taken out of text before it is logged, and what stays."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.redaction import LONG, Redactor

KEY = 'k3y/with"and\\and+'
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: *** ***"),
        ('{"x-api-key": "abcdef"}', '{"x-api-key": "***"}'),
        (r"{\"api_key\": \"abcdef\", \"n\": 1}", r"{\"api_key\": \"***\", \"n\": 1}"),
        ("curl -H 'x-goog-api-key: abcdef'", "curl -H 'x-goog-api-key: ***'"),
        ("GET /v1beta/models?key=abcdef&alt=sse", "GET /v1beta/models?key=***&alt=sse"),
        ("http://user:pass@proxy:3128/", "http://***@proxy:3128/"),
        ("my key is sk-proj-abcdefghijkl1234", "my key is ***"),
        ("gsk_abcdefghijklmn and nvapi-abcdefghijklmn", "*** and ***"),
        ("AIzaSyA0123456789abcdefghijk", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0x.sig-nature", "***"),
        ("password=hunter2; cookie: a=b", "password=***; cookie: ***"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The key idea of tokens: input_tokens is 12, a basic need.",
        '{"max_tokens": 64, "key": "value", "author": "me"}',
        "/usr/lib/python3/dist-packages/a/b.py line 12, commit 4f6c1d2a9b8e7c6d5f4a3b2c1d0e9f8a7b6c5d4e",
        "risk-averse and task-oriented",
        "",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_long_base64_is_told_by_its_length() -> None:
    data = b64encode(bytes(range(256)) * 4).decode()
    assert Redactor()(f'{{"data":"{data}"}}') == f'{{"data":"<{len(data)} characters>"}}'
    assert Redactor()("a" * (LONG - 1)) == "a" * (LONG - 1)
    escaped = "a\\/" * LONG  # as PHP and Google write JSON
    assert Redactor()(escaped) == f"<{len(escaped)} characters>"


@pytest.mark.parametrize("form", [KEY, json.dumps(KEY), json.dumps(json.dumps(KEY)), quote(KEY), quote(KEY, safe="")])
def test_a_known_secret_is_found_however_it_is_written(form: str) -> None:
    assert "k3y" not in Redactor([KEY])(f"<{form}>")


def test_the_longer_of_two_secrets_goes_first_and_a_tiny_one_is_none() -> None:
    assert Redactor(["abcdef", "abcdef-2", "a", ""])("abcdef-2 abcdef a") == "*** *** a"


@given(secret=PRINTABLE, before=PRINTABLE, after=PRINTABLE)
def test_no_surroundings_hide_a_known_secret(secret: str, before: str, after: str) -> None:
    shown = Redactor([secret])(f"{before}{secret}{after}")
    assert secret not in shown or secret in "***" * 20


@pytest.mark.parametrize("piece", ["api_key=", "://a:", "?key=", "bearer ", "eyJaaaaaaaa.", "x-", "\\/", '"', "sk-a."])
def test_a_hostile_body_takes_no_longer_than_its_length(piece: str) -> None:
    """Each would take minutes if a pattern began anew at every place."""
    began = time.process_time()
    Redactor(["secret"])(piece * 50_000)
    assert time.process_time() - began < 5
