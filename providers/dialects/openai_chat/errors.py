"""A failure in OpenAI's shape. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.errors import Fault
from providers.json_object import encode
from providers.learning import overflow

# OpenAI's error types (github.com/openai/openai-python 3.51, read 2026-11).
_TYPES: Mapping[str, str] = {
    "invalid_request_error": "invalid_request_error",
    "authentication_error": "invalid_request_error",
    "permission_error": "invalid_request_error",
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "rate_limit_error": "rate_limit_error",
}

# Its codes, where an upstream gave none (developers.openai.com/api/docs/guides/error-codes, read 2026-11).
_CODES: Mapping[str, str] = {
    "authentication_error": "invalid_api_key",
    "rate_limit_error": "rate_limit_exceeded",
}

# OpenAI writes ``tools[0].name`` (github.com/microsoft/autogen/issues/6935, read 2026-11).
_PLACE = re.compile(r"\.(\d+)(?=\.|$)")


def error_object(fault: Fault) -> dict[str, Any]:
    """What stands under ``error``."""
    kind = _TYPES.get(fault.type, "server_error")
    message, param = fault.message, fault.param
    if fault.overflow is not None:
        advice = message.partition(overflow.for_anthropic(fault.overflow))[2]
        message = overflow.for_openai(fault.overflow) + advice.removeprefix(".")
        return {"message": message, "type": kind, "param": "messages", "code": overflow.CODE}
    if param is not None:
        param = _PLACE.sub(r"[\1]", param)
        message = param + message.removeprefix(fault.param or "") if message.startswith(f"{fault.param}:") else message
    return {"message": message, "type": kind, "param": param, "code": fault.code or _CODES.get(fault.type, fault.type)}


def error_body(fault: Fault) -> bytes:
    """The JSON of an error."""
    return encode({"error": error_object(fault)})


def error_chunk(fault: Fault) -> bytes:
    """What ends a stream of chunks which cannot go on: without [DONE], which would make it a whole answer."""
    return b"data: " + error_body(fault) + b"\n\n"
