"""chachako/freecc, and 1rgs/claude-code-proxy beside it: a provider for each of two tiers."""

from __future__ import annotations

import pytest

from gateway.cli.check import report
from gateway.routing import Ref
from gateway.settings import Settings
from providers.errors import Fault
from tests.gateway.place import Place, keys, only, provider
from tests.moving import example, examples

TWO = example("freecc/two_openai")
ANTHROPIC_KEY = "ANTHROPIC_API_KEY is Anthropic's key, and no token of clients"


def tiers(settings: Settings) -> list[str]:
    return [str(settings.routing.resolve(f"claude-{tier}-4")) for tier in ("opus", "sonnet", "haiku", "other")]


def both(big: str, small: str) -> list[str]:
    return [big, big, small, big]


@pytest.mark.parametrize("name", examples("freecc"))
def test_every_example_starts_as_it_stands(place: Place, name: str) -> None:
    place.write(".env", example(name))
    settings = place.load()
    assert (settings.host, settings.port, settings.tokens) == ("127.0.0.1", 8082, ())
    assert "configuration of chachako/freecc, told by BIG_MODEL_PROVIDER: docs/moving/freecc.md" in report(settings)


def test_two_tiers_with_keys_of_their_own_are_two_pools(place: Place) -> None:
    place.write(".env", TWO)
    settings = place.load()
    assert tiers(settings) == both("openai-big/gpt-4.1", "openai-small/gpt-4o-mini")
    big, small = provider(settings, "openai-big"), provider(settings, "openai-small")
    assert (big.base_url, small.base_url) == ("https://api.openai.com/v1", "https://xyz.llm.com/v1")
    assert [key.variable for each in (big, small) for key in each.keys] == ["BIG_MODEL_API_KEY", "SMALL_MODEL_API_KEY"]
    assert (big.spec.family, small.spec.family) == ("openai", "openai")
    assert provider(settings, "openai").usable is False
    assert settings.warnings == ()


def test_a_pool_of_a_tier_takes_more_keys_and_settings(place: Place) -> None:
    place.write(".env", f"{TWO}SMALL_MODEL_API_KEYS=sk-2,sk-3\nSMALL_MODEL_RATE_LIMIT=7\nOPENAI_SMALL_READ_TIMEOUT=9\n")
    settings = place.load()
    assert keys(settings, "openai-small") == ["sk-...", "sk-2", "sk-3"]
    assert (provider(settings, "openai-small").traffic.rate, provider(settings, "openai-big").traffic.rate) == (7, None)
    assert provider(settings, "openai-small").timeouts.read == 9


def test_a_local_tier_beside_vertex(place: Place) -> None:
    place.write(".env", example("freecc/vertex_and_local"))
    settings = place.load()
    assert tiers(settings) == both("vertex/gemini-1.5-pro-preview-0514", "openai-small/local-llama-3")
    small = provider(settings, "openai-small")
    assert (small.base_url, small.spec.local, keys(settings, "openai-small")) == (
        "http://localhost:8000/v1",
        True,
        ["lm-studio"],
    )


def test_a_local_tier_needs_no_key(place: Place) -> None:
    place.write(".env", "SMALL_MODEL_PROVIDER=openai\nSMALL_MODEL_API_BASE=http://localhost:8000/v1\n")
    assert provider(place.load(), "openai-small").usable


