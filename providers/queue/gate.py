"""A provider's queue, its window and its slots: those who wait are let through one at a time, as ``fair_line`` has it.

Nobody is chosen before there is room for one more, so that whoever comes meanwhile is still in time.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import AsyncExitStack
from types import TracebackType

from aiolimiter import AsyncLimiter

from providers.keys import NoneFits
from providers.ports import Time
from providers.queue.fair_line import NOBODY, Caller, FairLine, Waiter
from providers.queue.lanes import ClosedLanes
from providers.queue.waiting_room import WaitingRoom
from providers.queue.yielding import Yielding
from providers.spec import Traffic
from providers.state import Admission
from providers.windows import spacing

APART = 0.01  # seconds, at most, between the looks that processes take at limits that they share
LOOK = 0.1  # seconds between two of one process, for a slot that another one may give back
PAUSE = 0.12  # seconds in which all of them have looked


class QueueFull(Exception):
    """As many wait as may, or whoever came may not."""


class Place(Waiter):
    """One call's at one provider. Whoever made it says ``forget`` at the end."""

    __slots__ = ("called", "chosen", "looked", "until")

    def __init__(self, caller: Caller = NOBODY, lane: str = "") -> None:
        super().__init__(caller, lane)
        self.until = math.inf  # on the Clock: a key that comes later is of no use to it
        self.chosen = False  # it has the turn
        self.looked = False  # though there was nothing to be had in time
        self.called: asyncio.Future[bool] | None = None  # set while it waits: whether it was chosen

    def call(self, chosen: bool) -> None:
        """Ends its waiting."""
        if self.called is not None and not self.called.done():
            self.called.set_result(chosen)


