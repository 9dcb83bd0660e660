"""The store of one process: nothing is awaited, so every verb is atomic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gateway.state.ledger import Ledger
from providers.ports import Clock
from providers.state import Admission, Ask, Candidate, RestOrder, Settlement, Snapshot


class MemoryStore:
    """See StateStore."""

    keeps_traffic = False
    away = None  # it is always there
    records = None  # nor are there others to tell
    book = None
    clients = None
    usage = None

    def __init__(self, clock: Clock, wall: Clock) -> None:
        self._clock = clock
        self._wall = wall
        self._ledgers: defaultdict[str, Ledger] = defaultdict(Ledger)

    async def __aenter__(self) -> MemoryStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def ledger(self, provider: str) -> Ledger:
        """The provider's, to be kept and restored."""
        return self._ledgers[provider]

    async def admit(self, ask: Ask) -> Admission:
        return self._ledgers[ask.provider].admit(ask, self._clock(), self._wall())

    async def proved(self, provider: str, lease: str) -> None:
        self._ledgers[provider].proved(lease, self._clock())

    async def settle(self, provider: str, lease: str, settlement: Settlement) -> None:
        self._ledgers[provider].settle(lease, settlement, self._clock())

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        self._ledgers[provider].rest(candidate, model, order, self._clock())

    async def wake(self, provider: str, candidate: Candidate | None) -> None:
        self._ledgers[provider].wake(candidate)

    async def snapshot(self, provider: str, candidates: Sequence[Candidate]) -> Snapshot:
        return self._ledgers[provider].snapshot(candidates, self._clock())
