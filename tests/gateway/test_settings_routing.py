"""What MODEL and its tiers come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routing import Ref, Target
from gateway.settings import Settings
from tests.gateway.place import Place, only

GROQ = {"GROQ_API_KEY": "gsk-1"}
ANTHROPIC = {"ANTHROPIC_UPSTREAM_API_KEY": "sk-ant-1"}
ADDED = "[[providers]]\nname = 'mine'\ntype = 'openai'\nbase_url = 'http://127.0.0.1:9'\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def chosen(settings: Settings) -> list[str]:
    return [each.id for each in settings.providers if each.chosen]


@pytest.mark.parametrize(
    ("environ", "default"),
    [
        ({}, "demo/demo"),
        (GROQ, "groq/openai/gpt-oss-120b"),
        ({**GROQ, **ANTHROPIC}, "anthropic/claude-sonnet-5"),
        ({**GROQ, **ANTHROPIC, "NVIDIA_NIM_API_KEY": "nvapi-1"}, "nvidia_nim/z-ai/glm4.7"),
        ({**GROQ, "NVIDIA_NIM_BASE_URL": "http://127.0.0.1:9"}, "groq/openai/gpt-oss-120b"),
        ({"OLLAMA_BASE_URL": "http://127.0.0.1:9"}, "ollama/qwen3-coder"),
        ({"OLLAMA_BASE_URL": "http://127.0.0.1:9", **GROQ}, "ollama/qwen3-coder"),
        ({"ANTHROPIC_UPSTREAM_BASE_URL": "http://127.0.0.1:9", **GROQ}, "groq/openai/gpt-oss-120b"),
        ({"ANTHROPIC_UPSTREAM_BASE_URL": "http://127.0.0.1:9"}, "anthropic/claude-sonnet-5"),
        ({"MODEL": " ", **GROQ}, "groq/openai/gpt-oss-120b"),
    ],
)
def test_without_model_the_first_configured_provider_answers(
    place: Place, environ: dict[str, str], default: str
) -> None:
    table = place.load(environ).routing
    assert (str(table.default), table.explicit, dict(table.tiers)) == (default, False, {})


@pytest.mark.parametrize(
    ("model", "environ", "default", "named"),
    [
        ("groq/llama", GROQ, Ref("groq", "llama"), ["groq"]),
        ("openai/gpt-oss-120b", GROQ, Ref("groq", "openai/gpt-oss-120b"), ["groq"]),
        ("llama-3.3", GROQ, Ref("groq", "llama-3.3"), ["groq"]),
        ("ollama/llama3.1:8b", {}, Ref("ollama", "llama3.1:8b"), ["ollama"]),
        ("lm-studio/some/model", {}, Ref("lmstudio", "some/model"), ["lmstudio"]),
        ("claude-opus-4-8", {**GROQ, **ANTHROPIC}, Ref("anthropic", "claude-opus-4-8"), ["anthropic", "groq"]),
        ("groq", GROQ, Ref("groq", "openai/gpt-oss-120b"), ["groq"]),
        ("demo", {}, Ref("demo", "demo"), ["demo"]),
        ("demo/x", GROQ, Ref("demo", "x"), ["demo", "groq"]),
        ("zzzzzz/x", GROQ, Ref("groq", "zzzzzz/x"), ["groq"]),
    ],
)
def test_model_is_read_against_the_first_configured_provider(
    place: Place, model: str, environ: dict[str, str], default: Ref, named: list[str]
) -> None:
    settings = place.load({**environ, "MODEL": model})
    assert (settings.routing.default, settings.routing.explicit) == (default, True)
    assert chosen(settings) == named
    assert settings.warnings == ()


@pytest.mark.parametrize("model", ["gpt-4o", "acme/glm4.7"])
@pytest.mark.parametrize("variable", ["MODEL", "MODEL_OPUS"])
def test_a_model_without_a_provider_is_refused_where_none_is_configured(
    place: Place, variable: str, model: str
) -> None:
    place.write(".env", f"{variable}={model}")
    assert str(only(place.problems())) == (
        f"{variable} (from ./.env, line 1): {model!r} names no provider, and none is configured. "
        f"Write provider/model, for example {variable}=anthropic/claude-sonnet-5."
    )


@pytest.mark.parametrize("variable", ["MODEL", "MODEL_OPUS", "MODEL_SONNET", "MODEL_HAIKU"])
@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("grok/x", "'grok/x' names no provider that Keyturn knows", "Did you mean groq? Known providers: "),
        ("groq/", "'groq/' names no model", "Write groq/<model>."),
        ("groq/\x07", "holds a control character", "Write it again by hand."),
    ],
)
def test_a_reference_that_means_nothing_is_refused(
    place: Place, variable: str, text: str, problem: str, fix: str
) -> None:
    found = only(place.problems({**GROQ, variable: text}))
    assert (found.name, found.origin, found.problem) == (variable, "the environment", problem)
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("variable", ["MODEL", "MODEL_HAIKU"])
def test_a_known_provider_without_a_key_is_a_warning_naming_its_variable(place: Place, variable: str) -> None:
    settings = place.load({**ANTHROPIC, variable: "openrouter/x"})
    assert settings.warnings == (
        f"{variable} (from the environment): open_router has no key, so its requests get status 503. "
        "Set OPENROUTER_API_KEY.",
    )
    assert chosen(settings) == ["anthropic", "open_router"]


def test_tiers_are_read_against_the_provider_of_model(place: Place) -> None:
    settings = place.load(
        {**GROQ, **ANTHROPIC, "MODEL": "groq/big", "MODEL_OPUS": "anthropic/claude-opus-4-8", "MODEL_HAIKU": "small"}
    )
    table = settings.routing
    assert table.tiers == {"opus": Ref("anthropic", "claude-opus-4-8"), "haiku": Ref("groq", "small")}
    assert table.targets("claude-opus-4-8") == (Target("anthropic", "claude-opus-4-8"),)
    assert table.targets("claude-haiku-4-5") == (Target("groq", "small"),)
    assert table.targets("claude-sonnet-5") == (Target("groq", "big"),)


def test_blank_tiers_are_unset(place: Place) -> None:
    environ = {"MODEL_OPUS": "", "MODEL_SONNET": " ", "ENABLE_OPUS_THINKING": "", "ENABLE_MODEL_THINKING": ""}
    table = place.load({**GROQ, **environ}).routing
    assert (dict(table.tiers), dict(table.tier_thinking), table.thinking) == ({}, {}, True)


def test_thinking_switches(place: Place) -> None:
    environ = {"ENABLE_MODEL_THINKING": "no", "ENABLE_OPUS_THINKING": "1", "ENABLE_HAIKU_THINKING": "off"}
    table = place.load({**GROQ, **environ}).routing
    assert (table.thinking, table.tier_thinking) == (False, {"opus": True, "haiku": False})
    asked = [table.targets(f"claude-{tier}-5")[0].thinking for tier in ("opus", "sonnet", "haiku")]
    assert asked == [True, False, False]


def test_the_table_knows_all_providers_and_those_with_what_a_call_needs(place: Place) -> None:
    settings = place.load(GROQ)
    assert list(settings.routing.specs) == [each.id for each in settings.providers]
    assert settings.routing.usable == {"demo", "ollama", "lmstudio", "llamacpp", "vllm", "cliproxyapi", "groq"}


def test_an_added_provider_alone_is_asked_for_the_models_that_clients_name(place: Place) -> None:
    table = place.toml(ADDED).routing
    assert (table.default, table.explicit) == (Ref("mine", ""), False)
    assert table.targets("claude-sonnet-5") == (Target("mine", "claude-sonnet-5"),)


def test_added_providers_come_after_those_of_the_catalog(place: Place) -> None:
    settings = place.toml(ADDED, GROQ)
    assert settings.routing.default == Ref("groq", "openai/gpt-oss-120b")
    assert chosen(settings) == ["groq", "mine"]
    assert place.load({**GROQ, "MODEL": "mine/m"}).routing.default == Ref("mine", "m")
