"""What the pool shows as time goes by: rests that run, end, or wait for one attempt; usage limits and their windows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.lasting import TRANSPORTS
from gateway.observers import Observers
from gateway.pool_view import PoolView, labels, moment
from gateway.settings import load
from gateway.state.memory import MemoryStore
from gateway.words import WORDS, words
from providers.dialects import discover
from providers.errors import ErrorKind, Scope, UpstreamFailure
from providers.keys import KeyPool, Wish
from providers.policy import LIMITS
from providers.registry import Registry
from providers.state import OPERATOR, RestOrder
from tests.moments import Moments

KEYS = {"GROQ_API_KEYS": "gk-0123456789-one gk-0123456789-two"}
ONE, TWO = "groq-01", "groq-02"


class Shown:
    """A registry with nothing of a network, and what is seen of it."""

    def __init__(self, home: Path, environ: Mapping[str, str] = KEYS) -> None:
        self.moments = Moments(frozen=True)
        clock, wall = self.moments.clock, self.moments.wall
        settings = load({**KEYS, **environ}, home, home)
        self.registry = Registry(
            settings.providers, discover(), TRANSPORTS, MemoryStore(clock, wall), Observers(), self.moments.time()
        )
        self.view = PoolView(self.registry, clock, wall)

    @property
    def pool(self) -> KeyPool:
        return self.registry.pools["groq"]

    async def key(self, label: str = ONE) -> Any:
        return await self.view.key("groq", label)

    async def states(self) -> tuple[str, ...]:
        """As the key entries have them; the metrics agree."""
        states = await self.pool.states()
        assert states == {label: (await self.key(label))["state"] for label in states}
        return tuple(states.values())

    async def provider(self) -> Any:
        whole = await self.view.whole()
        return next(each for each in whole["providers"] if each["provider"] == "groq")

    async def fail(self, kind: ErrorKind, scope: Scope | None = None, model: str = "m") -> None:
        """An attempt that fails so."""
        with suppress(UpstreamFailure):
            async with self.pool.lease(Wish(model)):
                self.moments.ahead += 0.001
                raise UpstreamFailure(kind, "no", scope=scope)

    async def work(self, times: int = 1, model: str = "m") -> None:
        for _ in range(times):
            async with self.pool.lease(Wish(model)):
                self.moments.ahead += 0.001


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


async def test_a_refused_key_waits_for_one_attempt_when_its_rest_is_over(shown: Shown) -> None:
    await shown.fail(ErrorKind.KEY_REFUSED)
    entry = await shown.key()
    assert (entry["state"], entry["reason"], entry["half_open"]) == ("refused", "key_refused", False)
    assert entry["seconds"] == 1800.0
    assert entry["until"] == moment(shown.moments.wall() + 1800)
    shown.moments.ahead += 1801
    entry = await shown.key()
    assert (entry["state"], entry["half_open"], entry["until"], entry["seconds"]) == ("refused", True, None, None)
    assert entry["rests"][0]["half_open"]
    await shown.work(2)
    assert await shown.states() == ("ready", "ready")


async def test_a_rate_limit_that_is_over_is_over(shown: Shown) -> None:
    await shown.fail(ErrorKind.RATE_LIMITED)
    assert await shown.states() == ("limited", "ready")
    shown.moments.ahead += 100
    assert await shown.states() == ("ready", "ready")
    assert (await shown.key())["rests"] == []


async def test_a_models_rest_leaves_the_keys_ready(shown: Shown) -> None:
    await shown.fail(ErrorKind.MODEL_OVERLOADED)
    assert await shown.states() == ("ready", "ready")
    (rest,) = (await shown.provider())["rests"]
    assert (rest["scope"], rest["model"], rest["why"]) == ("model", "m", "model overloaded")


async def test_a_provider_that_refused_all_its_keys_is_the_one_that_rests(shown: Shown) -> None:
    for _ in range(2):
        await shown.fail(ErrorKind.KEY_FORBIDDEN)
    (rest,) = (await shown.provider())["rests"]
    assert (rest["scope"], rest["reason"], rest["half_open"]) == ("provider", "key_forbidden", False)
    assert await shown.states() == ("ready", "ready")
    shown.moments.ahead += 100
    (rest,) = (await shown.provider())["rests"]
    assert rest["half_open"]


async def test_a_model_that_a_key_does_not_have(shown: Shown) -> None:
    await shown.fail(ErrorKind.MODEL_NOT_FOUND, model="m")
    entry = await shown.key()
    assert (entry["state"], entry["why"]) == ("ready", None)
    assert [(rest["scope"], rest["model"], rest["why"]) for rest in entry["rests"]] == [
        ("model", "m", "no such model for this key")
    ]


async def test_the_keys_own_rest_decides_before_a_models(shown: Shown) -> None:
    key = shown.pool.keys[0]
    await shown.pool.rest(key, "a", RestOrder(Scope.KEY_MODEL, ErrorKind.RATE_LIMITED, 50.0, honest=True))
    await shown.pool.rest(key, "", RestOrder(Scope.KEY, OPERATOR, 500.0, honest=True))
    entry = await shown.key()
    assert (entry["state"], entry["seconds"]) == ("rested", 500.0)
    assert [rest["model"] for rest in entry["rests"]] == [None, "a"]


@pytest.mark.parametrize(("window", "until"), [("round", None), ("day", "2027-01-16"), ("month", "2027-02-01")])
async def test_a_key_that_is_spent(tmp_path: Path, window: str, until: str | None) -> None:
    shown = Shown(tmp_path, {"GROQ_KEY_USAGE_LIMIT": "2", "GROQ_KEY_USAGE_WINDOW": window})
    assert moment(shown.moments.wall()) == "2027-01-15T08:00:00Z"
    await shown.work(3)
    assert await shown.states() == ("spent", "ready")
    entry = await shown.key()
    assert (entry["used"], entry["usage_limit"], entry["reason"]) == (2, 2, "usage")
    assert entry["why"] == "its usage limit is reached"
    assert entry["until"] == (f"{until}T00:00:00Z" if until else None)
    assert (entry["seconds"] is None) is (until is None)
    assert (await shown.key(TWO))["used"] == 1


async def test_looking_opens_nothing(shown: Shown) -> None:
    await shown.view.whole()
    assert shown.registry.live == {}


def test_labels_lead_to_keys(shown: Shown) -> None:
    found = labels(shown.registry)
    assert next(iter(found)) == ONE
    assert {name for name, _ in found.values()} == {config.id for config in shown.registry.configs}
    assert found[TWO][1] is shown.pool.keys[1]


def test_every_reason_has_words() -> None:
    assert WORDS.keys() >= {*ErrorKind, OPERATOR, *LIMITS}
    assert words("something_new") == "something new"
    assert words("") == ""


def test_moments_are_rfc_3339_in_utc() -> None:
    assert moment(1_800_000_000.9) == "2027-01-15T08:00:00Z"
    assert datetime.fromisoformat(moment(0.0)).timestamp() == 0.0
