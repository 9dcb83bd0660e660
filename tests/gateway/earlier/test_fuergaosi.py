"""fuergaosi233/claude-code-proxy: its .env, and the ANTHROPIC_API_KEY that its clients must send."""

from __future__ import annotations

import pytest

from gateway.cli.check import report
from gateway.routing import Ref
from gateway.settings import Settings
from providers.errors import Fault
from tests.gateway.place import Place, keys, only, provider
from tests.moving import example, examples

OPENAI = example("fuergaosi/openai")


def served(settings: Settings, *names: str) -> list[str]:
    return [str(settings.routing.resolve(name)) for name in names]


@pytest.mark.parametrize("name", examples("fuergaosi"))
def test_every_example_starts_as_it_stands(place: Place, name: str) -> None:
    place.write(".env", example(name))
    settings = place.load()
    assert {settings.routing.default.provider, *(ref.provider for ref in settings.routing.tiers.values())} == {"openai"}
    assert (settings.host, settings.port, settings.tokens) == ("127.0.0.1", 8082, ())
    assert provider(settings, "openai").usable == ("OPENAI_API_KEY" in example(name))


@pytest.mark.parametrize(
    ("name", "opus", "sonnet", "haiku", "other"),
    [
        ("openai", "gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4o"),
        ("azure", "gpt-4", "gpt-4", "gpt-35-turbo", "gpt-4"),
        ("ollama", "llama3.1:70b", "llama3.1:70b", "llama3.1:8b", "llama3.1:70b"),
        (
            "docker_svip",
            "claude-opus-4-20250514",
            "claude-sonnet-4-20250514",
            "gpt-4.1-mini-2025-04-14",
            "claude-opus-4-20250514",
        ),
        ("docker_api", "gpt-4o", "gpt-4o", "gpt-4.1-mini-2025-04-14", "gpt-4o"),
    ],
)
def test_its_tiers(place: Place, name: str, opus: str, sonnet: str, haiku: str, other: str) -> None:
    place.write(".env", example(f"fuergaosi/{name}"))
    asked = ("claude-opus-4-8", "claude-3-5-sonnet-20241022", "claude-3-haiku-20240307", "o3")
    assert served(place.load(), *asked) == [f"openai/{model}" for model in (opus, sonnet, haiku, other)]


def test_the_azure_example_is_asked_as_azure_is(place: Place) -> None:
    place.write(".env", example("fuergaosi/azure"))
    settings = place.load()
    openai = provider(settings, "openai")
    assert openai.base_url == "https://your-resource.openai.azure.com/openai/deployments/your-deployment"
    assert (openai.spec.auth, openai.query) == ("api-key", "?api-version=2024-10-21")
    assert provider(place.load({"AZURE_API_VERSION": "2024-03-01-preview"}), "openai").query.endswith(
        "2024-03-01-preview"
    )
    assert settings.warnings == ()  # gpt-4 is a deployment here


def test_the_ollama_example_asks_as_servers_of_open_models_want(place: Place) -> None:
    place.write(".env", example("fuergaosi/ollama"))
    openai = provider(place.load(), "openai")
    assert (openai.base_url, keys(place.load(), "openai")) == ("http://localhost:11434/v1", ["dummy-key"])
    assert openai.quirks.of("llama3.1:70b").max_tokens_field == "max_tokens"
    assert openai.quirks.of("gpt-5").max_tokens_field == "max_completion_tokens"
    place.write(".env", OPENAI)
    assert provider(place.load(), "openai").quirks.of("gpt-4o").max_tokens_field == "max_completion_tokens"


@pytest.mark.parametrize("name", ["docker_svip", "docker_api"])
def test_without_a_key_it_starts_and_says_which_one_is_missing(place: Place, name: str) -> None:
    place.write(".env", example(f"fuergaosi/{name}"))
    settings = place.load()
    assert settings.warnings
    assert all("openai has no key, so its requests get status 503. Set OPENAI_API_KEY." in w for w in settings.warnings)
    with pytest.raises(Fault) as refused:
        settings.routing.targets("claude-opus-4-8")
    assert (refused.value.status, "set OPENAI_API_KEY" in refused.value.message) == (503, True)


