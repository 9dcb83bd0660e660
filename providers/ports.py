"""What the providers need from above, and the records that they give back.

The composition root hands these in; nothing in this package imports metrics, logs or a clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from providers.state import Passed

_NEAR = 6  # steps back that may be the same again
_MOST = 100  # steps of waiting that one call's story tells
_DECISIONS = ("moved", "given_up", "skipped")

Clock = Callable[[], float]
"""Seconds since any fixed moment, never going back (``time.monotonic``)."""


class Handle(Protocol):
    """Something that will be called."""

    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Time:
    """Where moments, pauses and chance come from."""

    clock: Clock
    wall: Clock  # seconds since 1970
    sleep: Callable[[float], Awaitable[object]]
    chance: Callable[[], float]  # of 0 to 1
    later: Callable[[float, Callable[[], object]], Handle]  # calls back after so many seconds


@dataclass(slots=True)
class Usage:
    """Tokens as the upstream reported them; 0 where it said nothing."""

    input_tokens: int = 0  # neither read from a cache nor written to one
    output_tokens: int = 0  # reasoning included
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(slots=True)
class Attempt:
    """One try at one provider with one key. Metrics, logs and response headers all read it."""

    request_id: str
    provider: str
    model: str
    key: str  # its label, "" before a key was leased
    started: float  # on the Clock
    stream: bool = False  # the client wants its answer as a stream
    first_content: float | None = None
    ended: float | None = None
    outcome: str = "open"  # then ok | failed | abandoned
    reason: str = ""  # an ErrorKind where it failed
    words: str = field(default="", repr=False)  # of a failed one, the upstream's own; without the key
    status: int | None = None  # the upstream's
    usage: Usage = field(default_factory=Usage)
    reads: int = 0  # pieces in which a streamed answer came after its first content
    affinity: str = ""  # hit | moved | new, where the client names its session
    lost: tuple[str, ...] = ()  # what translation could not carry
    repairs: Mapping[str, int] = field(default_factory=dict)  # of tool calls, by kind; final when the attempt ends
    passed: Sequence[Passed] = ()  # keys that stood before this one and could not serve
    untold: Sequence[str] = ()  # parts of the answer that the client's dialect has no place for; final at the end


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a call beside its attempts."""

    at: float  # on the Clock, when it began
    what: str  # queued | refused | waited | moved | given_up | skipped
    provider: str
    model: str
    reason: str = ""  # an ErrorKind, a limit, queue_full, queue_wait; limit or backoff of a wait
    seconds: float = 0.0  # that it took; of a refusal, until a key may be free
    passed: Sequence[Passed] = ()
    to: str = ""  # the provider that it moved to
    answering: bool = False  # the client had been sent the reply's head by then
    times: int = 1

    @property
    def stage(self) -> str:
        """How far the reply had come."""
        return "before_content" if self.answering else "before_headers"

    def alike(self, other: Step) -> bool:
        return (self.what, self.provider, self.model, self.reason) == (
            other.what,
            other.provider,
            other.model,
            other.reason,
        )

    def again(self, later: Step) -> Step:
        """This step with another like it counted in."""
        seconds = later.seconds if self.what == "refused" else self.seconds + later.seconds
        return replace(self, seconds=seconds, passed=later.passed, times=self.times + 1)


@dataclass(slots=True)
class Trail:
    """The story of one call: filled on its way, told by metrics, logs, headers and ``explain``."""

    attempts: list[Attempt] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def note(self, step: Step) -> None:
        """Waiting is done in small pieces: a step like one of the last few counts with it if no attempt began since."""
        began = self.attempts[-1].started if self.attempts else float("-inf")
        for index in range(max(0, len(self.steps) - _NEAR), len(self.steps)):
            near = self.steps[index]
            if near.at >= began and near.alike(step):
                self.steps[index] = near.again(step)
                return
        if len(self.steps) < _MOST or step.what in _DECISIONS:
            self.steps.append(step)


class Observer(Protocol):
    """Whoever wants to know. Every method returns at once and never raises."""

    def attempt_began(self, attempt: Attempt) -> None: ...

    def attempt_ended(self, attempt: Attempt) -> None: ...
