"""Faults after the first content: what was said stays said, nothing is asked again, and the client hears of it.

A whole answer commits at its end, so there another key still helps. A tool call that was cut stays open: a client runs
a call as soon as its block is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway.faults import BAD, SPARE, answered, broken, of_type, rigged, text_of, total
from tests.gateway.voices import CHAT, GEMINI, HALF, VOICES, Voice
from tests.upstream import Cut, Hang, Pause, Raw, Reply, Reset, Signal
from tests.virtual_http import in_virtual_time

LIMITS = {"PROVIDER_MAX_CONCURRENCY": "1"}


@dataclass(frozen=True)
class End:
    """How a stream ends that has begun. ``seen`` is set once the client has all of the beginning."""

    make: Callable[[Voice, tuple[bytes, ...], Signal], Reply]
    type: str
    reason: str
    state: str = "ready"
    takes: float = 0.0  # seconds
    googles: str = ""  # the reason, where Google has another word for it


def event(kind: str) -> Callable[[Voice, tuple[bytes, ...], Signal], Reply]:
    return lambda voice, begun, seen: voice.stream(*begun, voice.error_event(kind, "Something is wrong"))


ENDS = {
    "FIN": End(lambda voice, begun, seen: voice.stream(*begun, Cut()), "api_error", "cut"),
    "RST": End(lambda voice, begun, seen: voice.stream(*begun, Pause(seen), Reset()), "api_error", "cut"),
    "a clean end": End(lambda voice, begun, seen: voice.stream(*begun), "api_error", "cut"),
    "FIN in a frame": End(lambda voice, begun, seen: voice.stream(*begun, begun[-1][:-5], Cut()), "api_error", "cut"),
    "junk between chunks": End(
        lambda voice, begun, seen: voice.stream(*begun, Raw(b"zz\r\n"), Cut()), "api_error", "cut"
    ),
    "silence": End(lambda voice, begun, seen: voice.stream(*begun, Hang()), "timeout_error", "stalled", takes=180),
    "error event": End(event("api_error"), "api_error", "server_error"),
    "overloaded event": End(event("overloaded_error"), "overloaded_error", "overloaded", googles="model_overloaded"),
    "limit event": End(event("rate_limit_error"), "rate_limit_error", "rate_limited", "limited"),
    "key event": End(event("authentication_error"), "api_error", "key_refused", "refused"),
    "malformed event": End(lambda voice, begun, seen: voice.stream(*begun, voice.malformed), "api_error", "malformed"),
}
EVERY_END = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
EVERY_VOICE = pytest.mark.parametrize("voice", VOICES, ids=str)

# what had been said, and the last of it that the client sees
BEGINNINGS: dict[str, tuple[Callable[[Voice], tuple[bytes, ...]], str]] = {
    "text": (lambda voice: voice.half, HALF[-7:]),
    "half a call": (lambda voice: voice.half_tool, "rm -r"),
    "a call that nobody ended": (lambda voice: voice.whole_tool, "build"),
}


@EVERY_END
@pytest.mark.parametrize(("begin", "mark"), BEGINNINGS.values(), ids=BEGINNINGS)
@EVERY_VOICE
@in_virtual_time
async def test_a_stream_ends_with_an_error(
    tmp_path: Path, voice: Voice, begin: Callable[[Voice], tuple[bytes, ...]], mark: str, end: End
) -> None:
    async with rigged(tmp_path, voice, fallback=True, environ=LIMITS) as rig:
        seen, began = Signal(), rig.now
        rig.primary.answers[BAD] = end.make(voice, begin(voice), seen)
        reply, body = await rig.watch(seen, mark)
        assert (reply.status_code, reply.headers["x-keyturn-attempts"]) == (200, "1")
        assert seen.is_set()
        found = broken(body, end.type)
        assert len(of_type(found, "content_block_start")) == 1
        assert of_type(found, "content_block_stop") == []
        assert text_of(found) == (HALF if HALF.endswith(mark) else "")
        assert rig.now - began == end.takes
        assert (rig.primary.asked_with, rig.fallback.asked_with) == ([BAD], [])
        await rig.came_back()
        assert list((await rig.pool.states()).values()) == [end.state, "ready"]
        samples = await rig.metrics()
        reason = (voice is GEMINI and end.googles) or end.reason
        assert total(samples, "keyturn_attempts_total", outcome="failed", reason=reason) == 1
        assert total(samples, "keyturn_requests_total", route="/v1/messages", outcome="cut") == 1
        assert total(samples, "keyturn_inflight") == 0
        await rig.serves_again()


@EVERY_END
@pytest.mark.parametrize("begin", [begin for begin, _ in BEGINNINGS.values()], ids=BEGINNINGS)
@in_virtual_time
async def test_a_whole_answer_is_asked_for_again(
    tmp_path: Path, begin: Callable[[Voice], tuple[bytes, ...]], end: End
) -> None:
    async with rigged(tmp_path, CHAT, environ=LIMITS) as rig:
        seen, began = Signal(), rig.now
        seen.set()
        rig.primary.answers[BAD] = end.make(CHAT, begin(CHAT), seen)
        answered(await rig.post(streamed=False), streamed=False)
        assert rig.now - began == end.takes
        assert rig.primary.asked_with == [BAD, SPARE]
        await rig.came_back()
        assert list((await rig.pool.states()).values()) == [end.state, "ready"]
        await rig.serves_again()
