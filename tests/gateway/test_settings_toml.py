"""keyturn.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routing import Ref, Route
from providers.secret import Secret
from providers.spec import Auth, KeySource, Timeouts
from tests.gateway.place import Place, keys, only, provider

CODEX = """
[[providers]]
name = "codexapis"
type = "openai"
base_url = "https://codexapis.com"
api_key_env = "CODX_API_KEY"

[[routes]]
match = "claude-"
provider = "codexapis"
rewrite_model = "gpt-5.4"
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def entry(body: str) -> str:
    return f"[[providers]]\nname = 'mine'\ntype = 'openai'\nbase_url = 'https://llm.example.com'\n{body}\n"


def over(name: str, body: str) -> str:
    return f"[[providers]]\nname = '{name}'\n{body}\n"


def test_ferryllms_own_example_means_what_it_meant(place: Place) -> None:
    settings = place.toml(CODEX, {"CODX_API_KEY": "sk-codx"})
    config = provider(settings, "codexapis")
    assert config.base_url == "https://codexapis.com/v1"
    assert config.keys == (KeySource(Secret("sk-codx"), "CODX_API_KEY"),)
    assert (config.spec.dialect, config.spec.auth, config.chosen) == ("openai_chat", Auth.BEARER, True)
    assert settings.routing.routes == (Route("claude-", "codexapis", "gpt-5.4", exact=False),)
    assert settings.warnings == ()


def test_globals_are_there_in_lower_case(place: Place) -> None:
    settings = place.toml(
        """
        host = "0.0.0.0"
        port = 9001
        anthropic_auth_token = "kt-4f0c9a71"
        keyturn_allow_open = true
        model = "ollama/m"
        model_opus = "ollama/big"
        enable_haiku_thinking = false
        http_read_timeout = "off"
        http_write_timeout = 2.5
        body_limit_mb = 1
        log_level = "debug"
        log_format = "text"
        """
    )
    assert (settings.host, settings.port, settings.allow_open) == ("0.0.0.0", 9001, True)
    assert settings.token == Secret("kt-4f0c9a71")
    assert settings.routing.default == Ref("ollama", "m")
    assert settings.routing.tiers == {"opus": Ref("ollama", "big")}
    assert settings.routing.tier_thinking == {"haiku": False}
    assert provider(settings, "groq").timeouts == Timeouts(read=None, write=2.5)
    assert (settings.body_limit, settings.log_level, settings.log_format) == (1024 * 1024, "DEBUG", "console")


def test_an_added_provider_with_every_setting(place: Place) -> None:
    settings = place.toml(
        """
        [[providers]]
        name = "team-llm.eu"
        type = "anthropic"
        base_url = "https://llm.example.com/anthropic/"
        api_keys = ["k1", "k2", "k1"]
        proxy = "socks5://p"
        read_timeout = "off"
        write_timeout = 1
        connect_timeout = 2
        first_token_timeout = 3.5
        max_output_tokens = 8192
        headers = { "x-team" = "blue" }
        """
    )
    config = provider(settings, "team-llm.eu")
    assert settings.providers[-1] is config
    assert config.spec.prefixes == ("TEAM_LLM_EU",)
    assert (config.spec.dialect, config.spec.auth, config.spec.local) == ("anthropic", Auth.X_API_KEY, False)
    assert (config.base_url, config.spec.base_url) == ("https://llm.example.com/anthropic",) * 2
    assert config.keys == tuple(KeySource(Secret(key), "providers.team-llm.eu.api_keys") for key in ("k1", "k2"))
    assert config.proxy == Secret("socks5://p")
    assert config.timeouts == Timeouts(read=None, write=1, connect=2, first_token=3.5)
    assert config.quirks.max_output_tokens == 8192
    assert config.headers == (("x-team", "blue"),)
    assert config.chosen


