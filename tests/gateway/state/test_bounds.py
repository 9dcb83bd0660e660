"""Clients can invent any number of models: nothing that is remembered grows with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from gateway.state.ledger import Ledger
from gateway.state.rests import MOST
from providers.errors import ErrorKind, Scope
from providers.spec import Limits
from providers.state import OPERATOR, WHOLE, Ask, Candidate, RestOrder, Settlement
from tests.gateway.state.support import BROKEN, HOUR, LIMITED, NOON, OVERLOADED, REFUSED, keys, order

INVENTED = 100_000
MISSING = order(ErrorKind.MODEL_NOT_FOUND)


def attempt(ledger: Ledger, candidate: Candidate, model: str, now: float, settlement: Settlement) -> bool:
    admission = ledger.admit(Ask(f"{model} {now}", "acme", model, [candidate]), now, NOON)
    if admission.candidate:
        ledger.settle(f"{model} {now}", settlement, now)
    return admission.candidate is not None


def containers(value: Any) -> Iterator[Any]:
    """Everything that holds something, however deep."""
    if is_dataclass(value):
        for each in fields(value):
            yield from containers(getattr(value, each.name))
    elif isinstance(value, dict | list | set | tuple):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers(part)


@pytest.mark.parametrize(
    "settlement",
    [
        Settlement("failed", rest=MISSING),
        Settlement("failed", rest=LIMITED),
        Settlement("failed", rest=BROKEN),
        Settlement("failed", rest=OVERLOADED),
        Settlement("failed", rest=order(ErrorKind.RATE_LIMITED, HOUR)),
        Settlement("ok", 10),
    ],
    ids=["missing", "limited", "broken", "overloaded", "honest", "ok"],
)
def test_invented_models_take_no_room(settlement: Settlement) -> None:
    ledger = Ledger()
    [key] = keys(1, Limits(requests=10**9, tokens=10**9))
    for number in range(INVENTED // 5):
        served = attempt(ledger, key, f"invented-{number}", 1000.0 + number / 1000, settlement)
        assert served, "one model's rest is not another's"
        assert max(len(key.view.rests), len(ledger.models)) <= MOST
    assert max(len(each) for each in [*containers(ledger), *containers(key)]) <= MOST


def test_a_flood_of_all_kinds_leaves_what_holds_for_all_models() -> None:
    ledger, now = Ledger(), 1000.0
    pool = keys(3)
    attempt(ledger, pool[0], "m", now, Settlement("failed", rest=REFUSED))
    ledger.rest(None, WHOLE, RestOrder(Scope.PROVIDER, OPERATOR, 1.0), now)
    now += HOUR / 2
    kinds = [MISSING, LIMITED, BROKEN, OVERLOADED]
    for number in range(INVENTED):
        now += 0.001
        attempt(ledger, pool[number % 2], f"invented-{number}", now, Settlement("failed", rest=kinds[number // 2 % 4]))
    assert max(len(each) for each in [*containers(ledger), *containers(pool)]) <= MOST
    assert ledger.models[WHOLE].reason == OPERATOR
    attempt(ledger, pool[0], "m", now, Settlement("failed", rest=REFUSED))
    assert pool[0].view.rests[WHOLE].until == pytest.approx(now + HOUR), "its ladder is remembered"
    assert len(ledger.snapshot(pool, now).keys[1].rests) <= MOST


def test_a_model_that_rests_now_is_remembered_before_those_that_do_not() -> None:
    ledger, now = Ledger(), 1000.0
    [key] = keys(1)
    attempt(ledger, key, "real", now, Settlement("failed", rest=order(ErrorKind.RATE_LIMITED, HOUR)))
    for number in range(5 * MOST):
        now += 1.1
        attempt(ledger, key, f"invented-{number}", now, Settlement("failed", rest=LIMITED))
    assert not attempt(ledger, key, "real", now, Settlement("ok"))


def test_ended_attempts_leave_nothing_behind() -> None:
    ledger = Ledger()
    pool = keys(2)
    for number in range(1000):
        for outcome in ("ok", "failed", "abandoned"):
            assert attempt(ledger, pool[number % 2], "m", 1000.0 + number, Settlement(outcome))
    assert not any(containers(ledger))
