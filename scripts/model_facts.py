"""Makes providers/facts/models.json out of litellm's table of models: windows, answers, abilities and prices.

The table is ``litellm/model_prices_and_context_window_backup.json`` in litellm's wheel (MIT: providers/facts/NOTICE):
``pip download --no-deps litellm && unzip litellm-*.whl``, then
``python scripts/model_facts.py TABLE VERSION DATE > providers/facts/models.json``.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from providers.facts import plain_name

# litellm's name of a provider, and what its models' names begin with there, to our id.
PROVIDERS: Mapping[str, str] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "azure": "azure",
    "azure_ai": "azure",
    "gemini": "gemini",
    "vertex_ai": "vertex",
    "vertex_ai-language-models": "vertex",
    "vertex_ai-anthropic_models": "vertex",
    "vertex_ai-mistral_models": "vertex",
    "vertex_ai-llama_models": "vertex",
    "vertex_ai-deepseek_models": "vertex",
    "vertex_ai-qwen_models": "vertex",
    "vertex_ai-zai_models": "vertex",
    "vertex_ai-openai_models": "vertex",
    "xai": "xai",
    "mistral": "mistral",
    "groq": "groq",
    "cerebras": "cerebras",
    "together_ai": "together",
    "moonshot": "kimi",
    "deepseek": "deepseek",
    "zai": "zai",
    "dashscope": "qwen",
    "minimax": "minimax",
    "sambanova": "sambanova",
    "fireworks_ai": "fireworks",
    "friendliai": "friendliai",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "bedrock_mantle": "bedrock",
}
MODES = ("chat", "responses", "completion")
FLAGS = {
    "supports_function_calling": "t",
    "supports_vision": "v",
    "supports_reasoning": "r",
    "supports_prompt_caching": "c",
}
_BEFORE = re.compile(r"(?:" + "|".join(sorted(PROVIDERS, key=len, reverse=True)) + r"|vertex_ai|bedrock)/")
_REGION = re.compile(r"(?:eu|us|global|[a-z]{2}(?:-gov)?-[a-z]+-\d|\*|commitment)/|.*/?(?:1|6)-month-commitment/")
_LONG = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")

Row = list[Any]


def main(table: str, version: str, date: str) -> None:
    read = json.loads(Path(table).read_text(encoding="utf-8"))
    entries = {name: entry for name, entry in read.items() if _wanted(entry)}
    providers = _providers(entries)
    document = {
        "source": "github.com/BerriAI/litellm, model_prices_and_context_window_backup.json (MIT; see NOTICE)",
        "version": version,
        "date": date,
        "row": ["window", "output", "abilities", "input", "output price", "cache read", "cache write", "long prompts"],
        "providers": {name: dict(sorted(rows.items())) for name, rows in sorted(providers.items())},
        "models": dict(sorted(_anywhere(entries).items())),
    }
    sys.stdout.write(_compact(document))


def _wanted(entry: Mapping[str, Any]) -> bool:
    return entry.get("mode") in MODES and isinstance(entry.get("litellm_provider"), str)


def _providers(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for name, entry in entries.items():
        provider = PROVIDERS.get(entry["litellm_provider"])
        own = _BEFORE.sub("", name, count=1)
        if provider and not _REGION.match(own) and any((row := _row(entry))[:2] + row[3:4]):
            found[provider].setdefault(own.lower(), row)
    return found


def _row(entry: Mapping[str, Any]) -> Row:
    """Trailing nothings are left out. Prices are in dollars for a million tokens."""
    flags = "".join(letter for flag, letter in FLAGS.items() if entry.get(flag))
    tiers = _tiers(entry)
    prices = tiers[0][1:] if tiers else _prices(entry)
    row: Row = [_size(entry.get("max_input_tokens")), _size(entry.get("max_output_tokens")), flags, *prices]
    row.append(tiers[1] if len(tiers) > 1 else next(_long(entry), None))
    while row and row[-1] in (None, ""):
        row.pop()
    return row


def _prices(entry: Mapping[str, Any], suffix: str = "") -> list[float | None]:
    paid, kept = ("input_cost_per_token", "output_cost_per_token"), ("cache_read", "cache_creation")
    return [_million(entry.get(name + suffix)) for name in (*paid, *(f"{each}_input_token_cost" for each in kept))]


def _tiers(entry: Mapping[str, Any]) -> list[list[Any]]:
    """Prices by the prompt's length, where the table has them so: from how many tokens on, and the prices."""
    tiers = entry.get("tiered_pricing") or ()
    return [[int(tier["range"][0]), *_prices(tier)] for tier in tiers if "range" in tier]


def _long(entry: Mapping[str, Any]) -> Iterator[list[Any]]:
    """What a prompt beyond so many tokens costs."""
    for name in entry:
        if found := _LONG.fullmatch(name):
            yield [int(found[1]) * 1000, *_prices(entry, f"_above_{found[1]}k_tokens")]


def _anywhere(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """By plain name, the window that most providers give a model; the smaller one of two."""
    windows: dict[str, Counter[int]] = defaultdict(Counter)
    for name, entry in entries.items():
        if window := _size(entry.get("max_input_tokens")):
            windows[plain_name(name)][window] += 1
    return {name: max((often, -window) for window, often in found.items())[1] * -1 for name, found in windows.items()}


def _size(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1024 else None


def _million(price: Any) -> float | None:
    if not isinstance(price, int | float):
        return None
    dollars = round(price * 1_000_000, 4)
    return int(dollars) if dollars == int(dollars) else dollars


def _compact(document: Mapping[str, Any]) -> str:
    """JSON with a line for each provider's model."""
    lines = []
    for name, value in document.items():
        if name == "providers":
            rows = ",\n".join(f"{json.dumps(each)}:{{\n{_rows(models)}\n}}" for each, models in value.items())
            lines.append(f'"providers":{{\n{rows}\n}}')
        elif name == "models":
            lines.append(f'"models":{{\n{_rows(value)}\n}}')
        else:
            lines.append(f"{json.dumps(name)}:{json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rows(rows: Mapping[str, Any]) -> str:
    return ",\n".join(f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows.items())


if __name__ == "__main__":
    main(*sys.argv[1:4])
