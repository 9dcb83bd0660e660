"""Every kind of failure has one consequence, and the client is told what it can use."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import policy, reset
from providers.classify import error_inside, status_failure
from providers.errors import Calendar, ErrorKind, Overflow, Rest, Scope, UpstreamFailure
from providers.keys import STATES
from providers.state import OPERATOR

BODY = b'{"type":"error","error":{"type":"x","message":"as it came"}, "new":1 }\n'
KEY_KINDS = [ErrorKind.KEY_REFUSED, ErrorKind.KEY_UNPAID, ErrorKind.KEY_FORBIDDEN]

NOON = 1_790_000_000.0 // 86400 * 86400 + 43200  # of some day, since 1970

LIMITS = {ErrorKind.RATE_LIMITED, ErrorKind.KEY_WINDOW, ErrorKind.ACCOUNT_QUOTA}


def failed(
    kind: ErrorKind,
    words: str = "So sorry",
    status: int | None = None,
    body: bytes | None = None,
    overflow: Overflow | None = None,
) -> UpstreamFailure:
    failure = UpstreamFailure(kind, words, status=status, body=body, overflow=overflow)
    failure.provider, failure.key_label, failure.key_variable = "acme", "acme-03", "ACME_API_KEYS"
    return failure


def test_the_table_is_total() -> None:
    assert set(policy.CONSEQUENCES) == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("status", [None, 499, 529])
@pytest.mark.parametrize("body", [None, BODY])
def test_every_kind_becomes_a_fault(kind: ErrorKind, status: int | None, body: bytes | None) -> None:
    fault = policy.fault(failed(kind, status=status, body=body))
    assert 400 <= fault.status <= 599
    assert fault.type
    assert "So sorry" in fault.message
    assert policy.CONSEQUENCES[kind].scope in Scope


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_leaves_the_key_in_a_known_state(kind: ErrorKind) -> None:
    assert policy.key_state(kind.value) in STATES


def test_key_states() -> None:
    states = {kind: policy.key_state(kind.value) for kind in ErrorKind}
    assert {kind for kind, state in states.items() if state == "refused"} == {
        *KEY_KINDS,
        ErrorKind.NO_KEY,
        ErrorKind.CREDENTIAL,
    }
    assert {kind for kind, state in states.items() if state == "limited"} == LIMITS
    assert policy.key_state("") == "ready"
    assert policy.key_state(OPERATOR) == "rested"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (529, "overloaded_error"),
    ],
)
def test_the_upstreams_own_status_words_and_body_go_on(status: int, kind: str) -> None:
    shaped = policy.fault(status_failure(status, {}, BODY))
    assert (shaped.status, shaped.type, shaped.message, shaped.body) == (status, kind, "as it came", BODY)
    assert shaped.retry is None
    plain = policy.fault(status_failure(status, {}, b'{"error":{"message":"messages.0: no"}}'))
    assert (plain.status, plain.type, plain.message, plain.body) == (status, kind, "messages.0: no", None)


@pytest.mark.parametrize("status", [None, 400, 413, 422, 500])
def test_an_overflow_is_a_400_whatever_it_was(status: int | None) -> None:
    told = Overflow(2, 1)
    fault = policy.fault(failed(ErrorKind.CONTEXT_OVERFLOW, status=status, body=BODY, overflow=told))
    assert (fault.status, fault.type, fault.overflow) == (400, "invalid_request_error", told)
    assert fault.body == (BODY if status in (None, 400) else None)


@pytest.mark.parametrize(("status", "sent"), [(500, 500), (502, 502), (503, 503), (522, 522), (408, 408), (409, 409)])
def test_a_server_error_keeps_its_status_and_names_the_provider(status: int, sent: int) -> None:
    failure = status_failure(status, {}, BODY)
    failure.provider = "acme"
    fault = policy.fault(failure)
    assert (fault.status, fault.type, fault.body, fault.retry) == (sent, "api_error", None, None)
    assert fault.message == f"Provider acme (HTTP {status}): as it came"


@pytest.mark.parametrize(
    ("kind", "status", "type_"),
    [
        (ErrorKind.RATE_LIMITED, 429, "rate_limit_error"),
        (ErrorKind.UNREACHABLE, 502, "api_error"),
        (ErrorKind.FIRST_TOKEN_TIMEOUT, 504, "timeout_error"),
        (ErrorKind.STALLED, 504, "timeout_error"),
        (ErrorKind.CUT, 502, "api_error"),
        (ErrorKind.MALFORMED, 502, "api_error"),
    ],
)
def test_the_gateways_own_statuses(kind: ErrorKind, status: int, type_: str) -> None:
    fault = policy.fault(failed(kind, status=418, body=BODY))
    assert (fault.status, fault.type, fault.body) == (status, type_, None)
    assert fault.message == "Provider acme (HTTP 418): So sorry"
    assert policy.fault(failed(kind)).message == "Provider acme: So sorry"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("invalid_request_error", 400), ("not_found_error", 404), ("request_too_large", 413), ("rate_limit_error", 429),
     ("authentication_error", 502), ("overloaded_error", 529), ("api_error", 502)],
)  # fmt: skip
def test_an_error_inside_a_200_gets_the_status_of_its_kind(kind: str, status: int) -> None:
    body = b'{"type":"error","error":{"type":"%s","message":"m"}}' % kind.encode()
    assert policy.fault(error_inside(body)).status == status


@pytest.mark.parametrize(("kind", "status"), list(zip(KEY_KINDS, (401, 402, 403), strict=True)))
@pytest.mark.parametrize("words", ["invalid x-api-key", "X-API-KEY is missing", "X-Api-Key: bad", "Unauthorized"])
def test_a_refused_key_is_named_and_never_the_header(kind: ErrorKind, status: int, words: str) -> None:
    fault = policy.fault(failed(kind, words, status, BODY.replace(b"as it came", words.encode())))
    assert (fault.status, fault.type, fault.retry, fault.body) == (502, "api_error", False, None)
    for part in ("acme", "acme-03", "ACME_API_KEYS", f"HTTP {status}"):
        assert part in fault.message
    assert "x-api-key" not in fault.message.lower()


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not policy.CONSEQUENCES[kind].own_words])
def test_no_message_of_ours_names_the_header(kind: ErrorKind) -> None:
    assert "x-api-key" not in policy.fault(failed(kind, "set X-API-Key, or x-api-key")).message.lower()


def test_an_empty_pool_is_not_worth_a_retry() -> None:
    fault = policy.fault(UpstreamFailure(ErrorKind.NO_KEY, "no key is configured", provider="acme"))
    assert (fault.status, fault.type, fault.retry) == (502, "api_error", False)
    assert "acme" in fault.message


@pytest.mark.parametrize("kind", ErrorKind)
def test_retry_after_goes_on(kind: ErrorKind) -> None:
    failure = failed(kind)
    failure.retry_after = 17
    assert policy.fault(failure).retry_after == 17
    assert policy.fault(failed(kind)).retry_after is None


@pytest.mark.parametrize("kind", ErrorKind)
def test_what_rests_and_how_long_go_together(kind: ErrorKind) -> None:
    rule = policy.CONSEQUENCES[kind]
    rested = policy.default_rest(kind, rule.scope)
    assert (rested is None) is (rule.scope in (Scope.REQUEST, Scope.US))
    if rested is not None:
        assert (rested.seconds is None) is (rested.calendar is not None)
        assert not rested.honest
        assert rule.longest >= (rested.seconds or 0)
        assert rule.longest > 0
    if rule.scope in (Scope.KEY, Scope.KEY_MODEL, Scope.ACCOUNT):
        assert rule.other_key
    if rule.scope is Scope.REQUEST:
        assert (rule.other_key, rule.again) == (False, False)


def test_where_else_a_call_may_go() -> None:
    rows = policy.CONSEQUENCES
    assert not any(rows[kind].other_target for kind in (ErrorKind.INVALID_REQUEST, ErrorKind.CONTENT_FILTER))
    assert rows[ErrorKind.CONTEXT_OVERFLOW].other_target
    assert not any(rows[kind].again for kind in (*KEY_KINDS, ErrorKind.KEY_WINDOW, ErrorKind.ACCOUNT_QUOTA))
    assert all(rows[kind].again for kind in (ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.UNREACHABLE))
    assert not any(rows[kind].other_key for kind in (ErrorKind.MODEL_OVERLOADED, ErrorKind.SERVER_ERROR))


def test_a_failure_without_a_scope_has_its_kinds() -> None:
    failure = failed(ErrorKind.STALLED)
    assert (policy.scope(failure), policy.rest(failure)) == (Scope.PROVIDER, Rest(5.0))
    failure.scope, failure.rest = Scope.MODEL, Rest(9.0, honest=True)
    assert (policy.scope(failure), policy.rest(failure)) == (Scope.MODEL, Rest(9.0, honest=True))
    failure.scope, failure.rest = Scope.REQUEST, None
    assert policy.rest(failure) is None


REQUEST_KINDS = [
    ErrorKind.INVALID_REQUEST,
    ErrorKind.CONTEXT_OVERFLOW,
    ErrorKind.CONTENT_FILTER,
    ErrorKind.UNSUPPORTED,
]


@pytest.mark.parametrize("kind", sorted(set(REQUEST_KINDS) - {ErrorKind.CONTEXT_OVERFLOW}))
@pytest.mark.parametrize(
    ("status", "sent", "type_"),
    [
        (None, 400, "invalid_request_error"),
        (400, 400, "invalid_request_error"),
        (422, 422, "invalid_request_error"),
        (413, 413, "request_too_large"),
        (404, 404, "not_found_error"),
        (429, 400, "invalid_request_error"),
        (403, 400, "invalid_request_error"),
        (500, 400, "invalid_request_error"),
    ],
)
def test_a_request_fault_is_never_sent_as_one_to_retry(
    kind: ErrorKind, status: int | None, sent: int, type_: str
) -> None:
    fault = policy.fault(failed(kind, status=status, body=BODY))
    assert (fault.status, fault.type, fault.message) == (sent, type_, "So sorry")
    # The body says the upstream's type: it goes on only under the upstream's status.
    assert fault.body == (BODY if status in (None, sent) else None)


@pytest.mark.parametrize(
    ("status", "sent", "type_"),
    [(None, 529, "overloaded_error"), (429, 429, "rate_limit_error"), (503, 503, "api_error"),
     (400, 529, "overloaded_error"), (498, 529, "overloaded_error")],
)  # fmt: skip
def test_an_overloaded_model_keeps_a_status_that_is_worth_a_retry(status: int | None, sent: int, type_: str) -> None:
    fault = policy.fault(failed(ErrorKind.MODEL_OVERLOADED, status=status, body=BODY))
    assert (fault.status, fault.type, fault.body) == (sent, type_, None)


def test_a_server_error_under_a_clients_status_is_a_bad_gateway() -> None:
    assert policy.fault(failed(ErrorKind.SERVER_ERROR, status=400)).status == 502


def test_who_is_blamed() -> None:
    assert {kind for kind in ErrorKind if policy.blames_request(failed(kind))} == set(REQUEST_KINDS)


# -- what rests, as an order to the store

HALF_AN_HOUR = 1800.0
BROKEN = [
    ErrorKind.OVERLOADED,
    ErrorKind.SERVER_ERROR,
    ErrorKind.UNREACHABLE,
    ErrorKind.FIRST_TOKEN_TIMEOUT,
    ErrorKind.STALLED,
    ErrorKind.CUT,
    ErrorKind.MALFORMED,
]
ORDERS = {
    ErrorKind.MODEL_NOT_FOUND: (Scope.KEY_MODEL, 24 * HALF_AN_HOUR, 24 * HALF_AN_HOUR),
    ErrorKind.KEY_REFUSED: (Scope.KEY, HALF_AN_HOUR, 24 * HALF_AN_HOUR),
    ErrorKind.KEY_UNPAID: (Scope.KEY, 8 * HALF_AN_HOUR, 48 * HALF_AN_HOUR),
    ErrorKind.KEY_FORBIDDEN: (Scope.KEY, HALF_AN_HOUR, 24 * HALF_AN_HOUR),
    ErrorKind.CREDENTIAL: (Scope.KEY, 60.0, 2 * HALF_AN_HOUR),
    ErrorKind.RATE_LIMITED: (Scope.KEY_MODEL, 1.0, 60.0),
    ErrorKind.KEY_WINDOW: (Scope.KEY, 43200.0, 86400.0),
    ErrorKind.ACCOUNT_QUOTA: (Scope.ACCOUNT, 43200.0, 86400.0),
    ErrorKind.MODEL_OVERLOADED: (Scope.MODEL, 5.0, 60.0),
} | dict.fromkeys(BROKEN, (Scope.MODEL, 5.0, 60.0))


@pytest.mark.parametrize("kind", ErrorKind)
def test_what_every_kind_orders(kind: ErrorKind) -> None:
    order = policy.order(failed(kind), NOON)
    if kind not in ORDERS:
        assert order is None
        return
    assert order is not None
    assert (order.scope, order.seconds, order.longest) == ORDERS[kind]
    assert order.reason == kind.value
    assert order.honest is (kind in (ErrorKind.KEY_WINDOW, ErrorKind.ACCOUNT_QUOTA)), "the calendar does not grow"
    assert (order.later is not None) is order.honest
    assert order.strikes == (5 if kind in BROKEN else 1)


def test_when_all_keys_meet_it_at_once_it_is_not_the_keys() -> None:
    common = {kind for kind in ErrorKind if policy.CONSEQUENCES[kind].common}
    assert common == {*KEY_KINDS, ErrorKind.CREDENTIAL, ErrorKind.RATE_LIMITED}
    assert common == {kind for kind in ErrorKind if (order := policy.order(failed(kind), NOON)) and order.common}


def test_what_one_attempt_finds_out() -> None:
    """A minute's limit is over when it is over; all longer rests, and every breaker, end with a probe."""
    probed = {kind for kind in ErrorKind if (order := policy.order(failed(kind), NOON)) and order.probe}
    assert probed == set(ORDERS) - {ErrorKind.RATE_LIMITED}


