"""Token counts as Messages upstreams report them. Pure."""

from __future__ import annotations

from providers.ports import Usage

_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
}


def read_usage(reported: object, usage: Usage) -> None:
    """Later reports win where they say something: counts are cumulative, and a null or 0 is no report."""
    if not isinstance(reported, dict):
        return
    for name, field in _COUNTS.items():
        count = reported.get(name)
        if isinstance(count, int) and count > 0:
            setattr(usage, field, count)
    details = reported.get("output_tokens_details")
    thought = details.get("thinking_tokens") if isinstance(details, dict) else None
    if isinstance(thought, int) and thought > 0:
        usage.reasoning_tokens = thought
