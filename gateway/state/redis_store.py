"""The store of many processes: what they share is in Redis, each verb one script there.

See ``lua``: the scripts do what ``ledger.py`` does. The server's clock counts; times are turned into this process's
before anybody sees them. A verb that fails raises StoreAway, and may be asked again: leases have ids, and one event
counts once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.state import redis_text
from gateway.state.line import Job, Line
from gateway.state.mirror import Mirror, Mirrors, Used
from gateway.state.reasons import StoreAway
from gateway.state.redis_text import Meters, Names, Reply, number
from gateway.state.scripts import ADMIT, ALIVE, BEAT, MERGE, REST, SETTLE, SNAPSHOT, WAKE, Script
from providers.ports import Clock
from providers.spec import NO_LIMITS
from providers.state import (
    REFUNDED,
    WHOLE,
    Admission,
    Ask,
    Candidate,
    KeyState,
    RestOrder,
    RestState,
    Settlement,
    Snapshot,
)

LIFE = 20.0  # seconds after the last sign of its process at which a lease is over
OWED = 10_000  # settlements that are kept for a server that is away
REMEMBERED = 10_000  # candidates; settings that are read again bring new ones
BEATS = 200  # leases in one sign of life

Moments = Callable[[], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Held:
    """A lease, as the process that has it knows it."""

    ask: Ask
    candidate: Candidate
    text: str  # as the scripts write it, should the server have lost it


class RedisStore:
    """See StateStore; ``mirrors`` are told of all that is learned of a provider's state."""

    keeps_traffic = True

    def __init__(
        self,
        line: Line,
        names: Names,
        clock: Clock,
        mirrors: Mirrors,
        life: float = LIFE,
        moments: Moments | None = None,
    ) -> None:
        """``moments`` stands in for the server's clock, steady and since 1970: for tests of what takes days."""
        self.held: dict[tuple[str, str], Held] = {}
        self._line = line
        self._names = names
        self._clock = clock
        self._mirrors = mirrors
        self._life = repr(life)
        self._moments = moments
        self._unsure: set[tuple[str, str]] = set()  # leases that nobody waited for to the end
        self._owed: deque[Job] = deque(maxlen=OWED)
        self._texts: dict[Candidate, str] = {}
        self._seen: dict[Candidate, str] = {}

    # -- the verbs

    async def admit(self, ask: Ask) -> Admission:
        job = Job(ADMIT, self._names.keys(ask.provider), self._admit_args(ask))
        try:
            raw: bytes = await self._line.run(job)
        except StoreAway:  # it may have given the lease all the same
            self._owed.append(self._abandonment(ask.provider, ask.lease))
            raise
        except BaseException:  # so it may have here, and whoever asked will say that it is not wanted
            self._unsure.add((ask.provider, ask.lease))
            raise
        reply = redis_text.reply(raw.decode(), ask)
        self._take_in(ask, reply)
        if not reply.chosen:
            return Admission(None, reply.wait, reply.reason, reply.passed)
        candidate = ask.candidates[reply.chosen - 1]
        if (ask.provider, ask.lease) not in self.held:
            self.held[ask.provider, ask.lease] = Held(ask, candidate, self._held_text(ask, candidate, reply.now))
            self._mirrors[ask.provider].took(ask, candidate, self._clock())
        return Admission(candidate, passed=reply.passed, probe=reply.probe)

    async def proved(self, provider: str, lease: str, later: bool = False) -> None:
        """``later``: the server is away, and is told when it is back."""
        if held := self.held.get((provider, lease)):
            self._mirrors[provider].proved(lease, self._clock())
            await self._send(self._settlement(provider, lease, Settlement("proved"), held), later)

    async def settle(self, provider: str, lease: str, settlement: Settlement, later: bool = False) -> None:
        held = self.held.pop((provider, lease), None)
        if held is None:
            if (provider, lease) in self._unsure:
                self._unsure.discard((provider, lease))
                await self._send(self._abandonment(provider, lease), later)
            return
        held.candidate.view.meter.open -= 1
        self._mirrors[provider].settle(lease, settlement, self._clock())
        await self._send(self._settlement(provider, lease, settlement, held), later)

    async def rest(self, provider: str, candidate: Candidate | None, model: str, order: RestOrder) -> None:
        self._mirrors[provider].rest(candidate, model, order, self._clock())
        field = self._names.rest_field(candidate, model)
        await self._run(REST, provider, field, redis_text.order_text(order))

    async def wake(self, provider: str, candidate: Candidate | None, later: bool = False) -> None:
        self._mirrors[provider].wake(candidate)
        whose = ("", "")
        if candidate:
            whose = self._names.hashed(candidate.id), self._names.hashed(candidate.account)
        await self._send(self._job(WAKE, provider, *whose), later)

    async def snapshot(self, provider: str, candidates: Sequence[Candidate]) -> Snapshot:
        hashes = [self._names.hashed(each.id) for each in candidates]
        for each in candidates:
            self._names.hashed(each.account)
        now, meters, flat = await self._run(SNAPSHOT, provider, *hashes)
        return self._snapshot(candidates, float(now), meters, list(redis_text.pairs(flat)))

    def has(self, provider: str, lease: str) -> bool:
        """Whether the server gave this lease to this process, or may have, and it is open."""
        return (provider, lease) in self.held or (provider, lease) in self._unsure

    # -- signs of life

    async def alive(self, deadline: float | None = None) -> float:
        """Whether the server can be written to; its clock."""
        raw: bytes = await self._line.run(Job(ALIVE, (f"{self._names.prefix}alive",), ["", ""]), deadline)
        return float(raw)

    async def reconnect(self, deadline: float) -> None:
        await self._line.hang_up()
        await self.alive(deadline)

    async def aclose(self) -> None:
        await self._line.aclose()

    async def beat(self) -> None:
        """Keeps the leases of this process, those too that it gave to itself."""
        self._adopt(self._clock() - await self.alive())
        by_provider: dict[str, list[str]] = defaultdict(list)
        for (provider, lease), held in self.held.items():
            by_provider[provider] += (lease, held.text)
        for provider, args in by_provider.items():
            for first in range(0, len(args), 2 * BEATS):
                await self._run(BEAT, provider, *args[first : first + 2 * BEATS])

    async def return_from(self, since: float) -> None:
        """Tells a server that was away since a moment of this process's clock what came to be meanwhile."""
        while self._owed:
            await self._line.run(self._owed[0])
            self._owed.popleft()
        await self.beat()
        for provider, mirror in list(self._mirrors.items()):
            ago = self._clock() - since
            args = [*self._found(mirror, since), *(self._used(each, used, ago) for each, used in mirror.used().items())]
            if len(args) > 1:
                await self._run(MERGE, provider, *args)

    def _adopt(self, ahead: float) -> None:
        """Leases that this process gave to itself are from now on the server's."""
        for provider, mirror in self._mirrors.items():
            for ask, candidate, lease in mirror.own_leases():
                text = self._held_text(ask, candidate, lease.began - ahead)
                self.held[provider, ask.lease] = Held(ask, candidate, text)

    def _found(self, mirror: Mirror, since: float) -> list[str]:
        now, args = self._clock(), list[str]()
        for found in mirror.found(since, now):
            rest = found.rest
            if found.account:
                args.append(f"a:{self._names.hashed(found.account)}")
            else:
                args.append(self._names.rest_field(found.candidate, found.model))
            left, ago = number(rest.until - now), number(now - rest.since)
            args.append(f"{left} {ago} {rest.step} {rest.strikes} {rest.probe:d} {rest.reason}")
        return [str(len(args) // 2), *args]

    def _used(self, whose: Candidate | str | None, used: Used, ago: float) -> str:
        numbers = f"{used.requests} {number(used.interval)} {used.tokens} {number(used.token)} {number(ago)}"
        if isinstance(whose, Candidate):
            return f"{numbers} {used.good} {whose.view.period} k:{self._names.hashed(whose.id)}"
        return f"{numbers} 0 0 {'p' if whose is None else f'm:{redis_text.model_name(whose)}'}"

    # -- what is sent

    def _header(self) -> list[str]:
        if self._moments is None:
            return ["", "", self._life]
        return [*map(number, self._moments()), self._life]

    def _admit_args(self, ask: Ask) -> list[str]:
        args = self._header()
        args += (ask.lease, redis_text.model_name(ask.model), str(ask.tokens), redis_text.limits_text(ask))
        args += map(self._text, ask.candidates)
        return args

    def _text(self, candidate: Candidate) -> str:
        found = self._texts.get(candidate)
        if found is None:
            if len(self._texts) >= REMEMBERED:
                self._texts.clear()
                self._seen.clear()
            found = self._texts[candidate] = redis_text.candidate_text(self._names, candidate)
        return found

    def _held_text(self, ask: Ask, candidate: Candidate, now: float) -> str:
        whose = f"{self._names.hashed(candidate.id)} {self._names.hashed(candidate.account)}"
        limited = (ask.model_limits != NO_LIMITS) + 2 * ask.traffic.limited
        period = candidate.view.period
        return f"{whose} {number(now)} {ask.tokens} 0 0 {period} {limited} {redis_text.model_name(ask.model)}"

    def _abandonment(self, provider: str, lease: str) -> Job:
        """Of a lease of which nothing is known."""
        return self._job(SETTLE, provider, lease, "abandoned", "", "0 0", "", "")

    def _settlement(self, provider: str, lease: str, settlement: Settlement, held: Held) -> Job:
        args = self._header()
        order, tokens = settlement.rest, settlement.tokens
        args += (lease, settlement.outcome, "" if tokens is None else str(tokens))
        limits = held.candidate.limits.tokens or 0, held.ask.model_limits.tokens or 0
        refunded = held.ask.bucket and settlement.outcome == REFUNDED and held.candidate.limits.requests
        args += (f"{limits[0]} {limits[1]} {refunded or 0}", redis_text.order_text(order), held.text)
        if order and (order.common or order.all_keys):
            args += map(self._text, held.ask.candidates)
        return Job(SETTLE, self._names.keys(provider), args)

    # -- what comes back

    def _take_in(self, ask: Ask, reply: Reply) -> None:
        """Every view is brought up to date, and so is what all keys share."""
        ahead = self._clock() - reply.now
        for candidate, text in zip(ask.candidates, reply.meters, strict=True):
            if self._seen.get(candidate) != text:
                self._seen[candidate] = text
                _show(candidate, redis_text.meters(text), ahead)
        ledger = self._mirrors[ask.provider].ledger
        found = {place: redis_text.rest(text, ahead) for place, text in reply.rests}
        places = [(ledger.models, WHOLE), (ledger.models, ask.model)]
        for candidate in ask.candidates:
            own = candidate.view.rests
            places += ((own, WHOLE), (own, ask.model), (ledger.accounts, candidate.account))
        for place, (rests, name) in enumerate(places):
            if place in found:
                rests[name] = found[place]
            elif rests:
                rests.pop(name, None)

    def _snapshot(
        self, candidates: Sequence[Candidate], now: float, meters: Sequence[bytes], rests: list[tuple[str, str]]
    ) -> Snapshot:
        own: dict[str, list[RestState]] = defaultdict(list)
        common: list[RestState] = []
        for field, text in rests:
            rest = redis_text.rest(text, 0.0)
            if not rest.step:
                continue
            kind, _, name = field.partition(":")
            left = max(0.0, rest.until - now)
            if kind == "k":
                key, _, model = name.partition(":")
                own[key].append(RestState(rest.reason, left, model, "", rest.probe))
            elif kind == "m":
                common.append(RestState(rest.reason, left, name, "", rest.probe))
            elif account := self._names.named(name):
                common.append(RestState(rest.reason, left, WHOLE, account, rest.probe))
        return Snapshot(
            tuple(
                _key_state(each, redis_text.meters(text.decode()), own[self._names.hashed(each.id)])
                for each, text in zip(candidates, meters, strict=True)
            ),
            tuple(common),
        )

    def _job(self, script: Script, provider: str, *args: str) -> Job:
        return Job(script, self._names.keys(provider), [*self._header(), *args])

    async def _run(self, script: Script, provider: str, *args: str) -> Any:
        return await self._line.run(self._job(script, provider, *args))

    async def _send(self, job: Job, later: bool) -> None:
        if later:
            self._owed.append(job)
            return
        try:
            await self._line.run(job)
        except StoreAway:
            self._owed.append(job)
            raise


def _show(candidate: Candidate, seen: Meters, ahead: float) -> None:
    view = candidate.view
    view.meter.open, view.turns, view.used, view.period = seen.open, seen.turns, seen.used, seen.period
    view.last_used = seen.last_used + ahead if seen.last_used else 0.0


def _key_state(candidate: Candidate, seen: Meters, rests: Sequence[RestState]) -> KeyState:
    return KeyState(candidate.label, seen.open, seen.used, seen.turns, tuple(rests))
