"""ujisati/claude-code-provider-proxy: its .env, and above all to whom its key goes."""

from __future__ import annotations

import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.routing import Ref
from gateway.settings import Settings
from providers.spec import ProviderConfig
from tests.gateway.place import Place, keys, only, provider
from tests.moving import example, examples

KEY = "sk-or-v1-0123456789abcdef"
EXAMPLE = example("ujisati/openrouter", {"<your openrouter api key>": KEY})
BIG = "google/gemini-2.5-pro-preview"
SMALL = "google/gemini-2.0-flash-lite-001"
PLACEHOLDER = "this is a placeholder, not a key: it is not used. Put the key there or remove the line."
OTHERS = (
    "SMALL_MODEL_NAME (from ./.env, line 3): every model that is no opus, sonnet or haiku is this one, "
    "as in ujisati/claude-code-provider-proxy."
)


def resolved(settings: Settings, model: str) -> tuple[ProviderConfig, str]:
    """Where a call for this model goes, without making it."""
    target = settings.routing.targets(model)[0]
    return provider(settings, target.provider), target.model


@pytest.mark.parametrize("name", examples("ujisati"))
def test_every_example_starts_as_it_stands(place: Place, name: str) -> None:
    place.write(".env", example(name))
    settings = place.load()
    assert settings.routing.default.provider == "open_router"
    assert f"OPENAI_API_KEY (from ./.env, line 1): {PLACEHOLDER}" in settings.warnings


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("claude-opus-4-20250514", BIG),
        ("claude-sonnet-4-20250514", BIG),
        ("claude-3-5-haiku-20241022", SMALL),
        ("gpt-4o", SMALL),
    ],
)
def test_its_key_goes_to_openrouter_with_its_tiers(place: Place, asked: str, served: str) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load()
    config, model = resolved(settings, asked)
    assert (config.id, config.base_url, model) == ("open_router", "https://openrouter.ai/api/v1", served)
    assert config.spec.dialect == "openai_chat"
    assert [key.secret.reveal() for key in config.keys] == [KEY]
    assert [key.variable for key in config.keys] == ["OPENAI_API_KEY"]
    assert [each.id for each in settings.providers if each.keys] == ["open_router"]
    assert provider(settings, "openai").usable is False
    assert settings.warnings == (OTHERS,)


def test_its_port_and_its_log_level(place: Place) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load()
    assert (settings.host, settings.port, settings.log_level, settings.log_file) == ("127.0.0.1", 8080, "DEBUG", None)
    assert place.load({"PORT": "9000"}).port == 9000
    assert place.load(flags={"PORT": "9001"}).port == 9001


def test_its_log_file(place: Place) -> None:
    place.write(".env", f"{EXAMPLE}LOG_FILE_PATH=log.jsonl\n")
    found = place.load().log_file
    assert found
    assert found.path == place.cwd / "log.jsonl"
    assert place.load({"LOG_FILE_PATH": ""}).log_file is None


def test_the_environments_key_beats_the_files_with_a_warning(place: Place) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load({"OPENAI_API_KEY": "sk-proj-0123456789"})
    assert keys(settings, "open_router") == ["sk-proj-0123456789"]
    assert keys(settings, "openai") == []
    beats, foreign, others = settings.warnings
    assert beats == (
        "OPENAI_API_KEY (from the environment): this beats the key in ./.env. "
        "`unset OPENAI_API_KEY` if that is the one you mean."
    )
    assert foreign.startswith("OPENAI_API_KEY (from the environment): this goes to OpenRouter")
    assert "does not begin with sk-or-" in foreign
    assert others == OTHERS
    assert "sk-proj" not in "".join((*settings.warnings, *settings.moved))


@pytest.mark.parametrize("exported", [KEY, ""])
def test_the_same_key_or_none_in_the_environment_is_no_matter(place: Place, exported: str) -> None:
    place.write(".env", EXAMPLE)
    assert [each for each in place.load({"OPENAI_API_KEY": exported}).warnings if "OPENAI" in each] == []


def test_the_names_are_the_same_in_the_environment_alone(place: Place) -> None:
    settings = place.load({"OPENAI_API_KEY": KEY, "BIG_MODEL_NAME": BIG, "SMALL_MODEL_NAME": SMALL})
    assert settings.routing.tiers["opus"] == Ref("open_router", BIG)
    assert settings.port == 8080


