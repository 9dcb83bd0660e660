"""THE RULES of error scope, first match wins: one row per thing that providers say. Pure data.

Sources: each provider's own documentation of errors and limits, and the conditions that its users report; litellm
1.109.1 and CLIProxyAPI for words that no documentation has; all read 2026-11. A row without ``providers`` holds for
all. Words are looked at under the statuses of a row only, since some upstreams echo the prompt into an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.classify.evidence import Evidence
from providers.errors import Calendar, ErrorKind, Scope

_ANY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """Every condition that a row names must hold. ``statuses`` has 0 for an error inside a 200 without a status."""

    kind: ErrorKind
    statuses: frozenset[int] = frozenset()
    names: frozenset[str] = _ANY  # one of them is among the error's codes, types and reasons
    words: re.Pattern[str] | None = None
    providers: frozenset[str] = _ANY
    header: tuple[str, str] | None = None  # a header, and the beginning of its value
    scope: Scope | None = None  # where it is not the kind's
    calendar: Calendar | None = None  # the reset, where the answer gives none
    short: bool = False  # the time that the answer gives is known to be too short

    def fits(self, seen: Evidence) -> bool:
        return (
            (not self.statuses or seen.status in self.statuses)
            and (not self.providers or seen.provider in self.providers)
            and (not self.names or not self.names.isdisjoint(seen.names))
            and (self.header is None or seen.headers.get(self.header[0], "").startswith(self.header[1]))
            and (self.words is None or self.words.search(seen.words) is not None)
        )


def _rule(
    kind: ErrorKind,
    statuses: str = "",
    names: str = "",
    words: str = "",
    providers: str = "",
    scope: Scope | None = None,
    calendar: Calendar | None = None,
    header: tuple[str, str] | None = None,
    short: bool = False,
) -> Rule:
    """Lists are parted by blanks."""
    return Rule(
        kind,
        frozenset(map(int, statuses.split())),
        frozenset(names.lower().split()),
        re.compile(words, re.IGNORECASE) if words else None,
        frozenset(providers.split()),
        header,
        scope,
        calendar,
        short,
    )


K, S, C = ErrorKind, Scope, Calendar
_ZAI = "zai bigmodel z_ai"
_OPENROUTER = "open_router openrouter"
_KIMI = "moonshot kimi kimi_code"
_GOOGLE = "gemini vertex"
_BAD = "0 400 404 409 413 422 500 503"  # where a code of the request's is believed; never 401, 402, 429
_OVERFLOW = (
    r"maximum context length is|exceed context limit|prompt is too long|prompt: length|input is too long"
    r"|too many input tokens|token count exceeds the model's maximum context|longer than the model's context length"
    r"|input tokens exceeds? the configured limit|exceeds the available context size"
    r"|exceeds the maximum number of tokens allowed|current length is \S+ while limit is"
    r"|maximum input length is \S+ tokens|input too long: |`inputs` tokens \+ `max_new_tokens` must be"
    r"|400 request payload size exceeds|range of input length should be|exceeds the context window"
    r"|maximum prompt length is|exceeded model token limit|too large for model with \S+ maximum context"
    r"|exceeds (the )?(model's )?maximum (context|allowed input) length|prompt token count of \S+ exceeds the limit"
    r"|longer than the maximum model length|`inputs` must have less than \S+ tokens|context length of only \S+ tokens"
    r"|greater than the context length|prompt too long; exceeded|the configured context size is \S+ tokens"
    r"|reduce the length of the messages|prompt exceeds max length"
)

_NOBODY = (
    _rule(K.DISCONNECTED, "499"),
    _rule(K.MALFORMED, "401 403 429", header=("cf-mitigated", "challenge")),
    _rule(
        K.MALFORMED, "401 403 429", words=r"^an HTML page titled '[^']*(just a moment|attention required|cloudflare)"
    ),
    # An Origin header reached Anthropic; the key is well.
    _rule(K.MALFORMED, "401 403", words=r"^CORS requests are not allowed", providers="anthropic", scope=S.US),
)

_ZAI_CODES = (
    # The code decides, whatever the status.
    _rule(K.KEY_REFUSED, names="1000 1001 1002 1003 1004", providers=_ZAI),
    _rule(K.KEY_UNPAID, names="1113 1309", providers=_ZAI, scope=S.ACCOUNT),
    _rule(K.KEY_FORBIDDEN, names="1110 1111 1112 1120 1121", providers=_ZAI, scope=S.ACCOUNT),
    _rule(K.MODEL_NOT_FOUND, names="1211 1220 1311", providers=_ZAI),
    _rule(K.INVALID_REQUEST, names="1210 1212 1213 1214 1215", providers=_ZAI),
    _rule(K.CONTEXT_OVERFLOW, names="1261", providers=_ZAI),
    _rule(K.CONTENT_FILTER, names="1301", providers=_ZAI),
    _rule(K.RATE_LIMITED, names="1302 1313", providers=_ZAI, scope=S.ACCOUNT),
    _rule(K.RATE_LIMITED, names="1303", providers=_ZAI),
    _rule(K.KEY_WINDOW, names="1304 1308", providers=_ZAI, calendar=C.CHINA_DAY),
    _rule(K.ACCOUNT_QUOTA, names="1310", providers=_ZAI, calendar=C.CHINA_DAY),
    _rule(K.MODEL_OVERLOADED, names="1305 1312", providers=_ZAI),
    _rule(K.SERVER_ERROR, names="1234", providers=_ZAI),
)

_MINIMAX_CODES = (
    # platform.minimax.io's list of error codes; they come inside a 200.
    _rule(K.SERVER_ERROR, names="1000 1001", providers="minimax"),
    _rule(K.RATE_LIMITED, names="1002 1039", providers="minimax"),
    _rule(K.KEY_REFUSED, names="1004 2049", providers="minimax"),
    _rule(K.KEY_UNPAID, names="1008", providers="minimax", scope=S.ACCOUNT),
    _rule(K.CONTENT_FILTER, names="1026 1027", providers="minimax"),
    _rule(K.CONTEXT_OVERFLOW, names="2013", words=r"context window exceeds limit", providers="minimax"),
    _rule(K.INVALID_REQUEST, names="2013", providers="minimax"),
    _rule(K.KEY_WINDOW, names="2056", providers="minimax"),
)

_REQUEST = (
    _rule(K.CONTEXT_OVERFLOW, _BAD, "context_length_exceeded exceed_context_size_error tokens_limit_reached"),
    _rule(K.CONTEXT_OVERFLOW, "0 400 413 422 500", words=_OVERFLOW),
    _rule(K.TOO_LARGE, "429", words=r"^request too large"),
    _rule(K.INVALID_REQUEST, "429", words=r"usage credits are required.*fast mode|fast mode.*usage credits"),
    _rule(
        K.CONTENT_FILTER,
        f"{_BAD} 403",
        "content_filter content_policy_violation responsibleaipolicyviolation cyber_policy data_inspection_failed",
    ),
    _rule(K.CONTENT_FILTER, "403", words=r"moderation|flagged|guardrail", providers=_OPENROUTER),
)

_KEY = (
    # Answers so while every account behind it rests.
    _rule(K.RATE_LIMITED, "401 402 403 429", "insufficient_quota", providers="cliproxyapi", scope=S.KEY_MODEL),
    _rule(K.KEY_REFUSED, "401"),
    _rule(K.KEY_FORBIDDEN, "0 400 403", "organization_on_hold", scope=S.ACCOUNT),
    _rule(K.KEY_REFUSED, "0 400 403", "authentication_error invalid_api_key api_key_invalid invalid_grant"),
    _rule(K.KEY_REFUSED, "400", words=r"^(api key not valid|incorrect api key|invalid api.?key)"),
)

_MONEY = (
    _rule(K.RATE_LIMITED, "402", "openrouter_in_flight_budget", scope=S.ACCOUNT),
    _rule(K.KEY_UNPAID, "402 403", "openrouter_key_limit", scope=S.KEY),
    _rule(K.KEY_UNPAID, "402", providers=_OPENROUTER, scope=S.ACCOUNT),
    _rule(K.KEY_UNPAID, "402", words=r"monthly included credits", scope=S.ACCOUNT, calendar=C.UTC_MONTH),
    _rule(K.RATE_LIMITED, "429", "insufficient_quota throttling.allocationquota", providers="qwen"),
    _rule(K.KEY_UNPAID, "", "project_spend_limit_exceeded", scope=S.KEY),
    _rule(
        K.KEY_UNPAID,
        "",
        "credit_balance_exhausted organization_spend_limit_exceeded organization_usage_limit_exceeded "
        "enforced_spend_limit_reached contract_spend_limit_reached linked_organization_spend_limit_reached "
        "linked_organization_billing_unavailable exceeded_current_quota_error",
        scope=S.ACCOUNT,
    ),
    _rule(
        K.KEY_UNPAID, "", "insufficient_quota billing_hard_limit_reached billing_not_active arrearage payment_required"
    ),
    _rule(K.KEY_UNPAID, "400 403 429", words=r"^your credit balance is too low|\binsufficient (account )?balance\b"),
    _rule(K.KEY_UNPAID, "400", words=r"specified (API|workspace API) usage limits|spend limit", calendar=C.UTC_MONTH),
    _rule(K.KEY_UNPAID, "403", words=r"used all available credits|no credits", providers="xai", scope=S.ACCOUNT),
    _rule(K.KEY_UNPAID, "412", providers="fireworks", scope=S.ACCOUNT),
)

_WINDOWS = (
    _rule(K.KEY_WINDOW, "429", header=("anthropic-ratelimit-unified-status", "rejected")),
    _rule(K.KEY_WINDOW, "0 403 429", "usage_limit_reached"),
    _rule(K.ACCOUNT_QUOTA, "403", words=r"usage limit for this billing cycle", providers=_KIMI, calendar=C.UTC_MONTH),
    _rule(K.KEY_WINDOW, "429", words=r"usage limit for this period", providers=_KIMI),
    _rule(
        K.KEY_WINDOW,
        "0 429",
        words=r"per.?day",
        providers=_GOOGLE,
        scope=S.KEY_MODEL,
        calendar=C.PACIFIC_DAY,
        short=True,
    ),
    _rule(K.ACCOUNT_QUOTA, "0 429", words=r"free-models-per-day", providers=_OPENROUTER, calendar=C.UTC_DAY),
    _rule(K.ACCOUNT_QUOTA, "429", words=r"\bper month\b|\bmonthly\b", calendar=C.UTC_MONTH),
    _rule(K.ACCOUNT_QUOTA, "429", words=r"\bper week\b|\bweekly\b"),
    _rule(K.KEY_WINDOW, "0 429", words=r"\bper day\b|\((TPD|RPD)\)|\bdaily\b|\bper 86400 ?s", scope=S.KEY_MODEL),
)

_MODEL = (
    _rule(
        K.MODEL_NOT_FOUND,
        "0 400 403 404",
        "model_not_found deploymentnotfound model_not_available invalid_model unknown_model",
    ),
    _rule(
        K.MODEL_NOT_FOUND,
        "404",
        words=r"^model: |\bmodel\b.{0,200}\b(not found|not exist)|no such model|^no endpoints found",
    ),
    _rule(K.MODEL_NOT_FOUND, "400", words=r"^model not exist|^(invalid|unknown) model\b|is not a valid model id"),
    _rule(K.MODEL_NOT_FOUND, "403", words=r"access to (the )?model", providers="bedrock"),
    # An error event keeps what it has always meant: the provider.
    _rule(K.OVERLOADED, "0", "overloaded_error server_is_overloaded service_unavailable_error"),
    _rule(
        K.MODEL_OVERLOADED,
        "0 400 429 498 500 503",
        "engine_overloaded_error modelnotreadyexception model_overloaded 3505 capacity_exceeded "
        "server_is_overloaded service_unavailable_error",
    ),
    _rule(
        K.MODEL_OVERLOADED,
        "429 500 502 503",
        words=r"overloaded|experiencing high demand|at capacity|capacity exceeded|^loading model"
        r"|resource exhausted, please try again later",
    ),
    _rule(K.MODEL_OVERLOADED, "429", "provider_name provider_code", providers=_OPENROUTER),
    _rule(K.MODEL_OVERLOADED, "502 503", providers=_OPENROUTER),
    _rule(K.MODEL_OVERLOADED, "498"),
    # The model's own fault: the same request may do better.
    _rule(K.SERVER_ERROR, "0 400", "tool_use_failed failed_generation", scope=S.REQUEST),
)

_CAPABILITY = (
    _rule(
        K.UNSUPPORTED, "0 400 422", "model_not_supported unsupported_parameter extra_forbidden operationnotsupported"
    ),
    _rule(
        K.UNSUPPORTED,
        "400 422",
        words=r"does not support|extra (fields|inputs)( are)? not permitted|unsupported parameter|thought_signature",
    ),
    _rule(
        K.INVALID_REQUEST,
        _BAD,
        "string_above_max_length invalid_prompt invalid_value unsupported_value previous_response_not_found",
    ),
    _rule(K.INVALID_REQUEST, "404", words=r"^item with id .{0,200}not (persisted|found)"),
)

_ACCOUNT = (
    _rule(K.RATE_LIMITED, "429", "throttlingexception", scope=S.ACCOUNT),
    _rule(K.KEY_FORBIDDEN, "403", "service_disabled", scope=S.ACCOUNT),
)

_INSIDE = (
    # Anthropic's types and Chat Completions' codes, for errors inside a 200.
    _rule(K.RATE_LIMITED, "0", "rate_limit_exceeded slow_down"),
    _rule(K.INVALID_REQUEST, "0", "invalid_request_error"),
    _rule(K.KEY_UNPAID, "0", "billing_error"),
    _rule(K.KEY_FORBIDDEN, "0", "permission_error"),
    _rule(K.NOT_FOUND, "0", "not_found_error"),
    _rule(K.TOO_LARGE, "0", "request_too_large"),
    _rule(K.RATE_LIMITED, "0", "rate_limit_error"),
    _rule(K.SERVER_ERROR, "0"),
)

_BY_STATUS = (
    _rule(K.INVALID_REQUEST, "400 422"),
    _rule(K.KEY_UNPAID, "402"),
    _rule(K.KEY_FORBIDDEN, "403"),
    _rule(K.NOT_FOUND, "404"),
    _rule(K.TOO_LARGE, "413"),
    _rule(K.RATE_LIMITED, "429"),
    _rule(K.OVERLOADED, "529"),
    _rule(K.SERVER_ERROR, "408 409 " + " ".join(map(str, range(500, 600)))),
    _rule(K.MALFORMED),  # what is no status of HTTP's, or none of an answer's, is no answer
)

RULES: tuple[Rule, ...] = (
    *_NOBODY,
    *_ZAI_CODES,
    *_MINIMAX_CODES,
    *_REQUEST,
    *_KEY,
    *_MONEY,
    *_WINDOWS,
    *_MODEL,
    *_CAPABILITY,
    *_ACCOUNT,
    *_INSIDE,
    *_BY_STATUS,
)
