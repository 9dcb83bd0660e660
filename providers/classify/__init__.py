"""What a failed answer means. Pure: status, headers and body in, an UpstreamFailure out; the rules are data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from providers import policy, reset
from providers.classify.evidence import Evidence, decoded, error_object, gather, own_code, words
from providers.classify.rules import RULES, Rule
from providers.errors import Calendar, ErrorKind, Rest, Scope, UpstreamFailure
from providers.json_object import JsonObject, NotJson

__all__ = ["classify", "error_inside", "matching", "no_answer", "settled", "status_failure", "words"]

_SECONDS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,9})?")
_LIMIT_STATUSES = (0, 402, 403, 429)


def classify(
    provider: str,
    status: int | None,
    headers: Mapping[str, str],
    body: bytes,
    now: float | None = None,
    day: Calendar | None = None,
) -> UpstreamFailure:
    """The first rule that fits decides. ``provider`` is an id of the catalog, "" where it is not known.

    ``status`` None: the error came inside a 200. ``headers`` are in lower case; ``now`` is the time of the answer in
    seconds since 1970, for an upstream that names an instant and sends no Date. ``day`` is where the provider's days
    begin, for a quota that is used up and says no time.
    """
    evidence = gather(provider, status, headers, body)
    rule = matching(evidence)
    whose = rule.scope or policy.CONSEQUENCES[rule.kind].scope
    code, param = own_code(evidence.value)
    silence = "an error without a message" if status is None else f"HTTP {status} without a message"
    return UpstreamFailure(
        rule.kind,
        words(body) or silence,
        status=status,
        body=_anthropic(body),
        retry_after=_whole_seconds(headers) if status is not None else None,
        scope=whose,
        rest=_rest(rule, whose, evidence, now, day),
        code=code,
        param=param,
    )


def status_failure(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    provider: str = "",
    now: float | None = None,
    day: Calendar | None = None,
) -> UpstreamFailure:
    """An answer whose status is not 2xx."""
    return classify(provider, status, headers, body, now, day)


def error_inside(body: bytes) -> UpstreamFailure:
    """An error object that came inside a 200: an ``error`` event's data, or a whole answer that is none.

    The reader that meets it does not know its provider: ``settled`` looks at it again.
    """
    failure = classify("", None, {}, body)
    failure.evidence = body
    return failure


def settled(
    failure: UpstreamFailure,
    provider: str,
    headers: Mapping[str, str],
    now: float | None = None,
    day: Calendar | None = None,
) -> UpstreamFailure:
    """The same failure, judged again by the rules of its provider and by its answer's headers."""
    if failure.evidence is None:
        return failure
    again = classify(provider, None, headers, failure.evidence, now, day)
    failure.kind, failure.scope, failure.rest = again.kind, again.scope, again.rest
    failure.evidence = None
    return failure


def no_answer(body: bytes, wanted: str) -> UpstreamFailure:
    """A whole body inside a 200 that is no ``wanted``: an error where it looks like one, else malformed."""
    said = words(body)
    if said and error_object(decoded(body)):
        return error_inside(body)
    return UpstreamFailure(
        ErrorKind.MALFORMED, f"the upstream's answer is no {wanted}" + (f": {said[:200]}" if said else "")
    )


def matching(evidence: Evidence) -> Rule:
    """The first rule that fits; the last one always does."""
    return next(rule for rule in RULES if rule.fits(evidence))


def _rest(rule: Rule, whose: Scope, evidence: Evidence, now: float | None, day: Calendar | None) -> Rest | None:
    default = policy.default_rest(rule.kind, whose, day)
    if default is None:
        return None
    limited = evidence.status in _LIMIT_STATUSES
    obeys = policy.CONSEQUENCES[rule.kind].obeys or rule.calendar is not None
    given = reset.of_answer(evidence.headers, evidence.value, evidence.words, now, limited) if obeys else None
    if given is None:
        return Rest(calendar=rule.calendar) if rule.calendar else default
    return Rest(given, rule.calendar if rule.short else None, honest=True)


def _anthropic(body: bytes) -> bytes | None:
    """The body where it is already Anthropic's error shape, so that a client can read it as it came."""
    try:
        outer = JsonObject(body)
        match outer.get("type"), outer.get("error"):
            case "error", {"type": str(), "message": str()}:
                return body
    except NotJson:
        pass
    return None


def _whole_seconds(headers: Mapping[str, str]) -> int | None:
    """Retry-After in seconds, rounded up; None where there is none in that form."""
    value = headers.get("retry-after", "").strip()
    return math.ceil(float(value)) if _SECONDS.fullmatch(value) else None
