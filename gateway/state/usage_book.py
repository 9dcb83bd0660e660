"""What clients used, of all processes together: in Redis."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress

from gateway.state import redis_text
from gateway.state.line import Job, Line
from gateway.state.redis_text import Names
from gateway.state.scripts import TALLIES, TALLY
from gateway.usage import KEPT, Row, Tally, Who
from providers.ports import Usage

SECONDS = 400 * 86400  # after the last request
_BETWEEN = "\x1f"  # client, session and agent


class UsageBook:
    """See gateway.usage.Book."""

    def __init__(self, line: Line, names: Names, kept: int = KEPT) -> None:
        head = f"{names.prefix}{{usage}}"
        self._line = line
        self._kept = kept
        self._sums = f"{head}:sums"
        self._keys = (self._sums, f"{head}:times", f"{head}:told:{secrets.token_hex(8)}")

    async def add(self, number: int, rows: Sequence[Row]) -> None:
        args = [word for row in rows for word in (_field(row.who), _text(row.tally))]
        await self._line.run(Job(TALLY, self._keys, [str(self._kept), str(SECONDS), str(number), *args]))

    async def read(self) -> tuple[float | None, list[Row]]:
        flat: list[bytes] = await self._line.run(Job(TALLIES, (self._sums,), []))
        fields = dict(redis_text.pairs(flat))
        since = fields.pop("since", None)
        found = [(_who(field), _tally(text)) for field, text in fields.items()]
        return float(since) if since else None, [Row(who, tally) for who, tally in found if who and tally]


def _field(who: Who) -> str:
    """Sessions and agents are names that clients choose."""
    return _BETWEEN.join(_plain(each) for each in (who.client, who.session, who.agent))


def _plain(name: str) -> str:
    return name if name.isprintable() else "".join(each if each.isprintable() else "?" for each in name)


def _text(tally: Tally) -> str:
    used = tally.usage
    counts = (tally.requests, tally.failed, tally.refused, used.input_tokens, used.output_tokens)
    more = (used.cache_read_tokens, used.cache_write_tokens, used.reasoning_tokens, tally.unpriced)
    return " ".join([*map(str, (*counts, *more)), repr(tally.cost), repr(tally.last)])


def _who(field: str) -> Who | None:
    parts = field.split(_BETWEEN)
    return Who(*parts) if len(parts) == 3 else None


def _tally(text: str) -> Tally | None:
    with suppress(ValueError):
        requests, failed, refused, *used, unpriced, cost, last = map(float, text.split())
        usage = Usage(*map(int, used))
        return Tally(int(requests), int(failed), int(refused), usage, cost, int(unpriced), last)
    return None