def test_without_keys_of_its_own_a_tier_is_the_provider_itself(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=xai\nBIG_MODEL_NAME=grok-4\nSMALL_MODEL_PROVIDER=gemini\n")
    settings = place.load({"XAI_API_KEY": "xai-1", "GEMINI_API_KEY": "g-1"})
    assert tiers(settings) == both("xai/grok-4", "gemini/grok-4")
    assert [each.id for each in settings.providers if each.chosen] == ["gemini", "xai"]


def test_small_has_what_big_has(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=OpenAI\nBIG_MODEL_NAME=o3\nBIG_MODEL_API_KEY=sk-1\n")
    settings = place.load()
    assert tiers(settings) == both("openai-big/o3", "openai-big/o3")
    assert not [each for each in settings.providers if each.id == "openai-small"]


def test_a_key_goes_to_no_other_provider_of_the_tiers(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=openai\nBIG_MODEL_API_KEY=sk-1\nSMALL_MODEL_PROVIDER=xai\n")
    settings = place.load()
    assert tiers(settings) == both("openai-big/gpt-4.1", "xai/gpt-4.1")
    assert keys(settings, "xai") == []


def test_its_defaults(place: Place) -> None:
    settings = place.load({"SMALL_MODEL_PROVIDER": "groq", "OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gk-1"})
    assert tiers(settings) == both("openai/gpt-4.1", "groq/gpt-4.1")


@pytest.mark.parametrize(
    ("environ", "key", "warned"),
    [
        ({"OPENAI_API_KEY": "sk-all"}, "sk-all", "OPENAI_API_KEY"),
        ({"BIG_MODEL_API_KEY": "sk-big"}, "sk-big", "BIG_MODEL_API_KEY"),
        ({"SMALL_MODEL_API_KEY": "sk-own", "OPENAI_API_KEY": "sk-all"}, "sk-own", ""),
    ],
)
def test_an_address_without_a_key_gets_the_providers_with_a_warning(
    place: Place, environ: dict[str, str], key: str, warned: str
) -> None:
    beside = {"BIG_MODEL_PROVIDER": "openai", "SMALL_MODEL_API_BASE": "https://xyz.llm.com/v1"}
    settings = place.load({**beside, **environ})
    assert keys(settings, "openai-small") == [key]
    told = [each for each in settings.warnings if "goes to SMALL_MODEL_API_BASE too" in each]
    assert [each.split(" ")[0] for each in told] == ([warned] if warned else [])


def test_a_key_without_an_address_goes_to_the_providers(place: Place) -> None:
    settings = place.load({"BIG_MODEL_API_KEY": "sk-1", "OPENAI_API_BASE": "https://llm.example.com/v1"})
    assert provider(settings, "openai-big").base_url == "https://llm.example.com/v1"
    assert provider(settings, "openai").base_url == "https://llm.example.com/v1"


@pytest.mark.parametrize(
    ("name", "prefix", "own"),
    [
        ("OPENAI_API_BASE", "OPENAI", "openai"),
        ("GEMINI_API_BASE", "GEMINI", "gemini"),
        ("XAI_API_BASE", "XAI", "xai"),
        ("ANTHROPIC_API_BASE", "ANTHROPIC", "anthropic"),
    ],
)
def test_direct_calls_have_the_providers_own_key_and_address(place: Place, name: str, prefix: str, own: str) -> None:
    settings = place.load({name: "https://llm.example.com/v1", f"{prefix}_API_KEY": "sk-1"})
    config = provider(settings, own)
    assert (config.base_url, keys(settings, own)) == ("https://llm.example.com/v1", ["sk-1"])
    assert settings.routing.resolve(f"{own}/some-model") == Ref(own, "some-model")


def test_a_direct_call_without_the_providers_own_key_names_it(place: Place) -> None:
    place.write(".env", TWO)
    with pytest.raises(Fault) as refused:
        place.load().routing.targets("openai/gpt-4o-mini")
    assert (refused.value.status, "set OPENAI_API_KEY" in refused.value.message) == (503, True)


def test_anthropics_key_is_for_anthropic(place: Place) -> None:
    settings = place.load({"BIG_MODEL_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "sk-ant-1", "BIG_MODEL": "gpt-4o"})
    assert (keys(settings, "anthropic"), settings.tokens) == (["sk-ant-1"], ())
    assert ANTHROPIC_KEY in report(settings)


def test_a_tier_of_anthropics_elsewhere_has_its_key_and_dialect(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=anthropic\nBIG_MODEL_API_BASE=https://llm.example.com/v1\n")
    config = provider(place.load({"ANTHROPIC_API_KEY": "sk-ant-1"}), "anthropic-big")
    assert (config.spec.dialect, [key.secret.reveal() for key in config.keys]) == ("anthropic", ["sk-ant-1"])


def test_a_providers_tier_at_an_address_is_asked_in_chat_completions(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=openrouter\nBIG_MODEL_API_BASE=https://llm.example.com/v1\n")
    settings = place.load({"OPENROUTER_API_KEY": "sk-or-1"})
    assert provider(settings, "open_router-big").spec.dialect == "openai_chat"
    assert provider(settings, "open_router").spec.dialect == "anthropic"


def test_a_provider_that_nobody_knows_is_one_at_its_address(place: Place) -> None:
    beside = "SMALL_MODEL_PROVIDER=MyCorp\nSMALL_MODEL_API_BASE=https://llm.mycorp.example\nSMALL_MODEL_API_KEY=mc-1\n"
    place.write(".env", f"BIG_MODEL_PROVIDER=openai\n{beside}SMALL_MODEL_NAME=vendor/tiny\n")
    settings = place.load({"OPENAI_API_KEY": "sk-1"})
    assert tiers(settings) == both("openai/gpt-4.1", "mycorp/vendor/tiny")
    config = provider(settings, "mycorp")
    assert (config.base_url, config.spec.dialect) == ("https://llm.mycorp.example/v1", "openai_chat")
    assert (keys(settings, "mycorp"), config.usable) == (["mc-1"], True)


def test_two_of_one_unknown_name_are_two(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=corp\nBIG_MODEL_API_BASE=http://127.0.0.1:1/v1\nBIG_MODEL_NAME=m\n")
    assert tiers(place.load()) == both("corp/m", "corp/m")
    settings = place.load({"SMALL_MODEL_API_BASE": "http://127.0.0.1:2/v1"})
    assert tiers(settings) == both("corp/m", "corp-small/m")
    assert provider(settings, "corp-small").base_url == "http://127.0.0.1:2/v1"


def test_an_unknown_one_without_an_address_is_refused(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=opnai\nBIG_MODEL_API_KEY=sk-1\n")
    found = only(place.problems())
    assert (found.name, found.problem) == ("BIG_MODEL_PROVIDER", "'opnai' is not a provider that Keyturn knows")
    assert found.fix.startswith("Did you mean openai? Or set BIG_MODEL_API_BASE")


def test_a_name_that_can_be_no_provider_is_refused(place: Place) -> None:
    place.write(".env", "BIG_MODEL_PROVIDER=my corp\nBIG_MODEL_API_BASE=http://127.0.0.1:1/v1\n")
    assert only(place.problems()).name == "BIG_MODEL_PROVIDER"


def test_a_provider_of_keyturn_toml_is_known(place: Place) -> None:
    place.write(
        "keyturn.toml",
        '[[providers]]\nname = "house"\ntype = "openai"\nbase_url = "https://h.example/v1"\napi_key = "hk-1"\n'
        'headers = { x-team = "blue" }\n',
    )
    assert tiers(place.load({"BIG_MODEL_PROVIDER": "house"})) == both("house/gpt-4.1", "house/gpt-4.1")
    settings = place.load({"BIG_MODEL_PROVIDER": "house", "BIG_MODEL_API_KEY": "hk-2"})
    config = provider(settings, "house-big")
    assert (config.base_url, keys(settings, "house-big"), config.headers) == ("https://h.example/v1", ["hk-2"], ())


def test_an_address_that_is_none_is_refused_by_its_name(place: Place) -> None:
    place.write(".env", TWO.replace("https://xyz.llm.com/v1", "xyz.llm.com"))
    assert only(place.problems()).name == "SMALL_MODEL_API_BASE"


def test_names_alone_are_its_where_an_address_stands_beside_them(place: Place) -> None:
    settings = place.load({"BIG_MODEL_NAME": "gpt-x", "OPENAI_API_BASE": "https://h.example/v1", "OPENAI_API_KEY": "k"})
    assert tiers(settings) == both("openai/gpt-x", "openai/gpt-x")
    assert settings.port == 8082


def test_its_log_levels(place: Place) -> None:
    place.write(".env", f"{TWO}CONSOLE_LOG_LEVEL=WARNING\nFILE_LOG_LEVEL=DEBUG\n")
    settings = place.load()
    assert settings.log_file
    assert (settings.log_level, settings.log_file.level) == ("WARNING", "DEBUG")
    assert settings.log_file.path == place.cwd / "claude-proxy.log"
    place.write(".env", f"{TWO}CONSOLE_LOG_LEVEL=loud\n")
    assert only(place.problems()).name == "CONSOLE_LOG_LEVEL"


@pytest.mark.parametrize("name", ["LOG_REQUEST_BODY", "LOG_RESPONSE_BODY"])
def test_a_log_switch_that_is_on_is_warned_of(place: Place, name: str) -> None:
    place.write(".env", f"{TWO}{name}=true\n")
    (warning,) = place.load().warnings
    assert warning.startswith(f"{name} (from ./.env, line ")
    place.write(".env", f"{TWO}{name}=false\n")
    assert place.load().warnings == ()


PREFERRED = {"OPENAI_API_KEY": "sk-1", "GEMINI_API_KEY": "g-1"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PREFERRED_PROVIDER": "openai"}, both("openai/gpt-4.1", "openai/gpt-4.1-mini")),
        (
            {"PREFERRED_PROVIDER": "google"},
            both("gemini/gemini-2.5-pro-preview-03-25", "gemini/gemini-2.0-flash"),
        ),
        (
            {"PREFERRED_PROVIDER": "openai", "BIG_MODEL": "gpt-4o", "SMALL_MODEL": "gpt-4o-mini"},
            both("openai/gpt-4o", "openai/gpt-4o-mini"),
        ),
        (
            {"PREFERRED_PROVIDER": "Google", "SMALL_MODEL": "gpt-4o"},
            both("gemini/gemini-2.5-pro-preview-03-25", "openai/gpt-4o"),
        ),
    ],
)
def test_the_preferred_provider_of_its_forebear(place: Place, environ: dict[str, str], expected: list[str]) -> None:
    settings = place.load({**PREFERRED, **environ})
    assert tiers(settings) == expected
    assert settings.moved[0].startswith("this is read as a configuration of 1rgs/claude-code-proxy")


def test_anthropic_preferred_serves_what_is_asked_for(place: Place) -> None:
    settings = place.load({"PREFERRED_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "sk-ant-1"})
    assert settings.routing.resolve("claude-opus-4-8") == Ref("anthropic", "claude-opus-4-8")
    assert (settings.tokens, ANTHROPIC_KEY in settings.moved) == ((), True)


def test_another_preference_is_refused(place: Place) -> None:
    found = only(place.problems({"PREFERRED_PROVIDER": "bedrock", "BIG_MODEL": "x"}))
    assert (found.name, found.problem) == ("PREFERRED_PROVIDER", "'bedrock' is not openai, google or anthropic")