class Gate:
    """One per provider and process. Without limits it costs nothing."""

    def __init__(self, traffic: Traffic, time: Time, elsewhere: bool = False) -> None:
        """``elsewhere``: window and slots are a store's, which many processes share; here is only the queue."""
        self.traffic = traffic
        self.held = 0  # slots
        here = not elsewhere
        self._elsewhere = elsewhere
        self._time = time
        self._slots = traffic.concurrency if here and traffic.concurrency else None
        self._window = window(traffic.rate, traffic.window) if here and traffic.rate else None
        self.free = self._slots is None and self._window is None  # nothing is limited here
        self._room: WaitingRoom[Place] = WaitingRoom(traffic.queue_limit)
        self._line: FairLine[Place] = FairLine()
        self._closed = ClosedLanes(time, self._advance)
        self._yielding = Yielding()
        self._chosen: Place | None = None
        self._hopeless: deque[Place] = deque()  # who look once more all the same, to be told why
        self._token = False  # one of the window's, taken for whoever comes next
        self._filling: asyncio.Task[None] | None = None  # takes it

    @property
    def waiting(self) -> int:
        """Calls, for whatever reason."""
        return len(self._room)

    def open(self, lane: str) -> bool:
        """Whoever comes may look for a key at once, without a turn."""
        return self.free and lane not in self._line

    def turn(self, place: Place | None = None, patient: bool = True) -> Turn:
        """Enter it to be, for that long, the only one who may take a key and pass. Raises QueueFull.

        Whoever gets no key there (NoneFits) keeps its place, for as long as nobody calls ``forget``.
        """
        return Turn(self, place, patient)

    async def enter(self, stack: AsyncExitStack) -> None:
        """A slot, which ``stack`` gives back, and one of the window's tokens. Only whoever has the turn may ask."""
        if self._slots is not None:
            self.held += 1
            stack.callback(self._leave)
        if self._window is not None:
            if self._token:
                self._token = False
            else:
                await self._window.acquire()  # there is one, else it would not be this one's turn

    async def rest(self, place: Place, seconds: float) -> None:
        """Sleeps among those who wait. Raises QueueFull, later too where the place goes to another."""
        self._join(place)
        place.called = asyncio.get_running_loop().create_future()
        sleeping = asyncio.ensure_future(self._time.sleep(seconds))
        try:
            await asyncio.wait((place.called, sleeping), return_when=asyncio.FIRST_COMPLETED)
            if place.called.done():
                raise QueueFull
        finally:
            sleeping.cancel()
            place.called = None
            self.forget(place)

    def refused(self, place: Place, admission: Admission) -> None:
        """It waits for a key, and nobody in its lane need look for one before there is one. Raises QueueFull."""
        if place not in self._room:
            self._join(place)
            self._line.add(place)
        self._close(place.lane, admission)

    def changed(self, freed: bool = False) -> None:
        """Something about the keys did: whoever waits for one looks again. ``freed``: a lease has ended."""
        if not self._closed:
            return
        if freed and self._elsewhere and self._yielding.due(self._room.tokens):
            self._yielding.leaves()
            self._closed.hold(PAUSE)
        self._closed.open()

    def forget(self, place: Place) -> None:
        """It waits no longer."""
        if place in self._room:
            self._room.leave(place)
            self._step_out(place)
        if place is self._chosen:
            self._release(place)

    def backlog(self, token: str = "", lane: str = "") -> int:
        """Whole seconds, at least 1, in which this token's next call may expect to pass."""
        seconds = self._closed.left(lane)
        if self.traffic.rate is not None:
            seconds = max(seconds, self._room.position(token) * self.traffic.window / self.traffic.rate)
        return max(1, math.ceil(seconds))

    # -- turns

    async def take(self, place: Place, patient: bool) -> None:
        """See ``turn``."""
        if place.chosen:
            return
        if self._chosen is None and self._has_room and place.lane not in self._line:
            self._choose(place)
            return
        if not patient:
            raise QueueFull
        if place not in self._room:
            self._join(place)
            self._line.add(place)
        place.called = asyncio.get_running_loop().create_future()
        self._give_up(place)
        self._advance()
        try:
            if not await place.called:
                raise QueueFull
        finally:
            place.called = None

    def leave(self, place: Place, error: BaseException | None) -> None:
        """See ``turn``."""
        if error is None:
            self._passed(place)
        elif isinstance(error, NoneFits) and place.lane in self._line:
            self._close(place.lane, error.admission)
        self._release(place)

    def _choose(self, place: Place) -> None:
        self._chosen, place.chosen = place, True
        if self._hopeless and place is self._hopeless[0]:
            self._hopeless.popleft()

    def _release(self, place: Place) -> None:
        self._chosen, place.chosen = None, False
        self._advance()

    def _passed(self, place: Place) -> None:
        if place in self._room:
            self._room.leave(place)
            self._line.served(place)
            self._yielding.took()
            self._tidy(place.lane)
        elif self._line:
            self._line.charge(place.caller.token)

    def _advance(self) -> None:
        """The next turn, as soon as there is room."""
        if self._chosen is not None:
            return
        place = None if self._full else self._next()
        if place is None:
            self._token = False  # used later, it could be one too many of a window
        elif self._has_room:
            self._choose(place)
            place.call(True)
        elif self._filling is None:
            self._filling = asyncio.ensure_future(self._fill())

    def _next(self) -> Place | None:
        while self._hopeless:
            if self._line.holds(self._hopeless[0]):
                return self._hopeless[0]
            self._hopeless.popleft()
        return self._line.first(self._closed)

    @property
    def _full(self) -> bool:
        return self._slots is not None and self.held >= self._slots

    @property
    def _has_room(self) -> bool:
        return not self._full and (self._window is None or self._token or self._window.has_capacity())

    def _leave(self) -> None:
        self.held -= 1
        self._advance()

    async def _fill(self) -> None:
        assert self._window is not None  # noqa: S101 - for the type checker
        await self._window.acquire()
        self._filling, self._token = None, True
        self._advance()

    # -- places

    def _join(self, place: Place) -> None:
        loser = self._room.join(place, kept=self._chosen)
        if loser is place:
            raise QueueFull
        if loser is not None:
            self._step_out(loser)
            loser.call(False)

    def _step_out(self, place: Place) -> None:
        if self._line.holds(place):
            self._line.remove(place)
            self._tidy(place.lane)

    def _tidy(self, lane: str) -> None:
        """Nothing runs for those who wait where nobody does."""
        if lane not in self._line:
            self._closed.forget(lane)
        if not self._line and self._filling is not None:
            self._filling.cancel()
            self._filling = None

    # -- lanes

    def _close(self, lane: str, admission: Admission) -> None:
        if lane not in self._line or admission.wait <= 0 or 0.0 < self._closed.left(lane) <= admission.wait:
            return
        seconds, slots = admission.wait, admission.reason == "concurrency"
        if self._elsewhere:
            seconds = (min(LOOK, seconds) if slots else seconds) + APART * self._lot(lane)
        if slots:
            self._yielding.refused()
        self._closed.close(lane, seconds, slots)
        for place in self._line.waiting(lane):
            if place is not self._chosen:
                self._give_up(place)

    def _give_up(self, place: Place) -> None:
        """Where its lane opens too late for it."""
        if not place.looked and place.lane in self._closed and self._closed.opens(place.lane) > place.until:
            place.looked = True
            self._hopeless.append(place)

    def _lot(self, lane: str) -> float:
        """Of 0 to 1. Of several processes that draw, each has the lowest as often as tokens wait there."""
        highest: float = (1.0 - self._time.chance()) ** (1.0 / max(1, self._line.tokens(lane)))
        return 1.0 - highest


class Turn:
    """See ``Gate.turn``."""

    __slots__ = ("_gate", "_own", "_patient", "_place")

    def __init__(self, gate: Gate, place: Place | None, patient: bool) -> None:
        self._gate = gate
        self._own = place is None
        self._place = place or Place()
        self._patient = patient

    async def __aenter__(self) -> None:
        try:
            await self._gate.take(self._place, self._patient)
        except BaseException:
            self._gate.forget(self._place)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.leave(self._place, error)
        if self._own:
            self._gate.forget(self._place)


def window(rate: int, seconds: float) -> AsyncLimiter:
    """A bucket that never lets more than ``rate`` pass in any ``seconds``.

    ``AsyncLimiter(rate, seconds)`` starts full and refills meanwhile: it lets nearly twice as many through the first
    window. A small bucket that refills with the rest of the rate does not; a moment slower than it might, since
    requests do not arrive as evenly as they leave.
    """
    burst = max(1, rate // 20)
    return AsyncLimiter(burst, burst * spacing(rate, seconds, burst))
