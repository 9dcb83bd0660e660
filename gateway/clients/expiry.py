"""When a token ends, as people write it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
LONGEST = 100 * 366 * 86400.0  # seconds
EXAMPLES = "90d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z"
_SPAN = re.compile(r"(\d{1,9})([mhdw])")


def moment(text: str, now: float | None = None) -> float:
    """Seconds since 1970. A day lasts to its end, in UTC; ``90d`` counts from ``now``. Raises ValueError."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span and now is not None:
        return now + min(LONGEST, int(span[1]) * UNITS[span[2]])
    return of_date(datetime.fromisoformat(text.strip()) if len(text.strip()) > 10 else date.fromisoformat(text.strip()))


def of_date(when: date) -> float:
    """Of what TOML calls a date, or a date and time; UTC where it names no zone."""
    if isinstance(when, datetime):
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return (datetime(when.year, when.month, when.day, tzinfo=UTC) + timedelta(days=1)).timestamp()


def written(seconds: float | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:19] + "Z"