def test_what_takes_several_in_a_row() -> None:
    assert {kind for kind in ErrorKind if policy.CONSEQUENCES[kind].strikes > 1} == set(BROKEN)


def test_how_often_one_target_is_tried_again_while_another_remains() -> None:
    patience = {kind: policy.CONSEQUENCES[kind].patience for kind in ErrorKind}
    assert {kind for kind, times in patience.items() if times} == {
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.CUT,
        ErrorKind.DISCONNECTED,
    }
    assert max(patience.values()) == 1
    assert all(policy.CONSEQUENCES[kind].again for kind, times in patience.items() if times)


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("whose", [None, *Scope])
@pytest.mark.parametrize("given_rest", [None, Rest(7.0, honest=True), Rest(7.0, Calendar.UTC_MONTH, True)])
def test_an_order_for_every_failure_that_can_be(kind: ErrorKind, whose: Scope | None, given_rest: Rest | None) -> None:
    failure = failed(kind)
    failure.scope, failure.rest = whose, given_rest
    order = policy.order(failure, NOON, 0.5)
    if (whose or policy.CONSEQUENCES[kind].scope) in (Scope.REQUEST, Scope.US):
        assert order is None
    elif order is not None:
        assert order.scope not in (Scope.PROVIDER, Scope.REQUEST, Scope.US), "a breaker is provider x model"
        assert policy.SHORTEST <= order.seconds < math.inf
        assert order.honest or order.longest >= 1.0
    else:
        assert policy.CONSEQUENCES[kind].rest is None


