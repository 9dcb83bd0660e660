"""What the tokenizers of the families of models make of a text: a weight for each of ``texts.FEATURES``. Pure data.

Fitted in 2026-11 by least squares of the relative error, no weight below 0, to 900 pieces of 0.5 to 3 KB: prose,
Markdown, ten programming languages, JSON, YAML, HTML, diffs, logs, listings, tool schemas, base64, and 22 human
languages. Truth were the vocabularies in splintr-rs 0.22.0, and for Claude, whose vocabulary is not published, the
reconstruction in ctok 1.3.0. Full-width forms were too few to tell, and count 1.
docs/token-counts.md shows how near the weights come to texts that were not among those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# lower upper digit space line sign | words humps signs numbers gaps | the scripts | foreign
_WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "claude": (  # Opus 4.7 and later, Sonnet 5, Fable, Mythos
        *(0.172, 0.71, 0.242, 0.003, 0.581, 0.461),
        *(0.772, 1.565, 0.545, 1.003, 1.713),
        *(0.539, 1.873, 0.792, 0.463, 0.833, 0.956, 0.785, 0.602, 0.846, 1.162, 1.432, 1.0, 3.542),
        0.101,
    ),
    "claude_before_4_7": (
        *(0.024, 0.266, 0.162, 0.023, 0.351, 0.191),
        *(0.959, 2.032, 0.771, 1.236, 1.78),
        *(0.718, 1.634, 0.798, 0.464, 0.837, 0.965, 0.789, 0.595, 0.848, 1.167, 1.434, 1.0, 3.55),
        0.085,
    ),
    "gpt": (  # o200k
        *(0.07, 0.194, 0.139, 0.0, 0.138, 0.364),
        *(0.743, 1.021, 0.0, 1.547, 2.319),
        *(0.055, 1.271, 0.433, 0.345, 0.411, 0.426, 0.384, 0.428, 0.723, 0.756, 0.741, 1.0, 2.191),
        0.031,
    ),
    "gemini": (  # Gemma 3
        *(0.063, 0.12, 0.629, 0.008, 0.263, 0.147),
        *(0.721, 1.086, 0.836, 1.338, 1.716),
        *(0.127, 0.869, 0.447, 0.318, 0.424, 0.343, 0.435, 0.334, 0.458, 0.681, 0.677, 1.0, 1.506),
        0.037,
    ),
    "qwen": (  # and Mistral: every digit is a token
        *(0.094, 0.265, 0.641, 0.0, 0.127, 0.381),
        *(0.636, 0.77, 0.0, 1.674, 2.157),
        *(0.05, 1.284, 0.577, 0.406, 0.459, 0.621, 0.608, 0.42, 0.625, 0.757, 0.766, 1.0, 1.803),
        0.06,
    ),
    "other": (  # GLM 4, Kimi K2, DeepSeek V3 and Llama 3, taken together
        *(0.075, 0.208, 0.145, 0.0, 0.081, 0.353),
        *(0.729, 1.04, 0.036, 1.59, 2.264),
        *(0.005, 1.3, 0.532, 0.407, 0.541, 0.665, 0.945, 0.399, 0.711, 0.641, 0.921, 1.0, 3.105),
        0.081,
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
