"""[[providers.keys]]: keys with labels, weights, accounts and limits, and pools that hold nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.layers import Layers, Value, environment_layer
from gateway.settings.pools import PoolReader
from gateway.settings.report import Report
from gateway.settings.row_settings import KeyEntry
from providers.catalog import CATALOG
from providers.secret import Secret
from providers.spec import NO_LIMITS, KeySource, Limits
from tests.gateway.place import Place, keys, only, provider

GROQ = "[[providers]]\nname = 'groq'\n"
OPENAI = "[[providers]]\nname = 'openai'\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def key(body: str) -> str:
    return f"[[providers.keys]]\n{body}\n"


def test_a_key_with_everything(place: Place) -> None:
    settings = place.toml(
        """
        [[providers]]
        name = "groq"
        [[providers.keys]]
        label = "work.eu_1"
        api_key = " gsk-1 "
        weight = 2.5
        account = "acme"
        requests_per_minute = 30
        tokens_per_minute = 6000
        max_concurrency = 4
        [[providers.keys]]
        api_key = "gsk-2"
        """
    )
    config = provider(settings, "groq")
    assert config.keys == (
        KeySource(Secret("gsk-1"), "providers.groq.keys[1].api_key", "work.eu_1", 2.5, "acme", Limits(30, 6000, 4)),
        KeySource(Secret("gsk-2"), "providers.groq.keys[2].api_key", "", 1.0, "", NO_LIMITS),
    )
    assert (config.usable, config.chosen, settings.warnings) == (True, True, ())


def test_a_key_from_a_variable_or_a_file(place: Place) -> None:
    place.write("groq.key", "gsk-file\n")
    text = GROQ + key("label = 'a'\napi_key_env = 'MY_KEY'") + key("label = 'b'\napi_key_file = 'groq.key'")
    assert provider(place.toml(text, {"MY_KEY": "gsk-env"}), "groq").keys == (
        KeySource(Secret("gsk-env"), "MY_KEY", "a"),
        KeySource(Secret("gsk-file"), "providers.groq.keys[2].api_key_file", "b"),
    )


def test_they_come_after_the_primary_key_and_the_list(place: Place) -> None:
    text = GROQ + key("api_key = 'k5'") + key("api_key = 'k4'")
    environ = {"GROQ_API_KEY": "k1", "GROQ_API_KEYS": "k2 k3"}
    assert keys(place.toml(text, environ), "groq") == ["k1", "k2", "k3", "k5", "k4"]


def test_they_come_after_the_entrys_own_key_which_stands_in_for_lower_ones(place: Place) -> None:
    place.write(".env", "GROQ_API_KEY=k-dotenv")
    assert keys(place.toml(GROQ + key("api_key = 'k1'")), "groq") == ["k-dotenv", "k1"]
    assert keys(place.toml(GROQ + "api_keys = ['k2', 'k3']\n" + key("api_key = 'k1'")), "groq") == ["k2", "k3", "k1"]


def test_of_a_key_that_is_also_bare_the_tables_facts_hold_where_it_stands_first(place: Place) -> None:
    text = GROQ + key("label = 'work'\nweight = 3\napi_key_env = 'GROQ_API_KEY'")
    assert provider(place.toml(text, {"GROQ_API_KEY": "k1", "GROQ_API_KEYS": "k2,k1"}), "groq").keys == (
        KeySource(Secret("k1"), "GROQ_API_KEY", "work", 3),
        KeySource(Secret("k2"), "GROQ_API_KEYS"),
    )


TEXTS = st.lists(st.sampled_from(["k1", "k2", "k3", "k4", "k5"]), max_size=5)


@given(primary=TEXTS, listed=TEXTS, tables=TEXTS.map(lambda texts: list(dict.fromkeys(texts))))
def test_every_key_is_there_once_where_it_stands_first(
    primary: list[str], listed: list[str], tables: list[str]
) -> None:
    groq = next(spec for spec in CATALOG if spec.id == "groq")
    environ = {"GROQ_API_KEY": primary[0] if primary else "", "GROQ_API_KEYS": " ".join(listed)}
    report = Report()
    entries = [
        KeyEntry(f"keys[{number}]", "", Value("api_key", text, ""), Value("label", f"l-{text}", ""), 1, "", NO_LIMITS)
        for number, text in enumerate(tables)
    ]
    found = PoolReader(Layers((environment_layer(environ),)), report).read(groq, entries)
    assert [each.secret.reveal() for each in found] == list(dict.fromkeys([*primary[:1], *listed, *tables]))
    assert {each.secret.reveal() for each in found if each.label} == set(tables)
    assert report.problems == []


def test_a_placeholder_is_no_key(place: Place) -> None:
    settings = place.toml(GROQ + key("api_key = '<your key>'") + key("api_key = 'k1'"))
    assert keys(settings, "groq") == ["k1"]
    assert settings.warnings == (
        "providers.groq.keys[1].api_key (from ./keyturn.toml, line 4): this is a placeholder, not a key: it is not "
        "used. Put the key there or remove the line.",
    )


def test_an_added_provider_needs_no_other_key(place: Place) -> None:
    text = "[[providers]]\nname = 'mine'\ntype = 'openai'\nbase_url = 'https://llm.example.com'\n"
    assert keys(place.toml(text + key("api_key = 'k1'")), "mine") == ["k1"]


@pytest.mark.parametrize(
    ("text", "name", "problem", "fix"),
    [
        ("label = 'a'", "api_key", "is missing", "Add api_key, api_key_env or api_key_file."),
        ("api_key = 'a b'", "api_key", "the key holds whitespace", "Copy it again"),
        ("api_key = ''", "api_key", "is empty", "Write for example api_key = "),
        ("api_key = 'k'\napi_key_env = 'K'", "api_key_env", "there is also api_key", "Keep one of them."),
        ("api_key_env = 'GONE'", "api_key_env", "the variable GONE is not set", "Set GONE in the environment"),
        ("api_key_file = 'gone'", "api_key_file", "there is no file gone", "Correct the path, or make the file."),
        ("api_key = 'k'\nlabell = 'a'", "labell", "this key is unknown", "Did you mean label?"),
        ("api_key = 'k'\napi_keys = ['l']", "api_keys", "this key is unknown", "Did you mean api_key?"),
        ("api_key = 'k'\nlabel = ''", "label", "is empty", "Write for example label = "),
        ("api_key = 'k'\nlabel = 'my key'", "label", "is not made of letters, digits, ., _ and -", "Write for example"),
        ("api_key = 'k'\nlabel = 'schlüssel'", "label", "is not made of letters, digits, ., _ and -", "Write for exam"),
        ("api_key = 'k'\nlabel = 'a/b'", "label", "is not made of letters, digits, ., _ and -", "Write for example"),
        (f"api_key = 'k'\nlabel = '{'a' * 41}'", "label", "is longer than 40 characters", "Write a shorter one."),
        ("api_key = 'k'\nweight = 0", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\nweight = -1.5", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\nweight = inf", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\nweight = nan", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\nweight = true", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\nweight = '2'", "weight", "is not a number above 0", "Write for example weight = 2."),
        ("api_key = 'k'\naccount = 7", "account", "is not a string", "Write for example account = "),
        (
            "api_key = 'k'\nrequests_per_minute = 0",
            "requests_per_minute",
            "is not a whole number above 0",
            "Write for example requests_per_minute = 60.",
        ),
        (
            "api_key = 'k'\ntokens_per_minute = -1",
            "tokens_per_minute",
            "is not a whole number above 0",
            "Write for example",
        ),
        ("api_key = 'k'\nmax_concurrency = 1.5", "max_concurrency", "is not a whole number above 0", "Write for exa"),
    ],
)
def test_what_a_keys_table_must_not_say(place: Place, text: str, name: str, problem: str, fix: str) -> None:
    found = only(place.toml_problems(GROQ + key(text)))
    assert (found.name, found.problem, found.origin) == (f"providers.groq.keys[1].{name}", problem, "./keyturn.toml")
    assert found.fix.startswith(fix)


@pytest.mark.parametrize(
    ("text", "name", "problem", "fix"),
    [
        (
            GROQ + "keys = []\n",
            "providers.groq.keys",
            "holds no key",
            "Begin each key with a line [[providers.keys]], or remove it.",
        ),
        (
            GROQ + "keys = ['k']\n",
            "providers.groq.keys",
            "is not a list of tables",
            "Begin each entry with a line [[providers.keys]].",
        ),
        (GROQ + "api_keys = []\n", "providers.groq.api_keys", "is empty", 'Write for example api_keys = ["...", "..."'),
        (GROQ + "api_keys = ['']\n", "providers.groq.api_keys", "is not a list of strings", "Write for example api_k"),
    ],
)
def test_an_empty_pool_in_keyturn_toml_is_refused(place: Place, text: str, name: str, problem: str, fix: str) -> None:
    found = only(place.toml_problems(text))
    assert (found.name, found.problem, found.origin) == (name, problem, "./keyturn.toml")
    assert found.fix.startswith(fix)


@pytest.mark.parametrize("text", [",", " , ,", ",\t,"])
@pytest.mark.parametrize("more", [{}, {"GROQ_API_KEY": "k1"}])
def test_an_empty_list_of_keys_is_refused(place: Place, text: str, more: dict[str, str]) -> None:
    assert str(only(place.problems({"GROQ_API_KEYS": text, **more}))) == (
        "GROQ_API_KEYS (from the environment): holds no key. Write the keys there, between commas, or remove the line."
    )


def test_a_blank_list_is_unset(place: Place) -> None:
    settings = place.load({"GROQ_API_KEY": "k1", "GROQ_API_KEYS": " "})
    assert (keys(settings, "groq"), settings.warnings) == (["k1"], ())


def test_one_key_twice_in_tables_is_refused(place: Place) -> None:
    text = GROQ + key("api_key = 'gsk-same'\nlabel = 'a'") + key("api_key = 'gsk-same'\nlabel = 'b'")
    assert str(only(place.toml_problems(text))) == (
        "providers.groq.keys[2] (from ./keyturn.toml, line 7): it is the same key as that of providers.groq.keys[1]. "
        "Remove one of the two."
    )


def test_one_key_in_two_providers_is_refused(place: Place) -> None:
    text = GROQ + key("api_key = 'sk-same'") + OPENAI + key("api_key = 'sk-other'") + key("api_key = 'sk-same'")
    assert str(only(place.toml_problems(text))) == (
        "providers.groq.keys[1].api_key (from ./keyturn.toml, line 4): provider groq gets the key that provider openai "
        "has from providers.openai.keys[2].api_key. A key belongs to one provider: remove it from the other."
    )
    assert only(place.toml_problems(GROQ + key("api_key = 'sk-same'"), {"OPENAI_API_KEY": "sk-same"})).name == (
        "providers.groq.keys[1].api_key"
    )


@pytest.mark.parametrize("label", ["work", "WORK"])
def test_a_label_means_one_key_of_all_providers(place: Place, label: str) -> None:
    text = GROQ + key("label = 'work'\napi_key = 'k1'") + OPENAI + key(f"label = '{label}'\napi_key = 'k2'")
    found = only(place.toml_problems(text))
    assert (found.name, found.problem) == (
        "providers.groq.keys[1].label",
        "'work' is taken by providers.openai.keys[1].label",
    )
    assert found.fix == "Choose another label."


@pytest.mark.parametrize("label", ["groq-02", "groq-7", "openai-01", "OpenAI-01", "ollama", "groq"])
def test_a_label_looks_like_none_that_keyturn_makes(place: Place, label: str) -> None:
    found = only(place.toml_problems(GROQ + key(f"label = '{label}'\napi_key = 'k1'")))
    assert (found.name, found.problem) == (
        "providers.groq.keys[1].label",
        f"{label!r} looks like a label that Keyturn makes",
    )


@pytest.mark.parametrize("label", ["groq-02", "groq-eu", "grok-01", "my-groq-01", "a"])
def test_a_label_may_be_the_keys_own_or_a_word(place: Place, label: str) -> None:
    settings = place.toml(GROQ + key(f"label = '{label}'\napi_key = 'k1'"), {"GROQ_API_KEY": "k0"})
    assert provider(settings, "groq").keys[1].label == label


@pytest.mark.parametrize(
    ("label", "secret"),
    [
        ("gsk-hidden-0123456789", "gsk-hidden-0123456789"),
        ("GSK-hidden-0123456789", "gsk-hidden-0123456789"),
        ("hidden-01", "gsk-hidden-0123456789"),
        ("my-gsk-hidden", "gsk-hidden"),
        ("hidden", "hidden"),
    ],
)
@pytest.mark.parametrize("of", ["GROQ_API_KEY", "OPENAI_API_KEY"])
def test_a_label_is_no_key_and_no_part_of_one(place: Place, label: str, secret: str, of: str) -> None:
    found = only(place.toml_problems(GROQ + key(f"label = '{label}'\napi_key = 'k1'"), {of: secret}))
    assert (found.name, found.problem) == ("providers.groq.keys[1].label", "is a key or a part of one")
    assert "hidden" not in str(found).lower()


def test_a_short_word_that_is_also_in_a_key_is_a_label(place: Place) -> None:
    settings = place.toml(GROQ + key("label = 'work'\napi_key = 'gsk-work-0123456789'"))
    assert provider(settings, "groq").keys[0].label == "work"


def test_no_key_of_a_table_is_in_the_settings_text(place: Place) -> None:
    assert "hidden" not in repr(place.toml(GROQ + key("label = 'work'\napi_key = 'gsk-hidden-0123456789'")))
