"""THE TABLE: one row per provider. A new provider is one row here and nothing else.

Facts that a provider publishes carry where they come from and when they were read.
"""

from __future__ import annotations

from collections.abc import Iterable

from providers.spec import Auth, ProviderSpec, Quirks

CATALOG: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        id="demo",
        title="Demo (in this process, needs nothing)",
        prefixes=("DEMO",),
        dialect="anthropic",
        base_url="demo:",
        auth=Auth.NONE,
        default_model="demo",
        keeps=("",),
        local=True,
    ),
    ProviderSpec(
        # platform.claude.com/docs/en/api/overview, read 2026-11
        id="anthropic",
        title="Anthropic",
        prefixes=("ANTHROPIC_UPSTREAM",),
        dialect="anthropic",
        base_url="https://api.anthropic.com",
        auth=Auth.X_API_KEY,
        key_url="https://platform.claude.com/settings/keys",
        default_model="claude-sonnet-5",
        keeps=("claude-",),
        counts_tokens=True,
    ),
    ProviderSpec(
        # openrouter.ai/docs/api/reference/limits, read 2026-11
        id="open_router",
        title="OpenRouter",
        prefixes=("OPENROUTER",),
        aliases=("openrouter",),
        dialect="anthropic",
        base_url="https://openrouter.ai/api",
        auth=Auth.BEARER,
        key_url="https://openrouter.ai/keys",
        default_model="anthropic/claude-sonnet-5",
        namespaces=(
            "anthropic",
            "cohere",
            "deepseek",
            "google",
            "meta-llama",
            "microsoft",
            "minimax",
            "mistralai",
            "moonshotai",
            "nvidia",
            "openai",
            "qwen",
            "x-ai",
            "z-ai",
        ),
        pooling="limits are per account: additional keys do not raise them (openrouter.ai/docs, read 2026-11)",
    ),
    ProviderSpec(
        # api-docs.deepseek.com/guides/anthropic_api, read 2026-11
        id="deepseek",
        title="DeepSeek",
        prefixes=("DEEPSEEK",),
        dialect="anthropic",
        base_url="https://api.deepseek.com/anthropic",
        auth=Auth.X_API_KEY,
        key_url="https://platform.deepseek.com/api_keys",
        default_model="deepseek-v4-pro",
        namespaces=("deepseek-ai",),
        quirks=Quirks(untyped_tools=True),
        pooling="concurrency is per account and model, whatever the key (api-docs.deepseek.com, read 2026-11)",
    ),
    ProviderSpec(
        # docs.ollama.com/api/anthropic-compatibility, read 2026-11
        id="ollama",
        title="Ollama",
        prefixes=("OLLAMA",),
        dialect="anthropic",
        base_url="http://127.0.0.1:11434",
        auth=Auth.BEARER,
        key_url="https://ollama.com/settings/keys",
        default_model="qwen3-coder",
        local=True,
        root_dialect="anthropic",
    ),
    ProviderSpec(
        # lmstudio.ai/docs/developer/anthropic-compat, read 2026-11
        id="lmstudio",
        title="LM Studio",
        prefixes=("LM_STUDIO", "LMSTUDIO"),
        aliases=("lm_studio", "lm-studio"),
        dialect="anthropic",
        base_url="http://127.0.0.1:1234/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        local=True,
    ),
    ProviderSpec(
        # github.com/ggml-org/llama.cpp/pull/17570, read 2026-11
        id="llamacpp",
        title="llama.cpp server",
        prefixes=("LLAMACPP",),
        aliases=("llama.cpp",),
        dialect="anthropic",
        base_url="http://127.0.0.1:8080/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        local=True,
    ),
    ProviderSpec(
        # docs.vllm.ai/en/latest/serving, read 2026-11
        id="vllm",
        title="vLLM",
        prefixes=("VLLM",),
        dialect="anthropic",
        base_url="http://127.0.0.1:8000/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        local=True,
    ),
    ProviderSpec(
        # platform.openai.com/docs/api-reference/chat, read 2026-11
        id="openai",
        title="OpenAI",
        prefixes=("OPENAI",),
        dialect="openai_chat",
        base_url="https://api.openai.com/v1",
        auth=Auth.BEARER,
        key_url="https://platform.openai.com/api-keys",
        default_model="gpt-4o",
        quirks=Quirks(
            max_tokens_field="max_completion_tokens",
            files=True,
            effort_models=("o1", "o3", "o4", "gpt-5"),
            efforts=("minimal", "low", "medium", "high"),
        ),
    ),
    ProviderSpec(
        # console.groq.com/docs/rate-limits, read 2026-11
        id="groq",
        title="Groq",
        prefixes=("GROQ",),
        dialect="openai_chat",
        base_url="https://api.groq.com/openai/v1",
        auth=Auth.BEARER,
        key_url="https://console.groq.com/keys",
        default_model="openai/gpt-oss-120b",
        namespaces=("meta-llama", "moonshotai", "openai", "qwen"),
        quirks=Quirks(effort_models=("openai/gpt-oss",), efforts=("low", "medium", "high")),
        pooling="limits are per organisation, whatever the key (console.groq.com/docs/rate-limits, read 2026-11)",
    ),
)


def names(rows: Iterable[ProviderSpec]) -> dict[str, str]:
    """Every name a row answers to (its id and its aliases), to its id."""
    return {name: row.id for row in rows for name in (row.id, *row.aliases)}
