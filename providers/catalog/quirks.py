"""How the rows of Chat Completions want to be asked, where that is not OpenAI's way. Pure data, read 2026-11.

Each constant is one provider's; ``models`` says what holds instead for some of its models. A row with little to say
says it itself. What nobody says stays at the dialect's default, and what an upstream refuses all the same is learned
from its answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from providers.quirks import Quirks, Replay

LOW_TO_HIGH = ("low", "medium", "high")
OFF_TO_HIGH = ("none", *LOW_TO_HIGH)
OFF_TO_XHIGH = (*OFF_TO_HIGH, "xhigh")
PENALTIES = ("frequency_penalty", "presence_penalty")
OPEN_SAMPLERS = ("top_k", "min_p", "repetition_penalty")  # what servers of open models take besides OpenAI's


def thinking_type(on: str = "enabled") -> dict[str, Any]:
    return {"thinking": {"type": on}}


def template_switch(switch: bool, *names: str) -> dict[str, Any]:
    return {"chat_template_kwargs": dict.fromkeys(names, switch)}


# A reasoning model takes no sampling (litellm 1.109.1); from 5.4 on its tools go with the effort "none" alone
# (github.com/openai/openai-openapi/issues/541, github.com/BerriAI/litellm/pull/34569); Responses has no such rule.
# Efforts: developers.openai.com/api/docs/guides/reasoning.
_OPENAI = Quirks(max_tokens_field="max_completion_tokens", files=True, schemas="openai")
_REASONING = replace(
    _OPENAI,
    system_role="developer",
    refused=("temperature", "top_p", "stop", "logit_bias", *PENALTIES),
    efforts=LOW_TO_HIGH,
    always_thinks=True,
)
_FROM_5_1 = replace(_REASONING, always_thinks=False, efforts=OFF_TO_HIGH)
_FROM_5_2 = replace(_FROM_5_1, efforts=OFF_TO_XHIGH)
OPENAI = replace(
    _OPENAI,
    models=(
        (("o1", "o3", "o4"), replace(_REASONING, refused=(*_REASONING.refused, "parallel_tool_calls"))),
        (("gpt-5-chat", "gpt-5.1-chat", "gpt-5.2-chat", "gpt-5.3-chat"), _OPENAI),
        (("gpt-5",), replace(_REASONING, efforts=("minimal", *LOW_TO_HIGH))),
        (("gpt-5.1",), _FROM_5_1),
        (("gpt-5.2", "gpt-5.3"), _FROM_5_2),
        (("gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-5.7", "gpt-6"), replace(_FROM_5_2, tool_effort="none")),
    ),
)

# At other hosts: most servers of open models know max_tokens alone, and drop the newer name without a word.
OPENAI_ELSEWHERE = replace(OPENAI, max_tokens_field="max_tokens", files=False)

# GitHub Models: 4,000 tokens out in every class of its plans (docs.github.com/github-models, rate limits).
GITHUB = Quirks(
    max_output_tokens=4000,
    schemas="openai",
    models=(
        (("openai/gpt-5",), replace(_REASONING, max_output_tokens=4000, efforts=("minimal", *LOW_TO_HIGH))),
        (("openai/o1", "openai/o3", "openai/o4"), replace(_REASONING, max_output_tokens=4000)),
    ),
)

# The cap is claude-code-proxy's. Parameters: docs.api.nvidia.com/nim and litellm 1.109.1; an unknown one is a 400
# ("Unsupported parameter(s)": github.com/Alishahryar1/free-claude-code/issues/127), a template's one too where the
# model's tokenizer has no template (issues/89 there). Which switch a template reads depends on the model, so both go.
_NIM = Quirks(
    max_output_tokens=81920,
    vendors=(
        ("qwen", "qwen"),
        ("deepseek", "deepseek-ai"),
        ("devstral", "mistralai"),
        ("glm", "z-ai"),
        ("gemma", "google"),
        ("llama", "meta"),
        ("nemotron", "nvidia"),
        ("kimi", "moonshotai"),
        ("minimax", "minimaxai"),
        ("gpt-oss", "openai"),
    ),
    refused=("user", "logit_bias"),
    schemas="nim",
    strict_tools=False,
    thinking_on=template_switch(True, "thinking", "enable_thinking"),
    thinking_off=template_switch(False, "thinking", "enable_thinking"),
)
_NIM_PLAIN = replace(_NIM, thinking_on={}, thinking_off={})
NIM = replace(
    _NIM,
    models=(
        (
            ("google/gemma-2-", "google/recurrentgemma"),
            replace(_NIM_PLAIN, accepted=("temperature", "top_p", "max_tokens", "stop", "seed"), vision=False),
        ),
        (("mistralai/", "meta/", "microsoft/", "google/"), _NIM_PLAIN),
        (("minimaxai/minimax-m2",), replace(_NIM_PLAIN, always_thinks=True, vision=False)),
        (("openai/gpt-oss",), replace(_NIM_PLAIN, efforts=LOW_TO_HIGH, always_thinks=True, vision=False)),
        (("nvidia/nemotron-3",), replace(_NIM, budget_field="reasoning_budget")),
        (("z-ai/glm4.7", "z-ai/glm-5.1", "z-ai/glm5", "deepseek-ai/", "qwen/qwen3-coder"), replace(_NIM, vision=False)),
    ),
)

# console.groq.com/docs/openai and /docs/reasoning; "response_format does not support streaming"
# (github.com/BerriAI/litellm/issues/4804), and we always stream. Thoughts go back to models that think, as "reasoning";
# the others refuse them (github.com/vercel/ai/pull/8057).
_GROQ = Quirks(refused=("logit_bias",), json_mode="", replay=Replay.NEVER)
_GROQ_THINKING = replace(_GROQ, replay=Replay.SAME)
GROQ = replace(
    _GROQ,
    models=(
        (("openai/gpt-oss",), replace(_GROQ_THINKING, efforts=LOW_TO_HIGH, always_thinks=True, vision=False)),
        (
            ("qwen/qwen3",),
            replace(
                _GROQ_THINKING,
                body={"reasoning_format": "parsed"},
                thinking_on={"reasoning_effort": "default"},
                thinking_off={"reasoning_effort": "none"},
            ),
        ),
    ),
)

# Parameters: litellm 1.109.1, others may be a 400. Its limiter charges max_tokens in advance: 16,384 is where opencode
# caps it (its issue 5036). Usage comes unasked. inference-docs.cerebras.ai/capabilities/reasoning: thoughts go back in
# the text; reasoning_content is a 400 (github.com/Kilo-Org/kilocode/issues/10375).
_CEREBRAS = Quirks(
    max_output_tokens=16384,
    accepted=(
        *("max_tokens", "response_format", "seed", "stop", "temperature", "top_p"),
        *("tools", "tool_choice", "user", "reasoning_effort", "clear_thinking"),
    ),
    replay=Replay.TAGS,
    think_models=("zai-glm", "qwen-3"),
)
CEREBRAS = replace(
    _CEREBRAS,
    models=(
        (("gpt-oss",), replace(_CEREBRAS, efforts=LOW_TO_HIGH, always_thinks=True, vision=False)),
        (("qwen-3.8",), replace(_CEREBRAS, efforts=LOW_TO_HIGH)),
        (
            ("zai-glm",),
            replace(
                _CEREBRAS,
                thinking_on={"clear_thinking": False},
                thinking_off={"reasoning_effort": "none"},
                vision=False,
            ),
        ),
    ),
)

# docs.together.ai/docs/inference/chat/reasoning
_TOGETHER = Quirks(samplers=OPEN_SAMPLERS)
_HYBRID = replace(
    _TOGETHER, thinking_on={"reasoning": {"enabled": True}}, thinking_off={"reasoning": {"enabled": False}}
)
TOGETHER = replace(
    _TOGETHER,
    models=(
        (("deepseek-ai/DeepSeek-V", "zai-org/GLM-", "moonshotai/Kimi-K", "Qwen/Qwen3.", "deepcogito/"), _HYBRID),
        (("openai/gpt-oss",), replace(_TOGETHER, efforts=LOW_TO_HIGH, always_thinks=True, vision=False)),
        (("MiniMaxAI/MiniMax-M2",), replace(_TOGETHER, always_thinks=True, vision=False)),
    ),
)

# platform.moonshot.ai/docs/api/chat; sampling of today's models is fixed, and to demand a tool is refused while they
# think (github.com/simstudioai/sim/pull/5716). K3 cannot stop thinking and takes these three efforts alone. Thoughts
# are owed with calls (github.com/anomalyco/opencode/issues/25758).
_KIMI = Quirks(
    temperature=(0.0, 1.0),
    required_choice="",
    named_choice=False,
    refused=("logit_bias",),
    schemas="moonshot",
    owed_models=("kimi-k2", "kimi-k3"),
    thinks_unasked=True,
)
_KIMI_FIXED = replace(_KIMI, refused=("temperature", "top_p", "logit_bias", *PENALTIES))
KIMI = replace(
    _KIMI,
    models=(
        (("kimi-k3",), replace(_KIMI_FIXED, efforts=("low", "high", "max"), always_thinks=True)),
        (
            ("kimi-k2.5", "kimi-k2.6"),
            replace(_KIMI_FIXED, thinking_on=thinking_type(), thinking_off=thinking_type("disabled")),
        ),
        (("kimi-k2.7", "kimi-k2-thinking"), replace(_KIMI_FIXED, always_thinks=True)),
        (("kimi-k2-0", "kimi-k2-turbo"), replace(_KIMI, vision=False)),
    ),
)

# ai.google.dev/gemini-api/docs/openai; what its OpenAI face does not know is a 400 "Unknown name"
# (github.com/n4ze3m/page-assist/issues/418, github.com/Vali-98/ChatterUI/issues/227). Signatures of calls:
# ai.google.dev/gemini-api/docs/thought-signatures.
_GEMINI = Quirks(
    refused=("seed", "logit_bias", "user", "parallel_tool_calls", *PENALTIES),
    schemas="gemini",
    strict_tools=False,  # github.com/BerriAI/litellm/issues/6136
    signed_models=("gemini-3", "gemini-4"),
)
GEMINI = replace(
    _GEMINI,
    models=(
        (("gemini-2.5-flash",), replace(_GEMINI, efforts=OFF_TO_HIGH)),
        (("gemini-2.5-pro", "gemini-3"), replace(_GEMINI, efforts=LOW_TO_HIGH, always_thinks=True)),
        (
            ("gemini-3-flash", "gemini-3.1-flash", "gemini-3.5-flash", "gemini-3.6-flash"),
            replace(_GEMINI, efforts=("minimal", *LOW_TO_HIGH), always_thinks=True),
        ),
        (("gemini-4",), replace(_GEMINI, efforts=LOW_TO_HIGH, always_thinks=True)),
    ),
)

# docs.x.ai/developers/models; what reasoning models refuse: litellm 1.109.1, strict: github.com/pydantic/pydantic-ai/
# issues/1846. 4.3 can stop thinking, 4.5 cannot
# (newreleases.io: @ai-sdk/xai 4.0.0-canary.61; github.com/anomalyco/opencode/issues/39448).
_XAI = Quirks(strict_tools=False)
_GROK = replace(_XAI, refused=("stop", *PENALTIES))
XAI = replace(
    _XAI,
    models=(
        (("grok-4", "grok-code"), _GROK),
        (("grok-3-mini",), replace(_GROK, efforts=("low", "high"), always_thinks=True)),
        (("grok-4.3",), replace(_GROK, efforts=OFF_TO_HIGH)),
        (("grok-4.5", "grok-4.6", "grok-4.7"), replace(_GROK, efforts=LOW_TO_HIGH, always_thinks=True)),
    ),
)

# docs.mistral.ai/api and /capabilities/reasoning/adjustable; parameters: litellm 1.109.1, any other is a 422. Usage
# comes in the last chunk unasked. Older models' templates end a turn of tools with the assistant.
_MISTRAL = Quirks(
    accepted=(
        *("temperature", "top_p", "max_tokens", "stop", "seed", "response_format"),
        *("tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", *PENALTIES),
    ),
    renamed=(("seed", "random_seed"),),
    required_choice="any",
    call_id_length=9,
    schemas="mistral",
)
_MISTRAL_OLD = replace(_MISTRAL, user_after_tool=False, vision=False)
MISTRAL = replace(
    _MISTRAL,
    models=(
        (
            ("mistral-small-latest", "mistral-small-2603", "mistral-medium-3-5"),
            replace(_MISTRAL, efforts=("none", "high")),
        ),
        (("mistral-large-4",), replace(_MISTRAL, efforts=LOW_TO_HIGH)),
        (("magistral",), replace(_MISTRAL, always_thinks=True)),
        (("open-mistral", "open-mixtral", "mistral-tiny", "mistral-small-24", "mistral-large-24"), _MISTRAL_OLD),
        (("codestral", "devstral"), replace(_MISTRAL, vision=False)),
    ),
)

# docs.sambanova.ai; parameters: litellm 1.109.1
_SAMBANOVA = Quirks(
    accepted=(
        *("max_tokens", "response_format", "stop", "stream_options", "temperature", "top_p", "top_k"),
        *("tools", "tool_choice", "parallel_tool_calls", "reasoning_effort"),
    ),
    samplers=("top_k",),
)
SAMBANOVA = replace(
    _SAMBANOVA,
    models=((("gpt-oss",), replace(_SAMBANOVA, efforts=LOW_TO_HIGH, always_thinks=True, vision=False)),),
)

# docs.ollama.com/openai: it does not read tool_choice, and a model that cannot think refuses an effort
OLLAMA = Quirks(refused=("tool_choice", "parallel_tool_calls", "logit_bias", "user"), efforts=OFF_TO_HIGH)

# docs.vllm.ai/en/latest/features/reasoning_outputs; templates read one switch or the other, and ignore what they do not
VLLM = Quirks(
    samplers=OPEN_SAMPLERS,
    thinking_on=template_switch(True, "thinking", "enable_thinking"),
    thinking_off=template_switch(False, "thinking", "enable_thinking"),
)

# github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
LLAMACPP = replace(VLLM, schemas="llama_cpp")

LMSTUDIO = Quirks(samplers=OPEN_SAMPLERS)
