"""What a failed answer means. Pure: status, headers and body in, an UpstreamFailure out; the rules are data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import JsonObject, NotJson, decode

_BY_STATUS: Mapping[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.KEY_REFUSED,
    402: ErrorKind.KEY_UNPAID,
    403: ErrorKind.KEY_FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.SERVER_ERROR,
    409: ErrorKind.SERVER_ERROR,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.INVALID_REQUEST,
    429: ErrorKind.RATE_LIMITED,
    529: ErrorKind.OVERLOADED,
}

# Anthropic's error types (platform.claude.com/docs/en/api/errors, read 2026-11), for errors inside a 200.
_BY_TYPE: Mapping[str, ErrorKind] = {
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
    "authentication_error": ErrorKind.KEY_REFUSED,
    "billing_error": ErrorKind.KEY_UNPAID,
    "permission_error": ErrorKind.KEY_FORBIDDEN,
    "not_found_error": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.OVERLOADED,
}

# Chat Completions' codes and types that say more (openai-python 3.51 and litellm 1.109.1, read 2026-11).
_BY_CODE: Mapping[str, ErrorKind] = {
    "context_length_exceeded": ErrorKind.INVALID_REQUEST,
    "invalid_api_key": ErrorKind.KEY_REFUSED,
    "model_not_found": ErrorKind.NOT_FOUND,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "slow_down": ErrorKind.RATE_LIMITED,
    "server_is_overloaded": ErrorKind.OVERLOADED,
    "service_unavailable_error": ErrorKind.OVERLOADED,
}

_MAX_WORDS = 2000  # characters of an upstream's words that travel on
_SECONDS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,9})?")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def status_failure(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """An answer whose status is not 2xx."""
    kind = _of_status(status)
    said = words(body) or f"HTTP {status} without a message"
    return UpstreamFailure(kind, said, status=status, body=_anthropic(body), retry_after=_seconds(headers))


def error_inside(body: bytes) -> UpstreamFailure:
    """An error object that came inside a 200: an ``error`` event's data, or a whole answer that is none."""
    return UpstreamFailure(_kind_inside(body), words(body) or "an error without a message", body=_anthropic(body))


def no_answer(body: bytes, wanted: str) -> UpstreamFailure:
    """A whole body inside a 200 that is no ``wanted``: an error where it looks like one, else malformed."""
    said = words(body)
    if said and _error_object(body):
        return error_inside(body)
    return UpstreamFailure(
        ErrorKind.MALFORMED, f"the upstream's answer is no {wanted}" + (f": {said[:200]}" if said else "")
    )


def words(body: bytes) -> str:
    """The upstream's own words, from any of the shapes that providers use; never more than 2,000 characters.

    ``{"error": {"message"}}``, ``{"error": "..."}``, ``{"detail"}``, ``{"message"}``, ``{"title"}``, a list of one
    of these, HTML (its title), plain text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        found = _message(decode(body))
    except NotJson:
        found = _plain(text)
    return found[:_MAX_WORDS]


def _plain(text: str) -> str:
    if text[:1] != "<":
        return text
    title = _TITLE.search(text)
    return f"an HTML page titled {title.group(1).strip()!r}" if title else "an HTML page"


def _message(value: Any) -> str:
    while isinstance(value, list) and value:
        value = value[0]
    match value:
        case str():
            return value
        case {"error": {"message": str() as message}} | {"error": str() as message}:
            return message
        case {"message": str() as message} | {"detail": str() as message} | {"title": str() as message}:
            return message
        case {"detail": [{"msg": str() as message}, *_]}:
            return message
    return ""


def _kind_inside(body: bytes) -> ErrorKind:
    """By the error's code, which OpenRouter and vLLM write as an HTTP status, else by its type."""
    error = _error_object(body)
    code, kind = error.get("code", error.get("status")), error.get("type")
    number = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0
    if 400 <= number < 600:
        return _of_status(number)
    names = [name for name in (code, kind) if isinstance(name, str)]
    found = [table[name] for name in names for table in (_BY_CODE, _BY_TYPE) if name in table]
    return found[0] if found else ErrorKind.SERVER_ERROR


def _error_object(body: bytes) -> Mapping[str, Any]:
    """What holds the code and the type: the error member, or the whole object where that is the error."""
    try:
        value = decode(body)
    except NotJson:
        return {}
    while isinstance(value, list) and value:
        value = value[0]
    match value:
        case {"error": dict() as error}:
            return error
        case {"error": str()} | {"message": str()} | {"detail": _} | {"title": str()}:
            return dict(value)
    return {}


def _of_status(status: int) -> ErrorKind:
    """What is no status of HTTP's (600 and more) is no answer."""
    return _BY_STATUS.get(status, ErrorKind.SERVER_ERROR if 500 <= status < 600 else ErrorKind.MALFORMED)


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


def _seconds(headers: Mapping[str, str]) -> int | None:
    """Retry-After in seconds, rounded up; None where there is none in that form."""
    value = headers.get("retry-after", "").strip()
    return math.ceil(float(value)) if _SECONDS.fullmatch(value) else None