def test_an_entry_lies_over_the_row_of_its_name_or_alias(place: Place) -> None:
    settings = place.toml(over("openrouter", "api_key = 'sk-or'\nread_timeout = 7\nmax_output_tokens = 100"))
    config = provider(settings, "open_router")
    assert config.spec == provider(Place(place.home).load(), "open_router").spec
    assert config.base_url == config.spec.base_url
    assert keys(settings, "open_router") == ["sk-or"]
    assert (config.timeouts.read, config.quirks.max_output_tokens, config.chosen) == (7, 100, True)
    assert len(settings.providers) == len(place.load().providers)


def test_a_rows_quirks_stay_under_an_entry(place: Place) -> None:
    quirks = provider(place.toml(over("deepseek", "api_key = 'k'")), "deepseek").quirks
    assert (quirks.untyped_tools, quirks.max_output_tokens) == (True, None)


def test_the_environment_wins_over_an_entry_and_an_entry_over_dotenv(place: Place) -> None:
    place.write(".env", "GROQ_BASE_URL=https://dotenv/v1\nGROQ_API_KEY=k-dotenv\nGROQ_API_KEYS=k-dotenv-2")
    text = over("groq", "base_url = 'https://toml/v1'\napi_keys = ['k-toml', 'k-toml-2']")
    settings = place.toml(text)
    assert provider(settings, "groq").base_url == "https://toml/v1"
    assert keys(settings, "groq") == ["k-toml", "k-toml-2"]
    settings = place.load({"GROQ_BASE_URL": "https://environ/v1", "GROQ_API_KEYS": "k-environ"})
    assert provider(settings, "groq").base_url == "https://environ/v1"
    assert keys(settings, "groq") == ["k-environ"]


def test_an_added_provider_has_variables_too(place: Place) -> None:
    settings = place.toml(entry(""), {"MINE_API_KEY": "k1", "MINE_READ_TIMEOUT": "5"})
    assert keys(settings, "mine") == ["k1"]
    assert provider(settings, "mine").timeouts.read == 5


@pytest.mark.parametrize(
    ("kind", "url", "used"),
    [
        ("openai", "https://a", "https://a/v1"),
        ("openai", "https://a/", "https://a/v1"),
        ("openai", "https://a/v2", "https://a/v2"),
        ("anthropic", "https://a", "https://a"),
        ("gemini", "https://a", "https://a/v1beta"),
        ("gemini", "https://a/v1", "https://a/v1"),
    ],
)
def test_a_bare_host_means_v1_under_it(place: Place, kind: str, url: str, used: str) -> None:
    text = f"[[providers]]\nname = 'mine'\ntype = '{kind}'\nbase_url = '{url}'\napi_key = 'k'\n"
    assert provider(place.toml(text), "mine").base_url == used


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost:8000", "http://[::1]:8000/v1"])
def test_a_provider_on_this_machine_needs_no_key(place: Place, url: str) -> None:
    config = provider(place.toml(f"[[providers]]\nname = 'mine'\ntype = 'openai'\nbase_url = '{url}'\n"), "mine")
    assert (config.spec.local, config.usable) == (True, True)


def test_ollamas_openai_face_may_end_in_v1(place: Place) -> None:
    text = over("ollama", "type = 'openai'\nbase_url = 'http://127.0.0.1:11434/v1'")
    config = provider(place.toml(text), "ollama")
    assert (config.spec.dialect, config.base_url) == ("openai_chat", "http://127.0.0.1:11434/v1")


def test_a_key_in_a_file_is_trimmed_and_named_by_its_toml_key(place: Place) -> None:
    place.write("keys/groq", "\n gsk-1 \n")
    settings = place.toml(over("groq", "api_key_file = 'keys/groq'"))
    assert provider(settings, "groq").keys == (KeySource(Secret("gsk-1"), "providers.groq.api_key_file"),)
    place.write("~/groq", "gsk-2")
    assert keys(place.toml(over("groq", "api_key_file = '~/groq'")), "groq") == ["gsk-2"]


