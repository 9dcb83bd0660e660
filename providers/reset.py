"""When an upstream says that it will answer again: every form of a reset time. Pure: the clock is a parameter.

Forms and their order of trust: retry-after-ms, retry-after (seconds or a date), the body's fields, the reset header
of the limit that is used up, the words. All give seconds from the answer, never negative, at most LONGEST.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from providers.errors import Calendar

LONGEST = 31 * 86400.0  # seconds
_DEPTH = 6  # how deep a body's fields are looked for
_PARTS = 200  # how many of its objects

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_DURATION = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_SPAN = r"((?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m(?!s))?(?:\d{1,9}(?:\.\d{1,9})?s)?(?:\d{1,9}ms)?)"
_AGAIN = re.compile(rf"\b(?:try|retry)(?: again)? (?:in|after) {_SPAN}(?![\w.]\w)", re.IGNORECASE)
_SPELLED = re.compile(
    r"\b(?:(?:try|retry)(?: again)? (?:in|after)|after|wait) (\d{1,7}(?:\.\d{1,9})?) ?(s|m|h|d)(?:ec|in|our|ay|\b)",
    re.IGNORECASE,
)
_LETTERS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Z.ai: "reset at 2026-02-04 21:18:43" (UTC+8); Anthropic: "regain access on 2026-12-01 at 00:00 UTC"
_INSTANT = re.compile(
    r"(?:reset|access|available|again|flush_time)\D{0,24}?"
    r"(\d{4}-\d\d-\d\d)(?:T| at | )(\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})? ?(UTC|GMT|Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)

_CHINA = timedelta(hours=8)
_FIELDS_OF_SECONDS = ("retryDelay", "quotaResetDelay", "resets_in_seconds", "retry_after_seconds", "retry_after")
_FIELDS_OF_INSTANTS = ("resets_at", "next_flush_time", "quotaResetTimeStamp")
_BARE = ("x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-timeremaining")
_DIMENSION = re.compile(
    r"(x-ratelimit|anthropic-ratelimit|ratelimit)-(?:remaining-([a-z0-9-]+)|([a-z0-9-]+)-remaining)"
)
_REMAINING = re.compile(r"(^|-)remaining(-|$)")
_UNIFIED = "anthropic-ratelimit-unified-reset"


def of_answer(
    headers: Mapping[str, str], value: Any, words: str, now: float | None, limited: bool = True
) -> float | None:
    """Seconds until the reset that an answer names; None where it names none.

    ``headers`` in lower case; ``value`` is the decoded body. ``now`` is the time of the answer in seconds since 1970,
    for which its Date header stands where there is one; without both, instants say nothing. Reset headers count only
    where a limit refused (``limited``).
    """
    sent = _date(headers.get("date", ""))
    now = now if sent is None else sent
    found = of_retry_after(headers, now)
    if found is None:
        found = _first(of_fields(value, now))
    if found is None and limited:
        found = of_limit_headers(headers, now)
    return of_words(words, now) if found is None else found


def of_retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """``retry-after-ms``, else ``retry-after`` in seconds or as a date."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return _bounded(seconds)
    return _between(now, _date(value))


def of_fields(value: Any, now: float | None) -> Iterator[float]:
    """What a body's own fields say, in the order in which they stand."""
    for part in _objects(value):
        for name in _FIELDS_OF_SECONDS:
            yield from _some(_seconds(part.get(name)))
        for name in _FIELDS_OF_INSTANTS:
            yield from _some(_at(part.get(name), now))
        if isinstance(part.get("headers"), dict):  # OpenRouter puts them into error.metadata
            inner = {name.lower(): str(each) for name, each in part["headers"].items()}
            yield from _some(of_retry_after(inner, now) if "retry-after" in inner else of_limit_headers(inner, now))


def of_limit_headers(headers: Mapping[str, str], now: float | None) -> float | None:
    """The reset of the limit of which nothing remains, the latest where there are several."""
    if headers.get("anthropic-ratelimit-unified-status", "").strip() == "rejected":
        return _at(headers.get(_UNIFIED), now)
    found = [each for name in _exhausted(headers) if (each := of_reset(headers.get(name, ""), now)) is not None]
    return max(found, default=None)


def of_answer_that_came(headers: Mapping[str, str], now: float | None) -> float | None:
    """Seconds until the reset of a limit that a good answer used up; None where it says that something remains."""
    remaining = [value for name, value in headers.items() if "ratelimit" in name and _REMAINING.search(name)]
    used_up = remaining and any(_number(value) == 0 for value in remaining)
    return of_limit_headers(headers, _date(headers.get("date", "")) or now) if used_up else None


