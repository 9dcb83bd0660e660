"""How the rows of the Messages dialect want to be asked, in Chat Completions too. Pure data, read 2026-11.

See ``quirks.py`` for how these constants are read.
"""

from __future__ import annotations

from dataclasses import replace

from providers.catalog.quirks import (
    LOW_TO_HIGH,
    OFF_TO_XHIGH,
    OPEN_SAMPLERS,
    PENALTIES,
    template_switch,
    thinking_type,
)
from providers.quirks import Quirks

# platform.claude.com/docs/en/build-with-claude/extended-thinking: a thought comes back with its signature or not at all
CLAUDE = Quirks(signed_thoughts=True, server_tools=("web_search", "web_fetch"))

# openrouter.ai/docs/use-cases/reasoning-tokens: effort or max_tokens, not both; every model takes every effort but max.
# Claude caches at marks only (/docs/features/prompt-caching), which stand in a message's parts. Its Messages face takes
# Anthropic's web search by its own name (/docs/client-sdks/typescript, ToolWebSearch20260209).
_OPEN_ROUTER = Quirks(
    server_tools=("web_search",),
    body={"usage": {"include": True}},
    samplers=OPEN_SAMPLERS,
    thinking_on={"reasoning": {"enabled": True}},
    thinking_off={"reasoning": {"enabled": False}},
    effort_field="reasoning.effort",
    efforts=("minimal", *LOW_TO_HIGH, "xhigh"),
    budget_field="reasoning.max_tokens",
)
OPEN_ROUTER = replace(_OPEN_ROUTER, models=((("anthropic/",), replace(_OPEN_ROUTER, cache_marks=True)),))

# api-docs.deepseek.com/guides/thinking_mode: a thinking model's messages come back with their thoughts, all of them.
# Its Messages face refuses a tool that says "type": "custom".
DEEPSEEK = Quirks(
    untyped_tools=True,
    refused=("logit_bias",),
    json_mode="json_object",
    thinking_on=thinking_type(),
    thinking_off=thinking_type("disabled"),
    efforts=(*LOW_TO_HIGH, "xhigh", "max"),
    owed_models=("deepseek-",),
    owed_always=True,
    thinks_unasked=True,
)

# friendli.ai/docs/guides/reasoning
FRIENDLIAI = Quirks(
    body={"parse_reasoning": True, "include_reasoning": True},
    samplers=OPEN_SAMPLERS,
    thinking_on=template_switch(True, "enable_thinking"),
    thinking_off=template_switch(False, "enable_thinking"),
)

# docs.fireworks.ai/guides/reasoning: thinking and reasoning_effort together are a 400. "any": litellm 1.109.1.
_FIREWORKS = Quirks(required_choice="any", json_with_tools=False, samplers=OPEN_SAMPLERS)
_FIREWORKS_MODELS = "accounts/fireworks/models/"
FIREWORKS = replace(
    _FIREWORKS,
    models=(
        ((f"{_FIREWORKS_MODELS}deepseek-v",), replace(_FIREWORKS, efforts=OFF_TO_XHIGH)),
        ((f"{_FIREWORKS_MODELS}glm-5",), replace(_FIREWORKS, efforts=("none", "high", "max"))),
        ((f"{_FIREWORKS_MODELS}kimi-k2",), replace(_FIREWORKS, efforts=LOW_TO_HIGH)),
        (
            (f"{_FIREWORKS_MODELS}gpt-oss",),
            replace(_FIREWORKS, efforts=LOW_TO_HIGH, always_thinks=True, vision=False),
        ),
    ),
)

# docs.z.ai/api-reference/llm/chat-completion: one stop word, tool_choice auto, no json_schema; effort from GLM-5.2 on
_ZAI = Quirks(
    accepted=(
        *("max_tokens", "stream_options", "temperature", "top_p", "stop", "tools", "tool_choice"),
        *("user", "response_format", "thinking", "reasoning_effort"),
    ),
    renamed=(("user", "user_id"),),
    temperature=(0.0, 1.0),
    max_stops=1,
    required_choice="",
    named_choice=False,
    json_mode="json_object",
    thinking_on=thinking_type(),
    thinking_off=thinking_type("disabled"),
    thinks_unasked=True,
)
ZAI = replace(
    _ZAI,
    models=(
        (("glm-5.2", "glm-5.3"), replace(_ZAI, efforts=("minimal", *LOW_TO_HIGH, "xhigh", "max"))),
        (("glm-4.5v", "glm-4.6v"), _ZAI),
        (("glm-4.5", "glm-4.6", "glm-4.7", "glm-5.1"), replace(_ZAI, vision=False)),
    ),
)

# alibabacloud.com/help/en/model-studio/deep-thinking: no JSON mode and no demanded tool while a model thinks
QWEN = Quirks(
    refused=("logit_bias",),
    samplers=("top_k", "repetition_penalty"),
    required_choice="",
    named_choice=False,
    json_mode="",
    thinking_on={"enable_thinking": True},
    thinking_off={"enable_thinking": False},
    budget_field="thinking_budget",
)

# platform.minimax.io/docs/api-reference/text-openai-api; M3 thinks as it likes or not at all, M2 always, M3.1 refuses
# to stop (dev.to/aihubmix, 2026-10). What its schema does not have: java.agentscope.io/v2/en/integration/model/minimax.
# Thoughts stand in the text where reasoning_split is not asked for, and go back there. /docs/guides/server-tools
_MINIMAX = Quirks(
    server_tools=("web_search",),
    refused=("tool_choice", "parallel_tool_calls", "logit_bias", "seed", "user", *PENALTIES),
    json_mode="",
    always_thinks=True,
    thinks_unasked=True,
)
MINIMAX = replace(
    _MINIMAX,
    models=(
        (
            ("MiniMax-M3",),
            replace(
                _MINIMAX,
                always_thinks=False,
                thinking_on=thinking_type("adaptive"),
                thinking_off=thinking_type("disabled"),
            ),
        ),
        (("MiniMax-M3.1",), _MINIMAX),
        (("MiniMax-M2",), replace(_MINIMAX, vision=False)),
    ),
)
