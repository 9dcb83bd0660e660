"""A session prefers the key whose prompt cache may still be warm, and only that one."""

from __future__ import annotations

import pytest

from providers.affinity import REMEMBERED, Affinity

TTL = 300.0


def test_a_session_prefers_the_key_that_served_it() -> None:
    affinity = Affinity(TTL)
    assert affinity.preferred("s", 0.0) is None
    affinity.served("s", "k1", 0.0)
    assert affinity.preferred("s", TTL) == "k1"
    assert affinity.preferred("other", 0.0) is None


def test_the_preference_ends_with_the_cache() -> None:
    affinity = Affinity(TTL)
    affinity.served("s", "k1", 0.0)
    assert affinity.preferred("s", TTL + 0.001) is None


def test_each_answer_keeps_it_warm() -> None:
    affinity = Affinity(TTL)
    for moment in (0.0, 299.0, 598.0):
        affinity.served("s", "k1", moment)
    assert affinity.preferred("s", 898.0) == "k1"
    assert affinity.preferred("s", 898.1) is None


def test_a_substitute_changes_nothing() -> None:
    affinity = Affinity(TTL)
    affinity.served("s", "k1", 0.0)
    affinity.served("s", "k2", 200.0)
    assert affinity.preferred("s", 250.0) == "k1"
    assert affinity.preferred("s", TTL + 1) is None  # nor does its help keep the other's cache warm


def test_a_substitute_is_preferred_once_the_cache_is_cold() -> None:
    affinity = Affinity(TTL)
    affinity.served("s", "k1", 0.0)
    affinity.served("s", "k2", TTL + 1)
    assert affinity.preferred("s", TTL + 2) == "k2"


@pytest.mark.parametrize(("seconds", "session"), [(None, "s"), (TTL, "")])
def test_without_affinity_or_session_nothing_is_preferred(seconds: float | None, session: str) -> None:
    affinity = Affinity(seconds)
    affinity.served(session, "k1", 0.0)
    assert affinity.preferred(session, 0.0) is None


def test_the_sessions_served_longest_ago_are_forgotten_first() -> None:
    affinity = Affinity(TTL)
    for number in range(REMEMBERED):
        affinity.served(f"s{number}", "k1", 0.0)
    affinity.served("s0", "k1", 1.0)  # used again
    affinity.served("new", "k1", 1.0)
    assert affinity.preferred("s1", 1.0) is None
    assert [affinity.preferred(each, 1.0) for each in ("s0", "s2", "new")] == ["k1"] * 3
