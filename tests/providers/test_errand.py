"""Whether and when a call is tried again, as tables: every kind of failure, in every situation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.budget import RetryBudget
from providers.errand import Errand, Terms, refused, spell
from providers.errors import ErrorKind, Rest, UpstreamFailure
from providers.spec import Retries, Traffic
from providers.state import Admission, Passed
from tests.providers.support import property_test

NOW = 1000.0
DEADLINE = NOW + 240.0
RETRIES = Retries(most=8, base_delay=2.0, max_delay=120.0)
OPEN_BUDGET = 1000  # repeats, so that a test sees the other limits
K = ErrorKind


def errand(
    *,
    last: bool = True,
    once: bool = False,
    retries: Retries = RETRIES,
    deadline: float = DEADLINE,
    queue_wait: float = 30.0,
    budget: int = OPEN_BUDGET,
    keys: int = 5,
) -> Errand:
    """An errand whose first attempt, with key k0, was sent."""
    terms = Terms(deadline, last, once)
    made = Errand(retries, Traffic(queue_wait=queue_wait), terms, RetryBudget(budget), keys)
    made.began("k0")
    return made


def fail(made: Errand, kind: ErrorKind, fresh: bool = False, now: float = NOW, chance: float = 0.0) -> float | None:
    return made.after_failure(UpstreamFailure(kind, "no"), fresh, now, chance)


def waits(made: Errand, kind: ErrorKind, count: int, chance: float = 0.0) -> list[float | None]:
    """What a lone key's failures lead to, one after the other, time standing still."""
    found = []
    for _ in range(count):
        found.append(fail(made, kind, chance=chance))
        made.began("k0")
    return found


# Seconds until the next attempt after the first failure, None = none:
# with a fresh key, on the last target and before; without one, on the last target and before.
FIRST: dict[ErrorKind, tuple[float | None, float | None, float | None, float | None]] = {
    K.INVALID_REQUEST: (None, None, None, None),
    K.CONTEXT_OVERFLOW: (None, None, None, None),
    K.CONTENT_FILTER: (None, None, None, None),
    K.UNSUPPORTED: (None, None, None, None),
    K.TOO_LARGE: (None, None, None, None),
    K.NOT_FOUND: (None, None, None, None),
    K.MODEL_NOT_FOUND: (0.0, 0.0, 0.0, 0.0),
    K.KEY_REFUSED: (0.0, 0.0, 0.0, 0.0),
    K.KEY_UNPAID: (0.0, 0.0, 0.0, 0.0),
    K.KEY_FORBIDDEN: (0.0, 0.0, 0.0, 0.0),
    K.NO_KEY: (None, None, None, None),
    K.CREDENTIAL: (0.0, 0.0, 0.0, 0.0),
    K.RATE_LIMITED: (0.0, 0.0, 0.0, 0.0),
    K.KEY_WINDOW: (0.0, 0.0, 0.0, 0.0),
    K.ACCOUNT_QUOTA: (0.0, 0.0, 0.0, 0.0),
    K.MODEL_OVERLOADED: (0.0, 0.0, 2.0, None),
    K.OVERLOADED: (0.0, 0.0, 2.0, 2.0),
    K.SERVER_ERROR: (0.0, 0.0, 2.0, 2.0),
    K.UNREACHABLE: (0.0, 0.0, 2.0, None),
    K.FIRST_TOKEN_TIMEOUT: (0.0, 0.0, 2.0, None),
    K.STALLED: (0.0, 0.0, 2.0, None),
    K.CUT: (0.0, 0.0, 2.0, 2.0),
    K.DISCONNECTED: (0.0, 0.0, 0.0, 0.0),
    K.MALFORMED: (0.0, 0.0, 2.0, None),
}
# The same after a second failure of the same kind, with another key where one was fresh, else with the same.
SECOND: dict[ErrorKind, tuple[float | None, float | None, float | None, float | None]] = {
    **FIRST,
    K.MODEL_OVERLOADED: (2.0, 0.0, 4.0, None),
    K.OVERLOADED: (2.0, 0.0, 4.0, None),
    K.SERVER_ERROR: (2.0, 0.0, 4.0, None),
    K.UNREACHABLE: (2.0, 0.0, 4.0, None),
    K.FIRST_TOKEN_TIMEOUT: (2.0, 0.0, 4.0, None),
    K.STALLED: (2.0, 0.0, 4.0, None),
    K.CUT: (2.0, 0.0, 4.0, None),
    K.DISCONNECTED: (0.0, 0.0, 4.0, None),  # the first was nobody's fault: this one begins as others do
    K.MALFORMED: (2.0, 0.0, 4.0, None),
}
SITUATIONS = [(True, True), (True, False), (False, True), (False, False)]  # fresh, last


