"""docs/token-counts.md: the estimate's error for every kind of text and every tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.tokens.families import family, tokens
from gateway.tokens.texts import features

SAMPLES = Path(__file__).resolve().parent.parent / "wire" / "tokens"
# The tokenizers that the samples were counted with, each with a model that uses it.
TOKENIZERS: Mapping[str, tuple[str, str]] = {
    "claude": ("Claude from 4.7 on", "claude-sonnet-5"),
    "claude_4_6": ("Claude up to 4.6", "claude-haiku-4-5"),
    "o200k": ("GPT (o200k)", "gpt-5.6-sol"),
    "gemma_3": ("Gemma 3", "gemini-3.8-flash"),
    "qwen_3": ("Qwen 3", "qwen3-coder-plus"),
    "mistral": ("Mistral", "mistral-large-latest"),
    "glm_4": ("GLM 4", "glm-4.7"),
    "kimi_k2": ("Kimi K2", "kimi-k2.6"),
    "deepseek_v3": ("DeepSeek V3", "deepseek-v4-pro"),
    "llama_3": ("Llama 3", "meta-llama/llama-3.3-70b"),
}
# What coding agents send most of, in English; the rest are other languages, and data that is rarely sent as text.
CODING = (
    *("diff", "english", "html", "javascript", "json_compact", "json_pretty", "log", "markdown", "minified_js"),
    *("python", "shell", "symbols", "tool_schemas", "trace", "typescript", "yaml"),
)

Errors = Mapping[str, Mapping[str, float]]
"""Relative errors by kind of text and tokenizer."""


@dataclass(frozen=True)
class Truth:
    """What real tokenizers counted, by kind of text and tokenizer."""

    tools: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]


def truth() -> Truth:
    read = json.loads((SAMPLES / "counts.json").read_text(encoding="utf-8"))
    return Truth(read["tokenizers"], read["counts"])


def estimated() -> Errors:
    """Of the estimate, for a model that uses the tokenizer."""
    return {
        kind: {name: tokens(_features(kind), family(TOKENIZERS[name][1])) / count - 1 for name, count in row.items()}
        for kind, row in truth().counts.items()
    }


def one_for_all(of: str) -> Errors:
    """Of counting with one vocabulary, whatever the model."""
    return {kind: {name: row[of] / count - 1 for name, count in row.items()} for kind, row in truth().counts.items()}


def mean(errors: Errors, name: str, kinds: Iterable[str]) -> float:
    """Of the errors' sizes."""
    sizes = [abs(errors[kind][name]) for kind in kinds]
    return sum(sizes) / len(sizes)


def _features(kind: str) -> tuple[float, ...]:
    return features((SAMPLES / f"{kind}.txt").read_bytes())


def page() -> str:
    """The whole of docs/token-counts.md."""
    errors, plain = estimated(), one_for_all("o200k")
    kinds = sorted(errors)
    others = [kind for kind in kinds if kind not in CODING]
    tools = ", ".join(f"{name} {version}" for name, version in truth().tools.items())
    return "\n".join(
        [
            "# How near the estimate of tokens comes",
            "",
            "Made by `python -m tests.tokens > docs/token-counts.md`; a test compares. In percent of what the real",
            f"tokenizer counts ({tools}), before anything was learned from usage. The samples are texts",
            "of 1 to 5 KB in `tests/wire/tokens`; none of them was used to fit the estimate.",
            "",
            _line("text", (title for title, _ in TOKENIZERS.values())),
            _line("---", ("---:" for _ in TOKENIZERS)),
            *_rows(kinds, lambda kind, name: f"{100 * errors[kind][name]:+.0f}"),
            *_rows(["mean error, what coding agents send"], lambda _, name: f"{100 * mean(errors, name, CODING):.1f}"),
            *_rows(["mean error, the rest"], lambda _, name: f"{100 * mean(errors, name, others):.1f}"),
            *_rows(
                ["for comparison: o200k for every model, what coding agents send"],
                lambda _, name: f"{100 * mean(plain, name, CODING):.1f}",
            ),
            "",
            "What the upstream reports corrects the rest, model by model (`providers/learning/calibration.py`).",
            "",
        ]
    )


def _rows(kinds: Iterable[str], cell: Callable[[str, str], str]) -> Iterable[str]:
    return (_line(kind.replace("_", " "), (cell(kind, name) for name in TOKENIZERS)) for kind in kinds)


def _line(first: str, cells: Iterable[str]) -> str:
    return "| " + " | ".join((first, *cells)) + " |"
