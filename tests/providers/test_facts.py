"""What the package knows of models: the table itself, and the reading of it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from providers.catalog import CATALOG
from providers.facts import ABILITIES, Facts, LazyFacts, ModelFacts, Price, plain_name
from providers.ports import Usage
from scripts.model_facts import PROVIDERS

RAW = resources.files("providers.facts").joinpath("models.json").read_bytes()
TABLE: dict[str, Any] = json.loads(RAW)
FACTS = LazyFacts().table


def test_it_says_where_it_comes_from_and_is_small() -> None:
    assert "litellm" in FACTS.source
    assert FACTS.date >= "2026-11"
    assert len(RAW) < 200_000
    assert "Copyright (c) 2023 Berri AI" in resources.files("providers.facts").joinpath("NOTICE").read_text()


def test_every_row_is_read() -> None:
    rows = 0
    for provider, models in TABLE["providers"].items():
        for name in models:
            found = FACTS.of(provider, name)
            assert found is not None
            assert found.window or found.output or found.price
            assert found.window is None or 1024 <= found.window <= 100_000_000
            assert found.abilities <= set(ABILITIES.values())
            rows += 1
    assert rows > 1000


def test_its_providers_are_ours() -> None:
    ours = {row.id for row in CATALOG} | {"azure", "vertex"}
    assert set(TABLE["providers"]) <= set(PROVIDERS.values()) <= ours
    assert not set(PROVIDERS.values()) - set(TABLE["providers"])


HOSTED = [row for row in CATALOG if row.id in TABLE["providers"]]


@pytest.mark.parametrize("row", HOSTED, ids=lambda row: row.id)
def test_the_default_model_of_a_row_has_a_window(row: Any) -> None:
    facts = FACTS.of(row.id, row.default_model)
    assert (facts and facts.window) or FACTS.window_elsewhere(row.default_model)


def test_one_model() -> None:
    opus = FACTS.of("anthropic", "claude-opus-4-8")
    assert opus is not None
    assert (opus.window, opus.output) == (1_000_000, 128_000)
    assert opus.abilities == {"tools", "vision", "thinking", "caching"}
    assert opus.price == Price(5, 25, 0.5, 6.25)
    assert FACTS.of("anthropic", "Claude-Opus-4-8-20991231") == opus
    assert FACTS.of("anthropic", "no-such-model") is None
    assert FACTS.of("no-such-provider", "claude-opus-4-8") is None


ROWS = Facts(
    {
        "providers": {
            "acme": {
                "priced": [1000, 100, "tv", 2, 10, 0.2, 2.5, [200_000, 4, 20, 0.4, None]],
                "free": [1000, None, "", 0, 0],
                "plain": [None, None, "", 3, 15],
                "sized": [4096],
            }
        },
        "models": {"glm47": 202_752},
    }
)


def test_prices() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=10_000, cache_write_tokens=2000)
    cost = {
        name: facts.cost(usage) if (facts := ROWS.of("acme", name)) else None
        for name in ("priced", "free", "plain", "sized")
    }
    assert cost["priced"] == pytest.approx((1000 * 2 + 10_000 * 0.2 + 2000 * 2.5 + 100 * 10) / 1e6)
    assert cost["free"] == 0
    assert cost["plain"] == pytest.approx((13_000 * 3 + 100 * 15) / 1e6)
    assert cost["sized"] is None
    assert ROWS.of("acme", "sized") == ModelFacts(4096)


def test_a_long_prompt_may_cost_more() -> None:
    facts = ROWS.of("acme", "priced")
    assert facts is not None
    assert facts.cost(Usage(input_tokens=200_000)) == pytest.approx(0.4)
    assert facts.cost(Usage(input_tokens=1, cache_write_tokens=200_000)) == pytest.approx(200_001 * 4 / 1e6)


@pytest.mark.parametrize(
    "name",
    [
        "z-ai/glm4.7",
        "GLM-4.7",
        "zai-org/GLM-4.7",
        "accounts/fireworks/models/glm-4p7",
        "glm-4.7:free",
        "glm-4-7-20260101",
    ],
)
def test_one_model_has_many_names(name: str) -> None:
    assert plain_name(name) == "glm47"
    assert ROWS.window_elsewhere(name) == 202_752


@pytest.mark.parametrize("document", [{}, {"providers": {}}])
def test_a_table_without_rows_knows_nothing(document: dict[str, Any]) -> None:
    assert Facts(document).of("acme", "m") is None
    assert Facts(document).window_elsewhere("m") is None