def test_the_tables_have_every_kind() -> None:
    assert list(FIRST) == list(SECOND) == list(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_the_first_failure(kind: ErrorKind) -> None:
    found = tuple(fail(errand(last=last), kind, fresh) for fresh, last in SITUATIONS)
    assert found == FIRST[kind]


@pytest.mark.parametrize("kind", ErrorKind)
def test_the_second_failure(kind: ErrorKind) -> None:
    found = []
    for fresh, last in SITUATIONS:
        made = errand(last=last)
        fail(made, kind, fresh)
        made.began("k1" if fresh else "k0")
        found.append(fail(made, kind, fresh))
    assert tuple(found) == SECOND[kind]


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize(("fresh", "last"), SITUATIONS)
def test_once_is_once(kind: ErrorKind, fresh: bool, last: bool) -> None:
    made = errand(last=last, once=True)
    assert fail(made, kind, fresh) is None
    assert made.after_refusal(Admission(None, 0.25), NOW) is None


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("fresh", [True, False])
def test_nothing_is_tried_past_the_deadline(kind: ErrorKind, fresh: bool) -> None:
    assert fail(errand(), kind, fresh, now=DEADLINE) is None
    assert fail(errand(), kind, fresh, now=DEADLINE - 0.001) == (0.0 if FIRST[kind][not fresh and 2] == 0.0 else None)


# Backoff


def test_repeats_wait_twice_as_long_each_time_up_to_the_longest() -> None:
    made = errand(retries=Retries(most=8, base_delay=2.0, max_delay=60.0))
    assert waits(made, K.SERVER_ERROR, 10) == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, None, None]


def test_a_server_that_is_off_is_asked_three_times_more() -> None:
    assert waits(errand(), K.UNREACHABLE, 5) == [2.0, 4.0, 8.0, None, None]


@pytest.mark.parametrize("most", [0, 1, 3])
def test_repeats_are_bounded(most: int) -> None:
    found = waits(errand(retries=Retries(most=most)), K.SERVER_ERROR, most + 2)
    assert found[most:] == [None, None]
    assert None not in found[:most]


def test_a_wait_that_would_miss_the_deadline_is_not_begun() -> None:
    made = errand(deadline=NOW + 8.0)
    assert waits(made, K.SERVER_ERROR, 3) == [2.0, 4.0, None]


def test_jitter_is_upward_only() -> None:
    assert waits(errand(), K.SERVER_ERROR, 3, chance=1.0) == [2.5, 5.0, 10.0]
    moving = errand()
    moving.moves = 1
    assert fail(moving, K.SERVER_ERROR, fresh=True, chance=1.0) == 2.5


@property_test
@given(st.sampled_from(ErrorKind), st.booleans(), st.booleans(), st.floats(0, 1), st.integers(0, 12), st.integers(0, 5))
def test_chance_never_shortens_a_wait(
    kind: ErrorKind, fresh: bool, last: bool, chance: float, repeats: int, moves: int
) -> None:
    def wait(chance: float) -> float | None:
        made = errand(last=last, deadline=NOW + 1e6)
        made.repeats, made.moves = repeats, moves
        return fail(made, kind, fresh, chance=chance)

    least, some = wait(0.0), wait(chance)
    assert (least is None) == (some is None)
    assert some is None or least is None or least <= some <= 1.25 * least


def said(seconds: float, honest: bool = True) -> UpstreamFailure:
    return UpstreamFailure(K.OVERLOADED, "no", rest=Rest(seconds, honest=honest))


