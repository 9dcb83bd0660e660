"""What the driver asks of the load generator, and what it hears back: one line of JSON each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_GOLDEN = 0.618033988749895  # its multiples fill a circle evenly


class Job(msgspec.Struct, frozen=True):
    """``connections`` that each send a request, and the next one when its answer is whole, while the budget lasts."""

    connections: int
    count: int  # requests at most
    chunks: int = 0  # of each answer; 0 asks for whole answers
    spacing: int = 0  # milliseconds between two chunks
    big: bool = False  # the big body
    translated: bool = False  # the gateway's upstream speaks Chat Completions
    seconds: float = 60.0  # no request is sent after that
    ramp: float = 0.0  # seconds over which the connections send their first requests
    warm: int = 0  # requests before the measured ones
    limit: float = 60.0  # seconds after which what is still open has failed

    @property
    def starts(self) -> list[float]:
        """When each connection sends its first request, in seconds from the beginning."""
        # Spread over the spacing too: streams in step would write all their chunks at the same moment.
        return [
            self.ramp * number / self.connections + number * _GOLDEN % 1 * self.spacing / 1000
            for number in range(self.connections)
        ]

    @property
    def ideal(self) -> float:
        """Seconds that one spaced stream per connection takes where nobody is late."""
        return max(self.starts) + (self.chunks - 1) * self.spacing / 1000


class Order(msgspec.Struct, frozen=True):
    """A job, and the port of its target."""

    port: int
    job: Job


class Spread(msgspec.Struct, frozen=True):
    """Of some times, in microseconds."""

    p50: float
    p99: float


class Result(msgspec.Struct, frozen=True):
    """``failure`` says what became of the first request that failed."""

    done: int
    failed: int
    failure: str
    seconds: float
    chunks: int
    latency: Spread | None  # from sending to the end of the answer
    first: Spread | None  # from sending to the first chunk
    transit: Spread | None  # from the upstream's write of a chunk to its arrival


class Warm(msgspec.Struct, frozen=True):
    """The connections are open and warm; the measured requests wait for a line."""

    failed: int


def spread(nanoseconds: Sequence[int]) -> Spread | None:
    """None of nothing."""
    if not nanoseconds:
        return None
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return Spread(ordered[last // 2] / 1000, ordered[round(last * 0.99)] / 1000)
