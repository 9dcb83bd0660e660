"""What the tokenizers of the families of models make of a text: a weight for each of ``texts.FEATURES``. Pure data.

Fitted in 2026-11 by least squares of the relative error, no weight below 0, to 840 pieces of 1.5 to 3 KB: prose,
Markdown, ten programming languages, JSON, YAML, HTML, diffs, logs, listings, tool schemas, base64, and 22 human
languages. Truth were the vocabularies in splintr-rs 0.22.0, and for Claude, whose vocabulary is not published, the
reconstruction in ctok 1.3.0. docs/token-counts.md shows how near they come to texts that were not among those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# lower upper digit space line sign | words humps signs numbers gaps | the scripts
_WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "claude": (  # Opus 4.7 and later, Sonnet 5, Fable, Mythos
        *(0.172, 0.714, 0.269, 0.002, 0.591, 0.439),
        *(0.76, 1.602, 0.594, 0.917, 1.686),
        *(1.836, 2.219, 0.797, 0.462, 0.834, 0.955, 0.782, 0.868, 0.75, 1.213, 1.363, 0.323, 3.339),
    ),
    "claude_before_4_7": (
        *(0.025, 0.27, 0.194, 0.023, 0.352, 0.178),
        *(0.942, 2.069, 0.808, 1.137, 1.743),
        *(1.938, 1.982, 0.802, 0.464, 0.839, 0.966, 0.784, 0.661, 0.769, 1.201, 1.371, 1.093, 3.291),
    ),
    "gpt": (  # o200k
        *(0.075, 0.2, 0.165, 0.0, 0.139, 0.377),
        *(0.706, 1.039, 0.0, 1.479, 2.238),
        *(0.575, 1.346, 0.434, 0.346, 0.412, 0.427, 0.384, 0.412, 0.646, 0.78, 0.725, 3.785, 1.457),
    ),
    "gemini": (  # Gemma 3
        *(0.064, 0.124, 0.685, 0.008, 0.272, 0.134),
        *(0.704, 1.138, 0.876, 1.182, 1.627),
        *(0.628, 0.958, 0.449, 0.318, 0.424, 0.343, 0.433, 0.528, 0.421, 0.657, 0.657, 3.09, 0.785),
    ),
    "qwen": (  # and Mistral: every digit is a token
        *(0.096, 0.27, 0.694, 0.0, 0.127, 0.381),
        *(0.616, 0.809, 0.006, 1.534, 2.16),
        *(0.893, 1.382, 0.58, 0.404, 0.457, 0.622, 0.603, 1.059, 0.61, 0.791, 0.775, 3.598, 0.755),
    ),
    "other": (  # GLM 4, Kimi K2, DeepSeek V3 and Llama 3, taken together
        *(0.077, 0.211, 0.179, 0.0, 0.081, 0.344),
        *(0.712, 1.072, 0.056, 1.493, 2.257),
        *(1.172, 1.473, 0.535, 0.406, 0.54, 0.666, 0.928, 0.769, 0.636, 0.735, 0.896, 2.69, 2.362),
    ),
}
FAMILIES = tuple(_WEIGHTS)

_BEGINNINGS = (
    ("gpt", ("gpt-", "chatgpt", "codex", "o1", "o3", "o4")),
    ("gemini", ("gemini", "gemma")),
    ("qwen", ("qwen", "qwq", "mistral", "ministral", "magistral", "devstral", "codestral", "pixtral", "voxtral")),
)
# claude-opus-4-8, claude-3-5-haiku-20241022, claude-sonnet-4@20250514, anthropic/claude-opus-4.6
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_NEW = (4, 7)


def family(model: str) -> str:
    """The family that a model's name says it is of; one of FAMILIES."""
    name = model.lower().rpartition("/")[2]
    if "claude" in name:
        named = _CLAUDE.search(name)
        version = (int(named[1]), int(named[2] or 0)) if named else _NEW
        return "claude" if version >= _NEW else "claude_before_4_7"
    return next((each for each, beginnings in _BEGINNINGS if name.startswith(beginnings)), "other")


def tokens(features: tuple[float, ...], of: str) -> float:
    """Tokens of a text with these features, in a family."""
    return sum(weight * number for weight, number in zip(_WEIGHTS[of], features, strict=True))
