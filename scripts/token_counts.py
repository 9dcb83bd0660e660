"""Counts the samples in tests/wire/tokens with real tokenizers: what ``tests/wire/tokens/counts.json`` holds.

The tokenizers are no dependency of the project. To count anew:
``uv run --no-project --python 3.13 --with splintr-rs --with ctok scripts/token_counts.py``, its output into that file.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "tests" / "wire" / "tokens"
VOCABULARIES = {
    "o200k": "o200k_base",
    "gemma_3": "gemma3",
    "qwen_3": "qwen3",
    "mistral": "mistral_v3",
    "glm_4": "glm4",
    "kimi_k2": "kimi_k2",
    "deepseek_v3": "deepseek_v3",
    "llama_3": "llama3",
}
# ctok's versions, and the tokens that it adds as the frame of one message.
CLAUDES = {"claude": ("4.8", 6), "claude_4_6": ("4.6", 7)}


def main() -> None:
    splintr, ctok = importlib.import_module("splintr"), importlib.import_module("ctok")
    tokenizers = {name: splintr.Tokenizer.from_pretrained(known) for name, known in VOCABULARIES.items()}
    counts = {}
    for sample in sorted(SAMPLES.glob("*.txt")):
        text = sample.read_text(encoding="utf-8")
        claudes = {name: ctok.token_count(text, of) - frame for name, (of, frame) in CLAUDES.items()}
        counts[sample.stem] = claudes | {name: len(each.encode_ordinary(text)) for name, each in tokenizers.items()}
    tools = {name: version(name) for name in ("splintr-rs", "ctok")}
    json.dump({"tokenizers": tools, "counts": counts}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
