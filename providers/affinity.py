"""Which key served a session last: its prompt cache there may still be warm. Pure."""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED = 10_000  # sessions


class Affinity:
    """A session prefers its key for ``seconds`` after that key last served it; another's help changes nothing."""

    def __init__(self, seconds: float | None) -> None:
        """None = no session prefers any key."""
        self._seconds = seconds
        self._served: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def preferred(self, session: str, now: float) -> str | None:
        """The key's id."""
        if not session or self._seconds is None:
            return None
        key, at = self._served.get(session, ("", float("-inf")))
        return key if now - at <= self._seconds else None

    def served(self, session: str, key: str, now: float) -> None:
        if not session or self._seconds is None or self.preferred(session, now) not in (None, key):
            return
        self._served[session] = key, now
        self._served.move_to_end(session)
        if len(self._served) > REMEMBERED:
            self._served.popitem(last=False)