def _exhausted(headers: Mapping[str, str]) -> Iterator[str]:
    """The names of the reset headers to read."""
    for name in _BARE:
        if _number(headers.get(name.replace("reset", "remaining"), "0")) == 0 or name.endswith("timeremaining"):
            yield name
    for name, value in headers.items():
        if (match := _DIMENSION.fullmatch(name)) and _number(value) == 0:
            family, before, after = match.groups()
            yield f"{family}-reset-{before}" if before else f"{family}-{after}-reset"


def of_reset(value: str, now: float | None) -> float | None:
    """One reset header: a duration (``6m0s``), seconds, seconds or milliseconds since 1970, an RFC 3339 instant."""
    number = _number(value)
    if number is None:
        duration = of_duration(value)
        return _at(value, now) if duration is None else duration
    return _at(number, now) if number > 1e9 else _bounded(number)


def of_duration(value: str) -> float | None:
    """``7m12.3s``, ``120ms``, ``2h3m``, ``1d``."""
    match = _DURATION.fullmatch(value.strip())
    if not match or not any(match.groups()):
        return None
    return _bounded(sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part))


def of_words(words: str, now: float | None) -> float | None:
    """``try again in 7m12.3s``, ``retry in 36.4s``, ``after 20s``, ``wait 120 seconds``, ``reset at 2026-...``."""
    for match in _AGAIN.finditer(words):
        if (found := of_duration(match.group(1))) is not None:
            return found
    if spelled := _SPELLED.search(words):
        return _bounded(float(spelled.group(1)) * _LETTERS[spelled.group(2).lower()])
    named = _INSTANT.search(words)
    return _local(named, now) if named else None


def until(calendar: Calendar, now: float) -> float:
    """Seconds from ``now`` (since 1970) to the calendar's next reset."""
    moment = datetime.fromtimestamp(now, UTC)
    if calendar is Calendar.UTC_MONTH:
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return (following - moment).total_seconds()
    offset = _offset(calendar, moment)
    midnight = (moment + offset).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    # Where the clocks change today, midnight comes at another offset than now's.
    return (midnight - _offset(calendar, midnight - offset) - moment).total_seconds()


def _offset(calendar: Calendar, moment: datetime) -> timedelta:
    if calendar is Calendar.PACIFIC_DAY:
        return timedelta(hours=-7 if _daylight(moment) else -8)
    return _CHINA if calendar is Calendar.CHINA_DAY else timedelta()


def _daylight(moment: datetime) -> bool:
    """Whether California saves daylight: from 2:00 on March's second Sunday to 2:00 on November's first.

    By rule, for a machine without a time zone database.
    """
    begins = _sunday(moment.year, 3, 8) + timedelta(hours=10)
    ends = _sunday(moment.year, 11, 1) + timedelta(hours=9)
    return begins <= moment < ends


def _sunday(year: int, month: int, earliest: int) -> datetime:
    day = datetime(year, month, earliest, tzinfo=UTC)
    return day + timedelta(days=(6 - day.weekday()) % 7)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects inside a body, outer before inner, within bounds."""
    level, seen = [value], 0
    for _ in range(_DEPTH):
        inner: list[Any] = []
        for part in level:
            seen += 1
            if seen > _PARTS:
                return
            if isinstance(part, dict):
                yield part
                inner += [each for each in part.values() if isinstance(each, dict | list)]
            elif isinstance(part, list):
                inner += part[:_PARTS]
        level = inner


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        number = _number(value)
        return of_duration(value) if number is None else _bounded(number)
    return _positive(value)


def _at(value: Any, now: float | None) -> float | None:
    """Seconds until an instant: since 1970 in seconds or milliseconds, or RFC 3339."""
    if isinstance(value, str):
        number = _number(value)
        if number is None:
            return _between(now, _instant(value))
        value = number
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1e9 < value < 1e14:
        return None
    return _between(now, value / 1000 if value > 1e12 else value)


def _local(match: re.Match[str], now: float | None) -> float | None:
    """An instant in words; without a zone it is China's, whose providers leave it out."""
    day, clock, zone = match.groups()
    named = {"UTC": "+00:00", "GMT": "+00:00", "Z": "+00:00"}.get((zone or "+08:00").upper(), zone or "+08:00")
    return _between(now, _instant(f"{day}T{clock}{named}"))


def _instant(value: str) -> float | None:
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _date(value: str) -> float | None:
    """An HTTP date, in seconds since 1970."""
    try:
        found = parsedate_to_datetime(value)
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _number(value: str) -> float | None:
    value = value.strip()
    return float(value) if value.isascii() and _NUMBER.fullmatch(value) else None


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return _bounded(float(value))


def _between(now: float | None, instant: float | None) -> float | None:
    return None if now is None or instant is None else _bounded(instant - now)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST)


def _some(value: float | None) -> tuple[float, ...]:
    return () if value is None else (value,)


def _first(values: Iterator[float]) -> float | None:
    return next(values, None)
