"""Why a server tool has no result, in the words of Anthropic's API."""

from __future__ import annotations

from typing import Literal

# anthropic SDK 2.10.0, web_search_tool_result_error_code.py and web_fetch_tool_result_error_code.py (2026-11-17).
Code = Literal[
    "invalid_tool_input",
    "unavailable",
    "max_uses_exceeded",
    "too_many_requests",
    "query_too_long",
    "url_too_long",
    "url_not_allowed",
    "url_not_in_prior_context",
    "url_not_accessible",
    "unsupported_content_type",
    "content_too_large",
]


class ToolFailure(Exception):
    """``code`` is what the client is told; ``words`` say more, to the model and to the operator: no URL, no secret."""

    def __init__(self, code: Code, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
