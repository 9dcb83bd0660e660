"""What a row advises where the request and the server that it runs on do not fit each other. Pure."""

from __future__ import annotations

from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import JsonObject, NotJson, encode

# A 400, a 404, and a context that is too small, whatever its status.
_KINDS = (
    ErrorKind.INVALID_REQUEST,
    ErrorKind.UNSUPPORTED,
    ErrorKind.CONTEXT_OVERFLOW,
    ErrorKind.NOT_FOUND,
    ErrorKind.MODEL_NOT_FOUND,
)


def advise(failure: UpstreamFailure, advice: str) -> UpstreamFailure:
    """The same failure, with one sentence behind the upstream's own words, in its body too."""
    if advice and failure.kind in _KINDS and not failure.words.endswith(advice):
        failure.words = _behind(failure.words, advice)
        failure.body = failure.body and _in_body(failure.body, advice)
    return failure


def _behind(words: str, advice: str) -> str:
    words = words.rstrip()
    stop = "" if not words or words.endswith((".", "!", "?", ":")) else "."
    return f"{words}{stop} {advice}".lstrip()


def _in_body(body: bytes, advice: str) -> bytes:
    """Anthropic's error shape, with all else as it came; a body of another shape stays."""
    try:
        outer = JsonObject(body)
        inner = outer.child("error")
        message = inner.get("message")
    except (KeyError, NotJson):
        return body
    if not isinstance(message, str):
        return body
    return outer.edited({"error": inner.edited({"message": encode(_behind(message, advice))})})
