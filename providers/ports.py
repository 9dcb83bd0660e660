"""What the providers need from above, and the one record that they give back.

The composition root hands these in; nothing in this package imports metrics, logs or a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

Clock = Callable[[], float]
"""Seconds since any fixed moment, never going back (``time.monotonic``)."""


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
    first_content: float | None = None
    ended: float | None = None
    outcome: str = "open"  # then ok | failed | abandoned
    reason: str = ""  # an ErrorKind where it failed
    status: int | None = None  # the upstream's
    usage: Usage = field(default_factory=Usage)
    lost: tuple[str, ...] = ()  # what translation could not carry


class Observer(Protocol):
    """Whoever wants to know. Every method returns at once and never raises."""

    def attempt_began(self, attempt: Attempt) -> None: ...

    def attempt_ended(self, attempt: Attempt) -> None: ...

    def key_state(self, provider: str, key: str, state: str) -> None:
        """``state`` is one of keys.STATES."""
