"""Who may wait: so many calls in all, and when it is full, whose place goes to another. Pure.

One token alone may fill it. Whoever then comes of a token that has fewer waiting takes the place of the newest call of
the token that has most. So no number of tokens need be known, no place stays empty, and no token that waits for less
than the others is turned away by them. Every step takes O(1).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic

from providers.queue.fair_line import Rank, W


class WaitingRoom(Generic[W]):
    """Places of those who wait for one provider, for whatever reason."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._members: dict[str, tuple[OrderedDict[W, None], ...]] = {}  # by token, then by rank; the newest is last
        self._sizes: dict[str, int] = {}
        self._by_size: dict[int, dict[str, None]] = {}
        self._most = 0  # of one token
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def __contains__(self, waiter: W) -> bool:
        ranks = self._members.get(waiter.caller.token)
        return ranks is not None and waiter in ranks[waiter.caller.rank]

    @property
    def tokens(self) -> int:
        """Those that anybody waits of."""
        return len(self._sizes)

    def join(self, waiter: W, kept: W | None = None) -> W | None:
        """Who has no place now: nobody, another (never ``kept``), or ``waiter`` itself."""
        loser = None
        if self._total >= self._limit:
            loser = self._loser(waiter, kept)
            if loser is None:
                return waiter
            self.leave(loser)
        token = waiter.caller.token
        ranks = self._members.setdefault(token, tuple(OrderedDict() for _ in Rank))
        ranks[waiter.caller.rank][waiter] = None
        self._resize(token, 1)
        return loser

    def leave(self, waiter: W) -> None:
        """It waits no longer."""
        token = waiter.caller.token
        del self._members[token][waiter.caller.rank][waiter]
        self._resize(token, -1)
        if not self._sizes[token]:
            del self._members[token], self._sizes[token]

    def position(self, token: str) -> int:
        """At most so many calls, its own included, pass until another one of this token has."""
        own = self._sizes.get(token, 0)
        others = len(self._sizes) - (own > 0)
        return min(self._total + 1, (own + 1) * (others + 1))

    def _loser(self, waiter: W, kept: W | None) -> W | None:
        token, rank = waiter.caller.token, waiter.caller.rank
        if self._sizes.get(token, 0) + 1 < self._most:
            return self._newest(next(iter(self._by_size[self._most])), Rank.MAIN, kept)
        return self._newest(token, rank + 1, kept)

    def _newest(self, token: str, highest: int, kept: W | None) -> W | None:
        """Of the lowest rank that waits, down from ``highest``."""
        ranks = self._members.get(token, ())
        for members in reversed(ranks[highest:]):
            for waiter in reversed(members):
                if waiter is not kept:
                    return waiter
        return None

    def _resize(self, token: str, change: int) -> None:
        before = self._sizes.get(token, 0)
        after = self._sizes[token] = before + change
        self._total += change
        if before:
            alike = self._by_size[before]
            del alike[token]
            if not alike:
                del self._by_size[before]
        if after:
            self._by_size.setdefault(after, {})[token] = None
        if change > 0:
            self._most = max(self._most, after)
        elif self._most == before and before not in self._by_size:
            self._most = after
