"""Every form of a reset time, and that nothing an upstream writes there does harm."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import reset
from providers.errors import Calendar
from tests.providers.support import property_test

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "3.7"}, 3.7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "999999999999999"}, reset.LONGEST),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500.5", "retry-after": "2"}, 1.5005),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2),
        ({"retry-after": "Fri, 20 Nov 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Fri, 20 Nov 2026 11:01:30 GMT"}, 0),
        ({"retry-after": "Friday, 20-Nov-26 12:01:30 GMT"}, 90),
        ({"retry-after": "Fri, 20 Nov 9999 12:01:30 GMT"}, reset.LONGEST),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert reset.of_retry_after(headers, NOW) == seconds


def test_a_date_is_read_by_the_answers_own_clock() -> None:
    headers = {"date": "Fri, 20 Nov 2026 03:00:00 GMT", "retry-after": "Fri, 20 Nov 2026 03:00:45 GMT"}
    assert reset.of_answer(headers, None, "", NOW) == 45
    assert reset.of_answer(headers, None, "", None) == 45
    assert reset.of_answer({"retry-after": headers["retry-after"]}, None, "", None) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("7.66s", 7.66),
        ("120ms", 0.12),
        ("2h3m", 7380),
        ("7m12.3s", 432.3),
        ("1d2h", 93600),
        ("1m500ms", 60.5),
        ("12.5", 12.5),
        ("45", 45),
        ("1795176060", 60),
        ("1795176060000", 60),
        ("1795175000", 0),
        ("2026-11-20T12:00:30Z", 30),
        ("2026-11-20T13:00:30+01:00", 30),
        ("2026-11-20T12:00:30", 30),
        ("999999h", reset.LONGEST),
        ("", None),
        ("m", None),
        ("-5", None),
        ("5 apples", None),
        ("tomorrow", None),
    ],
)
def test_reset_headers(value: str, seconds: float | None) -> None:
    found = reset.of_reset(value, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1m",
            },
            60,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795176060000"}, 60),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "1795176060000"}, None),
        ({"x-ratelimit-reset": "1795176060"}, 60),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-20T12:00:30Z"}, 30),
        (
            {"anthropic-ratelimit-tokens-remaining": "9", "anthropic-ratelimit-tokens-reset": "2026-11-20T12:00:30Z"},
            None,
        ),
        ({"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1795176060"}, 60),
        ({"anthropic-ratelimit-unified-status": "allowed", "anthropic-ratelimit-unified-reset": "1795176060"}, None),
        ({"x-ratelimit-timeremaining": "41"}, 41),
    ],
)
def test_the_limit_that_is_used_up(headers: dict[str, str], seconds: float | None) -> None:
    assert reset.of_limit_headers(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ({"error": {"details": [{"@type": "x", "retryDelay": "36s"}]}}, 36),
        ([{"error": {"details": [{"retryDelay": "36.43s"}]}}], 36.43),
        ({"error": {"details": [{"metadata": {"quotaResetDelay": "1h2m3.5s"}}]}}, 3723.5),
        ({"error": {"resets_in_seconds": 90}}, 90),
        ({"error": {"resets_at": 1795176060}}, 60),
        ({"error": {"resets_at": "2026-11-20T12:01:00Z"}}, 60),
        ({"error": {"metadata": {"headers": {"Retry-After": "9"}}}}, 9),
        (
            {"error": {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795176060000"}}}},
            60,
        ),
        ({"retry_after": 4.5}, 4.5),
        ({"retry_after": -4.5}, None),
        ({"retry_after": True}, None),
        ({"retry_after": None}, None),
        ({"resets_at": True}, None),
        ({"resets_at": 7}, None),
        ("36s", None),
        (None, None),
    ],
)
def test_a_bodys_fields(value: Any, seconds: float | None) -> None:
    assert reset.of_answer({}, value, "", NOW) == seconds


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 5.289s. Need more?", 5.289),
        ("Please try again in 7m12.3s.", 432.3),
        ("try again in 2h3m", 7380),
        ("Try again in 120ms", 0.12),
        ("Please retry in 36.4s.", 36.4),
        ("Please retry after 24 seconds.", 24),
        ("please try again after 1 seconds", 1),
        ("Try again in 5 minutes", 300),
        ("Retry in 2 hours", 7200),
        ("Please wait 33422 seconds before retrying.", 33422),
        ("blocked after 20s", 20),
        ("Your limit will reset at 2026-11-20 21:30:00", 5400),
        ("next_flush_time: 2026-11-20 21:30:00", 5400),
        ("You will regain access on 2026-11-20 at 12:30 UTC.", 1800),
        ("resets 2026-11-20T13:30:00+01:00", 1800),
        ("reset at 2026-13-45 21:30:00", None),
        ("Please try again later", None),
        ("try again in a while", None),
        ("retry in s", None),
        ("", None),
    ],
)
def test_words(words: str, seconds: float | None) -> None:
    found = reset.of_words(words, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


ALL = {
    "retry-after-ms": "1000",
    "retry-after": "2",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "4s",
}


@pytest.mark.parametrize(
    ("headers", "value", "seconds"),
    [
        (ALL, {"retry_after": 3}, 1),
        ({name: value for name, value in ALL.items() if name != "retry-after-ms"}, {"retry_after": 3}, 2),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4s"}, {"retry_after": 3}, 3),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4s"}, {}, 4),
        ({}, {}, 5),
    ],
)
def test_the_order_of_trust(headers: dict[str, str], value: Any, seconds: float) -> None:
    assert reset.of_answer(headers, value, "try again in 5s", NOW) == seconds


def test_reset_headers_count_only_where_a_limit_refused() -> None:
    assert reset.of_answer({"x-ratelimit-reset": "4s"}, None, "", NOW, limited=False) is None


def stamp(offset: int, *parts: int) -> float:
    """A local time ``offset`` hours from UTC, in seconds since 1970."""
    year, month, day, hour, minute = (*parts, 0, 0)[:5]
    return datetime(year, month, day, hour, minute, tzinfo=timezone(timedelta(hours=offset))).timestamp()


@pytest.mark.parametrize(
    ("calendar", "now", "then"),
    [
        (Calendar.UTC_DAY, stamp(0, 2026, 11, 20, 12), stamp(0, 2026, 11, 21)),
        (Calendar.UTC_DAY, stamp(0, 2026, 11, 20), stamp(0, 2026, 11, 21)),
        (Calendar.CHINA_DAY, stamp(0, 2026, 11, 20, 17), stamp(8, 2026, 11, 22)),
        (Calendar.PACIFIC_DAY, stamp(0, 2026, 11, 20, 12), stamp(-8, 2026, 11, 21)),
        (Calendar.PACIFIC_DAY, stamp(0, 2026, 11, 20, 7), stamp(-8, 2026, 11, 20)),
        (Calendar.PACIFIC_DAY, stamp(-7, 2026, 7, 1, 23, 59), stamp(-7, 2026, 7, 2)),
        (Calendar.UTC_MONTH, stamp(0, 2026, 11, 20), stamp(0, 2026, 12, 1)),
        (Calendar.UTC_MONTH, stamp(0, 2026, 12, 31, 23), stamp(0, 2027, 1, 1)),
        (Calendar.UTC_MONTH, stamp(0, 2028, 2, 29), stamp(0, 2028, 3, 1)),
    ],
)
def test_the_calendar(calendar: Calendar, now: float, then: float) -> None:
    assert reset.until(calendar, now) == then - now


# The days on which California changes its clocks: to daylight saving time, and back.
CHANGES = {2024: (10, 3), 2025: (9, 2), 2026: (8, 1), 2027: (14, 7), 2028: (12, 5), 2029: (11, 4), 2032: (14, 7)}


@pytest.mark.parametrize(("year", "march", "november"), [(year, *days) for year, days in CHANGES.items()])
def test_a_pacific_day_with_a_change_of_the_clocks(year: int, march: int, november: int) -> None:
    for before, month, day, after in ((-8, 3, march, -7), (-7, 11, november, -8)):
        first, following = stamp(before, year, month, day), stamp(after, year, month, day + 1)
        for now in (first, first + 1800, first + 7200, first + 7201, first + 36000, following - 1):
            assert reset.until(Calendar.PACIFIC_DAY, now) == following - now
        assert reset.until(Calendar.PACIFIC_DAY, first - 1) == 1
        assert reset.until(Calendar.PACIFIC_DAY, following) == 86400


TIMES = st.floats(0, 4e9)


@property_test
@given(st.sampled_from(Calendar), TIMES)
def test_the_next_reset_is_near_and_ahead(calendar: Calendar, now: float) -> None:
    assert 0 < reset.until(calendar, now) <= (31 if calendar is Calendar.UTC_MONTH else 25 / 24) * 86400


NAMES = st.sampled_from(
    [
        "date",
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset",
        "x-ratelimit-remaining",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
        "anthropic-ratelimit-unified-status",
        "anthropic-ratelimit-unified-reset",
    ]
)
TEXT = (
    st.text(max_size=30)
    | st.sampled_from(["0", "rejected", DATE, "Fri, 20 Nov 0001 12:00:00 -2359", "9999-12-31T23:59:59-23:59", "1e400"])
    | st.text("0123456789.hms-:TZ+ ", max_size=24)
    | st.text("0123456789hmsretryagainin. ", max_size=40).map(lambda text: f"try again in {text}")
    | st.text("0123456789-: UTC+", max_size=30).map(lambda text: f"reset at 2026-{text}")
)
FIELDS = st.sampled_from(
    ["error", "details", "retryDelay", "resets_at", "resets_in_seconds", "headers", "retry_after", "x"]
)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(FIELDS, part, max_size=3),
    max_leaves=8,
)


@property_test
@given(st.dictionaries(NAMES, TEXT, max_size=5), BODIES, TEXT, st.none() | TIMES)
def test_whatever_an_upstream_writes(headers: dict[str, str], value: Any, words: str, now: float | None) -> None:
    found = reset.of_answer(headers, value, words, now)
    assert found is None or (math.isfinite(found) and 0 <= found <= reset.LONGEST)


@property_test
@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_later_reset_is_never_an_earlier_one(one: float, other: float) -> None:
    less, more = sorted((round(one, 3), round(other, 3)))

    def forms(seconds: float) -> list[float | None]:
        minutes, rest = divmod(int(seconds), 60)
        date = format_datetime(datetime.fromtimestamp(NOW + int(seconds), UTC), usegmt=True)
        return [
            reset.of_retry_after({"retry-after": f"{seconds:.3f}"}, NOW),
            reset.of_retry_after({"retry-after-ms": f"{seconds * 1000:.0f}"}, NOW),
            reset.of_retry_after({"retry-after": date}, NOW),
            reset.of_reset(f"{minutes}m{rest}s", NOW),
            reset.of_reset(f"{NOW + seconds:.3f}", NOW),
            reset.of_reset(f"{(NOW + seconds) * 1000:.0f}", NOW),
            reset.of_reset(datetime.fromtimestamp(NOW + seconds, UTC).isoformat(), NOW),
            reset.of_words(f"Please try again in {minutes}m{rest}s.", NOW),
            reset.of_answer({}, json.loads(json.dumps({"resets_in_seconds": seconds})), "", NOW),
        ]

    for sooner, later, told in zip(forms(less), forms(more), map(str, range(9)), strict=True):
        assert sooner is not None, told
        assert later is not None, told
        assert sooner <= later, told
        assert later == pytest.approx(min(more, reset.LONGEST), abs=1.01), told
