"""Whatever a client was sent while it waited, its official SDK takes the answer that follows as it takes it alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from providers.call import Waiting
from providers.chat.fold import fold
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.conformance.samples import SPOKEN, STREAMS, Sample
from tests.providers.dialects.conformance.sdk import CLIENTS, Client
from tests.providers.support import by_the_book
from tests.upstream import ScriptedServer

READABLE = [sample for sample in STREAMS if not sample.notes.get("unparseable")]
PAIRS = list(product(READABLE, CLIENTS))
each_dialect = pytest.mark.parametrize("dialect", SPOKEN)


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Client]]:
    with ScriptedServer() as server:
        made = {name: make(server) for name, make in CLIENTS.items()}
        yield made
        for client in made.values():
            client.close()


def waiting(dialect: str) -> Waiting:
    return kit.FACES[dialect].waiting(kit.call(dialect))


@pytest.mark.parametrize(("sample", "client"), PAIRS, ids=[f"{sample}-{client}" for sample, client in PAIRS])
def test_an_answer_after_a_long_wait_is_taken(sample: Sample, client: str, clients: dict[str, Client]) -> None:
    machine = waiting(client)
    before = machine.ping() + machine.hold() + machine.ping() + machine.hold()
    _, sent = kit.translated(sample.dialect, client, sample.raw)
    message = fold(kit.read(sample.dialect, sample.raw))
    assert clients[client].streamed(before + machine.join(sent)) == clients[client].expected(message)


@each_dialect
def test_nothing_of_a_ping_is_an_answer(dialect: str) -> None:
    names = [name for name, _ in by_the_book(waiting(dialect).ping())]
    assert names in ([], [b"ping"])


@each_dialect
def test_an_answer_that_nothing_was_begun_for_is_the_same_object(dialect: str) -> None:
    machine = waiting(dialect)
    machine.ping()
    for data in (b"event: message_start\ndata: {}\n\n", b"half an event", b""):
        assert machine.join(data) is data