@given(
    kind=st.sampled_from(list(ORDERS)),
    rest=st.none() | st.builds(Rest, st.floats(0.0, 31 * 86400.0), honest=st.just(True)),
    calendar=st.none() | st.sampled_from(Calendar),
    wall=st.floats(1.7e9, 2.0e9),
    jitter=st.floats(0.0, 1.0, exclude_max=True),
)
def test_nothing_rests_shorter_than_was_said_and_little_longer(
    kind: ErrorKind, rest: Rest | None, calendar: Calendar | None, wall: float, jitter: float
) -> None:
    failure = failed(kind)
    failure.rest = Rest(rest.seconds, calendar, True) if rest else Rest(calendar=calendar) if calendar else None
    exact, shaken = policy.order(failure, wall), policy.order(failure, wall, jitter)
    assert exact is not None
    assert shaken is not None
    if rest:
        assert exact.seconds == max(rest.seconds or 0.0, policy.SHORTEST)
    elif calendar:
        assert exact.seconds == exact.later == reset.until(calendar, wall)
    assert exact.seconds <= shaken.seconds <= 1.1 * exact.seconds
    if exact.later is not None:
        assert exact.later <= (shaken.later or 0.0) <= 1.1 * exact.later


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_retry_after_zero_is_no_invitation(seconds: float) -> None:
    failure = failed(ErrorKind.RATE_LIMITED)
    failure.rest = Rest(seconds, honest=True)
    order = policy.order(failure, NOON)
    assert order is not None
    assert order.seconds == policy.SHORTEST == 0.5


