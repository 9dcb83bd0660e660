"""The faults that an upstream can have before its first content, and what must follow from each: a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate

from tests.gateway.voices import Pairs, Voice
from tests.upstream import Cut, Hang, Head, Raw, Reply, Reset, Send, json_reply
from tests.upstream import openai_chat as chat

NOW = 1_800_000_000  # when the tests begin, since 1970
MIDNIGHT = 86400 - NOW % 86400  # seconds until it, UTC
NEXT_MONTH = 16 * 86400 + MIDNIGHT  # NOW is 2027-01-15 08:00
PACIFIC_MIDNIGHT = 86400  # and midnight in California


@dataclass(frozen=True)
class Verdict:
    """What follows where PROVIDER_MAX_RETRIES is 2 and all else is at its default."""

    reason: str  # of the attempt
    status: int  # for the client, where nothing helps
    type: str
    state: str = "ready"  # of the key
    rest: tuple[str, float] | None = None  # of the key: "key", "model" or "account", and for how many seconds
    other_key: bool = True
    other_target: bool = True
    alone: int = 3  # calls with one key, where no other target is
    before_fallback: int = 2  # calls with one key, where one is
    takes: float = 0.0  # seconds until the other key has answered
    retry_after: str | None = None  # alone
    should_retry: str | None = None  # alone


@dataclass(frozen=True)
class Way:
    """How the provider is asked."""

    voice: Voice
    streamed: bool  # the client's wish

    @property
    def sse(self) -> bool:
        return self.streamed or self.voice.always_streams

    def __str__(self) -> str:
        return f"{self.voice}-{'streamed' if self.streamed else 'whole'}"


Fault = tuple[Reply, Verdict]
Shape = Callable[[Way], Fault | None]
"""None where the fault cannot happen that way."""


def _key(reason: str, seconds: float) -> Verdict:
    rest = ("key", seconds)
    return Verdict(reason, 502, "api_error", "refused", rest, alone=1, before_fallback=1, should_retry="false")


def _limit(seconds: float, retry_after: int, alone: int = 1, reason: str = "rate_limited") -> Verdict:
    rest = ("model", seconds)
    return Verdict(
        reason, 429, "rate_limit_error", "limited", rest, alone=alone, before_fallback=1, retry_after=str(retry_after)
    )


def _request(reason: str, status: int, kind: str = "invalid_request_error", other_target: bool = False) -> Verdict:
    return Verdict(reason, status, kind, other_key=False, other_target=other_target, alone=1, before_fallback=1)


REFUSED = _key("key_refused", 1800)
BUSY = Verdict("server_error", 500, "api_error")
OVERLOADED = Verdict("overloaded", 529, "overloaded_error")
CUT = Verdict("cut", 502, "api_error")
MALFORMED = Verdict("malformed", 502, "api_error", before_fallback=1)
MODEL_BUSY = Verdict("model_overloaded", 503, "api_error", takes=5, before_fallback=1)
BUSY_INSIDE = replace(MODEL_BUSY, status=529, type="overloaded_error")
LATE = Verdict("first_token_timeout", 504, "timeout_error", alone=1, before_fallback=1, takes=120)
SILENT = replace(LATE, alone=2)  # HTTP_READ_TIMEOUT ends it first where it is the last chance
STALLED = Verdict("stalled", 504, "timeout_error", alone=2, before_fallback=1, takes=180)


def _refusal(verdict: Verdict, status: int, kind: str, words: str, headers: Pairs = ()) -> Shape:
    return lambda way: (way.voice.refusal(status, kind, words, headers), verdict)


def _limited(verdict: Verdict, *headers: tuple[str, str], words: str = "Too many requests") -> Shape:
    return _refusal(verdict, 429, "rate_limit_error", words, headers)


def _any(reply: Reply, verdict: Verdict) -> Shape:
    return lambda way: (reply, verdict)


def _either(reply: Reply, of_stream: Verdict, of_body: Verdict) -> Shape:
    return lambda way: (reply, of_stream if way.sse else of_body)


def _sse(make: Callable[[Voice], Reply], verdict: Verdict) -> Shape:
    return lambda way: (make(way.voice), verdict) if way.sse else None


def _body(make: Callable[[Voice], Reply], verdict: Verdict) -> Shape:
    return lambda way: None if way.sse else (make(way.voice), verdict)


def _event(kind: str, verdict: Verdict, started: bool) -> Shape:
    def make(voice: Voice) -> Reply:
        error = voice.error_event(kind, "Something is wrong")
        return voice.stream(*((voice.start, error) if started else (error,)))

    return _sse(make, verdict)


def _googles(shape: Shape, verdict: Verdict | None) -> Shape:
    """The same, and what follows where it is Google that says so; None where Google has no such word."""

    def made(way: Way) -> Fault | None:
        fault = shape(way)
        if fault is None or way.voice.provider != "gemini":
            return fault
        return (fault[0], verdict) if verdict else None

    return made


def _html(status: int, *headers: tuple[str, str]) -> Reply:
    page = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body></body></html>"
    return Reply((Head(status, (("content-type", "text/html"), *headers)), Send(page)))


_GOOGLE = {
    "error": {
        "code": 429,
        "message": "Quota exceeded.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}],
    }
}
_ERROR = json_reply({"type": "error", "error": {"type": "overloaded_error", "message": "Something is wrong"}})
_EVENTS = (("content-type", "text/event-stream"),)
_JSON = (("content-type", "application/json"),)
_EMPTY = Reply((Head(200, (("content-length", "0"),)),))

SHAPES: Mapping[str, Shape] = {
    # -- the key
    "401": _refusal(REFUSED, 401, "authentication_error", "invalid key"),
    "402": _refusal(_key("key_unpaid", 4 * 3600), 402, "billing_error", "no money"),
    "403": _refusal(_key("key_forbidden", 1800), 403, "permission_error", "not for you"),
    "429 that means money": _googles(
        _refusal(_key("key_unpaid", 4 * 3600), 429, "insufficient_quota", "You have no quota."), None
    ),
    "404 of a model": _refusal(
        Verdict("model_not_found", 404, "not_found_error", "ready", ("model", 12 * 3600), alone=1, before_fallback=1),
        404,
        "not_found_error",
        "The model does not exist or you do not have access to it.",
    ),
    # -- the request
    "400": _refusal(_request("invalid_request", 400), 400, "invalid_request_error", "messages.0: bad"),
    "422": _refusal(_request("invalid_request", 422), 422, "invalid_request_error", "messages.0: bad"),
    "413": _refusal(_request("too_large", 413, "request_too_large"), 413, "request_too_large", "too large"),
    "404 of a path": _refusal(
        _request("not_found", 404, "not_found_error", other_target=True), 404, "not_found_error", "Not Found"
    ),
    "context overflow": _refusal(
        _request("context_overflow", 400, other_target=True),
        400,
        "invalid_request_error",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    "unsupported": _refusal(
        _request("unsupported", 400, other_target=True), 400, "invalid_request_error", "it does not support tools"
    ),
    # -- a limit
    "429": _limited(_limit(1, 4, alone=3)),
    "429, seconds": _limited(_limit(7, 7, alone=3), ("retry-after", "7")),
    "429, many seconds": _limited(_limit(3600, 3600), ("retry-after", "3600")),
    "429, milliseconds": _limited(_limit(1.5, 2, alone=3), ("retry-after-ms", "1500"), ("retry-after", "9")),
    "429, a date": _limited(
        _limit(90, 90),
        ("retry-after", formatdate(NOW + 5090, usegmt=True)),
        ("date", formatdate(NOW + 5000, usegmt=True)),  # the upstream's clock is not ours
    ),
    "429, zero": _limited(_limit(0.5, 1, alone=3), ("retry-after", "0")),
    "429, words": _limited(_limit(12.5, 13, alone=3), words="Please try again in 12.5s."),
    "429, a body's field": lambda way: (json_reply(_GOOGLE, 429), _limit(36, 36)),
    "429, a reset header": _limited(
        _limit(360, 360),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m0s"),
        ("x-ratelimit-remaining-tokens", "9"),
        ("x-ratelimit-reset-tokens", "12h"),
    ),
    "429, a day's quota": _googles(
        _limited(_limit(MIDNIGHT, int(MIDNIGHT), reason="key_window"), words="Limit of requests per day (RPD) reached"),
        _limit(PACIFIC_MIDNIGHT, PACIFIC_MIDNIGHT, reason="key_window"),
    ),
    "429, an account's month": _limited(
        replace(_limit(0, int(NEXT_MONTH), reason="account_quota"), rest=("account", NEXT_MONTH)),
        words="Your monthly quota is used up",
    ),
    # -- the provider
    "500": _refusal(BUSY, 500, "api_error", "oops"),
    "408": _refusal(replace(BUSY, status=408), 408, "timeout_error", "too slow"),
    "502 in HTML": _any(_html(502), replace(BUSY, status=502)),
    "503, seconds": _refusal(
        replace(BUSY, status=503, before_fallback=1, retry_after="7"),
        503,
        "api_error",
        "later",
        [("retry-after", "7")],
    ),
    "529": _refusal(OVERLOADED, 529, "overloaded_error", "Overloaded"),
    "503 of a model": _refusal(
        MODEL_BUSY,
        503,
        "api_error",
        "The model is overloaded.",
    ),
    "403 of a firewall": _any(_html(403, ("cf-mitigated", "challenge")), MALFORMED),
    "307": _any(Reply((Head(307, (("location", "/"), ("content-length", "0"))),)), MALFORMED),
    # -- an error inside a 200
    "error event first": _event("api_error", replace(BUSY, status=502), started=False),
    "overloaded event first": _googles(_event("overloaded_error", OVERLOADED, started=False), BUSY_INSIDE),
    "overloaded event after the start": _googles(_event("overloaded_error", OVERLOADED, started=True), BUSY_INSIDE),
    "limit event after the start": _event("rate_limit_error", _limit(1, 4, alone=3), started=True),
    "key event first": _event("authentication_error", REFUSED, started=False),
    "request event first": _event("invalid_request_error", _request("invalid_request", 400), started=False),
    "error in place of an answer": _any(_ERROR, OVERLOADED),
    # -- no answer
    "empty body": _either(_EMPTY, CUT, MALFORMED),
    "empty stream": _sse(lambda voice: voice.stream(), CUT),
    "pings, then the end": _sse(lambda voice: voice.stream(voice.ping, voice.ping), CUT),
    "start, then the end": _sse(lambda voice: voice.stream(voice.start), CUT),
    "only the end mark": lambda way: (chat.stream(chat.DONE), CUT) if way.voice.provider == "openai" else None,
    "HTML": _any(_html(200), MALFORMED),
    "other JSON": _any(json_reply({"ok": True}), MALFORMED),
    "a stream in place of JSON": _body(lambda voice: voice.stream(*voice.half), MALFORMED),
    "malformed first frame": _sse(lambda voice: voice.stream(voice.malformed), MALFORMED),
    "malformed second frame": _sse(lambda voice: voice.stream(voice.start, voice.malformed), MALFORMED),
    "no HTTP": _any(Reply((Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Cut())), MALFORMED),
    # -- a cut
    "FIN before the head": _any(Reply((Cut(),)), CUT),
    "RST before the head": _any(Reply((Reset(),)), CUT),
    "FIN in the head": _any(Reply((Raw(b"HTTP/1.1 200 OK\r\ncontent-"), Cut())), CUT),
    "FIN after the head": _either(Reply((Head(200, _EVENTS), Cut())), CUT, CUT),
    "RST after the head": _either(Reply((Head(200, _EVENTS), Reset())), CUT, CUT),
    "FIN before content": _sse(lambda voice: voice.stream(voice.start, Cut()), CUT),
    "RST before content": _sse(lambda voice: voice.stream(voice.start, Reset()), CUT),
    "FIN in the first frame": _sse(lambda voice: voice.stream(voice.start[:-9], Cut()), CUT),
    "FIN in the body": _body(lambda voice: Reply((Head(200, _JSON), Send(voice.half_body), Cut())), CUT),
    "RST in the body": _body(lambda voice: Reply((Head(200, _JSON), Send(voice.half_body), Reset())), CUT),
    "the body's end too early": _body(lambda voice: Reply((Head(200, _JSON), Send(voice.half_body))), MALFORMED),
    # -- silence
    "silence before the head": _either(Reply((Hang(),)), LATE, STALLED),
    "silence after the head": _either(Reply((Head(200, _EVENTS), Hang())), LATE, STALLED),
    "silence after the start": _sse(lambda voice: voice.stream(voice.start, Hang()), SILENT),
    "pings only": _sse(lambda voice: voice.stream(voice.start, *[voice.ping] * 9, Hang()), SILENT),
    "silence in the body": _body(lambda voice: Reply((Head(200, _JSON), Send(voice.half_body), Hang())), STALLED),
    "silence in a refusal": _either(Reply((Head(500), Send(b"{"), Hang())), LATE, STALLED),
}