def test_a_key_file_is_looked_for_next_to_keyturn_toml(place: Place) -> None:
    place.write("etc/keyturn.toml", over("groq", "api_key_file = 'groq.key'"))
    place.write("etc/groq.key", "gsk-1")
    assert keys(place.load(config="etc/keyturn.toml"), "groq") == ["gsk-1"]


def test_a_key_variable_may_be_in_dotenv(place: Place) -> None:
    place.write(".env", "MY_KEY=gsk-1")
    settings = place.toml(over("groq", "api_key_env = 'MY_KEY'"))
    assert provider(settings, "groq").keys == (KeySource(Secret("gsk-1"), "MY_KEY"),)


def test_a_placeholder_in_an_entry_is_a_warning(place: Place) -> None:
    settings = place.toml(over("groq", "api_key = '<your key>'"))
    assert not provider(settings, "groq").usable
    assert settings.warnings[0].startswith(
        "providers.groq.api_key (from ./keyturn.toml, line 3): this is a placeholder"
    )


def test_routes(place: Place) -> None:
    settings = place.toml(
        """
        [[routes]]
        match = "claude-"
        provider = "ollama"
        rewrite_model = "qwen3-coder"
        [[routes]]
        match = "cc-exact"
        match_type = "exact"
        provider = "lm-studio"
        [[routes]]
        match = "*"
        match_type = "prefix"
        provider = "groq"
        """
    )
    assert settings.routing.routes == (
        Route("claude-", "ollama", "qwen3-coder"),
        Route("cc-exact", "lmstudio", "", exact=True),
        Route("*", "groq"),
    )
    assert [each.id for each in settings.providers if each.chosen] == ["ollama", "lmstudio", "groq"]
    assert settings.warnings == (
        "routes.*.provider (from ./keyturn.toml, line 13): groq has no key, so its requests get status 503. "
        "Set GROQ_API_KEY.",
    )


def test_tokens(place: Place) -> None:
    place.write("bob.token", "kt-bob-4f0c\n")
    settings = place.toml(
        """
        anthropic_auth_token = "kt-shared"
        [[tokens]]
        name = "alice"
        token = "kt-alice"
        [[tokens]]
        name = "bob"
        token_file = "bob.token"
        [[tokens]]
        name = "carol"
        token_env = "CAROL"
        """,
        {"CAROL": "kt-carol"},
    )
    assert [(each.name, each.secret.reveal()) for each in settings.tokens] == [
        ("shared", "kt-shared"),
        ("alice", "kt-alice"),
        ("bob", "kt-bob-4f0c"),
        ("carol", "kt-carol"),
    ]
    assert settings.token == Secret("kt-shared")


def test_a_placeholder_token_is_a_warning(place: Place) -> None:
    settings = place.toml("[[tokens]]\nname = 'bob'\ntoken = '***'\n")
    assert settings.tokens == ()
    assert settings.warnings[0].startswith("tokens.bob.token (from ./keyturn.toml, line 3): this is a placeholder")


