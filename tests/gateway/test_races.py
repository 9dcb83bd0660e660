"""Many calls at once: no key is blamed for another, no client hears of a key that failed, and nothing stays behind.

KEYTURN_TEST_REQUESTS sets how many requests the longest tests make; 300 unless set.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.gateway.faults import Rig, events, late, of_type, one_start, reply_of, rigged, text_of, total
from tests.gateway.voices import GOOD, VOICES, Voice
from tests.serving import ask, leave, post
from tests.upstream import Answer, Cut, Hang, Head, Pause, Reply, Request, Reset, Send, json_reply
from tests.upstream.bare_client import connected
from tests.virtual_http import in_virtual_time

MANY = int(os.environ.get("KEYTURN_TEST_REQUESTS", "300"))
LEAVERS = min(MANY, 1000)
AT_ONCE = 50
SLOTS = 12
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)


class Arrivals:
    """When each key was asked, on the loop's clock."""

    def __init__(self) -> None:
        self.moments: dict[str, list[float]] = {}

    def of(self, key: str, answer: Answer) -> Callable[[Request], Reply]:
        def make(request: Request) -> Reply:
            self.moments.setdefault(key, []).append(asyncio.get_running_loop().time())
            return reply_of(answer, request)

        return make


async def served(rig: Rig, streamed: bool) -> None:
    """One call on a connection of its own, whose answer must be the good one."""
    async with connected(rig.gateway.port) as client:
        client.write(post(json.dumps(ask(stream=streamed)).encode(), connection="close"))
        head, _, body = (await client.reader.read(-1)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), (head, body)
    if not streamed:
        assert json.loads(body)["content"][0]["text"] == GOOD
        return
    found = events(unchunked(body))
    assert not of_type(found, "error"), body
    one_start(found)
    assert text_of(found) == GOOD
    assert of_type(found, "message_stop")


def unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return b"".join(parts)


