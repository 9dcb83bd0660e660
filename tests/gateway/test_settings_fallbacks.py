"""MODEL_FALLBACKS, those of the tiers and those of the routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routing import Ref, Route
from gateway.settings import Settings
from tests.gateway.place import Place, only

GROQ = {"GROQ_API_KEY": "gsk-1"}
BOTH = {**GROQ, "ANTHROPIC_UPSTREAM_API_KEY": "sk-ant-1", "MODEL": "groq/big"}
ROUTE = "[[routes]]\nmatch = 'gpt-'\nprovider = 'groq'\nrewrite_model = 'routed'\n"
TIERS = ["MODEL_OPUS_FALLBACKS", "MODEL_SONNET_FALLBACKS", "MODEL_HAIKU_FALLBACKS"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def asked(settings: Settings, requested: str) -> list[str]:
    return [f"{target.provider}/{target.model}" for target in settings.routing.targets(requested)]


def test_lists_between_commas_of_all_and_of_tiers(place: Place) -> None:
    settings = place.load(
        {
            **BOTH,
            "MODEL_FALLBACKS": " ollama/m , anthropic/claude-sonnet-5,",
            "MODEL_OPUS": "anthropic/claude-opus-4-8",
            "MODEL_OPUS_FALLBACKS": "groq/big",
            "MODEL_HAIKU_FALLBACKS": "lm-studio/small",
        }
    )
    table = settings.routing
    assert table.fallbacks == (Ref("ollama", "m"), Ref("anthropic", "claude-sonnet-5"))
    assert table.tier_fallbacks == {"opus": (Ref("groq", "big"),), "haiku": (Ref("lmstudio", "small"),)}
    rest = ["ollama/m", "anthropic/claude-sonnet-5"]
    assert asked(settings, "claude-opus-4-8") == ["anthropic/claude-opus-4-8", "groq/big", *rest]
    assert asked(settings, "claude-haiku-4-5") == ["groq/big", "lmstudio/small", *rest]
    assert asked(settings, "claude-sonnet-5") == ["groq/big", *rest]
    assert settings.warnings == ()


def test_blank_lists_are_unset(place: Place) -> None:
    table = place.load({**BOTH, "MODEL_FALLBACKS": "", "MODEL_OPUS_FALLBACKS": " "}).routing
    assert (table.fallbacks, dict(table.tier_fallbacks)) == ((), {})


def test_lists_of_keyturn_toml(place: Place) -> None:
    settings = place.toml(
        """
        model_fallbacks = ["ollama/m", "groq/last"]
        model_opus_fallbacks = "lmstudio/x, vllm/y"
        [[routes]]
        match = "gpt-"
        provider = "groq"
        rewrite_model = "routed"
        fallbacks = ["ollama/spare", "anthropic/claude-sonnet-5"]
        [[routes]]
        match = "one"
        match_type = "exact"
        provider = "ollama"
        fallbacks = "groq/spare"
        """,
        BOTH,
    )
    table = settings.routing
    assert table.fallbacks == (Ref("ollama", "m"), Ref("groq", "last"))
    assert table.tier_fallbacks == {"opus": (Ref("lmstudio", "x"), Ref("vllm", "y"))}
    assert table.routes == (
        Route("gpt-", "groq", "routed", False, (Ref("ollama", "spare"), Ref("anthropic", "claude-sonnet-5"))),
        Route("one", "ollama", "", True, (Ref("groq", "spare"),)),
    )
    assert asked(settings, "one") == ["ollama/one", "groq/spare", "ollama/m", "groq/last"]


def test_a_word_without_a_slash_is_read_as_in_model(place: Place) -> None:
    table = place.load({**BOTH, "MODEL_FALLBACKS": "small, anthropic"}).routing
    assert table.fallbacks == (Ref("groq", "small"), Ref("anthropic", "claude-sonnet-5"))


def test_a_vendor_of_the_default_provider_is_no_slip(place: Place) -> None:
    assert place.load({**BOTH, "MODEL_FALLBACKS": "openai/gpt-oss-120b"}).routing.fallbacks == (
        Ref("groq", "openai/gpt-oss-120b"),
    )


def test_providers_of_fallbacks_count_as_chosen(place: Place) -> None:
    place.write("keyturn.toml", ROUTE + "fallbacks = ['vllm/z']\n")
    settings = place.load({**GROQ, "MODEL_FALLBACKS": "ollama/m", "MODEL_OPUS_FALLBACKS": "lmstudio/x"})
    assert {each.id for each in settings.providers if each.chosen} == {"groq", "ollama", "lmstudio", "vllm"}
    assert settings.routing.default == Ref("groq", "openai/gpt-oss-120b")


def test_a_fallback_without_a_key_is_a_warning_and_left_out(place: Place) -> None:
    settings = place.load({**BOTH, "MODEL_FALLBACKS": "openrouter/x,ollama/m"})
    assert settings.warnings == (
        "MODEL_FALLBACKS (from the environment): open_router has no key, so open_router/x is left out. "
        "Set OPENROUTER_API_KEY.",
    )
    assert asked(settings, "m") == ["groq/big", "ollama/m"]
    assert "open_router" in [each.id for each in settings.providers if each.chosen]


@pytest.mark.parametrize(
    ("environ", "consequence"),
    [
        ({}, "its requests get status 503"),
        ({"MODEL_FALLBACKS": "openrouter/x"}, "its requests get status 503"),
        ({"MODEL_HAIKU_FALLBACKS": "ollama/m"}, "its requests get status 503"),
        ({"MODEL_FALLBACKS": "ollama/m"}, "its fallbacks answer"),
        ({"MODEL_OPUS_FALLBACKS": "ollama/m"}, "its fallbacks answer"),
    ],
)
def test_what_a_target_without_a_key_comes_to(place: Place, environ: dict[str, str], consequence: str) -> None:
    warnings = place.load({**BOTH, "MODEL_OPUS": "deepseek/x", **environ}).warnings
    assert (
        f"MODEL_OPUS (from the environment): deepseek has no key, so {consequence}. Set DEEPSEEK_API_KEY." in warnings
    )


def test_a_route_without_a_key_whose_fallbacks_answer(place: Place) -> None:
    settings = place.toml(ROUTE.replace("groq", "deepseek") + "fallbacks = ['ollama/m']\n")
    assert settings.warnings == (
        "routes.gpt-.provider (from ./keyturn.toml, line 3): deepseek has no key, so its fallbacks answer. "
        "Set DEEPSEEK_API_KEY.",
    )
    assert asked(settings, "gpt-5") == ["ollama/m"]


@pytest.mark.parametrize("variable", ["MODEL_FALLBACKS", *TIERS])
@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("ollama/m,grok/x", "'grok/x' names no provider that Keyturn knows", "Did you mean groq? Known providers: "),
        ("zzzzzz/x", "'zzzzzz/x' names no provider that Keyturn knows", "Known providers: anthropic, "),
        ("/x", "'/x' names no provider that Keyturn knows", "Known providers: "),
        ("ollama/", "'ollama/' names no model", "Write ollama/<model>."),
        (" , ", "names no model", "Write provider/model there, or remove the line."),
        ("ollama/\x07", "holds a control character", "Write it again by hand."),
        ("groq/big", "'groq/big' is a cycle: MODEL names it already", "Remove it."),
        ("ollama/m, groq/big", "'groq/big' is a cycle: MODEL names it already", "Remove it."),
        ("big", "'big' is a cycle: MODEL names it already", "Remove it."),
        ("ollama/m,ollama/m", "'ollama/m' is a duplicate: the list has it already", "Remove one of the two."),
        ("lmstudio/x,lm-studio/x", "'lm-studio/x' is a duplicate: the list has it already", "Remove one of the two."),
    ],
)
def test_a_list_that_cannot_be(place: Place, variable: str, text: str, problem: str, fix: str) -> None:
    found = only(place.problems({**BOTH, variable: text}))
    assert (found.name, found.origin, found.problem) == (variable, "the environment", problem)
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("tier", ["OPUS", "SONNET", "HAIKU"])
def test_a_tiers_own_model_is_a_cycle_and_that_of_model_is_none(place: Place, tier: str) -> None:
    environ = {**BOTH, f"MODEL_{tier}": "anthropic/claude-x"}
    found = only(place.problems({**environ, f"MODEL_{tier}_FALLBACKS": "groq/big, anthropic/claude-x"}))
    assert found.problem == f"'anthropic/claude-x' is a cycle: MODEL_{tier} names it already"
    settings = place.load({**environ, f"MODEL_{tier}_FALLBACKS": "groq/big", "MODEL_FALLBACKS": "anthropic/claude-x"})
    assert asked(settings, f"claude-{tier.lower()}-5") == ["anthropic/claude-x", "groq/big"]


def test_without_model_its_fallbacks_may_name_the_first_provider(place: Place) -> None:
    """The client's own names go to it as they are, so its default model is another target."""
    settings = place.load({"ANTHROPIC_UPSTREAM_API_KEY": "k", "MODEL_FALLBACKS": "anthropic/claude-sonnet-5"})
    assert asked(settings, "claude-opus-4-8") == ["anthropic/claude-opus-4-8", "anthropic/claude-sonnet-5"]