@pytest.mark.parametrize(
    ("text", "name", "problem", "fix"),
    [
        ("modle = 'groq/x'", "modle", "this key is unknown", "Did you mean model?"),
        ("HOST = '0.0.0.0'", "HOST", "this key is unknown", "Did you mean host?"),
        ("[[provider]]\nname = 'x'", "provider", "this key is unknown", "Did you mean providers?"),
        ("zzzzzzzz = 1", "zzzzzzzz", "this key is unknown", "Known keys: anthropic_auth_token, "),
        ("groq_api_key = 'k'", "groq_api_key", "this is no key of the top level", "Settings of a provider go into its"),
        ("anthropic_api_key = 'k'", "anthropic_api_key", "this is no key of the top level", "Settings of a provider"),
        ("port = [1]", "port", "is not a string", 'Write it in quotes, as port = "...".'),
        ("port = 2026-01-01", "port", "is not a string", "Write it in quotes"),
        ("model = 5", "model", "is not a string", 'Write it in quotes, as model = "...".'),
        ("providers = 1", "providers", "is not a list of tables", "Begin each entry with a line [[providers]]."),
        ("[providers.groq]\napi_key = 'k'", "providers", "is not a list of tables", "Begin each entry with a line [["),
        ("routes = ['x']", "routes", "is not a list of tables", "Begin each entry with a line [[routes]]."),
        ("model =", "./keyturn.toml", "is not TOML: Invalid value", "Correct that line"),
        (
            over("groq", "api_kye = 'k'\napi_key='k'"),
            "providers.groq.api_kye",
            "this key is unknown",
            "Did you mean api_k",
        ),
        (over("groq", "api_key = 5"), "providers.groq.api_key", "is not a string", "Write for example api_key = "),
        (over("groq", "api_key = ''"), "providers.groq.api_key", "is empty", 'Write for example api_key = "..."'),
        (over("groq", "api_key = 'a b'"), "providers.groq.api_key", "the key holds whitespace", "Copy it again"),
        (over("groq", "api_keys = []"), "providers.groq.api_keys", "is empty", "Write for example api"),
        (
            over("groq", "api_keys = [1]"),
            "providers.groq.api_keys",
            "is not a list of strings",
            "Write for example api",
        ),
        (
            over("groq", "api_keys = ['a,b']"),
            "providers.groq.api_keys",
            "a key holds whitespace or a comma",
            "Write eac",
        ),
        (
            over("groq", "api_key = 'k'\napi_key_env = 'K'"),
            "providers.groq.api_key_env",
            "there is also api_key",
            "Keep one of them.",
        ),
        (
            over("groq", "api_key_env = 'GONE'"),
            "providers.groq.api_key_env",
            "the variable GONE is not set",
            "Set GONE in the environment or in .env.",
        ),
        (over("groq", "api_key_env = 5"), "providers.groq.api_key_env", "is not a string", "Write for example"),
        (over("groq", "api_key_file = 5"), "providers.groq.api_key_file", "is not a string", "Write for example"),
        (
            over("groq", "api_key_file = 'gone'"),
            "providers.groq.api_key_file",
            "there is no file gone",
            "Correct the path, or make the file.",
        ),
        (
            over("groq", "api_key_file = 'empty'"),
            "providers.groq.api_key_file",
            "the file empty is empty",
            "Write the key into it.",
        ),
        (
            over("groq", "api_key_file = 'binary'"),
            "providers.groq.api_key_file",
            "the file is not UTF-8 text",
            "Save it as UTF-8.",
        ),
        (
            over("groq", "read_timeout = 5"),
            "providers.groq.api_key",
            "the provider needs a key",
            'Add for example api_key_env = "GROQ_API_KEY".',
        ),
        (
            entry(""),
            "providers.mine.api_key",
            "the provider needs a key",
            'Add for example api_key_env = "MINE_API_KEY".',
        ),
        (over("groq", "api_key='k'\nbase_url = 5"), "providers.groq.base_url", "is not a string", "Write it in quotes"),
        (over("groq", "api_key='k'\nbase_url = 'x'"), "providers.groq.base_url", "has no host", "Write it in full"),
        (
            over("groq", "api_key='k'\nwrite_timeout = 0"),
            "providers.groq.write_timeout",
            "'0' is not a number of seconds above 0",
            "Write for example providers.groq.write_timeout = 10.",
        ),
        (
            over("groq", "api_key='k'\nconnect_timeout = true"),
            "providers.groq.connect_timeout",
            "'true' is not a number of seconds above 0",
            "Write for example",
        ),
        (
            over("groq", "api_key='k'\nmax_output_tokens = 0"),
            "providers.groq.max_output_tokens",
            "is not a whole number above 0",
            "Write for example max_output_tokens = 8192.",
        ),
        (
            over("groq", "api_key='k'\nmax_output_tokens = true"),
            "providers.groq.max_output_tokens",
            "is not a whole number above 0",
            "Write for example",
        ),
        (
            over("groq", "api_key='k'\nmax_output_tokens = '8'"),
            "providers.groq.max_output_tokens",
            "is not a whole number above 0",
            "Write for example",
        ),
        (
            over("groq", "api_key='k'\nheaders = 'x'"),
            "providers.groq.headers",
            "is not a table",
            "Write for example hea",
        ),
        (
            over("groq", "api_key='k'\nheaders = {'x y' = 'z'}"),
            "providers.groq.headers.x y",
            "this header cannot be set",
            "Remove it.",
        ),
        (
            over("groq", "api_key='k'\nheaders = {Host = 'z'}"),
            "providers.groq.headers.Host",
            "this header cannot be set",
            "Remove it.",
        ),
        (
            over("groq", 'api_key="k"\nheaders = {x = "a\\nb"}'),
            "providers.groq.headers.x",
            "the value is not plain ASCII text",
            "Write it again by hand.",
        ),
        (
            over("groq", "api_key='k'\nheaders = {x = 1}"),
            "providers.groq.headers.x",
            "is not a string",
            "Write for exampl",
        ),
        (
            over("groq", "api_key='k'\ntype = 'cohere'"),
            "providers.groq.type",
            "'cohere' is not a type of provider",
            "Known types: anthropic, gemini, openai, openai_responses.",
        ),
        (
            over("groq", "api_key='k'\ntype = 'anthropic'"),
            "providers.groq.type",
            "Groq speaks another dialect at its usual address",
            "Add the base_url that fits.",
        ),
        (
            over("demo", ""),
            "providers.demo.name",
            "demo runs inside Keyturn and takes no settings",
            "Remove the entry.",
        ),
        ("[[providers]]\napi_key = 'k'", "providers[1].name", "is missing", 'Add for example name = "groq".'),
        (
            over("groq", "api_key='k'") + over("groq", "api_key='l'"),
            "providers.groq.name",
            "groq has an entry already",
            "Join the two",
        ),
        (
            over("openrouter", "api_key='k'") + over("open_router", "api_key='l'"),
            "providers.open_router.name",
            "open_router has an entry already",
            "Join the two",
        ),
        (
            over("Mine", "api_key='k'"),
            "providers.Mine.name",
            "is not made of a-z, 0-9, _, . and -",
            "Write it in lower",
        ),
        (over("keyturn", "api_key='k'"), "providers.keyturn.name", "Keyturn's own", "Choose another name."),
        (over("a/b", "api_key='k'"), "providers.a/b.name", "is not made of a-z, 0-9, _, . and -", "Write it in lower"),
        (
            over("lm.studio", "type='openai'\nbase_url='http://127.0.0.1:1'"),
            "providers.lm.studio.name",
            "its variable LM_STUDIO_API_KEY has a meaning already",
            "Choose another name.",
        ),
        (
            over("http", "type='openai'\nbase_url='http://127.0.0.1:1'"),
            "providers.http.name",
            "its variable HTTP_READ_TIMEOUT has a meaning already",
            "Choose another name.",
        ),
        ("[[routes]]\nprovider = 'groq'", "routes[1].match", "is missing", 'Add for example match = "claude-".'),
        ("[[routes]]\nmatch = ''\nprovider = 'groq'", "routes[1].match", "is empty", "Write for example match = "),
        ("[[routes]]\nmatch = 'a'", "routes.a.provider", "is missing", 'Add for example provider = "openai".'),
        (
            "[[routes]]\nmatch = 'a'\nprovider = 'grok'",
            "routes.a.provider",
            "'grok' is not a provider",
            "Did you mean groq?",
        ),
        (
            "[[routes]]\nmatch = 'a'\nmatch_type = 'regex'\nprovider = 'ollama'",
            "routes.a.match_type",
            "'regex' is not prefix, exact or glob",
            'Write match_type = "glob" or remove it.',
        ),
        (
            "[[routes]]\nmatch = 'a'\nprovider = 'ollama'\nrewrite = 'b'",
            "routes.a.rewrite",
            "this key is unknown",
            "Did you mean rewrite_model?",
        ),
        ("[[tokens]]\ntoken = 'kt-1'", "tokens[1].name", "is missing", 'Add for example name = "alice".'),
        ("[[tokens]]\nname = 'bob'", "tokens.bob.token", "is missing", "Add token, token_env, token_file or hash."),
        ("[[tokens]]\nname = 'bob'\ntoken = 'a b'", "tokens.bob.token", "the token holds whitespace", "Copy it again"),
        (
            "[[tokens]]\nname = 'bob'\ntoken_env = 'X'",
            "tokens.bob.token_env",
            "the variable X is not set",
            "Set X in the",
        ),
        (
            "[[tokens]]\nname = 'bob'\ntoken_file = 'x'",
            "tokens.bob.token_file",
            "there is no file x",
            "Correct the path",
        ),
        (
            "[[tokens]]\nname = 'bob'\ntokn = 'x'\ntoken='y'",
            "tokens.bob.tokn",
            "this key is unknown",
            "Did you mean token?",
        ),
        (
            "[[tokens]]\nname = 'shared'\ntoken = 'kt-1'",
            "tokens.shared.name",
            "'shared' is taken: it is the name of the token in ANTHROPIC_AUTH_TOKEN",
            "Choose another name.",
        ),
        (
            "[[tokens]]\nname = 'bob'\ntoken = 'kt-1'\n[[tokens]]\nname = 'bob'\ntoken = 'kt-2'",
            "tokens.bob.name",
            "'bob' is taken: another token has it",
            "Choose another name.",
        ),
        (
            "[[tokens]]\nname = 'bob'\ntoken = 'kt-1'\n[[tokens]]\nname = 'eve'\ntoken = 'kt-1'",
            "tokens.eve",
            "it is the same token as that of bob",
            "Give each client its own token.",
        ),
    ],
)
def test_what_keyturn_toml_must_not_say(place: Place, text: str, name: str, problem: str, fix: str) -> None:
    place.write("empty", " \n")
    place.write("binary", "").write_bytes(b"\xff\xff")
    found = only(place.toml_problems(text))
    assert found.name == name
    assert found.problem.startswith(problem)
    assert found.fix.startswith(fix)
    assert "./keyturn.toml" in (found.name, found.origin) or name == "tokens.eve"
    assert "kt-" not in str(found)