@pytest.mark.parametrize("apart", [0.0, 0.1], ids=["at once", "ten by ten"])
@pytest.mark.parametrize("bad", [(0, 1, 2), (4, 2, 0)], ids=str)
@EVERY_VOICE
@in_virtual_time
async def test_two_hundred_calls_over_five_keys_of_which_three_fail(
    tmp_path: Path, voice: Voice, bad: Sequence[int], apart: float
) -> None:
    keys = [f"sk-{number}" for number in range(5)]
    refused, limited = [keys[bad[0]], keys[bad[1]]], keys[bad[2]]
    good = [key for key in keys if key not in (*refused, limited)]
    arrivals = Arrivals()
    async with rigged(tmp_path, voice, keys) as rig:
        for key in refused:
            refusal = late(voice.refusal(401, "authentication_error", "invalid key"), 0.1)
            rig.primary.answers[key] = arrivals.of(key, refusal)
        busy = late(voice.refusal(429, "rate_limit_error", "slow down", [("retry-after", "60")]), 0.1)
        rig.primary.answers[limited] = arrivals.of(limited, busy)
        for key in good:
            rig.primary.answers[key] = arrivals.of(key, late(voice.good(), 1.0))

        async def call(number: int) -> None:
            await asyncio.sleep(number // 10 * apart)
            await served(rig, streamed=bool(number % 3))

        began = rig.now
        await asyncio.gather(*(call(number) for number in range(200)))
        assert rig.now - began < 20 * apart + 1.2
        for key in (*refused, limited):
            asked = arrivals.moments[key]
            assert max(asked) <= min(asked) + 0.1, "asked again after its first failure was known"
        await _only_these_rest(rig, {**dict.fromkeys(refused, ("", 1800.0)), limited: (voice.model, 60.0)}, keys)
        assert abs(len(arrivals.moments[good[0]]) - len(arrivals.moments[good[1]])) <= 2
        await rig.came_back()


async def _only_these_rest(rig: Rig, rests: dict[str, tuple[str, float]], keys: Sequence[str]) -> None:
    """Each for as long as one failure makes it, however many calls met it."""
    snapshot = await rig.pool.snapshot()
    assert snapshot.rests == ()
    samples = await rig.metrics()
    for key, seen in zip(keys, snapshot.keys, strict=True):
        found = [(rest.model, rest.seconds) for rest in seen.rests]
        failures = total(samples, "keyturn_attempts_total", key=seen.label) - total(
            samples, "keyturn_attempts_total", key=seen.label, outcome="ok"
        )
        if key not in rests:
            assert (found, failures) == ([], 0)
            continue
        [(model, seconds)] = found
        assert model == rests[key][0]
        assert rests[key][1] - 3.2 < seconds <= rests[key][1]
        assert failures > 0


def failing(voice: Voice) -> dict[str, Answer]:
    """Nine keys, each of which fails in a way of its own."""
    html = Reply((Head(200, (("content-type", "text/html"),)), Send(b"<title>Log in</title>")))
    return {
        "sk-401": voice.refusal(401, "authentication_error", "invalid key"),
        "sk-402": voice.refusal(402, "billing_error", "no money"),
        "sk-403": voice.refusal(403, "permission_error", "not for you"),
        "sk-429": voice.refusal(429, "rate_limit_error", "slow down"),
        "sk-500": voice.refusal(500, "api_error", "oops"),
        "sk-529": voice.refusal(529, "overloaded_error", "Overloaded"),
        "sk-cut": Reply((Head(200), Cut())),
        "sk-stall": Reply((Hang(),)),
        "sk-html": html,
    }


@EVERY_VOICE
@in_virtual_time
async def test_one_healthy_key_among_ten_is_enough(tmp_path: Path, voice: Voice) -> None:
    dice = random.Random(20261120)  # noqa: S311 - nothing is kept secret by it
    bad = failing(voice)
    keys = [*bad, "sk-good"]
    dice.shuffle(keys)
    async with rigged(tmp_path, voice, keys, environ={"FIRST_TOKEN_TIMEOUT": "20"}) as rig:
        rig.primary.answers |= bad

        for _ in range(MANY // AT_ONCE):
            await asyncio.gather(*(served(rig, streamed=dice.random() < 0.7) for _ in range(AT_ONCE)))
            # so that limits end, those that stood back are tried again, and long rests are probed
            rig.moments.ahead += dice.choice((0, 0, 1, 1, 1, 10, 40, 2000))
        await rig.came_back()
        samples = await rig.metrics()
        assert total(samples, "keyturn_requests_total", outcome="ok", route="/v1/messages") == MANY // AT_ONCE * AT_ONCE
        assert total(samples, "keyturn_requests_total", route="/v1/messages") == MANY // AT_ONCE * AT_ONCE
        assert set(rig.primary.asked_with) == set(keys)
        good = next(key for key, each in zip((await rig.pool.snapshot()).keys, keys, strict=True) if each == "sk-good")
        assert good.rests == ()


@EVERY_VOICE
@in_virtual_time
async def test_clients_that_leave_leave_nothing_behind(tmp_path: Path, voice: Voice) -> None:
    dice = random.Random(20261121)  # noqa: S311 - nothing is kept secret by it
    good = voice.good()
    answers: list[Answer] = [
        good,
        late(good, 5.0),
        Reply((Hang(),)),
        voice.stream(Hang()),
        voice.stream(voice.start, Hang()),
        voice.stream(*voice.half, Hang()),
        voice.stream(*voice.half, Pause(3.0), Cut()),
        voice.stream(*voice.half * 200),
        voice.refusal(500, "api_error", "oops"),
        voice.refusal(429, "rate_limit_error", "slow down", [("retry-after", "3")]),
        Reply((Pause(2.0), Reset())),
        Reply((Head(529), Send(b"{"), Hang())),
        json_reply({"ok": True}),
    ]

    environ = {"PROVIDER_MAX_CONCURRENCY": str(SLOTS), "QUEUE_LIMIT": "30", "STREAM_KEEPALIVE_AFTER": "4"}
    async with rigged(tmp_path, voice, ["sk-1", "sk-2", "sk-3"], environ=environ) as rig:
        before = await _tasks(rig)
        rig.primary.answers = dict.fromkeys(
            ("sk-1", "sk-2", "sk-3"), lambda request: reply_of(dice.choice(answers), request)
        )

        async def visit() -> None:
            sent = post(json.dumps(ask(stream=dice.random() < 0.7)).encode())
            async with connected(rig.gateway.port) as client:
                client.write(sent[: dice.choice([len(sent), len(sent), len(sent), dice.randrange(len(sent))])])
                await client.writer.drain()
                if dice.random() < 0.5:
                    for _ in range(dice.randrange(60)):
                        await asyncio.sleep(0)  # turns of the loop: the moments at which a client may leave
                else:
                    await asyncio.sleep(dice.randrange(12))
                leave(client.writer, reset=dice.random() < 0.5)

        for _ in range(LEAVERS // 50):
            await asyncio.gather(*(visit() for _ in range(50)))
        await rig.came_back()
        samples = await rig.metrics()
        assert total(samples, "keyturn_inflight") == 0
        # some left before there was a request
        assert total(samples, "keyturn_requests_total", route="/v1/messages") > 0.6 * LEAVERS
        assert total(samples, "keyturn_requests_total", route="/v1/messages", outcome="client_gone") > 0.3 * LEAVERS
        assert len(rig.primary.server.connections) <= SLOTS
        assert await _tasks(rig) == before
        assert "Traceback" not in rig.gateway.log.text
        await rig.serves_again()


async def _tasks(rig: Rig) -> set[str]:
    """What runs in this loop beside requests and the connections of the scripted upstreams."""
    await rig.gateway.settled()
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    return {name for name in names if not name.startswith("Connection._perform_all")}