def test_a_model_without_a_provider_is_refused_where_none_is_configured(place: Place) -> None:
    found = only(place.problems({"MODEL_FALLBACKS": "gpt-4o"}))
    assert (found.name, found.problem) == (
        "MODEL_FALLBACKS",
        "'gpt-4o' names no provider, and none is configured",
    )


def test_a_model_that_means_nothing_makes_no_cycle_of_its_own(place: Place) -> None:
    found = place.problems({**GROQ, "MODEL": "grok/x", "MODEL_FALLBACKS": "groq/openai/gpt-oss-120b"})
    assert [each.name for each in found] == ["MODEL"]


@pytest.mark.parametrize(
    ("fallbacks", "problem", "fix"),
    [
        ("['groq/routed']", "'groq/routed' is a cycle: the route names it already", "Remove it."),
        ("['ollama/m', 'ollama/m']", "'ollama/m' is a duplicate: the list has it already", "Remove one of the two."),
        ("['olama/m']", "'olama/m' names no provider that Keyturn knows", "Did you mean ollama?"),
        ("['zzzzzz/m']", "'zzzzzz/m' names no provider that Keyturn knows", "Known providers: "),
        ("[]", "is empty", 'Write for example fallbacks = ["...", "..."].'),
        ("[1]", "is not a list of strings", 'Write for example fallbacks = ["...", "..."].'),
        ("{ a = 'b' }", "is not a list of strings", 'Write for example fallbacks = ["...", "..."].'),
    ],
)
def test_what_a_routes_fallbacks_must_not_say(place: Place, fallbacks: str, problem: str, fix: str) -> None:
    found = only(place.toml_problems(f"{ROUTE}fallbacks = {fallbacks}\n", BOTH))
    assert (found.name, found.origin, found.problem) == ("routes.gpt-.fallbacks", "./keyturn.toml", problem)
    assert found.fix.startswith(fix)


def test_an_exact_route_that_keeps_the_name_is_its_own_target(place: Place) -> None:
    text = "[[routes]]\nmatch = 'one'\nmatch_type = 'exact'\nprovider = 'groq'\nfallbacks = ['groq/one']\n"
    assert only(place.toml_problems(text, BOTH)).problem == "'groq/one' is a cycle: the route names it already"


def test_a_list_of_the_top_level_is_named_as_it_is_there(place: Place) -> None:
    found = only(place.toml_problems("model = 'groq/big'\nmodel_fallbacks = ['groq/big']\n", GROQ))
    assert str(found) == (
        "model_fallbacks (from ./keyturn.toml, line 2): 'groq/big' is a cycle: model names it already. Remove it."
    )
    assert only(place.toml_problems("model_fallbacks = 5\n", GROQ)).problem == "is not a string"
