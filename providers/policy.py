"""What follows from each kind of failure. One total table; tested as total."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from providers import reset
from providers.errors import Calendar, ErrorKind, Fault, Rest, Scope, UpstreamFailure
from providers.state import OPERATOR, RestOrder

_HOUR = 3600.0
_JITTER = 0.1
_MOST_JITTER = 60.0  # seconds
LIMITS = ("requests", "tokens", "concurrency", "usage")  # our own; why a store refuses a key besides its rests
SHORTEST = 0.5  # seconds of a rest: "retry after 0" is no invitation to a flood


@dataclass(frozen=True, slots=True)
class Consequence:
    """One row of the table.

    For the client: ``status`` None keeps the upstream's where it suits the kind; ``own_words`` sends its message on
    as it came; ``retry`` is what x-should-retry says.

    For the pool: what ``scope`` names rests for ``rest`` seconds (or until the calendar's reset), doubling each time
    up to ``longest``. ``obeys`` puts a reset that the upstream gave in its place.

    With ``probe``, one attempt finds out when the rest is over. It takes ``strikes`` such failures in a row; ``common``
    ones are the provider's doing, or our address's, when all keys meet them at once.

    For the call: whether another key of the provider, another target, or the same one after a wait may help, and how
    often that is tried while another target remains (``patience``) and while none does (``insistence``).
    """

    scope: Scope
    status: int | None
    type: str
    own_words: bool = False
    retry: bool | None = None
    key_state: str = "ready"
    rest: float | Calendar | None = None
    longest: float = 0.0
    obeys: bool = False
    other_key: bool = False
    other_target: bool = True
    again: bool = False
    probe: bool = False
    strikes: int = 1
    common: bool = False
    patience: int = 0
    insistence: int = 1000


def _request(status: int | None = None, kind: str = "invalid_request_error", other_target: bool = False) -> Consequence:
    return Consequence(Scope.REQUEST, status, kind, own_words=True, other_target=other_target)


def _key(rest: float | None, longest: float, scope: Scope = Scope.KEY) -> Consequence:
    """A key that does not work: long rests, each ended by one real request."""
    other = rest is not None
    return Consequence(
        scope, 502, "api_error", False, False, "refused", rest, longest, other_key=other, probe=True, common=other
    )


def _limit(scope: Scope, rest: float | Calendar, longest: float, again: bool = False) -> Consequence:
    """``again`` where it is a matter of moments; a day's quota is found out by one attempt."""
    return Consequence(
        scope,
        429,
        "rate_limit_error",
        False,
        None,
        "limited",
        rest,
        longest,
        obeys=True,
        other_key=True,
        again=again,
        probe=not again,
        common=again,
    )


def _busy(
    scope: Scope,
    status: int | None,
    kind: str = "api_error",
    own_words: bool = False,
    patience: int = 0,
    insistence: int = 1000,
) -> Consequence:
    """Nobody's in particular: the model rests at this provider after several in a row."""
    strikes = 1 if scope is Scope.MODEL else 5
    return Consequence(
        scope,
        status,
        kind,
        own_words,
        rest=5.0,
        longest=60.0,
        obeys=True,
        again=True,
        probe=True,
        strikes=strikes,
        patience=patience,
        insistence=insistence,
    )


CONSEQUENCES: Mapping[ErrorKind, Consequence] = {
    ErrorKind.INVALID_REQUEST: _request(),
    ErrorKind.CONTEXT_OVERFLOW: _request(400, other_target=True),  # to a larger window, where one is configured
    ErrorKind.CONTENT_FILTER: _request(),
    ErrorKind.UNSUPPORTED: _request(other_target=True),
    ErrorKind.TOO_LARGE: _request(413, "request_too_large"),
    ErrorKind.NOT_FOUND: _request(404, "not_found_error", other_target=True),
    ErrorKind.MODEL_NOT_FOUND: Consequence(
        Scope.KEY_MODEL,
        404,
        "not_found_error",
        own_words=True,
        rest=12 * _HOUR,
        longest=12 * _HOUR,
        other_key=True,
        probe=True,
    ),
    ErrorKind.KEY_REFUSED: _key(_HOUR / 2, 12 * _HOUR),
    ErrorKind.KEY_UNPAID: _key(4 * _HOUR, 24 * _HOUR),
    ErrorKind.KEY_FORBIDDEN: _key(_HOUR / 2, 12 * _HOUR),
    ErrorKind.NO_KEY: _key(None, 0.0, Scope.US),
    ErrorKind.CREDENTIAL: _key(60.0, _HOUR),  # a file that is replaced is read again
    ErrorKind.RATE_LIMITED: _limit(Scope.KEY_MODEL, 1.0, 60.0, again=True),
    ErrorKind.KEY_WINDOW: _limit(Scope.KEY, Calendar.UTC_DAY, 24 * _HOUR),
    ErrorKind.ACCOUNT_QUOTA: _limit(Scope.ACCOUNT, Calendar.UTC_DAY, 24 * _HOUR),
    ErrorKind.MODEL_OVERLOADED: _busy(Scope.MODEL, None),
    ErrorKind.OVERLOADED: _busy(Scope.PROVIDER, 529, "overloaded_error", own_words=True, patience=1),
    ErrorKind.SERVER_ERROR: _busy(Scope.PROVIDER, None, patience=1),
    ErrorKind.UNREACHABLE: _busy(Scope.PROVIDER, 502, insistence=3),  # a server that is off is not started by asking
    ErrorKind.FIRST_TOKEN_TIMEOUT: _busy(Scope.PROVIDER, 504, "timeout_error"),
    ErrorKind.STALLED: _busy(Scope.PROVIDER, 504, "timeout_error"),
    ErrorKind.CUT: _busy(Scope.PROVIDER, 502, patience=1),
    ErrorKind.DISCONNECTED: Consequence(Scope.US, 502, "api_error", again=True, patience=1),  # once, at once
    ErrorKind.MALFORMED: _busy(Scope.PROVIDER, 502),
}

# The status where the upstream sent none that suits the kind, such as in an error inside a 200.
_DEFAULT_STATUS: Mapping[ErrorKind, int] = {ErrorKind.SERVER_ERROR: 502, ErrorKind.MODEL_OVERLOADED: 529}
_BAD_REQUEST = 400
_REQUEST_STATUSES = frozenset({400, 404, 409, 413, 422})

# Where the upstream's status is kept, the type that Anthropic pairs with it.
_TYPE_OF_STATUS: Mapping[int, str] = {
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_KEY_KINDS = (ErrorKind.KEY_REFUSED, ErrorKind.KEY_UNPAID, ErrorKind.KEY_FORBIDDEN, ErrorKind.NO_KEY)

# Claude Code shows its login screen when an error names this header.
_LOGIN_WORDS = re.compile(r"x-api-key", re.IGNORECASE)


def fault(failure: UpstreamFailure) -> Fault:
    """What the client is told when this failure ends the call."""
    rule = CONSEQUENCES[failure.kind]
    status = rule.status or _kept_status(failure, rule)
    kind = rule.type if rule.status else _TYPE_OF_STATUS.get(status, rule.type)
    as_it_came = rule.own_words and failure.status in (None, status)
    return Fault(
        status,
        kind,
        failure.words if rule.own_words else _explain(failure),
        retry=rule.retry,
        retry_after=failure.retry_after,
        body=failure.body if as_it_came else None,
        param=failure.param if rule.own_words else None,
        code=_code(failure) if rule.own_words else None,
        overflow=failure.overflow,
    )


def _code(failure: UpstreamFailure) -> str | None:
    missing = "model_not_found" if failure.kind is ErrorKind.MODEL_NOT_FOUND else None
    return failure.code or missing


def _kept_status(failure: UpstreamFailure, rule: Consequence) -> int:
    status = failure.status or 0
    if rule.scope is Scope.REQUEST:
        return status if status in _REQUEST_STATUSES else _BAD_REQUEST
    suits = 500 <= status < 600 or status in (408, 409, 429)
    return status if suits else _DEFAULT_STATUS[failure.kind]


def scope(failure: UpstreamFailure) -> Scope:
    """Whose fault it is, and so what rests."""
    return failure.scope or CONSEQUENCES[failure.kind].scope


def rest(failure: UpstreamFailure) -> Rest | None:
    """How long that rests; None = not at all."""
    return failure.rest or default_rest(failure.kind, scope(failure))


def default_rest(kind: ErrorKind, whose: Scope, day: Calendar | None = None) -> Rest | None:
    """What the table has for a failure whose upstream gave no time; ``day`` is where the provider's days begin."""
    own = CONSEQUENCES[kind].rest
    if own is None or whose in (Scope.REQUEST, Scope.US):
        return None
    return Rest(calendar=day or own) if isinstance(own, Calendar) else Rest(own)


def is_limit(reason: str) -> bool:
    """Whether a key that rests for this reason will serve again by itself, soon enough to say when."""
    return reason in LIMITS or key_state(reason) in ("limited", "rested")


def order(failure: UpstreamFailure, wall: float, jitter: float = 0.0, keys: int = 1) -> RestOrder | None:
    """What rests after a failure, None where nothing does. ``wall`` is the time since 1970; ``jitter`` is of 0 to 1.

    Rests are never shorter than was said, and up to a tenth or a minute longer, so that not all come back at one
    moment. Where the provider fails, the model rests, and only after each of the pool's ``keys`` was tried: one of
    them may work.
    """
    whose, how_long = scope(failure), rest(failure)
    if how_long is None or whose in (Scope.REQUEST, Scope.US):
        return None
    rule = CONSEQUENCES[failure.kind]
    calendar = reset.until(how_long.calendar, wall) if how_long.calendar else None
    seconds = calendar if how_long.seconds is None else max(how_long.seconds, SHORTEST)
    return RestOrder(
        Scope.MODEL if whose is Scope.PROVIDER else whose,
        failure.kind.value,
        _longer(seconds or SHORTEST, jitter),
        rule.longest,
        honest=how_long.honest or how_long.seconds is None,
        later=calendar and _longer(calendar, jitter),
        probe=rule.probe,
        strikes=1 if how_long.honest or rule.strikes == 1 else max(rule.strikes, keys + 1),
        common=rule.common,
        all_keys=whose is Scope.PROVIDER,
    )


def _longer(seconds: float, jitter: float) -> float:
    return seconds + jitter * min(seconds * _JITTER, _MOST_JITTER)


def most_telling(failures: Sequence[UpstreamFailure]) -> UpstreamFailure:
    """Of the failures of a call's targets, in their order, the one that the client can do most about."""
    return min(failures, key=lambda failure: _telling(failure, failure is failures[0]))


def _telling(failure: UpstreamFailure, first: bool) -> tuple[int, float]:
    """The first target's word on the request; then whatever passes by itself, the soonest first."""
    rule = CONSEQUENCES[failure.kind]
    if rule.scope is Scope.REQUEST:
        return (0 if first else 2), 0.0
    return (1 if rule.again or is_limit(failure.kind.value) else 3), failure.retry_after or 0.0


def used_up(seconds: float) -> RestOrder:
    """What rests after a good answer which said that its limit is used up for so long."""
    return RestOrder(Scope.KEY_MODEL, ErrorKind.RATE_LIMITED.value, max(seconds, SHORTEST), honest=True)


def blames_request(failure: UpstreamFailure) -> bool:
    """The upstream read the request and found it wrong: the client must hear it."""
    return CONSEQUENCES[failure.kind].type == "invalid_request_error"


def key_state(reason: str) -> str:
    """The state of a key that rests for this reason ("" = well)."""
    if reason == OPERATOR:
        return "rested"
    return CONSEQUENCES[ErrorKind(reason)].key_state if reason else "ready"


def _explain(failure: UpstreamFailure) -> str:
    said = _LOGIN_WORDS.sub("API key", failure.words)
    if failure.kind is ErrorKind.CREDENTIAL:
        return _about_credential(failure, said)
    if failure.kind in _KEY_KINDS:
        return _about_key(failure, said)
    status = f" (HTTP {failure.status})" if failure.status else ""
    return f"Provider {failure.provider}{status}: {said}"


def _about_key(failure: UpstreamFailure, said: str) -> str:
    if failure.kind is ErrorKind.NO_KEY:
        return f"Provider {failure.provider} has no key left to use: {said}."
    status = f" with HTTP {failure.status}" if failure.status else ""
    variable = failure.key_variable or "its key"
    return (
        f"Provider {failure.provider} refused Keyturn's key {failure.key_label} ({variable}){status}: {said} "
        f"-- set {variable} to a key that it takes and restart Keyturn. Your own client token is fine."
    )


def _about_credential(failure: UpstreamFailure, said: str) -> str:
    login = f"{failure.key_label} ({failure.key_variable})"
    return (
        f"Keyturn cannot log in to provider {failure.provider} with {login}: {said}. "
        "It is tried again without a restart. Your own client token is fine."
    )
