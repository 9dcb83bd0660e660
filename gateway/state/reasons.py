"""Why a store is away. Pure, and without the client of any store."""

from __future__ import annotations

SLOW = "slow"  # no answer in time
REFUSED = "refused"  # the password, or what the user may do
READ_ONLY = "read_only"  # a replica
OUT_OF_MEMORY = "out_of_memory"
UNREACHABLE = "unreachable"
BROKEN = "broken"  # anything else that it says
REASONS = (SLOW, REFUSED, READ_ONLY, OUT_OF_MEMORY, UNREACHABLE, BROKEN)


class StoreAway(Exception):
    """The server cannot be had; ``reason`` is one of REASONS. What was asked may have been done all the same."""

    def __init__(self, reason: str, words: str = "") -> None:
        super().__init__(words or reason)
        self.reason = reason