def test_the_same_token_for_two_names_is_refused_the_shared_one_included(place: Place) -> None:
    found = only(place.toml_problems("anthropic_auth_token = 'kt-1'\n[[tokens]]\nname = 'bob'\ntoken = 'kt-1'\n"))
    assert str(found) == (
        "tokens.bob (from ./keyturn.toml, line 3): it is the same token as that of shared. "
        "Give each client its own token."
    )


def test_two_entries_with_one_key_name_both_providers(place: Place) -> None:
    place.write("keyturn.toml", entry("api_key_env = 'K'") + over("groq", "api_key_env = 'K'"))
    found = only(place.problems({"K": "sk-same"}))
    assert (found.name, found.problem) == ("K", "provider mine gets the key that provider groq has from K")


def test_an_added_provider_without_type_or_url_is_told_both(place: Place) -> None:
    found = place.toml_problems(over("mine", "api_key = 'k'"))
    assert [(each.name, each.problem) for each in found] == [
        ("providers.mine.type", "is missing"),
        ("providers.mine.base_url", "is missing"),
    ]


@pytest.mark.parametrize("url", ["http://[", "nowhere", "https://me:hunter2@a"])
def test_an_added_provider_with_a_bad_url_is_told_so_and_no_more(place: Place, url: str) -> None:
    found = only(place.toml_problems(f"[[providers]]\nname='mine'\ntype='openai'\nbase_url='{url}'\napi_key='k'\n"))
    assert found.name == "providers.mine.base_url"
    assert "hunter2" not in str(found)