def test_the_upstreams_seconds_open_a_breaker_at_once_and_do_not_grow() -> None:
    failure = failed(ErrorKind.SERVER_ERROR)
    failure.rest = Rest(17.0, honest=True)
    order = policy.order(failure, NOON)
    assert order is not None
    assert (order.seconds, order.honest, order.strikes, order.later) == (17.0, True, 1, None)


def test_the_upstreams_seconds_once_and_then_to_the_reset() -> None:
    failure = failed(ErrorKind.KEY_WINDOW)
    failure.rest = Rest(30.0, Calendar.PACIFIC_DAY, honest=True)
    order = policy.order(failure, NOON)
    assert order is not None
    assert (order.seconds, order.later) == (30.0, reset.until(Calendar.PACIFIC_DAY, NOON))


def test_a_key_of_an_account_rests_with_its_account() -> None:
    failure = failed(ErrorKind.KEY_FORBIDDEN)
    failure.scope = Scope.ACCOUNT
    order = policy.order(failure, NOON)
    assert order is not None
    assert (order.scope, order.seconds, order.probe, order.common) == (Scope.ACCOUNT, HALF_AN_HOUR, True, True)


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_where_a_day_begins_moves_no_rest_but_a_days(kind: ErrorKind) -> None:
    whose = policy.CONSEQUENCES[kind].scope
    plain, moved = policy.default_rest(kind, whose), policy.default_rest(kind, whose, Calendar.CHINA_DAY)
    assert moved == (Rest(calendar=Calendar.CHINA_DAY) if plain and plain.calendar else plain)
