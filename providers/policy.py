"""What follows from each kind of failure. One total table; tested as total."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from providers.errors import ErrorKind, Fault, Scope, UpstreamFailure


@dataclass(frozen=True, slots=True)
class Consequence:
    """``status`` None keeps the upstream's; ``own_words`` sends its message on as it came."""

    scope: Scope
    status: int | None
    type: str
    own_words: bool = False
    retry: bool | None = None  # what x-should-retry tells the client
    key_state: str = "ready"


_KEY = Consequence(Scope.KEY, 502, "api_error", retry=False, key_state="refused")

CONSEQUENCES: Mapping[ErrorKind, Consequence] = {
    ErrorKind.INVALID_REQUEST: Consequence(Scope.REQUEST, None, "invalid_request_error", own_words=True),
    ErrorKind.NOT_FOUND: Consequence(Scope.MODEL, 404, "not_found_error", own_words=True),
    ErrorKind.TOO_LARGE: Consequence(Scope.REQUEST, 413, "request_too_large", own_words=True),
    ErrorKind.KEY_REFUSED: _KEY,
    ErrorKind.KEY_UNPAID: _KEY,
    ErrorKind.KEY_FORBIDDEN: _KEY,
    ErrorKind.NO_KEY: _KEY,
    ErrorKind.RATE_LIMITED: Consequence(Scope.KEY, 429, "rate_limit_error", key_state="limited"),
    ErrorKind.OVERLOADED: Consequence(Scope.PROVIDER, 529, "overloaded_error", own_words=True),
    ErrorKind.SERVER_ERROR: Consequence(Scope.PROVIDER, None, "api_error"),
    ErrorKind.UNREACHABLE: Consequence(Scope.PROVIDER, 502, "api_error"),
    ErrorKind.FIRST_TOKEN_TIMEOUT: Consequence(Scope.PROVIDER, 504, "timeout_error"),
    ErrorKind.STALLED: Consequence(Scope.PROVIDER, 504, "timeout_error"),
    ErrorKind.CUT: Consequence(Scope.PROVIDER, 502, "api_error"),
    ErrorKind.MALFORMED: Consequence(Scope.PROVIDER, 502, "api_error"),
}

# The status where the upstream sent none of its own (an error inside a 200).
_DEFAULT_STATUS: Mapping[ErrorKind, int] = {ErrorKind.INVALID_REQUEST: 400, ErrorKind.SERVER_ERROR: 502}

# Claude Code shows its login screen when an error names this header.
_LOGIN_WORDS = re.compile(r"x-api-key", re.IGNORECASE)


def fault(failure: UpstreamFailure) -> Fault:
    """What the client is told when this failure ends the call."""
    rule = CONSEQUENCES[failure.kind]
    status = rule.status or failure.status or _DEFAULT_STATUS[failure.kind]
    return Fault(
        status,
        rule.type,
        failure.words if rule.own_words else _explain(failure, rule),
        retry=rule.retry,
        retry_after=failure.retry_after,
        body=failure.body if rule.own_words else None,
    )


def key_state(reason: str) -> str:
    """The state of a key after an attempt that ended for this reason ("" = well)."""
    return CONSEQUENCES[ErrorKind(reason)].key_state if reason else "ready"


def _explain(failure: UpstreamFailure, rule: Consequence) -> str:
    said = _LOGIN_WORDS.sub("API key", failure.words)
    if rule is _KEY:
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
