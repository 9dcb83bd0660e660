"""suparious/claude-code-proxy: every example of its document, and the whole of its .env."""

from __future__ import annotations

import pytest

from gateway.settings import Settings
from tests.gateway.place import Place, keys, provider
from tests.moving import example, examples

PROVIDERS = (
    *("nvidia_nim", "open_router", "deepseek", "lmstudio", "llamacpp", "ollama", "friendliai", "fireworks"),
    *("vllm", "cliproxyapi", "groq", "cerebras", "together", "kimi"),
)
PREFIXES = {"nvidia_nim": "NVIDIA_NIM", "open_router": "OPENROUTER"}
WHOLE = "\n".join(
    example(f"suparious/{name}") for name in ("thinking", "keys", "proxies", "limits", "security", "web_tools")
)


def shape(settings: Settings) -> list[str]:
    table = settings.routing
    return [str(table.resolve(f"claude-{tier}-4")) for tier in ("opus", "sonnet", "haiku", "other")]


@pytest.mark.parametrize("name", examples("suparious"))
def test_every_example_starts_as_it_stands(place: Place, name: str) -> None:
    place.write(".env", example(name))
    settings = place.load()
    assert settings.moved == ()
    model = next((line for line in example(name).splitlines() if line.startswith("MODEL=")), "")
    assert not model or str(settings.routing.default) == model.split('"')[1]


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_is_at_the_address_of_its_document(place: Place, name: str) -> None:
    place.write(".env", example(f"suparious/{name}").replace("***", "a-key"))
    settings = place.load()
    config = provider(settings, name)
    addresses = {
        "nvidia_nim": "https://integrate.api.nvidia.com/v1",
        "open_router": "https://openrouter.ai/api",  # /v1 is in the path of its Messages
        "deepseek": "https://api.deepseek.com/anthropic",
        "lmstudio": "http://localhost:1234/v1",
        "llamacpp": "http://localhost:8080/v1",
        "ollama": "http://localhost:11434",
        "friendliai": "https://api.friendli.ai/serverless/v1",
        "fireworks": "https://api.fireworks.ai/inference/v1",
        "vllm": "http://localhost:8000/v1",
        "cliproxyapi": "http://localhost:8317/v1",
        "groq": "https://api.groq.com/openai/v1",
        "cerebras": "https://api.cerebras.ai/v1",
        "together": "https://api.together.xyz/v1",
        "kimi": "https://api.moonshot.ai/v1",
    }
    assert (config.usable, config.base_url) == (True, addresses[name])
    chat = ("nvidia_nim", "groq", "cerebras", "together", "kimi")
    assert config.spec.dialect == ("openai_chat" if name in chat else "anthropic")


def test_mixed_tiers(place: Place) -> None:
    place.write(".env", example("suparious/mixed"))
    settings = place.load()
    assert shape(settings) == [
        "nvidia_nim/moonshotai/kimi-k2.5",
        "open_router/deepseek/deepseek-r1-0528:free",
        "lmstudio/unsloth/GLM-4.7-Flash-GGUF",
        "nvidia_nim/z-ai/glm4.7",
    ]
    assert settings.warnings == ()


def test_the_whole_file_starts_with_warnings_about_placeholders_alone(place: Place) -> None:
    place.write(".env", WHOLE)
    settings = place.load()
    assert (settings.port, settings.tokens) == (8082, ())
    assert not any(each.keys for each in settings.providers)
    about = {warning.split(" ")[0] for warning in settings.warnings}
    hosted = ("FRIENDLIAI", "FIREWORKS", "GROQ", "CEREBRAS", "TOGETHER", "KIMI")
    assert about == {"MODEL", *(f"{prefix}_API_KEY{s}" for prefix in hosted for s in ("", "S"))}


