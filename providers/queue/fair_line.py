"""Who of those who wait comes next: fair across client tokens, by rank within one. Pure.

Start-time fair queueing (Goyal, Vin, Cheng 1996), where every call costs one: what calls wait for here is counted in
calls, a slot or one of the window's tokens. While two tokens wait, one is served at most two calls more than the other.
Every step takes O(log n) for n tokens that wait, once for each model that is waited for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

MOST_PASSED = 4  # calls of a token that go before one of a lower rank; with three ranks, one more at times
_SPARE = 64  # entries that nobody needs, besides as many as are needed, before they are cleared away


class Rank(IntEnum):
    """How urgent a call is among those of its token."""

    MAIN = 0
    SUBAGENT = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``token`` is the name of a client token, "" where the gateway has none."""

    token: str = ""
    rank: Rank = Rank.MAIN


NOBODY = Caller()


class Waiter:
    """A call that waits. ``lane`` is the model that it waits for."""

    __slots__ = ("caller", "lane")

    def __init__(self, caller: Caller, lane: str) -> None:
        self.caller = caller
        self.lane = lane


W = TypeVar("W", bound=Waiter)


@dataclass(slots=True)
class _Flow(Generic[W]):
    """What waits of one token in one lane: by rank, first come first served."""

    number: int  # of those that tie, the lower one comes first
    ranks: tuple[OrderedDict[W, None], ...] = field(default_factory=lambda: tuple(OrderedDict() for _ in Rank))
    passed: list[int] = field(default_factory=lambda: [0] * len(Rank))  # how often a rank was not the one, in a row

    def first(self) -> W:
        waiting = [rank for rank in Rank if self.ranks[rank]]
        longest = max(waiting, key=self.passed.__getitem__)
        return next(iter(self.ranks[longest if self.passed[longest] >= MOST_PASSED else waiting[0]]))

    def served(self, rank: Rank) -> None:
        for other in Rank:
            self.passed[other] = self.passed[other] + 1 if other is not rank and self.ranks[other] else 0

    def remove(self, waiter: W) -> None:
        members = self.ranks[waiter.caller.rank]
        del members[waiter]
        if not members:
            self.passed[waiter.caller.rank] = 0

    @property
    def empty(self) -> bool:
        return not any(self.ranks)


@dataclass(slots=True)
class _Lane(Generic[W]):
    flows: dict[str, _Flow[W]] = field(default_factory=dict)  # by token
    heap: list[tuple[int, int, str]] = field(default_factory=list)  # start tag, a flow's number, its token


class FairLine(Generic[W]):
    """Those who wait for one provider."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane[W]] = {}
        self._virtual = 0  # the start tag of whoever was served last
        self._finished: dict[str, int] = {}  # by token, the tag at which its last call ended
        self._numbers = count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, lane: str) -> bool:
        """Whether anybody waits there."""
        return lane in self._lanes

    def holds(self, waiter: W) -> bool:
        """Whether this one waits here."""
        lane = self._lanes.get(waiter.lane)
        flow = lane.flows.get(waiter.caller.token) if lane else None
        return flow is not None and waiter in flow.ranks[waiter.caller.rank]

    def waiting(self, lane: str) -> Iterator[W]:
        """All who wait there, in no particular order."""
        if found := self._lanes.get(lane):
            for flow in found.flows.values():
                for members in flow.ranks:
                    yield from members

    def tokens(self, lane: str) -> int:
        """Of how many tokens."""
        return len(self._lanes[lane].flows) if lane in self._lanes else 0

    def add(self, waiter: W) -> None:
        """Last of its rank, its token and its lane."""
        caller = waiter.caller
        lane = self._lanes.setdefault(waiter.lane, _Lane())
        flow = lane.flows.get(caller.token)
        if flow is None:
            flow = lane.flows[caller.token] = _Flow(next(self._numbers))
            heappush(lane.heap, (self._start(caller.token), flow.number, caller.token))
        flow.ranks[caller.rank][waiter] = None
        self._size += 1

    def first(self, closed: Collection[str] = ()) -> W | None:
        """Whose turn it is, in a lane that is not ``closed``. It stays in the line."""
        heads = [(self._head(lane), name) for name, lane in self._lanes.items() if name not in closed]
        if not heads:
            return None
        (_, _, token), name = min(heads)
        return self._lanes[name].flows[token].first()

    def served(self, waiter: W) -> None:
        """It was let through."""
        self._virtual = self._start(waiter.caller.token)
        self.charge(waiter.caller.token)
        self._lanes[waiter.lane].flows[waiter.caller.token].served(waiter.caller.rank)
        self.remove(waiter)

    def charge(self, token: str) -> None:
        """One of its calls was let through, while others wait, perhaps without waiting itself."""
        self._finished[token] = self._start(token) + 1
        if len(self._finished) > self._size + _SPARE:
            self._finished = {name: tag for name, tag in self._finished.items() if tag > self._virtual}

    def remove(self, waiter: W) -> None:
        """It waits no longer."""
        token = waiter.caller.token
        lane = self._lanes[waiter.lane]
        flow = lane.flows[token]
        flow.remove(waiter)
        self._size -= 1
        if flow.empty:
            del lane.flows[token]
            self._tidy(waiter.lane, lane)

    def _tidy(self, name: str, lane: _Lane[W]) -> None:
        if not lane.flows:
            del self._lanes[name]
        elif len(lane.heap) > 2 * len(lane.flows) + _SPARE:
            lane.heap = [entry for entry in lane.heap if _lives(lane, entry)]
            heapify(lane.heap)
        if not self._size:  # nobody competes: what was served before counts no more
            self._virtual = 0
            self._finished.clear()

    def _start(self, token: str) -> int:
        return max(self._virtual, self._finished.get(token, 0))

    def _head(self, lane: _Lane[W]) -> tuple[int, int, str]:
        """The first entry, once it is true. A flow that stood in a closed lane does not make up for it."""
        heap = lane.heap
        while True:
            tag, number, token = heap[0]
            start = self._start(token)
            if not _lives(lane, heap[0]):
                heappop(heap)
            elif tag < start:
                heapreplace(heap, (start, number, token))
            else:
                return heap[0]


def _lives(lane: _Lane[W], entry: tuple[int, int, str]) -> bool:
    flow = lane.flows.get(entry[2])
    return flow is not None and flow.number == entry[1]
