"""The error shape of a path: what a client of that API can read. Pure."""

from __future__ import annotations

from middleware.asgi import Headers, Scope, header
from providers.dialects.anthropic import errors as anthropic
from providers.dialects.openai_chat import errors as openai_chat
from providers.errors import Fault

_OPENAI_PATHS = (
    "/v1/chat/",
    "/v1/responses",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images",
    "/v1/audio",
    "/v1/moderations",
    "/v1/assistants",
    "/v1/threads",
    "/v1/batches",
    "/v1/fine_tuning",
    "/v1/vector_stores",
    "/v1/uploads",
)
_SHARED_PATHS = ("/v1/models", "/v1/files")  # both APIs have them; Anthropic's clients name a version


def speaks_openai(scope: Scope) -> bool:
    """Whether the path, or on a path of both APIs the client, is OpenAI's."""
    path: str = scope["path"]
    if path.startswith("/v1/v1/"):
        path = path.removeprefix("/v1")
    if path.startswith(_SHARED_PATHS):
        return not header(scope, b"anthropic-version")
    return path.startswith(_OPENAI_PATHS)


def error_body(fault: Fault, request_id: str, openai: bool = False) -> bytes:
    """The JSON of an error in Anthropic's shape or OpenAI's."""
    return openai_chat.error_body(fault) if openai else anthropic.error_body(fault, request_id)


def error_headers(fault: Fault) -> Headers:
    """What an error reply says besides its body."""
    headers: Headers = [(b"content-type", b"application/json"), *fault.headers]
    if fault.retry is not None:
        headers.append((b"x-should-retry", b"true" if fault.retry else b"false"))
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    return headers
