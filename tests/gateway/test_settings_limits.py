"""How much a provider is asked, how often again, and which key is next."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.catalog import CATALOG
from providers.spec import KeyOrder, ProviderSpec, Retries, Rotation, Traffic, UsageWindow
from tests.gateway.place import Place, only, provider

NETWORKED = [spec for spec in CATALOG if spec.id != "demo"]
ABOVE_ZERO = "is not a whole number above 0"
SECONDS = "is not a number of seconds above 0"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_settings_there_are_the_rows_limits_and_the_defaults(place: Place) -> None:
    settings = place.load()
    for spec in NETWORKED:
        config = provider(settings, spec.id)
        assert config.traffic == Traffic(spec.rate, spec.window, spec.concurrency, queue_limit=100, queue_wait=30.0)
        assert config.retries == Retries(most=8, base_delay=2.0, max_delay=120.0)
        assert config.rotation == Rotation(KeyOrder.LEAST_RECENT, 0, UsageWindow.ROUND, affinity=300.0)
        assert (config.models, config.stream_floor) == ((), 0.0)
    assert (settings.request_deadline, settings.keepalive_after, settings.admin_token) == (240.0, 30.0, None)


@pytest.mark.parametrize("spec", NETWORKED, ids=lambda spec: spec.id)
def test_the_variables_for_all_hold_for_every_provider(place: Place, spec: ProviderSpec) -> None:
    settings = place.load(
        {
            "PROVIDER_RATE_LIMIT": "7",
            "PROVIDER_RATE_WINDOW": "3.5",
            "PROVIDER_MAX_CONCURRENCY": "2",
            "PROVIDER_MAX_RETRIES": "0",
            "PROVIDER_RETRY_BASE_DELAY": "0",
            "PROVIDER_RETRY_MAX_DELAY": "0",
            "QUEUE_LIMIT": "11",
            "QUEUE_MAX_WAIT": "12",
            "SESSION_AFFINITY": "off",
            "STREAM_FLOOR": "20",
        }
    )
    config = provider(settings, spec.id)
    assert config.traffic == Traffic(7, 3.5, 2, 11, 12)
    assert config.retries == Retries(0, 0, 0)
    assert (config.rotation, config.stream_floor) == (Rotation(affinity=None), 20)
    assert not config.chosen


@pytest.mark.parametrize(
    ("spec", "prefix"), [(spec, prefix) for spec in NETWORKED for prefix in spec.prefixes], ids=lambda each: str(each)
)
def test_a_providers_own_variables_win_over_those_for_all(place: Place, spec: ProviderSpec, prefix: str) -> None:
    settings = place.load(
        {
            "PROVIDER_RATE_LIMIT": "1",
            "PROVIDER_RATE_WINDOW": "1",
            "PROVIDER_MAX_CONCURRENCY": "1",
            "PROVIDER_MAX_RETRIES": "1",
            "PROVIDER_RETRY_BASE_DELAY": "1",
            "PROVIDER_RETRY_MAX_DELAY": "1",
            "SESSION_AFFINITY": "off",
            "STREAM_FLOOR": "1",
            f"{prefix}_RATE_LIMIT": "40",
            f"{prefix}_RATE_WINDOW": "60",
            f"{prefix}_MAX_CONCURRENCY": "5",
            f"{prefix}_MAX_RETRIES": "0",
            f"{prefix}_RETRY_BASE_DELAY": "3",
            f"{prefix}_RETRY_MAX_DELAY": "4.5",
            f"{prefix}_KEY_USAGE_LIMIT": "100",
            f"{prefix}_KEY_USAGE_WINDOW": "Month",
            f"{prefix}_KEY_ORDER": "weighted",
            f"{prefix}_SESSION_AFFINITY": "600",
            f"{prefix}_STREAM_FLOOR": "0",
        }
    )
    config = provider(settings, spec.id)
    assert config.traffic == Traffic(40, 60, 5, 100, 30)
    assert config.retries == Retries(0, 3, 4.5)
    assert config.rotation == Rotation(KeyOrder.WEIGHTED, 100, UsageWindow.MONTH, 600)
    assert config.stream_floor == 0
    others = [each for each in settings.providers if each.id not in (spec.id, "demo")]
    assert {each.traffic for each in others} == {Traffic(1, 1, 1)}
    assert {each.retries for each in others} == {Retries(1, 1, 1)}


def test_an_entry_of_keyturn_toml_takes_them_in_lower_case(place: Place) -> None:
    settings = place.toml(
        """
        provider_rate_limit = 1
        queue_limit = 9
        session_affinity = false
        [[providers]]
        name = "groq"
        api_key = "k"
        rate_limit = 40
        rate_window = 60.5
        max_concurrency = "5"
        max_retries = 0
        retry_base_delay = 0.5
        retry_max_delay = 1
        key_usage_limit = 3
        key_usage_window = "day"
        key_order = "least_recent"
        session_affinity = true
        stream_floor = 10.5
        """
    )
    config = provider(settings, "groq")
    assert config.traffic == Traffic(40, 60.5, 5, queue_limit=9)
    assert config.retries == Retries(0, 0.5, 1)
    assert config.rotation == Rotation(KeyOrder.LEAST_RECENT, 3, UsageWindow.DAY, 300)
    assert config.stream_floor == 10.5
    assert provider(settings, "openai").traffic == Traffic(1, queue_limit=9)
    assert provider(settings, "openai").rotation == Rotation(affinity=None)


def test_blank_variables_are_unset(place: Place) -> None:
    names = ("RATE_LIMIT", "RATE_WINDOW", "MAX_CONCURRENCY", "MAX_RETRIES", "RETRY_BASE_DELAY", "RETRY_MAX_DELAY")
    own = ("KEY_USAGE_LIMIT", "KEY_USAGE_WINDOW", "KEY_ORDER", "SESSION_AFFINITY", "STREAM_FLOOR")
    blank = {f"PROVIDER_{name}": "" for name in names} | {f"GROQ_{name}": " " for name in (*names, *own)}
    blank |= dict.fromkeys(("QUEUE_LIMIT", "QUEUE_MAX_WAIT", "REQUEST_DEADLINE", "STREAM_KEEPALIVE_AFTER"), "")
    assert place.load(blank) == place.load()


@pytest.mark.parametrize(
    ("limit", "order", "used"),
    [
        ("0", "", KeyOrder.LEAST_RECENT),
        ("1", "", KeyOrder.STICKY),
        ("1", "weighted", KeyOrder.WEIGHTED),
        ("1", "LEAST_RECENT", KeyOrder.LEAST_RECENT),
        ("0", "sticky", KeyOrder.STICKY),
    ],
)
def test_a_usage_limit_makes_the_order_sticky_unless_an_order_is_given(
    place: Place, limit: str, order: str, used: KeyOrder
) -> None:
    rotation = provider(place.load({"GROQ_KEY_USAGE_LIMIT": limit, "GROQ_KEY_ORDER": order}), "groq").rotation
    assert (rotation.order, rotation.usage_limit) == (used, int(limit))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("on", 300.0), ("TRUE", 300.0), ("off", None), ("No", None), ("none", None), ("false", None), ("1.5", 1.5)],
)
@pytest.mark.parametrize("variable", ["SESSION_AFFINITY", "GROQ_SESSION_AFFINITY"])
def test_affinity_is_on_off_or_seconds(place: Place, variable: str, text: str, seconds: float | None) -> None:
    assert provider(place.load({variable: text}), "groq").rotation.affinity == seconds


def test_times_of_a_call_and_the_admins_token(place: Place) -> None:
    settings = place.load(
        {"REQUEST_DEADLINE": "100", "STREAM_KEEPALIVE_AFTER": "0.5", "KEYTURN_ADMIN_TOKEN": "kt-admin-hidden"}
    )
    assert (settings.request_deadline, settings.keepalive_after) == (100, 0.5)
    assert settings.admin_token is not None
    assert settings.admin_token.reveal() == "kt-admin-hidden"
    assert settings.tokens == ()
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("PROVIDER_RATE_LIMIT", "0", ABOVE_ZERO),
        ("PROVIDER_RATE_LIMIT", "-1", ABOVE_ZERO),
        ("PROVIDER_RATE_LIMIT", "2.5", ABOVE_ZERO),
        ("PROVIDER_RATE_WINDOW", "0", SECONDS),
        ("PROVIDER_RATE_WINDOW", "inf", SECONDS),
        ("PROVIDER_MAX_CONCURRENCY", "0", ABOVE_ZERO),
        ("PROVIDER_MAX_CONCURRENCY", "-5", ABOVE_ZERO),
        ("PROVIDER_MAX_RETRIES", "-1", "is not a whole number from 0 on"),
        ("PROVIDER_RETRY_BASE_DELAY", "-1", "is not a number of seconds from 0 on"),
        ("PROVIDER_RETRY_MAX_DELAY", "nan", "is not a number of seconds from 0 on"),
        ("QUEUE_LIMIT", "0", ABOVE_ZERO),
        ("QUEUE_MAX_WAIT", "0", SECONDS),
        ("REQUEST_DEADLINE", "-1", SECONDS),
        ("STREAM_KEEPALIVE_AFTER", "0", SECONDS),
        ("STREAM_FLOOR", "-1", "is not a number of bytes a second"),
        ("SESSION_AFFINITY", "0", "is not on, off or a number of seconds above 0"),
        ("SESSION_AFFINITY", "-3", "is not on, off or a number of seconds above 0"),
        ("SESSION_AFFINITY", "nan", "is not on, off or a number of seconds above 0"),
        ("SESSION_AFFINITY", "often", "is not on, off or a number of seconds above 0"),
        ("GROQ_RATE_LIMIT", "0", ABOVE_ZERO),
        ("GROQ_RATE_WINDOW", "-60", SECONDS),
        ("GROQ_MAX_CONCURRENCY", "0", ABOVE_ZERO),
        ("GROQ_MAX_RETRIES", "-1", "is not a whole number from 0 on"),
        ("GROQ_RETRY_BASE_DELAY", "-0.5", "is not a number of seconds from 0 on"),
        ("GROQ_RETRY_MAX_DELAY", "soon", "is not a number of seconds from 0 on"),
        ("GROQ_KEY_USAGE_LIMIT", "-1", "is not a whole number from 0 on"),
        ("GROQ_KEY_USAGE_WINDOW", "hour", "is not round, day or month"),
        ("GROQ_KEY_ORDER", "random", "is not least_recent, weighted or sticky"),
        ("GROQ_SESSION_AFFINITY", "0", "is not on, off or a number of seconds above 0"),
        ("GROQ_STREAM_FLOOR", "inf", "is not a number of bytes a second"),
    ],
)
def test_a_limit_that_cannot_be_names_its_variable_and_its_place(
    place: Place, name: str, text: str, problem: str
) -> None:
    place.write(".env", f"{name}={text}")
    found = only(place.problems())
    assert (found.name, found.origin) == (name, "./.env")
    assert found.problem.startswith(f"{text!r} {problem}")
    assert found.fix.startswith(f"Write for example {name}=")
    example = found.fix.removeprefix("Write for example ").removesuffix(".")
    place.write(".env", example)
    assert place.load().warnings == ()


def test_a_limit_in_keyturn_toml_is_named_as_it_is_there(place: Place) -> None:
    text = "queue_limit = 0\n[[providers]]\nname = 'groq'\napi_key = 'k'\nmax_concurrency = 0\nkey_order = 1\n"
    assert [str(each) for each in place.toml_problems(text)] == [
        "queue_limit (from ./keyturn.toml, line 1): '0' is not a whole number above 0. "
        "Write for example queue_limit = 10.",
        "providers.groq.max_concurrency (from ./keyturn.toml, line 5): '0' is not a whole number above 0. "
        "Write for example providers.groq.max_concurrency = 10.",
        "providers.groq.key_order (from ./keyturn.toml, line 6): '1' is not least_recent, weighted or sticky. "
        'Write for example providers.groq.key_order = "weighted".',
    ]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"PROVIDER_RETRY_BASE_DELAY": "10", "PROVIDER_RETRY_MAX_DELAY": "5"},
            "PROVIDER_RETRY_MAX_DELAY (from the environment): 5 is below PROVIDER_RETRY_BASE_DELAY (10).",
        ),
        (
            {"PROVIDER_RETRY_MAX_DELAY": "1.5"},
            "PROVIDER_RETRY_MAX_DELAY (from the environment): 1.5 is below PROVIDER_RETRY_BASE_DELAY (2).",
        ),
        (
            {"PROVIDER_RETRY_BASE_DELAY": "121"},
            "PROVIDER_RETRY_BASE_DELAY (from the environment): 121 is above PROVIDER_RETRY_MAX_DELAY (120).",
        ),
        (
            {"GROQ_RETRY_BASE_DELAY": "10", "GROQ_RETRY_MAX_DELAY": "5"},
            "GROQ_RETRY_MAX_DELAY (from the environment): 5 is below GROQ_RETRY_BASE_DELAY (10).",
        ),
        (
            {"GROQ_RETRY_MAX_DELAY": "5", "PROVIDER_RETRY_BASE_DELAY": "10"},
            "GROQ_RETRY_MAX_DELAY (from the environment): 5 is below PROVIDER_RETRY_BASE_DELAY (10).",
        ),
        (
            {"GROQ_RETRY_BASE_DELAY": "200"},
            "GROQ_RETRY_BASE_DELAY (from the environment): 200 is above PROVIDER_RETRY_MAX_DELAY (120).",
        ),
    ],
)
def test_the_longest_delay_is_not_below_the_first(place: Place, environ: dict[str, str], message: str) -> None:
    assert str(only(place.problems(environ))) == f"{message} Raise the one or lower the other."


@pytest.mark.parametrize("prefix", ["PROVIDER", "GROQ"])
def test_a_delay_that_is_no_number_is_told_once(place: Place, prefix: str) -> None:
    found = only(place.problems({f"{prefix}_RETRY_BASE_DELAY": "x", f"{prefix}_RETRY_MAX_DELAY": "5"}))
    assert found.name == f"{prefix}_RETRY_BASE_DELAY"


def test_equal_delays_are_fine(place: Place) -> None:
    settings = place.load({"GROQ_RETRY_BASE_DELAY": "5", "GROQ_RETRY_MAX_DELAY": "5"})
    assert provider(settings, "groq").retries == Retries(8, 5, 5)


def test_limits_of_single_models(place: Place) -> None:
    settings = place.toml(
        """
        [[providers]]
        name = "groq"
        api_key = "k"
        [[providers.models]]
        name = "llama-3.3-70b"
        requests_per_minute = 30
        tokens_per_minute = 6000
        max_concurrency = 2
        [[providers.models]]
        name = "openai/gpt-oss-120b"
        requests_per_minute = 10
        """
    )
    limits = {name: (each.requests, each.tokens, each.concurrency) for name, each in provider(settings, "groq").models}
    assert limits == {"llama-3.3-70b": (30, 6000, 2), "openai/gpt-oss-120b": (10, None, None)}


@pytest.mark.parametrize(
    ("text", "name", "problem", "fix"),
    [
        ("requests_per_minute = 1", "models[1].name", "is missing", 'Add for example name = "llama-3.3-70b".'),
        ("name = 'm'\nrpm = 1", "models.m.rpm", "this key is unknown", "Known keys: max_concurrency, name, requests"),
        (
            "name = 'm'\ntoken_per_minute = 1",
            "models.m.token_per_minute",
            "this key is unknown",
            "Did you mean tokens_",
        ),
        (
            "name = 'm'\nmax_concurrency = 0",
            "models.m.max_concurrency",
            ABOVE_ZERO,
            "Write for example max_concurrency",
        ),
        ("name = 'm'\ntokens_per_minute = 1.5", "models.m.tokens_per_minute", ABOVE_ZERO, "Write for example tokens"),
        ("name = 'm'\nrequests_per_minute = '9'", "models.m.requests_per_minute", ABOVE_ZERO, "Write for example req"),
        ("name = 'm'\n[[providers.models]]\nname = 'm'", "models.m.name", "another model has it", "Join the two."),
    ],
)
def test_what_a_models_table_must_not_say(place: Place, text: str, name: str, problem: str, fix: str) -> None:
    body = f"[[providers]]\nname = 'groq'\napi_key = 'k'\n[[providers.models]]\n{text}\n"
    found = only(place.toml_problems(body))
    assert (found.name, found.problem, found.origin) == (f"providers.groq.{name}", problem, "./keyturn.toml")
    assert found.fix.startswith(fix)


def test_models_are_tables(place: Place) -> None:
    found = only(place.toml_problems("[[providers]]\nname = 'groq'\napi_key = 'k'\nmodels = ['m']\n"))
    assert str(found) == (
        "providers.groq.models (from ./keyturn.toml, line 4): is not a list of tables. "
        "Begin each entry with a line [[providers.models]]."
    )
