"""Every answer of every upstream, translated for every client, is taken by that client's official SDK."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from providers.chat.fold import fold
from providers.translation import Translation
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.conformance.samples import SPOKEN, STREAMS, WHOLES, Sample
from tests.providers.dialects.conformance.sdk import CLIENTS, Client
from tests.upstream import ScriptedServer

# But for calls whose arguments the model itself left unreadable.
READABLE = [sample for sample in STREAMS if not sample.notes.get("unparseable")]


def crossed(samples: list[Sample]) -> pytest.MarkDecorator:
    pairs = list(product(samples, CLIENTS))
    return pytest.mark.parametrize(("sample", "client"), pairs, ids=[f"{sample}-{client}" for sample, client in pairs])


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Client]]:
    with ScriptedServer() as server:
        made = {name: make(server) for name, make in CLIENTS.items()}
        yield made
        for client in made.values():
            client.close()


def test_every_dialect_has_its_official_client() -> None:
    assert sorted(CLIENTS) == SPOKEN


@crossed(READABLE)
def test_a_stream_is_taken(sample: Sample, client: str, clients: dict[str, Client]) -> None:
    machine, sent = kit.translated(sample.dialect, client, sample.raw)
    assert (machine.ended, machine.failure) == (True, None)
    message = fold(kit.read(sample.dialect, sample.raw))
    assert clients[client].streamed(sent) == clients[client].expected(message)


@crossed(READABLE)
def test_an_answer_that_a_client_wants_whole_is_the_fold_of_its_stream(
    sample: Sample, client: str, clients: dict[str, Client]
) -> None:
    machine, sent = kit.translated(sample.dialect, client, sample.raw, stream=False)
    assert (machine.ended, machine.failure) == (True, None)
    message = fold(kit.read(sample.dialect, sample.raw))
    assert clients[client].whole(sent) == clients[client].expected(message)


@crossed(WHOLES)
def test_a_body_that_came_whole_is_streamed_on(sample: Sample, client: str, clients: dict[str, Client]) -> None:
    machine = Translation(kit.reader(sample.dialect), kit.writer(client), True)
    sent = machine.take_whole(sample.raw)
    assert (machine.ended, machine.failure) == (True, None)
    message = fold(kit.read_whole(sample.dialect, sample.raw))
    assert clients[client].streamed(sent) == clients[client].expected(message)
