"""How the clouds want their models asked, where that is not the models' makers' way. Pure data, read 2026-11."""

from __future__ import annotations

from dataclasses import replace

from providers.catalog.message_quirks import CLAUDE
from providers.catalog.quirks import LOW_TO_HIGH
from providers.quirks import Paths, Quirks

# docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview: what it does not know is
# ignored, efforts are low to high, and a choice of tool names none. Signatures of calls come under "vertex"
# (github.com/earendil-works/pi/issues/6733). A budget of no tokens stops the thoughts of 2.5 Flash, of no other.
_VERTEX = Quirks(
    vendors=(("gemini", "google"),),
    refused=("logit_bias", "user", "parallel_tool_calls"),
    named_choice=False,
    schemas="gemini",
    strict_tools=False,
    signed_models=("gemini-3", "gemini-4"),
    signature_space="vertex",
)
VERTEX = replace(
    _VERTEX,
    models=(
        (
            ("google/gemini-2.5-flash",),
            replace(
                _VERTEX,
                efforts=LOW_TO_HIGH,
                thinking_off={"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
            ),
        ),
        (
            ("google/gemini-2.5-pro", "google/gemini-3"),
            replace(_VERTEX, efforts=LOW_TO_HIGH, always_thinks=True),
        ),
    ),
)

# The same Claude behind Google's URLs, which name the model: platform.claude.com/docs/en/build-with-claude/
# claude-on-vertex-ai; the paths are those of the anthropic SDK 2.10.0.
VERTEX_CLAUDE = replace(
    CLAUDE,
    paths=Paths("{model}:rawPredict", "{model}:streamRawPredict", "count-tokens:rawPredict"),
    body_version="vertex-2023-10-16",
)
