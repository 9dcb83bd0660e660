"""Rows that take less than the tables' upstream: those of the catalog, and some that take next to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from providers.catalog import CATALOG
from providers.quirks import Quirks
from tests.fidelity.ways import ABLE, DIALECTS, Way

# Members that some upstream or other refuses, by the names of all dialects.
MEMBERS = (
    *("temperature", "top_p", "top_k", "stop", "stop_sequences", "seed", "user", "logit_bias"),
    *("frequency_penalty", "presence_penalty", "parallel_tool_calls", "tool_choice", "response_format"),
    *("reasoning_effort", "reasoning", "thinking", "output_config", "text", "metadata", "store", "service_tier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "verbosity", "stream_options"),
    *("moderation", "prediction", "truncation", "max_tool_calls", "web_search_options", "context_management"),
)
NARROW: Mapping[str, Quirks] = {
    "that nobody knows": Quirks(),
    "that refuses": Quirks(
        refused=MEMBERS,
        max_stops=1,
        required_choice="",
        named_choice=False,
        json_mode="",
        vision=False,
        strict_tools=False,
        schemas="gemini",
        always_thinks=True,
    ),
    "that takes little": Quirks(accepted=("max_tokens",), json_mode="json_object", json_with_tools=False),
    "that was found to refuse": replace(ABLE, learned=MEMBERS),
    "with quiet tools": replace(ABLE, tool_effort="none"),
    "with few efforts": Quirks(efforts=("low", "high"), temperature=(0.0, 0.3)),
    "with a switch": Quirks(thinking_on={"enable_thinking": True}, thinking_off={"enable_thinking": False}),
    "with budgets": Quirks(budget_field="thinking_budget", thinking_on={"enable_thinking": True}),
    "with marks": replace(ABLE, cache_marks=True),
}


def rows(client: str) -> Iterator[tuple[str, Way]]:
    """Every narrow row of every dialect, translated, and every row of the catalog that is asked in Chat Completions."""
    for upstream in DIALECTS:
        for name, quirks in NARROW.items():
            yield f"{upstream} {name}", Way(client, upstream, False, quirks)
    for name, quirks in _catalog().items():
        yield name, Way(client, "openai_chat", False, quirks)


def _catalog() -> Mapping[str, Quirks]:
    """Each of its ways of asking once."""
    found: dict[Quirks, str] = {}
    for row in CATALOG:
        for number, quirks in enumerate((row.quirks, *(own for _, own in row.quirks.models))):
            found.setdefault(replace(quirks, models=()), f"{row.id} {number}")
    return {name: quirks for quirks, name in found.items()}
