"""Which provider and model serve a request: contract.md's rules, one by one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing import Ref, Route, RoutingTable, Target, distance, not_configured, parse_ref
from providers.catalog import CATALOG
from providers.errors import Fault
from providers.spec import ProviderSpec

SPECS: Mapping[str, ProviderSpec] = {row.id: row for row in CATALOG}
USABLE = frozenset({"demo", "open_router", "deepseek", "ollama"})


def table(default: str = "open_router/anthropic/claude-sonnet-5", **more: object) -> RoutingTable:
    provider, _, model = default.partition("/")
    return RoutingTable(specs=SPECS, usable=USABLE, default=Ref(provider, model), **more)  # type: ignore[arg-type]


def tiers(**refs: str) -> dict[str, Ref]:
    return {tier: Ref(*ref.split("/", 1)) for tier, ref in refs.items()}


@pytest.mark.parametrize(
    ("text", "default", "ref"),
    [
        # 1: the id of a configured provider, everything after it its model
        ("deepseek/deepseek-chat", "open_router", "deepseek/deepseek-chat"),
        ("open_router/z-ai/glm:free", "deepseek", "open_router/z-ai/glm:free"),
        ("ollama/hf.co/a/b:Q4", "open_router", "ollama/hf.co/a/b:Q4"),
        # ... which goes before a namespace of the same name (deepseek is one of OpenRouter's)
        ("deepseek/x", "open_router", "deepseek/x"),
        # 2: a vendor namespace of the default provider
        ("z-ai/glm4.7", "open_router", "open_router/z-ai/glm4.7"),
        ("anthropic/claude-x", "open_router", "open_router/anthropic/claude-x"),
        ("deepseek-ai/x", "deepseek", "deepseek/deepseek-ai/x"),
        # 3: an alias
        ("openrouter/z-ai/glm", "deepseek", "open_router/z-ai/glm"),
        ("llama.cpp/x", "deepseek", "llamacpp/x"),
        ("lm-studio/x", "deepseek", "lmstudio/x"),
        ("google/x", "deepseek", "gemini/x"),
        # ... which goes behind a vendor of the same name (nvidia is one of NVIDIA NIM's, and of OpenRouter's)
        ("nvidia/x", "deepseek", "nvidia_nim/x"),
        ("nvidia/x", "nvidia_nim", "nvidia_nim/nvidia/x"),
        ("nvidia/x", "open_router", "open_router/nvidia/x"),
        # 4: known and not configured
        ("groq/x", "deepseek", "groq/x"),
        # 6: no provider at all
        ("somebody/some-model", "deepseek", "deepseek/somebody/some-model"),
        ("hf.co/a/b", "ollama", "ollama/hf.co/a/b"),
        ("some-model:free@west", "deepseek", "deepseek/some-model:free@west"),
        ("/x", "deepseek", "deepseek//x"),
        # a bare name of a provider is its default model
        ("deepseek", "open_router", "deepseek/deepseek-v4-pro"),
        ("openrouter", "deepseek", "open_router/anthropic/claude-sonnet-5"),
        ("groq", "deepseek", "groq/openai/gpt-oss-120b"),
    ],
)
def test_what_a_reference_means(text: str, default: str, ref: str) -> None:
    assert str(parse_ref(text, SPECS, USABLE, default)) == ref


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("grok/x", "groq"),
        ("openruter/x", "openrouter"),
        ("depseek/x", "deepseek"),
        ("Deepsek/x", "deepseek"),
        ("olama/x", "ollama"),
        ("vlm/x", "vllm"),
        ("antropic/x", "anthropic"),
        ("z-ai/x", "zai"),
        ("gemeni/x", "gemini"),
    ],
)
def test_a_misspelt_provider_is_400_and_lists_the_known_ones(text: str, meant: str) -> None:
    with pytest.raises(Fault) as raised:
        parse_ref(text, SPECS, USABLE, "deepseek")
    fault = raised.value
    assert (fault.status, fault.type) == (400, "invalid_request_error")
    assert fault.message.startswith("model: ")
    assert meant in fault.message.partition("Did you mean ")[2].partition("?")[0]
    for known in ("anthropic", "openrouter", "vllm", "lm-studio"):
        assert known in fault.message


@pytest.mark.parametrize("text", ["mistral-large/x", "acme/x", "abc/x", "hf/x"])
def test_a_name_that_is_far_off_is_no_misspelling(text: str) -> None:
    assert parse_ref(text, SPECS, USABLE, "deepseek") == Ref("deepseek", text)


@pytest.mark.parametrize("text", ["deepseek/", "openrouter/", "groq/"])
def test_a_provider_without_a_model_is_400(text: str) -> None:
    with pytest.raises(Fault, match=r"400 .*names no model") as raised:
        parse_ref(text, SPECS, USABLE, "open_router")
    assert text + "<model>" in raised.value.message.replace("open_router/", "openrouter/")


@pytest.mark.parametrize(("requested", "pin"), [("groq/llama", ""), ("m", "groq/llama"), ("m", "groq")])
def test_a_provider_without_a_key_is_503_and_names_the_variable(requested: str, pin: str) -> None:
    with pytest.raises(Fault) as raised:
        table().targets(requested, pin)
    fault = raised.value
    assert (fault.status, fault.type, fault.retry) == (503, "api_error", False)
    assert "GROQ_API_KEY" in fault.message
    assert "https://console.groq.com/keys" in fault.message


def test_where_no_page_makes_keys_none_is_named() -> None:
    assert "https://" not in not_configured(SPECS["vllm"]).message


@pytest.mark.parametrize(
    ("requested", "ref"),
    [
        ("claude-opus-4-8", "deepseek/big"),
        ("claude-sonnet-5", "deepseek/middle"),
        ("claude-haiku-4-5-20251001", "ollama/small"),
        ("Claude-OPUS-4", "deepseek/big"),
        ("my-haiku", "ollama/small"),
        # opus is looked for first, then haiku, then sonnet
        ("opus-haiku-sonnet", "deepseek/big"),
        ("sonnet-haiku", "ollama/small"),
        ("gpt-5", "open_router/anthropic/claude-sonnet-5"),
        ("claude-fable-5", "open_router/anthropic/claude-sonnet-5"),
    ],
)
def test_tiers(requested: str, ref: str) -> None:
    assert (
        str(table(tiers=tiers(opus="deepseek/big", sonnet="deepseek/middle", haiku="ollama/small")).resolve(requested))
        == ref
    )


def test_a_tier_without_a_model_of_its_own_is_the_default() -> None:
    routing = table(tiers=tiers(opus="deepseek/big"))
    assert str(routing.resolve("claude-haiku-4-5")) == "open_router/anthropic/claude-sonnet-5"
    # the name holds a tier that has none before one that has: the next one counts
    assert str(table(tiers=tiers(sonnet="deepseek/m")).resolve("opus-sonnet")) == "deepseek/m"


@pytest.mark.parametrize(
    ("requested", "pin", "ref"),
    [
        ("claude-opus-4-8", "deepseek/pinned", "deepseek/pinned"),
        ("claude-opus-4-8", "pinned", "open_router/pinned"),
        ("exact-name", "deepseek/pinned", "deepseek/pinned"),
        ("exact-name", "", "ollama/ruled"),
        ("deepseek/named", "", "deepseek/named"),
        ("deepseek/opus", "", "deepseek/opus"),
        ("claude-opus-4-8", "", "deepseek/big"),
        ("anything", "", "open_router/anthropic/claude-sonnet-5"),
    ],
)
def test_pin_then_rule_then_reference_then_tier_then_default(requested: str, pin: str, ref: str) -> None:
    routing = table(tiers=tiers(opus="deepseek/big"), routes=(Route("exact-name", "ollama", "ruled", exact=True),))
    assert str(routing.resolve(requested, pin)) == ref


ROUTES = (
    Route("*", "open_router", "all"),
    Route("gpt-", "deepseek", "prefix"),
    Route("gpt-5-", "deepseek", "longer"),
    Route("gpt-5-mini", "ollama", "same-as-a-prefix"),
    Route("gpt-5-mini", "ollama", "exactly", exact=True),
    Route("keep-", "deepseek"),
)


@pytest.mark.parametrize(
    ("requested", "ref"),
    [
        ("gpt-5-mini", "ollama/exactly"),
        ("gpt-5-mini-2", "ollama/same-as-a-prefix"),
        ("gpt-5-pro", "deepseek/longer"),
        ("gpt-4", "deepseek/prefix"),
        ("GPT-4", "open_router/all"),
        ("keep-me", "deepseek/keep-me"),
        ("claude-opus-4-8", "open_router/all"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_routes_exact_then_longest_prefix_then_star(requested: str, ref: str, backwards: bool) -> None:
    routes = ROUTES[::-1] if backwards else ROUTES
    assert str(table(tiers=tiers(opus="deepseek/big"), routes=routes).resolve(requested)) == ref


@pytest.mark.parametrize(
    ("requested", "ref"),
    [
        ("claude-deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        ("claude-open_router/z-ai/glm:free", "open_router/z-ai/glm:free"),
        ("claude-openrouter/z-ai/glm", "open_router/z-ai/glm"),
        # no provider behind "claude-": the name is what it says
        ("claude-next/x", "open_router/claude-next/x"),
    ],
)
def test_the_names_of_the_model_list_lead_back(requested: str, ref: str) -> None:
    assert str(table().resolve(requested)) == ref


@pytest.mark.parametrize(
    ("default", "explicit", "requested", "ref"),
    [
        ("anthropic/claude-sonnet-5", False, "claude-opus-4-8", "anthropic/claude-opus-4-8"),
        ("anthropic/claude-sonnet-5", False, "gpt-5", "anthropic/claude-sonnet-5"),
        ("anthropic/claude-sonnet-5", True, "claude-opus-4-8", "anthropic/claude-sonnet-5"),
        ("demo/demo", False, "anything", "demo/anything"),
        ("deepseek/deepseek-v4-pro", False, "claude-opus-4-8", "deepseek/deepseek-v4-pro"),
    ],
)
def test_a_provider_that_serves_the_clients_own_names_keeps_them(
    default: str, explicit: bool, requested: str, ref: str
) -> None:
    assert str(table(default, explicit=explicit).resolve(requested)) == ref


@pytest.mark.parametrize(
    ("thinking", "of_tiers", "requested", "thinks"),
    [
        (True, {}, "claude-opus-4-8", True),
        (False, {}, "claude-opus-4-8", False),
        (False, {}, "gpt-5", False),
        (True, {"opus": False}, "claude-opus-4-8", False),
        (True, {"opus": False}, "claude-sonnet-5", True),
        (False, {"haiku": True}, "claude-haiku-4-5", True),
        (False, {"haiku": True}, "claude-opus-4-8", False),
        (True, {"opus": False}, "gpt-5", True),
        (True, {"opus": False}, "Claude-OPUS-4-8", False),
        (True, {"opus": False}, "deepseek/opus", False),
    ],
)
@pytest.mark.parametrize("pin", ["", "deepseek/pinned"])
def test_thinking_is_switched_by_the_tier_of_the_requested_name(
    thinking: bool, of_tiers: dict[str, bool], requested: str, thinks: bool, pin: str
) -> None:
    [target] = table(thinking=thinking, tier_thinking=of_tiers).targets(requested, pin)
    assert target.thinking is thinks


def test_targets_are_what_was_resolved() -> None:
    assert table().targets("deepseek/x") == (Target("deepseek", "x", True),)


def refs(*texts: str) -> tuple[Ref, ...]:
    return tuple(Ref(*text.split("/", 1)) for text in texts)


FALLING = table(
    "open_router/main",
    tiers=tiers(opus="deepseek/big", sonnet="groq/no-key"),
    tier_fallbacks={
        "opus": refs("ollama/opus-2", "groq/no-key"),
        "sonnet": refs("ollama/sonnet-2"),
        "haiku": refs("ollama/haiku-2", "deepseek/big"),
    },
    fallbacks=refs("deepseek/big", "open_router/main", "demo/last"),
    routes=(
        Route("gpt-", "deepseek", "routed", fallbacks=refs("ollama/gpt-2", "deepseek/routed")),
        Route("keep-", "deepseek", fallbacks=refs("groq/no-key")),
        Route("bare-", "deepseek", "bare"),
        Route("gone-", "groq", "gone", fallbacks=refs("ollama/gone-2")),
    ),
)


@pytest.mark.parametrize(
    ("requested", "pin", "expected"),
    [
        # the default, with the fallbacks of all
        ("anything", "", ["open_router/main", "deepseek/big", "demo/last"]),
        # a tier with a model of its own
        ("claude-opus-4-8", "", ["deepseek/big", "ollama/opus-2", "open_router/main", "demo/last"]),
        # one that is served by the default
        ("Claude-HAIKU-4", "", ["open_router/main", "ollama/haiku-2", "deepseek/big", "demo/last"]),
        # one whose provider has no key
        ("claude-sonnet-5", "", ["ollama/sonnet-2", "deepseek/big", "open_router/main", "demo/last"]),
        # rules
        ("gpt-5", "", ["deepseek/routed", "ollama/gpt-2", "deepseek/big", "open_router/main", "demo/last"]),
        ("keep-opus", "", ["deepseek/keep-opus", "deepseek/big", "open_router/main", "demo/last"]),
        ("bare-haiku", "", ["deepseek/bare", "deepseek/big", "open_router/main", "demo/last"]),
        ("gone-1", "", ["ollama/gone-2", "deepseek/big", "open_router/main", "demo/last"]),
        # what is named outright has the fallbacks of all and no others
        ("deepseek/opus", "", ["deepseek/opus", "deepseek/big", "open_router/main", "demo/last"]),
        ("claude-deepseek/haiku", "", ["deepseek/haiku", "deepseek/big", "open_router/main", "demo/last"]),
        ("claude-opus-4-8", "ollama/pinned", ["ollama/pinned", "deepseek/big", "open_router/main", "demo/last"]),
        ("gpt-5", "demo/last", ["demo/last", "deepseek/big", "open_router/main"]),
        ("groq/x", "", ["deepseek/big", "open_router/main", "demo/last"]),
        ("m", "groq/x", ["deepseek/big", "open_router/main", "demo/last"]),
    ],
)
def test_fallbacks_follow_the_primary(requested: str, pin: str, expected: list[str]) -> None:
    assert [f"{each.provider}/{each.model}" for each in FALLING.targets(requested, pin)] == expected


def test_fallbacks_of_a_tier_hold_for_names_that_a_default_provider_keeps() -> None:
    routing = RoutingTable(
        SPECS, USABLE | {"anthropic"}, Ref("anthropic", "m"), explicit=False, tier_fallbacks={"opus": refs("ollama/m")}
    )
    assert routing.targets("claude-opus-4-8") == (Target("anthropic", "claude-opus-4-8"), Target("ollama", "m"))
    assert routing.targets("claude-haiku-4-5") == (Target("anthropic", "claude-haiku-4-5"),)


def test_thinking_is_the_same_for_every_target() -> None:
    routing = table(tier_thinking={"opus": False}, fallbacks=refs("ollama/a", "deepseek/b"))
    assert [target.thinking for target in routing.targets("claude-opus-4-8")] == [False] * 3
    assert [target.thinking for target in routing.targets("claude-haiku-4-5")] == [True] * 3


def test_where_no_fallback_has_a_key_either_the_primarys_is_asked_for() -> None:
    routing = table("groq/m", fallbacks=refs("openai/x"), tier_fallbacks={"opus": refs("vllm/y")})
    with pytest.raises(Fault, match=r"503 .*GROQ_API_KEY"):
        routing.targets("claude-opus-4-8")


def test_a_misspelt_provider_is_no_call_for_a_fallback() -> None:
    with pytest.raises(Fault, match=r"400 .*Did you mean groq"):
        FALLING.targets("m", "grok/x")


NAMES = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[a-z_.-]{0,12}/?[a-z/:@-]{0,12}", fullmatch=True),
    st.builds(
        lambda name, rest: f"{name}{rest}",
        st.sampled_from([*SPECS, "openrouter", "grok", "claude-groq", "z-ai", "claude-", "opus", "*", ""]),
        st.sampled_from(["", "/", "//", "/m", "/m/n:free", ":x", "-opus"]),
    ),
)


@given(requested=NAMES, pin=NAMES, default=st.sampled_from(sorted(USABLE)), explicit=st.booleans(), ruled=st.booleans())
def test_nothing_but_a_fault_is_ever_raised(
    requested: str, pin: str, default: str, explicit: bool, ruled: bool
) -> None:
    routing = table(f"{default}/m", explicit=explicit, tiers=tiers(opus="groq/big"), routes=ROUTES if ruled else ())
    try:
        [target] = routing.targets(requested, pin)
    except Fault as fault:
        refused = fault
    else:
        assert target.provider in USABLE
        return
    assert refused.status in (400, 503)
    assert refused.message


REFS = st.builds(Ref, st.sampled_from(["groq", "openai", *sorted(USABLE)]), st.sampled_from("ab"))


@given(primary=REFS, own=st.lists(REFS, max_size=4), common=st.lists(REFS, max_size=4))
def test_every_usable_target_is_there_once_and_in_order(primary: Ref, own: list[Ref], common: list[Ref]) -> None:
    rule = Route("*", primary.provider, primary.model, fallbacks=tuple(own))
    routing = table(routes=(rule,), fallbacks=tuple(common))
    written = [ref for ref in (primary, *own, *common) if ref.provider in USABLE]
    if not written:
        with pytest.raises(Fault, match="503 "):
            routing.targets("m")
        return
    targets = [Ref(target.provider, target.model) for target in routing.targets("m")]
    assert set(targets) == set(written)
    assert len(targets) == len(set(targets))
    assert targets == sorted(targets, key=written.index)


@pytest.mark.parametrize("text", ["zzzzzz/x", "/x", "somebody/some-model"])
def test_a_strict_reference_names_a_provider_or_a_vendor(text: str) -> None:
    with pytest.raises(Fault, match="names no provider that Keyturn knows") as raised:
        parse_ref(text, SPECS, USABLE, "deepseek", strict=True)
    assert "Did you mean" not in raised.value.message
    assert parse_ref("z-ai/glm", SPECS, USABLE, "open_router", strict=True) == Ref("open_router", "z-ai/glm")
    assert parse_ref("groq/x", SPECS, USABLE, "open_router", strict=True) == Ref("groq", "x")
    assert parse_ref("a-model", SPECS, USABLE, "open_router", strict=True) == Ref("open_router", "a-model")


@given(name=st.text(st.characters(codec="ascii"), max_size=12), model=st.text(min_size=1, max_size=12))
def test_a_configured_provider_takes_any_model(name: str, model: str) -> None:
    assert table().resolve(f"deepseek/{model}") == Ref("deepseek", model)
    assert table().resolve("claude-opus-4-8", f"deepseek/{model}") == Ref("deepseek", model)


@pytest.mark.parametrize(
    ("a", "b", "far"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ab", 1), ("abc", "abcd", 1), ("abc", "cba", 2)],
)
def test_distance(a: str, b: str, far: int) -> None:
    assert distance(a, b, cap=2) == far == distance(b, a, cap=2)


@given(a=st.text("abc", max_size=6), b=st.text("abc", max_size=6), cap=st.integers(0, 3))
def test_a_distance_beyond_the_cap_is_the_cap_and_one(a: str, b: str, cap: int) -> None:
    assert distance(a, b, cap) == min(distance(a, b, 99), cap + 1)
    assert (distance(a, b, 99) == 0) is (a == b)
