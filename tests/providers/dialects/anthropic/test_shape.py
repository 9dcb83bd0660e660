"""The fast look never passes what the slow one refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from providers.dialects.anthropic import checks
from providers.dialects.anthropic.shape import is_sound
from providers.errors import Fault
from providers.json_object import JsonObject
from tests.providers.bodies import spoilt
from tests.providers.support import property_test

WIRE = Path(__file__).parents[3] / "wire" / "anthropic" / "requests"
BODIES = {path.stem: path.read_bytes() for path in sorted(WIRE.glob("*.json"))}


def refused(raw: bytes) -> bool:
    """What the slow look says."""
    body = JsonObject(raw)
    try:
        checks.look(body)
    except Fault:
        return True
    return False


@pytest.mark.parametrize("name", BODIES)
def test_what_clients_send_is_sound_at_first_sight_or_at_second(name: str) -> None:
    assert not refused(BODIES[name])
    checks.check(JsonObject(BODIES[name]))


def test_claude_codes_own_request_is_sound_at_first_sight() -> None:
    assert is_sound(BODIES["claude_code"])


@property_test
@given(spoilt())
def test_what_is_sound_at_first_sight_is_not_refused_at_second(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    assert not (is_sound(raw) and refused(raw))


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"model":"m"}', b'{"a":' * 5000, b'{"model":"\\ud800","messages":[]}']
)
def test_what_is_no_request_is_not_sound(raw: bytes) -> None:
    assert not is_sound(raw)
