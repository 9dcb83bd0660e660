"""The table holds together: no name means two providers, and every row can be built and used."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pytest

from providers.catalog import CATALOG, names
from providers.dialects import discover
from providers.spec import Auth, ProviderConfig, ProviderSpec

HOSTED = [row for row in CATALOG if not row.local]
# Dialects that rows may name before their file is there.
ANNOUNCED = {"openai_chat"}
each_row = pytest.mark.parametrize("row", CATALOG, ids=[row.id for row in CATALOG])


def doubled(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_no_name_means_two_providers() -> None:
    assert doubled([name for row in CATALOG for name in (row.id, *row.aliases)]) == []
    assert doubled([prefix for row in CATALOG for prefix in row.prefixes]) == []
    assert doubled([variable for row in CATALOG for variable in (row.key_variable, *row.key_variables)]) == []


def test_names_lead_to_ids() -> None:
    assert names(CATALOG)["openrouter"] == "open_router"
    assert names(CATALOG)["lm-studio"] == names(CATALOG)["lmstudio"] == "lmstudio"
    assert set(names(CATALOG).values()) == {row.id for row in CATALOG}


def test_the_rows_of_this_release() -> None:
    expected = {
        "demo", "anthropic", "open_router", "deepseek", "ollama", "lmstudio", "llamacpp", "vllm", "openai", "groq"
    }  # fmt: skip
    assert expected <= {row.id for row in CATALOG}


@each_row
def test_dialects_are_known(row: ProviderSpec) -> None:
    assert row.dialect in {*discover(), *ANNOUNCED}


@each_row
def test_names_can_be_written_in_a_token_and_in_a_variable(row: ProviderSpec) -> None:
    for name in (row.id, *row.aliases):
        assert name == name.lower()
        assert not set(name) & set("/: @")
    for prefix in row.prefixes:
        assert prefix.replace("_", "").isalnum()
        assert prefix == prefix.upper()
    assert row.prefixes
    assert row.title


@each_row
def test_base_urls_are_https_or_on_this_machine(row: ProviderSpec) -> None:
    base = urlsplit(row.base_url)
    if row.local:
        assert base.scheme == "demo" or (base.scheme, base.hostname) == ("http", "127.0.0.1")
    else:
        assert base.scheme == "https"
        assert base.hostname
    assert not base.query
    assert not row.base_url.endswith("/")


@pytest.mark.parametrize("row", HOSTED, ids=[row.id for row in HOSTED])
def test_a_hosted_row_says_where_to_get_a_key(row: ProviderSpec) -> None:
    assert row.key_url.startswith("https://")
    assert row.auth is not Auth.NONE
    assert row.needs_key
    assert not ProviderConfig(row, row.base_url).usable
    assert row.key_variable == f"{row.prefixes[0]}_API_KEY"


@each_row
def test_every_row_names_a_model(row: ProviderSpec) -> None:
    assert row.default_model
    assert row.default_model == row.default_model.strip()


def test_local_rows_need_no_key() -> None:
    local = [row for row in CATALOG if row.local]
    assert len(local) == 5
    assert all(ProviderConfig(row, row.base_url).usable for row in local)


def test_base_urls_are_told_apart() -> None:
    assert doubled([row.base_url for row in CATALOG]) == []
