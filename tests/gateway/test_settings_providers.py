"""PREFIX_* variables over the rows of the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.catalog import CATALOG
from providers.secret import Secret
from providers.spec import KeySource, ProviderSpec, Timeouts
from tests.gateway.place import Place, keys, only, provider

NETWORKED = [spec for spec in CATALOG if spec.id != "demo"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_row_is_there_with_its_own_base_url_and_nobody_chose_it(place: Place) -> None:
    settings = place.load()
    assert [each.id for each in settings.providers] == [spec.id for spec in CATALOG]
    assert [each.base_url for each in settings.providers] == [
        "" if spec.placeless else spec.base_url for spec in CATALOG
    ]
    assert not any(each.chosen or each.keys or each.headers for each in settings.providers)
    assert {each.timeouts for each in settings.providers} == {Timeouts()}


@pytest.mark.parametrize(
    ("spec", "prefix"), [(spec, prefix) for spec in NETWORKED for prefix in spec.prefixes], ids=lambda each: str(each)
)
def test_every_prefix_of_every_row_is_understood(place: Place, spec: ProviderSpec, prefix: str) -> None:
    settings = place.load(
        {
            f"{prefix}_API_KEY": "first",
            f"{prefix}_API_KEYS": "second,third",
            f"{prefix}_BASE_URL": "http://127.0.0.1:9/base/",
            f"{prefix}_PROXY": "http://127.0.0.1:3128",
            f"{prefix}_READ_TIMEOUT": "1",
            f"{prefix}_WRITE_TIMEOUT": "2",
            f"{prefix}_CONNECT_TIMEOUT": "3",
            f"{prefix}_FIRST_TOKEN_TIMEOUT": "4",
        }
    )
    config = provider(settings, spec.id)
    assert config.keys == (
        KeySource(Secret("first"), f"{prefix}_API_KEY"),
        KeySource(Secret("second"), f"{prefix}_API_KEYS"),
        KeySource(Secret("third"), f"{prefix}_API_KEYS"),
    )
    assert config.base_url == "http://127.0.0.1:9/base"
    assert config.proxy == Secret("http://127.0.0.1:3128")
    assert config.timeouts == Timeouts(read=1, write=2, connect=3, first_token=4)
    assert config.chosen
    assert settings.warnings == ()


def test_the_demo_takes_no_settings(place: Place) -> None:
    assert provider(place.load({"DEMO_BASE_URL": "nonsense", "DEMO_API_KEY": "a b"}), "demo").base_url == "demo:"


def test_keys_are_the_primary_one_then_the_list_each_once(place: Place) -> None:
    settings = place.load({"GROQ_API_KEY": " k1 ", "GROQ_API_KEYS": "k2, k1\n k3\tk2,,"})
    assert keys(settings, "groq") == ["k1", "k2", "k3"]


def test_of_two_spellings_the_higher_source_counts_and_of_one_source_the_one_we_write(place: Place) -> None:
    both = {"LM_STUDIO_BASE_URL": "http://127.0.0.1:1", "LMSTUDIO_BASE_URL": "http://127.0.0.1:2"}
    assert provider(place.load(both), "lmstudio").base_url == "http://127.0.0.1:1"
    place.write(".env", "LM_STUDIO_BASE_URL=http://127.0.0.1:3")
    above = {"LMSTUDIO_BASE_URL": "http://127.0.0.1:2"}
    assert provider(place.load(above), "lmstudio").base_url == "http://127.0.0.1:2"
    above = {"LMSTUDIO_BASE_URL": " "}
    assert provider(place.load(above), "lmstudio").base_url == "http://127.0.0.1:3"


def test_a_blank_in_a_higher_source_takes_a_value_away(place: Place) -> None:
    place.write(".env", "GROQ_API_KEY=k1\nGROQ_PROXY=http://p\nGROQ_READ_TIMEOUT=5")
    config = provider(place.load({"GROQ_API_KEY": "", "GROQ_PROXY": "", "GROQ_READ_TIMEOUT": ""}), "groq")
    assert (config.keys, config.proxy, config.timeouts.read, config.chosen) == ((), None, 180.0, False)


def test_timeouts_come_from_the_provider_then_from_all_then_from_the_defaults(place: Place) -> None:
    settings = place.load(
        {
            "HTTP_READ_TIMEOUT": "off",
            "HTTP_WRITE_TIMEOUT": "20",
            "HTTP_CONNECT_TIMEOUT": "30",
            "FIRST_TOKEN_TIMEOUT": "40",
            "GROQ_READ_TIMEOUT": "50",
            "GROQ_CONNECT_TIMEOUT": "60",
            "OPENAI_READ_TIMEOUT": "none",
        }
    )
    assert provider(settings, "anthropic").timeouts == Timeouts(read=None, write=20, connect=30, first_token=40)
    assert provider(settings, "groq").timeouts == Timeouts(read=50, write=20, connect=60, first_token=40)
    assert provider(settings, "openai").timeouts == Timeouts(read=None, write=20, connect=30, first_token=40)


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("GROQ_API_KEY", "gsk-one two", "the key holds whitespace"),
        ("GROQ_API_KEY", "gsk-\x07one", "the key holds a control character"),
        ("GROQ_API_KEY", "gsk-öne", "the key holds a character that is not ASCII"),
        ("GROQ_API_KEY", "gsk-one\u2019", "the key holds a character that is not ASCII"),
        ("GROQ_API_KEYS", "gsk-good,gsk-\x1b[0mone", "the key holds a control character"),
        ("GROQ_API_KEYS", "gsk-good gsk-öne", "the key holds a character that is not ASCII"),
    ],
)
def test_a_bad_key_is_refused_without_being_shown(place: Place, variable: str, text: str, problem: str) -> None:
    found = only(place.problems({variable: text}))
    assert (found.name, found.origin, found.problem) == (variable, "the environment", problem)
    assert found.fix == "Copy it again, without quotes or line breaks."
    assert "gsk" not in str(found)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GROQ_API_KEY", "***"),
        ("GROQ_API_KEY", "<your key>"),
        ("GROQ_API_KEYS", "<key one> <key two>"),
        ("GROQ_API_KEYS", "***"),
        ("ANTHROPIC_UPSTREAM_API_KEY", "<x>"),
    ],
)
def test_a_placeholder_is_no_key(place: Place, variable: str, text: str) -> None:
    place.write(".env", f"{variable}={text}")
    settings = place.load()
    assert not any(each.keys or each.chosen for each in settings.providers)
    assert settings.warnings == (
        f"{variable} (from ./.env, line 1): this is a placeholder, not a key: it is not used. "
        "Put the key there or remove the line.",
    )


def test_a_placeholder_among_keys_is_left_out(place: Place) -> None:
    settings = place.load({"GROQ_API_KEYS": "k1,***,k2"})
    assert keys(settings, "groq") == ["k1", "k2"]
    assert len(settings.warnings) == 1


def test_one_key_in_two_providers_is_refused_naming_both_variables(place: Place) -> None:
    place.write(".env", "GROQ_API_KEYS=k0,sk-same")
    found = only(place.problems({"OPENAI_API_KEY": "sk-same"}))
    assert str(found) == (
        "GROQ_API_KEYS (from ./.env, line 1): provider groq gets the key that provider openai has from OPENAI_API_KEY. "
        "A key belongs to one provider: remove it from the other."
    )


def test_local_runtimes_may_share_a_word_that_is_no_secret(place: Place) -> None:
    settings = place.load({"OLLAMA_API_KEY": "local", "VLLM_API_KEY": "local", "GROQ_API_KEY": "local"})
    assert [keys(settings, name) for name in ("ollama", "vllm", "groq")] == [["local"]] * 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1/", "http://a/ollama/v1"])
def test_ollamas_v1_is_refused(place: Place, url: str) -> None:
    found = only(place.problems({"OLLAMA_BASE_URL": url}))
    assert str(found) == (
        "OLLAMA_BASE_URL (from the environment): Ollama wants its URL without /v1. Drop the /v1 at the end."
    )


@pytest.mark.parametrize(
    ("variable", "url", "used"),
    [
        ("OPENAI_BASE_URL", "https://llm.example.com", "https://llm.example.com/v1"),
        ("OPENAI_BASE_URL", "https://llm.example.com/", "https://llm.example.com/v1"),
        ("OPENAI_BASE_URL", "https://llm.example.com/openai", "https://llm.example.com/openai"),
        ("ANTHROPIC_UPSTREAM_BASE_URL", "https://llm.example.com", "https://llm.example.com"),
        ("VLLM_BASE_URL", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
    ],
)
def test_a_bare_host_of_an_openai_shaped_provider_means_its_v1(
    place: Place, variable: str, url: str, used: str
) -> None:
    assert used in [each.base_url for each in place.load({variable: url}).providers]


def test_a_base_url_alone_makes_a_provider_chosen(place: Place) -> None:
    settings = place.load({"GROQ_BASE_URL": "http://127.0.0.1:9", "GROQ_READ_TIMEOUT": "3"})
    assert [each.id for each in settings.providers if each.chosen] == ["groq"]
    settings = place.load({"GROQ_READ_TIMEOUT": "3"})
    assert [each.id for each in settings.providers if each.chosen] == []


def test_no_secret_is_in_the_settings_text(place: Place) -> None:
    settings = place.load(
        {
            "GROQ_API_KEY": "gsk-hidden",
            "GROQ_PROXY": "http://me:gsk-hidden@p",
            "ANTHROPIC_AUTH_TOKEN": "gsk-hidden-token",
            "METRICS_TOKEN": "gsk-hidden-metrics",
        }
    )
    assert "hidden" not in repr(settings)
    assert settings.metrics_token == Secret("gsk-hidden-metrics")