def test_the_whole_file_with_keys_means_what_its_document_says(place: Place) -> None:
    text = WHOLE.replace("_API_KEY=***", "_API_KEY=k1").replace("_API_KEYS=***", '_API_KEYS="k2, k3  k2"')
    for number, name in enumerate(("FRIENDLIAI", "FIREWORKS", "GROQ", "CEREBRAS", "TOGETHER", "KIMI")):
        for key in ("k1", "k2", "k3"):
            lines = [line.replace(key, f"{name}-{key}") if line.startswith(name) else line for line in text.split("\n")]
            text = "\n".join(lines)
        text = text.replace(f"{name}_KEY_USAGE_LIMIT=0", f"{name}_KEY_USAGE_LIMIT={number}")
    place.write(".env", text)
    settings = place.load()
    groq = provider(settings, "groq")
    assert keys(settings, "groq") == ["GROQ-k1", "GROQ-k2", "GROQ-k3"]
    assert (groq.rotation.usage_limit, groq.rotation.order) == (2, "sticky")
    assert (groq.traffic.rate, groq.traffic.window, groq.traffic.concurrency) == (1, 3, 5)
    assert (groq.retries.most, groq.retries.base_delay, groq.retries.max_delay) == (8, 2, 120)
    assert (groq.timeouts.read, groq.timeouts.write, groq.timeouts.connect) == (None, 10, 10)
    assert groq.proxy is None
    assert provider(settings, "friendliai").rotation.usage_limit == 0


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_has_a_proxy_of_its_own(place: Place, name: str) -> None:
    prefix = PREFIXES.get(name, name.upper())
    place.write(".env", example(f"suparious/{name}").replace("***", "a-key"))
    proxy = provider(place.load({f"{prefix}_PROXY": "socks5://127.0.0.1:1080"}), name).proxy
    assert proxy is not None
    assert proxy.reveal() == "socks5://127.0.0.1:1080"


def test_thinking_is_switched_for_all_and_for_a_tier(place: Place) -> None:
    text = example("suparious/thinking", {"ENABLE_MODEL_THINKING=true": "ENABLE_MODEL_THINKING=false"})
    place.write(".env", text.replace("ENABLE_OPUS_THINKING=", "ENABLE_OPUS_THINKING=true"))
    table = place.load({"NVIDIA_NIM_API_KEY": "nvapi-1"}).routing
    assert [table.targets(f"claude-{tier}-4")[0].thinking for tier in ("opus", "sonnet")] == [True, False]


@pytest.mark.parametrize("name", ["LOG_RAW_API_PAYLOADS", "LOG_RAW_SSE_EVENTS", "LOG_API_ERROR_TRACEBACKS"])
def test_a_log_switch_that_is_on_is_warned_of(place: Place, name: str) -> None:
    place.write(".env", example("suparious/security", {f"{name}=false": f"{name}=true"}))
    (warning,) = place.load().warnings
    assert warning.startswith(name)


def test_its_log_file(place: Place) -> None:
    place.write(".env", "LOG_FILE=server.log\nLOG_FILE_LEVEL=debug\n")
    settings = place.load()
    assert settings.log_file
    assert (settings.log_file.path, settings.log_file.level) == (place.cwd / "server.log", "DEBUG")


@pytest.mark.parametrize(
    ("path", "problem"), [(".", "is a folder"), ("nowhere/server.log", "there is no folder"), ("~/x/y", "no folder")]
)
def test_a_log_file_that_cannot_be_written_is_refused(place: Place, path: str, problem: str) -> None:
    (found,) = place.problems({"LOG_FILE": path})
    assert (found.name, problem in found.problem) == ("LOG_FILE", True)


def test_its_fixed_aliases_and_suffixes_name_providers(place: Place) -> None:
    place.write(".env", example("suparious/mixed"))
    table = place.load().routing
    pins = ("nvidia_nim/moonshotai/kimi-k2.5", "open_router/google/gemma-4-26b-a4b-it:free")
    assert [str(table.resolve("claude-haiku-4", pin)) for pin in pins] == list(pins)
