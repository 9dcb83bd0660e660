"""Where a provider is: Azure's addresses under any provider, and the parts of a base URL that operators name."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.spec import Auth, Lack, ProviderConfig
from tests.gateway.place import Place, only, provider

KEY = {"AZURE_API_KEY": "azure-0123456789"}
OURS = "https://mine.openai.azure.com"
FOUNDRY = "https://mine.services.ai.azure.com"
DEPLOYED = f"{OURS}/openai/deployments/our-gpt"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def asked(config: ProviderConfig) -> tuple[str, str, str, Auth]:
    return config.spec.dialect, config.base_url, config.query, config.spec.auth


# Azure's own row


@pytest.mark.parametrize(
    ("environ", "base_url", "query"),
    [
        ({"AZURE_BASE_URL": f"{OURS}/openai/v1/"}, f"{OURS}/openai/v1", ""),
        ({"AZURE_BASE_URL": OURS}, f"{OURS}/openai/v1", ""),
        ({"AZURE_OPENAI_ENDPOINT": f"{OURS}/"}, f"{OURS}/openai/v1", ""),
        ({"AZURE_API_BASE": OURS}, f"{OURS}/openai/v1", ""),
        ({"AZURE_RESOURCE_NAME": "mine"}, f"{OURS}/openai/v1", ""),
        ({"AZURE_OPENAI_ENDPOINT": FOUNDRY}, f"{FOUNDRY}/openai/v1", ""),
        ({"AZURE_BASE_URL": OURS, "AZURE_OPENAI_ENDPOINT": "https://other.openai.azure.com"}, f"{OURS}/openai/v1", ""),
        (
            {"AZURE_OPENAI_ENDPOINT": OURS, "AZURE_API_VERSION": "2024-06-01"},
            f"{OURS}/openai/deployments/{{model}}",
            "?api-version=2024-06-01",
        ),
        (
            {"AZURE_RESOURCE_NAME": "mine", "AZURE_API_VERSION": "2024-06-01"},
            f"{OURS}/openai/deployments/{{model}}",
            "?api-version=2024-06-01",
        ),
        ({"AZURE_BASE_URL": DEPLOYED}, DEPLOYED, "?api-version=2024-10-21"),
        (
            {"AZURE_BASE_URL": DEPLOYED, "AZURE_API_VERSION": "2025-04-01-Preview"},
            DEPLOYED,
            "?api-version=2025-04-01-preview",
        ),
        ({"AZURE_BASE_URL": "https://gate.example.com/llm"}, "https://gate.example.com/llm", ""),
    ],
)
def test_where_azure_is(place: Place, environ: dict[str, str], base_url: str, query: str) -> None:
    config = provider(place.load({**KEY, **environ}), "azure")
    assert asked(config) == ("openai_chat", base_url, query, Auth.API_KEY)
    assert config.usable
    assert config.chosen


def test_without_an_address_it_cannot_be_used_and_says_what_to_set(place: Place) -> None:
    settings = place.load({**KEY, "MODEL": "azure/gpt-5.4", "AZURE_API_VERSION": "2024-10-21"})
    config = provider(settings, "azure")
    assert (config.base_url, config.query, config.usable) == ("", "", False)
    assert config.lacks == (Lack("base URL", "AZURE_BASE_URL"),)
    assert "azure" not in settings.routing.usable
    [warning] = settings.warnings
    assert "azure has no base URL, so its requests get status 503. Set AZURE_BASE_URL." in warning


def test_with_nothing_at_all_it_lacks_both(place: Place) -> None:
    assert provider(place.load(), "azure").lacks == (Lack("base URL", "AZURE_BASE_URL"), Lack("key", "AZURE_API_KEY"))


@pytest.mark.parametrize("version", ["2024", "v2", "2024-10-21-beta", "20241021"])
def test_a_version_that_is_none_is_refused(place: Place, version: str) -> None:
    problem = only(place.problems({**KEY, "AZURE_BASE_URL": DEPLOYED, "AZURE_API_VERSION": version}))
    assert problem.name == "AZURE_API_VERSION"
    assert "2024-10-21" in problem.fix


def test_a_version_where_the_url_takes_none_is_said_not_to_be_used(place: Place) -> None:
    environ = {**KEY, "AZURE_BASE_URL": f"{OURS}/openai/v1", "AZURE_API_VERSION": "2024-06-01"}
    [warning] = place.load(environ).warnings
    assert warning.startswith("AZURE_API_VERSION (from the environment): this is not used")
    assert place.load({**environ, "AZURE_API_VERSION": "v1"}).warnings == ()


@pytest.mark.parametrize("url", ["https://[", "mine.openai.azure.com", f"{DEPLOYED}?api-version=2024-06-01"])
def test_what_is_no_base_url_is_refused(place: Place, url: str) -> None:
    assert only(place.problems({**KEY, "AZURE_OPENAI_ENDPOINT": url})).name == "AZURE_OPENAI_ENDPOINT"


@pytest.mark.parametrize("name", ["mine.openai.azure.com", "https://mine", "-mine", "my resource"])
def test_a_resource_is_a_name_alone(place: Place, name: str) -> None:
    problem = only(place.problems({**KEY, "AZURE_RESOURCE_NAME": name}))
    assert problem.name == "AZURE_RESOURCE_NAME"
    assert "without https://" in problem.fix
    assert not provider(place.load({"AZURE_RESOURCE_NAME": name}), "azure").usable  # nobody uses it: no problem


def test_the_file_can_say_it_all(place: Place) -> None:
    settings = place.toml(
        f"[[providers]]\nname = 'azure'\napi_key = 'k-1'\nbase_url = '{DEPLOYED}'\napi_version = '2024-06-01'\n"
    )
    assert asked(provider(settings, "azure")) == ("openai_chat", DEPLOYED, "?api-version=2024-06-01", Auth.API_KEY)


# Azure under other providers' names


@pytest.mark.parametrize(
    ("environ", "base_url", "query"),
    [
        # as the README of the fourth system before this one has it
        ({"OPENAI_BASE_URL": DEPLOYED}, DEPLOYED, "?api-version=2024-10-21"),
        ({"OPENAI_BASE_URL": DEPLOYED, "AZURE_API_VERSION": "2024-06-01"}, DEPLOYED, "?api-version=2024-06-01"),
        ({"OPENAI_BASE_URL": DEPLOYED, "OPENAI_API_VERSION": "2024-06-01"}, DEPLOYED, "?api-version=2024-06-01"),
        ({"OPENAI_BASE_URL": f"{OURS}/openai/v1"}, f"{OURS}/openai/v1", ""),
        ({"OPENAI_BASE_URL": OURS}, f"{OURS}/openai/v1", ""),
        ({"OPENAI_BASE_URL": f"{FOUNDRY}/openai/v1"}, f"{FOUNDRY}/openai/v1", ""),
        (
            {"OPENAI_BASE_URL": "http://127.0.0.1:9/openai/deployments/x"},
            "http://127.0.0.1:9/openai/deployments/x",
            "?api-version=2024-10-21",
        ),
    ],
)
def test_azures_addresses_are_asked_in_azures_way(
    place: Place, environ: dict[str, str], base_url: str, query: str
) -> None:
    config = provider(place.load({"OPENAI_API_KEY": "azure-0123456789", **environ}), "openai")
    assert asked(config) == ("openai_chat", base_url, query, Auth.API_KEY)


def test_other_addresses_are_not(place: Place) -> None:
    environ = {
        "OPENAI_API_KEY": "sk-1",
        "OPENAI_BASE_URL": "https://llm.example.com/v1",
        "AZURE_API_VERSION": "2024-06-01",
    }
    config = provider(place.load(environ), "openai")
    assert asked(config) == ("openai_chat", "https://llm.example.com/v1", "", Auth.BEARER)


def test_a_provider_of_the_files_own_too(place: Place) -> None:
    settings = place.toml(
        f"[[providers]]\nname = 'work'\ntype = 'openai'\napi_key = 'k-1'\nbase_url = '{DEPLOYED}'\n"
        f"[[providers]]\nname = 'home'\ntype = 'openai'\napi_key = 'k-2'\nbase_url = '{OURS}'\n"
        "api_version = '2024-06-01'\n"
    )
    assert asked(provider(settings, "work")) == ("openai_chat", DEPLOYED, "?api-version=2024-10-21", Auth.API_KEY)
    home = (f"{OURS}/openai/deployments/{{model}}", "?api-version=2024-06-01")
    assert asked(provider(settings, "home")) == ("openai_chat", *home, Auth.API_KEY)


# Claude in Foundry


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_FOUNDRY_RESOURCE": "mine"},
        {"ANTHROPIC_FOUNDRY_BASE_URL": f"{FOUNDRY}/anthropic/"},
        {"ANTHROPIC_FOUNDRY_BASE_URL": FOUNDRY},
        {"AZURE_DIALECT": "anthropic", "AZURE_BASE_URL": FOUNDRY},
        {"AZURE_DIALECT": "anthropic", "ANTHROPIC_FOUNDRY_RESOURCE": "mine", "AZURE_OPENAI_ENDPOINT": OURS},
        {"AZURE_BASE_URL": f"{FOUNDRY}/anthropic"},
    ],
)
def test_claude_in_foundry(place: Place, environ: dict[str, str]) -> None:
    settings = place.load({"ANTHROPIC_FOUNDRY_API_KEY": "foundry-0123456789", **environ})
    config = provider(settings, "azure")
    assert asked(config) == ("anthropic", f"{FOUNDRY}/anthropic", "", Auth.API_KEY)
    assert [key.variable for key in config.keys] == ["ANTHROPIC_FOUNDRY_API_KEY"]
    assert config.quirks.signed_thoughts
    assert str(settings.routing.default) == "azure/claude-sonnet-5"
    assert settings.warnings == ()


def test_each_of_the_two_takes_its_own_key_first(place: Place) -> None:
    both = {"ANTHROPIC_FOUNDRY_API_KEY": "foundry", "AZURE_OPENAI_API_KEY": "openai"}
    config = provider(place.load({**both, "ANTHROPIC_FOUNDRY_RESOURCE": "mine"}), "azure")
    assert [key.variable for key in config.keys] == ["ANTHROPIC_FOUNDRY_API_KEY"]
    config = provider(place.load({**both, "AZURE_RESOURCE_NAME": "mine"}), "azure")
    assert [key.variable for key in config.keys] == ["AZURE_OPENAI_API_KEY"]


def test_two_addresses_are_one_too_many(place: Place) -> None:
    environ = {**KEY, "AZURE_OPENAI_ENDPOINT": OURS, "ANTHROPIC_FOUNDRY_RESOURCE": "mine"}
    settings = place.load(environ)
    assert provider(settings, "azure").spec.dialect == "openai_chat"
    [warning] = settings.warnings
    assert "ANTHROPIC_FOUNDRY_RESOURCE (from the environment): this is not used" in warning
    assert "AZURE_DIALECT=anthropic chooses this one." in warning
    assert place.load({**environ, "AZURE_DIALECT": "openai"}).warnings == ()


# Bedrock's region


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "ap-southeast-2"}, "ap-southeast-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "ap-southeast-2"}, "eu-west-1"),
        ({"AWS_REGION": " "}, "us-east-1"),
    ],
)
def test_bedrocks_region_is_part_of_its_host(place: Place, environ: dict[str, str], region: str) -> None:
    settings = place.load({"AWS_BEARER_TOKEN_BEDROCK": "b-0123456789", **environ})
    assert provider(settings, "bedrock").base_url == f"https://bedrock-runtime.{region}.amazonaws.com/anthropic"
    chat = place.load({"AWS_BEARER_TOKEN_BEDROCK": "b-0123456789", "BEDROCK_DIALECT": "openai", **environ})
    assert provider(chat, "bedrock").base_url == f"https://bedrock-runtime.{region}.amazonaws.com/openai/v1"


def test_a_base_url_of_ones_own_beats_the_region(place: Place) -> None:
    environ = {"BEDROCK_API_KEY": "b-1", "AWS_REGION": "eu-west-1", "BEDROCK_BASE_URL": "http://127.0.0.1:9/anthropic"}
    assert provider(place.load(environ), "bedrock").base_url == "http://127.0.0.1:9/anthropic"


def test_a_region_alone_configures_nothing(place: Place) -> None:
    assert not provider(place.load({"AWS_REGION": "eu-west-1"}), "bedrock").chosen
    assert place.load({"AWS_REGION": "not a region"}).warnings == ()
    assert only(place.problems({"BEDROCK_API_KEY": "b-1", "AWS_REGION": "not a region"})).name == "AWS_REGION"
