"""Ten client tokens at one provider, one of them greedy, over HTTP. Not timed: a slot ends when the test says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fairness import GREEDY, POLITE, WORKERS, jain
from tests.gateway.faults import BAD, Provider, Rig, rigged
from tests.gateway.voices import MESSAGES
from tests.serving import ask
from tests.upstream import Hang, Request
from tests.virtual_http import in_virtual_time

SLOTS = 4
ROUNDS = 12
TURNS = 20_000  # of the loop, in which whatever is on its way has arrived
MAIN: Mapping[str, str] = {}
SUBAGENT = {"x-claude-code-agent-id": "a1b2c3d4", "x-app": "cli"}
BACKGROUND = {"x-app": "cli-bg"}
FACES = ("/v1/messages", "/v1/chat/completions", "/v1/responses")

HELD = MESSAGES.stream(*MESSAGES.half, Hang(), *MESSAGES.end)  # a good answer, to its half

Body = dict[str, Any]


def secret(name: str) -> str:
    return f"secret-of-{name}"


def bodied(path: str, words: str) -> Body:
    if path == "/v1/responses":
        return {"model": "any", "input": words, "stream": True}
    return ask(words, stream=True)


def words(request: Request) -> str:
    """What the client said."""
    said = request.json["messages"][0]["content"]
    return said if isinstance(said, str) else str(said[0]["text"])


@dataclass
class Crowd:
    """Clients with tokens of their own, and an upstream that answers one call after another."""

    rig: Rig
    path: str = FACES[0]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    answered: int = 0

    @property
    def upstream(self) -> Provider:
        return self.rig.primary

    @property
    def served(self) -> list[str]:
        """What each call that reached the upstream said, in order."""
        return [words(request) for request in self.upstream.server.requests]

    def start(self, *call: Any) -> None:
        self.tasks.append(asyncio.ensure_future(self.calls(*call)))

    async def calls(
        self, name: str, says: str, headers: Mapping[str, str] = MAIN, until: asyncio.Event | None = None
    ) -> None:
        """One call with this token, or one after another."""
        async with self.rig.client(**{"x-api-key": secret(name), **headers}) as client:
            while True:
                reply = await client.post(self.path, json=bodied(self.path, says))
                assert reply.status_code == 200, reply.text
                if until is None or until.is_set():
                    return

    async def waiting(self, count: int) -> None:
        """Returns once so many wait, and all slots are taken."""
        gate = self.rig.registry.get(self.upstream.voice.provider).gate
        await until(lambda: gate.waiting == count and len(self.upstream.server.requests) == self.answered + SLOTS)

    def next(self) -> None:
        """The oldest call that is still open ends well."""
        self.upstream.server.requests[self.answered].release.set()
        self.answered += 1

    async def over(self) -> None:
        self.upstream.answers.clear()
        for request in self.upstream.server.requests:
            request.release.set()
        await asyncio.gather(*self.tasks)
        await self.rig.came_back()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(TURNS):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError(holds)


@asynccontextmanager
async def crowd(home: Path, path: str = FACES[0]) -> AsyncIterator[Crowd]:
    tokens = "".join(f'[[tokens]]\nname = "{name}"\ntoken = "{secret(name)}"\n' for name in WORKERS)
    (home / "keyturn.toml").write_text(tokens)
    environ = {"PROVIDER_MAX_CONCURRENCY": str(SLOTS), "STREAM_KEEPALIVE_AFTER": "1000", "QUEUE_MAX_WAIT": "900"}
    async with rigged(home, MESSAGES, [BAD], environ=environ) as rig:
        rig.primary.answers[BAD] = HELD
        made = Crowd(rig, path)
        yield made
        await made.over()


@in_virtual_time
async def test_one_greedy_token_and_nine_polite_ones_are_served_alike(tmp_path: Path) -> None:
    async with crowd(tmp_path) as made:
        closing = asyncio.Event()
        for _ in range(WORKERS[GREEDY]):
            made.start(GREEDY, GREEDY, MAIN, closing)
        await made.waiting(WORKERS[GREEDY] - SLOTS)
        for name in POLITE:
            for _ in range(WORKERS[name]):
                made.start(name, name, MAIN, closing)
        for _ in range(ROUNDS * len(WORKERS)):
            await made.waiting(sum(WORKERS.values()) - SLOTS)
            made.next()
        closing.set()
        shares = Counter(made.served[SLOTS : ROUNDS * len(WORKERS)])
    assert jain([shares[name] for name in WORKERS]) >= 0.95, shares


@pytest.mark.parametrize("path", FACES)
@in_virtual_time
async def test_the_main_thread_goes_before_subagents_and_background_calls(tmp_path: Path, path: str) -> None:
    async with crowd(tmp_path, path) as made:
        for _ in range(SLOTS):
            made.start(GREEDY, "before")
        await made.waiting(0)
        for says, headers in (("background", BACKGROUND), ("agent", SUBAGENT), ("main", MAIN)):
            for _ in range(3):
                made.start("polite-1", says, headers)
                await made.waiting(len(made.tasks) - SLOTS)
        for left in range(len(made.tasks) - SLOTS - 1, -1, -1):
            made.next()
            await made.waiting(left)
        order = made.served[SLOTS:]
    assert order[:3] == ["main"] * 3
    assert order[3] == "agent"
    assert order.index("background") == 4, "it was passed four times, and is not forgotten"
    assert Counter(order) == {"main": 3, "agent": 3, "background": 3}


@in_virtual_time
async def test_a_token_gains_nothing_by_calling_itself_urgent(tmp_path: Path) -> None:
    async with crowd(tmp_path) as made:
        for _ in range(SLOTS):
            made.start(GREEDY, "before")
        await made.waiting(0)
        for _ in range(8):
            made.start(GREEDY, "urgent", MAIN)
        await made.waiting(8)
        for _ in range(4):
            made.start("polite-1", "humble", BACKGROUND)
        for left in range(11, 3, -1):
            await made.waiting(left + 1)
            made.next()
        await made.waiting(4)
        assert Counter(made.served[SLOTS:]) == {"urgent": 4, "humble": 4}
