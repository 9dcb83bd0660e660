"""How Google's own API wants its models asked, one generation after the other. Pure data, read 2026-11.

- Levels of thought, and budgets before Gemini 3: docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking
- ids of calls, and files inside results: ai.google.dev/gemini-api/docs/function-calling
- since 3.6, sampling is ignored and the model's own words may not come last:
  ai.google.dev/gemini-api/docs/generate-content/whats-new-gemini-3.6
- penalties are refused: github.com/google-gemini/cookbook/issues/1290
- JSON beside tools, since 3: github.com/googleapis/python-genai/issues/706

The "latest" names move on: they get what every model since 3 takes.
"""

from __future__ import annotations

from dataclasses import replace

from providers.catalog.quirks import LOW_TO_HIGH, PENALTIES
from providers.quirks import Quirks

_MINIMAL_TO_HIGH = ("minimal", *LOW_TO_HIGH)

_ANY = Quirks(
    refused=PENALTIES,
    json_with_tools=False,
    schemas="gemini",
    strict_tools=False,
    signed_models=("gemini-3", "gemini-4", "gemini-flash", "gemini-pro"),
)
_2_5 = replace(_ANY, max_output_tokens=65535)
_3 = replace(
    _ANY,
    max_output_tokens=65536,
    json_with_tools=True,
    efforts=LOW_TO_HIGH,
    always_thinks=True,
    call_ids=True,
    result_files=True,
)
_3_6 = replace(_3, refused=("temperature", "top_p", "top_k", *PENALTIES), prefill=False)

GEMINI = replace(
    _ANY,
    models=(
        (("gemini-2.5-flash",), replace(_2_5, thought_budgets=(0, 24576))),
        (("gemini-2.5-flash-lite",), replace(_2_5, thought_budgets=(512, 24576))),
        (("gemini-2.5-pro",), replace(_2_5, thought_budgets=(128, 32768), always_thinks=True)),
        (("gemini-3",), _3),
        (("gemini-3-pro",), replace(_3, efforts=("low", "high"))),
        (("gemini-3-flash", "gemini-3.1-flash", "gemini-3.5-flash"), replace(_3, efforts=_MINIMAL_TO_HIGH)),
        (("gemini-3.5-flash-lite", "gemini-3.6-flash"), replace(_3_6, efforts=_MINIMAL_TO_HIGH)),
        (("gemini-3.6", "gemini-3.7", "gemini-3.8", "gemini-3.9", "gemini-4"), _3_6),
        (("gemini-flash", "gemini-pro"), _3_6),
        (("gemini-4-hydrogen",), replace(_3_6, efforts=(*LOW_TO_HIGH, "xhigh"))),
    ),
)
