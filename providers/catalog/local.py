"""Rows of what runs on the user's machine: a key is sent where one is set, and no proxy variables hold."""

from __future__ import annotations

from providers.catalog import quirks
from providers.spec import Auth, Face, ProviderSpec

# Who publishes the models that people run: their "vendor/model" is one name here.
VENDORS = (
    "MiniMaxAI",
    "Qwen",
    "deepseek-ai",
    "google",
    "ibm",
    "lmstudio-community",
    "meta-llama",
    "microsoft",
    "mistralai",
    "mlx-community",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "unsloth",
    "zai",
    "zai-org",
)

DEMO = ProviderSpec(
    id="demo",
    title="Demo (in this process, needs nothing)",
    prefixes=("DEMO",),
    dialect="anthropic",
    base_url="demo:",
    auth=Auth.NONE,
    default_model="demo",
    keeps=("",),
    local=True,
)

LOCAL: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        # docs.ollama.com/api/anthropic-compatibility
        id="ollama",
        title="Ollama",
        prefixes=("OLLAMA",),
        aliases=("ollama_chat",),
        dialect="anthropic",
        base_url="http://127.0.0.1:11434",
        auth=Auth.BEARER,
        key_url="https://ollama.com/settings/keys",
        default_model="qwen3-coder",
        quirks=quirks.OLLAMA.guarded(),
        local=True,
        root_dialect="anthropic",
        faces=(
            Face("openai_chat", "http://127.0.0.1:11434/v1"),
            Face("openai_responses", "http://127.0.0.1:11434/v1"),
        ),
        as_of="2026-11",
        advice="Ollama: `ollama pull` gets a model, and OLLAMA_CONTEXT_LENGTH=65536 makes room for Claude Code.",
        note="Ollama's cloud: OLLAMA_BASE_URL=https://ollama.com and a key.",
    ),
    ProviderSpec(
        # lmstudio.ai/docs/developer/anthropic-compat
        id="lmstudio",
        title="LM Studio",
        prefixes=("LM_STUDIO", "LMSTUDIO"),
        aliases=("lm_studio", "lm-studio"),
        dialect="anthropic",
        base_url="http://127.0.0.1:1234/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        quirks=quirks.LMSTUDIO.guarded(),
        namespaces=VENDORS,
        local=True,
        faces=(Face("openai_chat", "http://127.0.0.1:1234/v1"),),
        as_of="2026-11",
        advice="LM Studio: load the model in the app or by `lms load`, with a context length of 65536 or more.",
    ),
    ProviderSpec(
        # github.com/ggml-org/llama.cpp/pull/17570
        id="llamacpp",
        title="llama.cpp server",
        prefixes=("LLAMACPP",),
        aliases=("llama.cpp",),
        dialect="anthropic",
        base_url="http://127.0.0.1:8080/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        quirks=quirks.LLAMACPP.guarded(),
        namespaces=VENDORS,
        local=True,
        faces=(Face("openai_chat", "http://127.0.0.1:8080/v1"),),
        as_of="2026-11",
        advice="llama.cpp: start llama-server with --jinja for tools and with -c 65536 or more for the context.",
        note="Tools need the server's option --jinja.",
    ),
    ProviderSpec(
        # docs.vllm.ai/en/latest/serving
        id="vllm",
        title="vLLM",
        prefixes=("VLLM",),
        aliases=("hosted_vllm",),
        dialect="anthropic",
        base_url="http://127.0.0.1:8000/v1",
        auth=Auth.BEARER,
        default_model="local-model",
        quirks=quirks.VLLM.guarded(),
        namespaces=VENDORS,
        local=True,
        faces=(Face("openai_chat", "http://127.0.0.1:8000/v1"),),
        as_of="2026-11",
        advice="vLLM: start it with --enable-auto-tool-choice, a --tool-call-parser and --max-model-len 65536 or more.",
        note="Tools need the server's option --enable-auto-tool-choice.",
    ),
    ProviderSpec(
        # github.com/router-for-me/CLIProxyAPI: a gateway of its own, which counts tokens and serves Claude's names
        id="cliproxyapi",
        title="CLIProxyAPI",
        prefixes=("CLIPROXYAPI",),
        dialect="anthropic",
        base_url="http://127.0.0.1:8317/v1",
        auth=Auth.X_API_KEY,
        default_model="claude-sonnet-5",
        keeps=("claude-",),
        counts_tokens=True,
        local=True,
        faces=(
            Face("openai_chat", "http://127.0.0.1:8317/v1"),
            Face("openai_responses", "http://127.0.0.1:8317/v1"),
        ),
        as_of="2026-11",
        advice="CLIProxyAPI: its own /v1/models lists what its accounts may use.",
        note="The key is one of the api-keys in its own configuration.",
    ),
)