def test_an_honest_retry_after_is_waited_for_and_no_longer_than_our_own_wait() -> None:
    assert errand().after_failure(said(7.0), False, NOW, 0.0) == 7.0
    assert errand().after_failure(said(7.0), False, NOW, 1.0) == 8.75
    assert errand().after_failure(said(0.5), False, NOW, 0.0) == 2.0
    assert errand().after_failure(said(7.0, honest=False), False, NOW, 0.0) == 2.0
    assert errand().after_failure(said(300.0), False, NOW, 0.0) is None


def test_before_another_target_only_our_own_wait_is_waited() -> None:
    assert errand(last=False).after_failure(said(2.0), False, NOW, 0.0) == 2.0
    made = errand(last=False, budget=1)
    assert made.after_failure(said(2.1), False, NOW, 0.0) is None
    assert made.budget.left(NOW) == 1.0


def test_another_key_need_not_wait_for_what_this_one_was_told() -> None:
    assert errand().after_failure(said(7.0), True, NOW, 0.0) == 0.0


# Other keys


def test_moving_to_other_keys_is_free_but_slows_down_on_the_last_target() -> None:
    made = errand(budget=0, keys=4, retries=Retries(most=0))
    found = []
    for number in range(1, 4):
        found.append(fail(made, K.SERVER_ERROR, fresh=True))
        made.began(f"k{number}")
    assert found == [0.0, 2.0, 2.0]
    assert fail(made, K.SERVER_ERROR, fresh=False) is None


def test_a_refused_key_costs_no_time_however_many_there_are() -> None:
    made = errand(keys=100, budget=0)
    for number in range(1, 100):
        assert fail(made, K.KEY_REFUSED, fresh=True) == 0.0
        made.began(f"k{number}")
    assert (made.repeats, made.moves) == (0, 0)


@pytest.mark.parametrize("kind", [K.SERVER_ERROR, K.KEY_REFUSED, K.RATE_LIMITED])
def test_a_fresh_key_is_asked_even_after_all_repeats(kind: ErrorKind) -> None:
    made = errand(retries=Retries(most=1), keys=2)
    for _ in range(5):
        made.began("k0")
    assert fail(made, kind, fresh=False) is None
    assert fail(made, kind, fresh=True) == 0.0


def test_a_key_that_seems_fresh_and_never_comes_does_not_keep_a_call_going() -> None:
    made = errand(retries=Retries(most=2), keys=2)
    found = []
    for _ in range(6):
        found.append(fail(made, K.SERVER_ERROR, fresh=True))
        made.began("k0")
    assert found == [0.0, 2.0, None, None, None, None]


# The budget


def test_the_budget_is_for_repeats_and_shared_by_calls() -> None:
    budget = RetryBudget(1)
    calls = [Errand(RETRIES, Traffic(), Terms(DEADLINE), budget, 2) for _ in range(3)]
    for each in calls:
        each.began("k0")
    assert fail(calls[0], K.SERVER_ERROR) == 2.0
    assert fail(calls[1], K.SERVER_ERROR) is None
    assert fail(calls[2], K.SERVER_ERROR, fresh=True) == 0.0
    assert fail(calls[1], K.KEY_REFUSED) == 0.0


def test_a_lone_call_can_use_all_its_repeats() -> None:
    made = errand(budget=RETRIES.most, deadline=NOW + 1e6)
    made.budget.called(NOW)
    assert None not in waits(made, K.SERVER_ERROR, RETRIES.most)


def test_a_repeat_that_is_not_made_costs_nothing() -> None:
    made = errand(budget=1, retries=Retries(most=0))
    assert fail(made, K.SERVER_ERROR) is None
    assert made.budget.left(NOW) == 1.0


# No key to be had


def resting(wait: float, *reasons: str) -> Admission:
    passed = [Passed(f"acme-{number:02}", reason, wait + number - 1) for number, reason in enumerate(reasons, 1)]
    return Admission(None, wait, reasons[0] if reasons else "", passed)


@pytest.mark.parametrize(
    ("made", "wait", "expected"),
    [
        (errand(), 5.0, 5.0),
        (errand(), 30.0, 30.0),
        (errand(), 30.1, None),  # longer than QUEUE_MAX_WAIT
        (errand(queue_wait=60.0), 30.1, 30.1),
        (errand(last=False), 0.25, None),  # the next target is asked instead
        (errand(deadline=NOW + 5.0), 4.9, 4.9),
        (errand(deadline=NOW + 5.0), 5.0, None),
    ],
)
def test_a_refusal_is_waited_for_within_limits(made: Errand, wait: float, expected: float | None) -> None:
    assert made.after_refusal(resting(wait, "rate_limited"), NOW) == expected


