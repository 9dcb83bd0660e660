"""A failure in Anthropic's shape. Pure."""

from __future__ import annotations

from providers.chat.sse import frame
from providers.errors import Fault
from providers.json_object import encode


def error_body(fault: Fault, request_id: str) -> bytes:
    """The JSON of an error; the upstream's own where it is in this shape already."""
    if fault.body is not None:
        return fault.body
    return encode({"type": "error", "error": {"type": fault.type, "message": fault.message}, "request_id": request_id})


def error_event(fault: Fault, request_id: str) -> bytes:
    """The event that ends a stream which cannot go on."""
    return frame(b"error", error_body(fault, request_id))
