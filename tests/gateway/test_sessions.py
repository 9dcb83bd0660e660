"""Which conversation a request belongs to, in each way in which clients say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.sessions import LONGEST, session
from providers.json_object import JsonObject


def named(header: str = "", **body: Any) -> str:
    return session(header, JsonObject(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("header", "body", "found"),
    [
        ("", {}, ""),
        (" s-1 ", {"prompt_cache_key": "k"}, "s-1"),
        ("", {"metadata": {"user_id": "user_ab_account_cd_session_0123-4567"}, "prompt_cache_key": "k"}, "0123-4567"),
        ("", {"metadata": {"user_id": '{"session_id": "s-2"}'}}, "s-2"),
        ("", {"metadata": {"user_id": '{"session_id": 5}'}}, ""),
        ("", {"metadata": {"user_id": "{"}}, ""),
        ("", {"metadata": {"user_id": 5}, "prompt_cache_key": "k"}, "k"),
        ("", {"metadata": "x", "prompt_cache_key": "k"}, "k"),
        ("", {"prompt_cache_key": 5}, ""),
        ("", {"prompt_cache_key": "k" * 300}, "k" * LONGEST),
    ],
)
def test_the_session_of_a_request(header: str, body: dict[str, Any], found: str) -> None:
    assert named(header, **body) == found