def test_the_waits_of_one_call_count_together() -> None:
    made = errand()
    made.waited = 20.0
    assert made.after_refusal(resting(10.0, "rate_limited"), NOW) == 10.0
    assert made.after_refusal(resting(10.1, "rate_limited"), NOW) is None


def test_limits_are_waited_for_until_all_keys_were_repeated_enough() -> None:
    made = errand(retries=Retries(most=2), keys=1)
    for _ in range(2):
        assert made.after_refusal(resting(1.0, "rate_limited"), NOW) == 1.0
        made.began("k0")
    assert made.after_refusal(resting(1.0, "rate_limited"), NOW) is None
    made.keys = 2  # one was never to be had yet
    assert made.after_refusal(resting(1.0, "rate_limited"), NOW) == 1.0


@pytest.mark.parametrize(
    ("waited", "now", "expected"), [(0.0, NOW, 30.0), (20.0, NOW, 10.0), (40.0, NOW, 0.0), (0.0, DEADLINE - 3.0, 3.0)]
)
def test_what_is_left_to_wait(waited: float, now: float, expected: float) -> None:
    made = errand()
    made.waited = waited
    assert made.patience(now) == pytest.approx(expected)


# What the client hears


def test_limits_are_a_429_with_the_earliest_reset() -> None:
    heard = refused("acme", resting(12.3, "key_refused", "requests", "rate_limited"), errand())
    assert (heard.kind, heard.retry_after, heard.provider) == (K.RATE_LIMITED, 14, "acme")
    assert "none of its 3 keys can serve" in heard.words
    assert "14 seconds" in heard.words


def test_a_limit_in_the_upstreams_own_words_says_when_too() -> None:
    made = errand()
    made.failure = own = UpstreamFailure(K.RATE_LIMITED, "6000 tokens a minute", retry_after=50)
    heard = refused("acme", resting(12.3, "rate_limited", "rate_limited"), made)
    assert (heard, own.retry_after) == (own, 13)


def test_the_calls_own_failure_says_more_than_the_rest_it_led_to() -> None:
    made = errand()
    made.failure = UpstreamFailure(K.KEY_REFUSED, "invalid key")
    heard = refused("acme", resting(1800.0, "key_refused"), made)
    assert (heard.words, heard.retry_after) == ("invalid key", None)


def test_a_busy_providers_failure_says_when_to_come_back() -> None:
    made = errand()
    made.failure = UpstreamFailure(K.OVERLOADED, "so full")
    assert refused("acme", resting(4.2, "overloaded"), made).retry_after == 5
    made.failure = UpstreamFailure(K.OVERLOADED, "so full", retry_after=9)
    assert refused("acme", resting(4.2, "overloaded"), made).retry_after == 9


def test_a_rest_from_an_earlier_call_is_told_by_its_reason() -> None:
    heard = refused("acme", resting(1500.0, "key_refused", "key_unpaid"), errand())
    assert (heard.kind, heard.key_label, heard.retry_after) == (K.KEY_REFUSED, "acme-01", None)
    assert "25 minutes" in heard.words
    heard = refused("acme", resting(3.0, "overloaded"), errand())
    assert (heard.kind, heard.retry_after) == (K.OVERLOADED, 3)
    assert heard.words.startswith("Provider acme: ")
    heard = refused("acme", resting(1500.0, "model_not_found"), errand(), "gpt-9")
    assert heard.words.startswith("Provider acme said that it has no model gpt-9, and is not asked")
    assert "POST /admin/keys/acme-01/wake" in heard.words


def test_an_empty_pool_has_no_key() -> None:
    assert refused("acme", resting(0.0), errand()).kind is K.NO_KEY


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "1 second"),
        (1.0, "1 second"),
        (1.1, "2 seconds"),
        (119.0, "119 seconds"),
        (120.0, "2 minutes"),
        (121.0, "3 minutes"),
        (7199.0, "120 minutes"),
        (7200.0, "2 hours"),
        (172_800.0, "2 days"),
        (200_000.0, "3 days"),
    ],
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert spell(seconds) == words
