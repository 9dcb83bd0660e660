"""A move from suparious/claude-code-proxy: each of its fourteen providers, and its mixed tiers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.claude import Run
from tests.e2e.moving import HELLO, RUN, chat_model, client, has_run, messages_model, moved, says_hello, side_by_side
from tests.gateway_process import GatewayProcess
from tests.moving import example
from tests.upstream import ScriptedServer

# (provider, its prefix, where its API is on its host, the header of its key)
PROVIDERS = {
    "nvidia_nim": ("NVIDIA_NIM", "v1/chat/completions", "authorization"),
    "open_router": ("OPENROUTER", "v1/messages", "authorization"),
    "deepseek": ("DEEPSEEK", "anthropic/v1/messages", "x-api-key"),
    "lmstudio": ("LM_STUDIO", "v1/messages", ""),
    "llamacpp": ("LLAMACPP", "v1/messages", ""),
    "ollama": ("OLLAMA", "v1/messages", ""),
    "friendliai": ("FRIENDLIAI", "v1/messages", "authorization"),
    "fireworks": ("FIREWORKS", "v1/messages", "x-api-key"),
    "vllm": ("VLLM", "v1/messages", ""),
    "cliproxyapi": ("CLIPROXYAPI", "v1/messages", ""),
    "groq": ("GROQ", "v1/chat/completions", "authorization"),
    "cerebras": ("CEREBRAS", "v1/chat/completions", "authorization"),
    "together": ("TOGETHER", "v1/chat/completions", "authorization"),
    "kimi": ("KIMI", "v1/chat/completions", "authorization"),
}
BASES = {"deepseek": "/anthropic", "ollama": "", "open_router": "/v1"}
MIXED = {
    "opus": "nvidia_nim/moonshotai/kimi-k2.5",
    "sonnet": "open_router/deepseek/deepseek-r1-0528:free",
    "haiku": "lmstudio/unsloth/GLM-4.7-Flash-GGUF",
}


@dataclass(frozen=True)
class House:
    gateway: GatewayProcess
    upstream: ScriptedServer
    models: Mapping[str, str]  # by provider, as its example names it
    runs: Mapping[str, Run]  # by provider, and by tier


@pytest.fixture(scope="module")
def house(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway with the examples of all providers, and one run of the client for each."""
    base = tmp_path_factory.mktemp("suparious")
    examples = {name: example(f"suparious/{name}").replace("***", f"{name}-key") for name in PROVIDERS}
    models = {name: re.findall(r'^MODEL="\w+/(.*)"$', text, re.MULTILINE)[0] for name, text in examples.items()}
    file = "\n".join((*examples.values(), example("suparious/mixed"), example("suparious/security"), TOKEN))
    with ScriptedServer() as upstream:
        for name, (_, path, _) in PROVIDERS.items():
            upstream.on(f"/{name}/{path}", chat_model if path.endswith("completions") else messages_model)
        places = {
            f"{prefix}_BASE_URL": f"{upstream.url}/{name}{BASES.get(name, '/v1')}"
            for name, (prefix, _, _) in PROVIDERS.items()
        }
        with moved(base / "gateway", file, places) as gateway:
            yield House(gateway, upstream, models, runs(program, gateway, base, models))


TOKEN = 'ANTHROPIC_AUTH_TOKEN="freecc"\n'


def runs(program: Path, gateway: GatewayProcess, base: Path, models: Mapping[str, str]) -> Mapping[str, Run]:
    new = partial(client, program, gateway)
    of_providers = {
        name: partial(new(base / name).ask, RUN, token=f"freecc:{name}/{model}") for name, model in models.items()
    }
    of_tiers = {tier: partial(new(base / tier).ask, HELLO, "--model", tier) for tier in MIXED}
    asked = of_providers | of_tiers
    return dict(zip(asked, side_by_side(*asked.values()), strict=True))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_runs_tools(house: House, name: str) -> None:
    """Pinned by the token's suffix, as its fixed aliases are."""
    _, path, header = PROVIDERS[name]
    assert house.runs[name].result["result"] == has_run(house.models[name])
    asked = [request for request in house.upstream.posts(f"/{name}/{path}") if request.model == house.models[name]]
    assert len(asked) == 2
    sent = {request.header(header or "authorization") for request in asked}
    key = {"nvidia_nim": "nvapi-your-key", "open_router": "sk-or-your-key", "deepseek": "your-deepseek-key"}
    own = key.get(name, f"{name}-key")
    assert sent == ({None} if not header else {f"Bearer {own}" if header == "authorization" else own})
    assert not [value for request in asked for _, value in request.headers if "freecc" in value]


@pytest.mark.parametrize("tier", MIXED)
def test_mixed_tiers(house: House, tier: str) -> None:
    assert house.runs[tier].result["result"] == says_hello(MIXED[tier].partition("/")[2])


def test_it_is_nobodys_but_keyturns(house: House) -> None:
    assert "read as a configuration of" not in house.gateway.stdout
    assert "-key" not in house.gateway.stderr