def test_another_base_url_is_where_the_key_belongs(place: Place) -> None:
    place.write(".env", f"{EXAMPLE}BASE_URL=https://llm.example.com/api/v1\n")
    config, model = resolved(place.load(), "claude-opus-4")
    assert (config.id, config.base_url, model) == ("openai", "https://llm.example.com/api/v1", BIG)
    assert [key.secret.reveal() for key in config.keys] == [KEY]
    assert keys(place.load(), "open_router") == []
    assert place.load().port == 8080
    assert place.load({"OPENAI_API_KEY": "sk-other"}).warnings[1:] == (OTHERS,)


@pytest.mark.parametrize("url", ["https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/"])
def test_openrouters_own_base_url_is_openrouters(place: Place, url: str) -> None:
    place.write(".env", f"{EXAMPLE}BASE_URL={url}\n")
    config, _ = resolved(place.load(), "claude-opus-4")
    assert (config.id, config.base_url) == ("open_router", "https://openrouter.ai/api/v1")


def test_a_base_url_that_is_none_is_refused_by_its_name(place: Place) -> None:
    place.write(".env", f"{EXAMPLE}BASE_URL=http://[llm\n")
    assert (only(place.problems()).name, keys(place_without(place), "openai")) == ("BASE_URL", [])


def place_without(place: Place) -> Settings:
    place.write(".env", EXAMPLE)
    return place.load()


def test_openais_base_url_beside_it_takes_no_key_away(place: Place) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load({"OPENAI_BASE_URL": "https://api.openai.com/v1"})
    assert keys(settings, "open_router") == [KEY]
    assert provider(settings, "openai").chosen is False
    assert settings.warnings[0].startswith("OPENAI_BASE_URL (from the environment): this is not used")


def test_who_asks_is_told_where_it_is_set(place: Place) -> None:
    place.write(".env", EXAMPLE)
    assert provider(place.load(), "open_router").headers == ()
    place.write(".env", f"{EXAMPLE}REFERER_URL=http://localhost:8080/claude_proxy\nAPP_NAME=AnthropicProxy\n")
    sent = (("HTTP-Referer", "http://localhost:8080/claude_proxy"), ("X-Title", "AnthropicProxy"))
    assert provider(place.load(), "open_router").headers == sent
    assert provider(place.load(), "openai").headers == ()
    place.write(".env", f"{EXAMPLE}APP_NAME=Prox\u00fd\n")
    assert only(place.problems()).name == "APP_NAME"


@pytest.mark.parametrize("name", ["BIG_MODEL_NAME", "SMALL_MODEL_NAME"])
def test_one_model_alone_is_for_everything(place: Place, name: str) -> None:
    settings = place.load({"OPENAI_API_KEY": KEY, name: "openai/gpt-x"})
    assert settings.routing.default == Ref("open_router", "openai/gpt-x")
    assert settings.routing.tiers == {}
    assert settings.warnings == ()


def test_a_key_by_keyturns_own_name_beats_it(place: Place) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load({"OPENROUTER_API_KEY": "sk-or-mine"})
    assert keys(settings, "open_router") == ["sk-or-mine"]
    assert keys(settings, "openai") == []
    told = "OPENAI_API_KEY (from ./.env, line 1): this is not used: OPENROUTER_API_KEY (from the environment) is set."
    assert told in settings.warnings


def test_variables_that_are_claudes_own_change_nothing(place: Place) -> None:
    place.write(".env", EXAMPLE)
    claudes = ("CLAUDE_CODE_EXTRA_BODY", "MAX_THINKING_TOKENS", "API_TIMEOUT_MS", "DISABLE_TELEMETRY")
    assert place.load(dict.fromkeys(claudes, "1")) == place.load()


def test_the_banner_and_check_say_how_it_is_read(place: Place) -> None:
    place.write(".env", EXAMPLE)
    settings = place.load()
    for shown in (banner(settings, 8080), report(settings)):
        assert "configuration of ujisati/claude-code-provider-proxy, told by BIG_MODEL_NAME: docs/moving/uj" in shown
        assert "OPENAI_API_KEY is the key for OpenRouter, and is never sent to OpenAI" in shown
        assert "PORT is not set, so it is 8080, as there" in shown
    assert "LOG_FILE_PATH none (there log.jsonl), APP_NAME none, REFERER_URL none" in report(settings)
