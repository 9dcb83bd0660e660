"""Two systems' names at once: whose meaning holds, and that the other one is told."""

from __future__ import annotations

import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.settings import Settings
from providers.catalog import CATALOG
from tests.gateway.place import Place, keys, provider
from tests.moving import example

OPENAI = example("fuergaosi/openai")
TWO = example("freecc/two_openai")
ROUTER = example("ujisati/openrouter", {"<your openrouter api key>": "sk-or-1"})


def tiers(settings: Settings) -> list[str]:
    return [str(settings.routing.resolve(f"claude-{tier}-4")) for tier in ("opus", "sonnet", "haiku", "other")]


def losers(settings: Settings) -> list[str]:
    return [warning.partition(" ")[0] for warning in settings.warnings if "this is not used" in warning]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (OPENAI, ["BIG_MODEL", "MIDDLE_MODEL", "SMALL_MODEL"]),
        (TWO, ["BIG_MODEL_NAME", "SMALL_MODEL_NAME"]),
        (ROUTER, ["SMALL_MODEL_NAME", "BIG_MODEL_NAME"]),
    ],
)
def test_model_beats_every_tier_of_theirs(place: Place, text: str, lost: list[str]) -> None:
    place.write(".env", text)
    settings = place.load({"MODEL": "groq/a-model", "GROQ_API_KEY": "gk-1"})
    assert tiers(settings) == ["groq/a-model"] * 4
    assert losers(settings) == lost
    for name in lost:
        [line] = [number for number, each in enumerate(text.splitlines(), 1) if each.startswith(f"{name}=")]
        told = f"{name} (from ./.env, line {line}): this is not used: MODEL (from the environment) is set."
        assert told in banner(settings, 8082)
        assert told in report(settings)


def test_a_tier_of_keyturns_beats_theirs_and_leaves_the_others(place: Place) -> None:
    place.write(".env", f"{OPENAI}MODEL_HAIKU=groq/small\n")
    settings = place.load({"GROQ_API_KEY": "gk-1"})
    assert tiers(settings) == ["openai/gpt-4o", "openai/gpt-4o", "groq/small", "openai/gpt-4o"]
    assert settings.warnings == (
        "SMALL_MODEL (from ./.env, line 5): this is not used for haiku: MODEL_HAIKU (from ./.env) is set.",
    )


def test_what_keyturn_says_in_a_lower_file_still_wins(place: Place) -> None:
    place.write("~/.config/claude-code-proxy/.env", "MODEL=groq/a-model\nGROQ_API_KEY=gk-1\n")
    place.write(".env", OPENAI)
    assert tiers(place.load()) == ["groq/a-model"] * 4


def test_blank_names_of_keyturns_are_none(place: Place) -> None:
    place.write(".env", f"{OPENAI}MODEL=\nMODEL_OPUS=\nMODEL_SONNET=\nMODEL_HAIKU=\n")
    assert tiers(place.load())[2] == "openai/gpt-4o-mini"
    assert place.load().warnings == ()


@pytest.mark.parametrize(
    ("text", "system", "lost"),
    [
        (OPENAI + TWO, "chachako/freecc", ["BIG_MODEL", "MIDDLE_MODEL", "SMALL_MODEL"]),
        (TWO + ROUTER, "chachako/freecc", []),
        (
            OPENAI.replace("OPENAI_API_KEY", "# ") + ROUTER,
            "ujisati/claude-code-provider-proxy",
            ["OPENAI_BASE_URL", "BIG_MODEL", "MIDDLE_MODEL", "SMALL_MODEL"],
        ),
        (OPENAI + "PREFERRED_PROVIDER=openai\n", "1rgs/claude-code-proxy", []),
    ],
)
def test_of_two_earlier_systems_one_is_read_and_the_other_told(
    place: Place, text: str, system: str, lost: list[str]
) -> None:
    place.write(".env", text)
    settings = place.load()
    assert settings.moved[0].startswith(f"this is read as a configuration of {system}, told by ")
    assert [name for name in losers(settings) if name in lost] == lost


def test_a_key_of_openrouters_stays_so_beside_model(place: Place) -> None:
    place.write(".env", ROUTER)
    settings = place.load({"MODEL": "openai/gpt-x"})
    assert (keys(settings, "openai"), keys(settings, "open_router")) == ([], ["sk-or-1"])
    assert "OPENAI_API_KEY is the key for OpenRouter, and is never sent to OpenAI" in report(settings)


def test_anthropics_client_key_is_ignored_where_no_system_needs_it(place: Place) -> None:
    place.write(".env", ROUTER)
    settings = place.load({"ANTHROPIC_API_KEY": "sk-ant-1"})
    assert (settings.tokens, keys(settings, "anthropic")) == ((), [])
    assert any("goes into ANTHROPIC_UPSTREAM_API_KEY" in warning for warning in settings.warnings)


@pytest.mark.parametrize("beside", ["BIG_MODEL_PROVIDER=openai", "OPENAI_API_BASE=https://h.example/v1"])
def test_it_is_the_upstreams_in_the_company_of_either_kind(place: Place, beside: str) -> None:
    place.write(".env", f"{OPENAI}{beside}\nANTHROPIC_API_KEY=sk-ant-1\n")
    settings = place.load()
    assert (settings.tokens, keys(settings, "anthropic")) == ((), ["sk-ant-1"])


def test_nothing_of_theirs_changes_nothing(place: Place) -> None:
    settings = place.load(
        {"MODEL": "groq/x", "GROQ_API_KEY": "gk-1", "BASE_URL": "https://x.example", "REFERER_URL": "x"}
    )
    assert (settings.moved, settings.warnings, settings.port) == ((), (), 8082)
    assert [each.id for each in settings.providers] == [spec.id for spec in CATALOG]


def test_crlf_bom_exports_tabs_and_quotes_are_read_as_in_any_env_file(place: Place) -> None:
    lines = [f"export {line}" if "=" in line else line for line in TWO.splitlines()]
    place.write(".env", "\ufeff" + "\r\n".join(line.replace('"', "'") for line in lines) + "\r\n")
    assert tiers(place.load())[2] == "openai-small/gpt-4o-mini"
    place.write(".env", "BIG_MODEL\t=\tgpt-4o\t# big\nOPENAI_API_KEY = sk-1\n")
    assert tiers(place.load())[0] == "openai/gpt-4o"


OPENAI_IN_TOML = '[[providers]]\nname = "openai"\napi_key = "sk-openais"\nbase_url = "https://h.example/v1"\n'


def test_what_keyturn_toml_says_of_openai_is_openais(place: Place) -> None:
    place.write("keyturn.toml", OPENAI_IN_TOML)
    place.write(".env", ROUTER)
    settings = place.load()
    assert (keys(settings, "openai"), keys(settings, "open_router")) == (["sk-openais"], ["sk-or-1"])
    assert provider(settings, "openai").base_url == "https://h.example/v1"


def test_what_keyturn_toml_says_makes_it_nobodys_else(place: Place) -> None:
    place.write("keyturn.toml", OPENAI_IN_TOML)
    settings = place.load({"ANTHROPIC_API_KEY": "sk-ant-1"})
    assert (settings.moved, settings.tokens) == ((), ())


def test_several_keys_of_openrouters_stay_together(place: Place) -> None:
    place.write(".env", f"{ROUTER}OPENAI_API_KEYS=sk-or-2 sk-or-3\n")
    settings = place.load()
    assert (keys(settings, "openai"), keys(settings, "open_router")) == ([], ["sk-or-1", "sk-or-2", "sk-or-3"])