def test_a_base_url_alone_is_its_configuration(place: Place) -> None:
    settings = place.load({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://llm.example.com/v1"})
    assert served(settings, "claude-opus-4", "claude-haiku-4") == ["openai/gpt-4o", "openai/gpt-4o-mini"]


@pytest.mark.parametrize(
    "other",
    [{"NVIDIA_NIM_API_KEY": "nvapi-1"}, {"OLLAMA_BASE_URL": "http://127.0.0.1:11434"}, {"MODEL": "openai/gpt-x"}],
)
def test_among_other_providers_a_base_url_is_only_that(place: Place, other: dict[str, str]) -> None:
    beside = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://llm.example.com/v1"}
    settings = place.load({**beside, **other})
    assert (settings.moved, "haiku" in settings.routing.tiers) == ((), False)
    assert provider(settings, "openai").base_url == "https://llm.example.com/v1"


def test_so_it_is_among_those_of_keyturn_toml(place: Place) -> None:
    place.write("keyturn.toml", '[[providers]]\nname = "groq"\napi_key = "gk-1"\n')
    settings = place.load({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://llm.example.com/v1"})
    assert settings.moved == ()


def test_its_client_key_is_the_token(place: Place) -> None:
    place.write(".env", f'{OPENAI}ANTHROPIC_API_KEY="exact-matching-key"\n')
    settings = place.load()
    assert [(token.name, token.secret.reveal()) for token in settings.tokens] == [("shared", "exact-matching-key")]
    assert "ANTHROPIC_API_KEY is the token that clients must send" in report(settings)
    assert keys(settings, "anthropic") == []
    assert settings.warnings == ()


@pytest.mark.parametrize("name", ["BIG_MODEL", "MIDDLE_MODEL", "SMALL_MODEL", "OPENAI_BASE_URL"])
def test_each_of_its_names_makes_it_one(place: Place, name: str) -> None:
    text = "https://llm.example.com/v1" if name == "OPENAI_BASE_URL" else "a-model"
    settings = place.load({name: text, "ANTHROPIC_API_KEY": "exact-matching-key", "GROQ_API_KEY": "gk-1"})
    assert [token.secret.reveal() for token in settings.tokens] == ["exact-matching-key"]
    assert any("clients must send this token" in warning for warning in settings.warnings)


def test_a_token_for_keyturn_beats_it(place: Place) -> None:
    place.write(".env", f"{OPENAI}ANTHROPIC_API_KEY=theirs\nANTHROPIC_AUTH_TOKEN=ours-0123\n")
    settings = place.load()
    assert [token.secret.reveal() for token in settings.tokens] == ["ours-0123"]
    ignored = "ANTHROPIC_API_KEY (from ./.env, line 6): this is ignored"
    assert any(warning.startswith(ignored) for warning in settings.warnings)


def test_no_token_in_a_file_beats_an_exported_key_but_not_one_in_a_file(place: Place) -> None:
    place.write(".env", f"{OPENAI}ANTHROPIC_AUTH_TOKEN=\n")
    assert place.load({"ANTHROPIC_API_KEY": "sk-ant-exported"}).tokens == ()
    place.write(".env", f"{OPENAI}ANTHROPIC_AUTH_TOKEN=\nANTHROPIC_API_KEY=theirs-0123\n")
    assert [token.secret.reveal() for token in place.load().tokens] == ["theirs-0123"]


def test_a_placeholder_is_no_token(place: Place) -> None:
    place.write(".env", f"{OPENAI}ANTHROPIC_API_KEY=<your key>\n")
    settings = place.load()
    assert settings.tokens == ()
    assert settings.warnings == (
        "ANTHROPIC_API_KEY (from ./.env, line 6): this is a placeholder, not a token: it is not used. "
        "Put the token there.",
    )


def test_its_bounds_hold_where_they_are_set(place: Place) -> None:
    place.write(".env", OPENAI)
    quirks = provider(place.load(), "openai").quirks
    assert (quirks.max_output_tokens, quirks.of("gpt-5").min_output_tokens) == (None, 0)
    place.write(".env", f'{OPENAI}MAX_TOKENS_LIMIT="4096"\nMIN_TOKENS_LIMIT=100\n')
    settings = place.load()
    quirks = provider(settings, "openai").quirks
    assert [quirks.of(model).bounded(asked) for model in ("gpt-4o", "gpt-5") for asked in (1, 500, 64000)] == [
        *(100, 500, 4096),
        *(100, 500, 4096),
    ]
    assert provider(settings, "groq").quirks.min_output_tokens == 0


@pytest.mark.parametrize("text", ["0", "-5", "many", "4096.5", "٤"])
@pytest.mark.parametrize("name", ["MAX_TOKENS_LIMIT", "MIN_TOKENS_LIMIT"])
def test_a_bound_that_is_none_is_refused(place: Place, name: str, text: str) -> None:
    place.write(".env", f"{OPENAI}{name}={text}\n")
    found = only(place.problems())
    assert (found.name, found.problem) == (name, f"{text!r} is not a whole number above 0")
    assert found.fix == f"Write for example {name}=4096."


def test_bounds_that_cross_are_refused(place: Place) -> None:
    place.write(".env", f"{OPENAI}MAX_TOKENS_LIMIT=100\nMIN_TOKENS_LIMIT=200\n")
    found = only(place.problems())
    assert (found.name, found.problem) == ("MIN_TOKENS_LIMIT", "200 is above MAX_TOKENS_LIMIT (100)")


def test_its_timeout_is_for_silence_and_for_the_first_content(place: Place) -> None:
    place.write(".env", f"{OPENAI}REQUEST_TIMEOUT=90\n")
    settings = place.load()
    timeouts = provider(settings, "openai").timeouts
    assert (timeouts.read, timeouts.first_token) == (90, 90)
    assert settings.warnings == ()
    assert provider(place.load({"HTTP_READ_TIMEOUT": ""}), "openai").timeouts.read is None
    place.write(".env", f"{OPENAI}REQUEST_TIMEOUT=soon\n")
    assert only(place.problems()).name == "REQUEST_TIMEOUT"


def test_keyturns_own_timeout_beats_it(place: Place) -> None:
    place.write(".env", f"{OPENAI}REQUEST_TIMEOUT=90\nHTTP_READ_TIMEOUT=30\n")
    settings = place.load()
    timeouts = provider(settings, "openai").timeouts
    assert (timeouts.read, timeouts.first_token) == (30, 90)
    assert settings.warnings == (
        "REQUEST_TIMEOUT (from ./.env, line 6): this is not used: HTTP_READ_TIMEOUT (from ./.env) is set.",
    )


def test_its_headers_go_to_its_provider(place: Place) -> None:
    place.write(".env", f'{OPENAI}CUSTOM_HEADER_X_TEAM="blue"\nCUSTOM_HEADER_AUTHORIZATION="Bearer own"\n')
    settings = place.load({"CUSTOM_HEADER_X_EMPTY": ""})
    assert provider(settings, "openai").headers == (("AUTHORIZATION", "Bearer own"), ("X-TEAM", "blue"))
    assert not [each.id for each in settings.providers if each.headers and each.id != "openai"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("HOST", "llm"), ("CONTENT_LENGTH", "3"), ("ACCEPT_ENCODING", "gzip"), ("X_TEAM", "blüe"), ("", "x")],
)
def test_a_header_that_cannot_be_sent_is_refused(place: Place, name: str, text: str) -> None:
    place.write(".env", f"{OPENAI}CUSTOM_HEADER_{name}={text}\n")
    assert only(place.problems()).name == f"CUSTOM_HEADER_{name}"


def test_defaults_are_keyturns_where_nothing_is_set(place: Place) -> None:
    place.write(".env", OPENAI)
    settings = place.load()
    assert (settings.log_level, provider(settings, "openai").timeouts.read) == ("INFO", 180)
    shown = report(settings)
    assert "LOG_LEVEL INFO, MAX_TOKENS_LIMIT none (there 4096), REQUEST_TIMEOUT none (there 90)" in shown
    assert "told by BIG_MODEL: docs/moving/fuergaosi.md" in shown
    place.write(".env", f"{OPENAI}LOG_LEVEL=warning\n")
    assert place.load().log_level == "WARNING"


def test_a_name_in_the_model_field_still_names_a_provider(place: Place) -> None:
    place.write(".env", OPENAI)
    assert place.load().routing.resolve("openai/o3") == Ref("openai", "o3")
