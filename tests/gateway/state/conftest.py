"""The stores that fulfil the port. Each test that asks for a ``desk`` runs with each of them."""

from __future__ import annotations

import pytest

from gateway.state.memory import MemoryStore
from tests.gateway.state.support import Desk, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory"])
def desk(request: pytest.FixtureRequest, clock: HandClock) -> Desk:
    match request.param:
        case "memory":
            return Desk(MemoryStore(lambda: clock.now, lambda: clock.wall), clock)
        case other:
            raise AssertionError(other)
