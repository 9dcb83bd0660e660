"""web_search and web_fetch in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.server_tools.assembly import engine
from gateway.server_tools.engines import Brave, DuckDuckGo, SearXNG, Tavily
from gateway.settings.model import WebToolSettings
from providers.secret import Secret
from tests.gateway.place import Place, only, provider

ON = {"ENABLE_WEB_SERVER_TOOLS": "true"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_off_by_default(place: Place) -> None:
    assert place.load().web_tools is None
    ignored = {"WEB_SEARCH_ENGINE": "brave", "WEB_FETCH_ALLOW_PRIVATE_NETWORKS": "true"}
    settings = place.load(ignored)
    assert (settings.web_tools, settings.warnings) == (None, ())


def test_switched_on(place: Place) -> None:
    settings = place.load(ON)
    assert (settings.web_tools, settings.warnings) == (WebToolSettings(), ())


def test_every_setting(place: Place) -> None:
    made = place.load(
        {
            **ON,
            "WEB_SEARCH_ENGINE": "Brave",
            "WEB_SEARCH_URL": "http://127.0.0.1:8888/",
            "WEB_SEARCH_API_KEY": "search-key",
            "WEB_FETCH_ALLOWED_SCHEMES": " HTTPS ,",
            "WEB_FETCH_ALLOW_PRIVATE_NETWORKS": "false",
            "WEB_TOOLS_RATE_LIMIT": "5",
        }
    ).web_tools
    assert made == WebToolSettings(
        "brave", "http://127.0.0.1:8888", Secret("search-key"), frozenset({"https"}), private=False, rate=5
    )


def test_the_same_in_toml(place: Place) -> None:
    settings = place.toml(
        'enable_web_server_tools = true\nweb_fetch_allowed_schemes = "https"\nweb_tools_rate_limit = 7'
    )
    assert settings.web_tools == WebToolSettings(schemes=frozenset({"https"}), rate=7)


def test_private_networks_warn(place: Place) -> None:
    settings = place.load({**ON, "WEB_FETCH_ALLOW_PRIVATE_NETWORKS": "true"})
    assert settings.web_tools
    assert settings.web_tools.private
    [warning] = settings.warnings
    assert warning.startswith("WEB_FETCH_ALLOW_PRIVATE_NETWORKS: ")


def test_schemes_that_nobody_speaks_warn(place: Place) -> None:
    settings = place.load({**ON, "WEB_FETCH_ALLOWED_SCHEMES": "https,ftp,gopher"})
    assert settings.warnings == ("WEB_FETCH_ALLOWED_SCHEMES: ftp, gopher: only http and https are spoken here.",)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"WEB_SEARCH_ENGINE": "searxng"}, "WEB_SEARCH_ENGINE"),
        ({"WEB_SEARCH_ENGINE": "brave"}, "WEB_SEARCH_ENGINE"),
        ({"WEB_SEARCH_ENGINE": "tavily"}, "WEB_SEARCH_ENGINE"),
        ({"WEB_SEARCH_ENGINE": "google"}, "WEB_SEARCH_ENGINE"),
        ({"WEB_SEARCH_URL": "127.0.0.1:8888"}, "WEB_SEARCH_URL"),
        ({"WEB_FETCH_ALLOWED_SCHEMES": ","}, "WEB_FETCH_ALLOWED_SCHEMES"),
        ({"WEB_FETCH_ALLOWED_SCHEMES": "https://"}, "WEB_FETCH_ALLOWED_SCHEMES"),
        ({"WEB_FETCH_ALLOWED_SCHEMES": "http2"}, "WEB_FETCH_ALLOWED_SCHEMES"),
        ({"WEB_FETCH_ALLOW_PRIVATE_NETWORKS": "perhaps"}, "WEB_FETCH_ALLOW_PRIVATE_NETWORKS"),
        ({"WEB_TOOLS_RATE_LIMIT": "0"}, "WEB_TOOLS_RATE_LIMIT"),
        ({"WEB_SEARCH_API_KEY": "two words"}, "WEB_SEARCH_API_KEY"),
    ],
)
def test_settings_that_cannot_work(place: Place, environ: dict[str, str], name: str) -> None:
    problem = only(place.problems({**ON, **environ}))
    assert problem.name == name
    assert problem.fix


def test_a_placeholder_is_no_key(place: Place) -> None:
    environ = {**ON, "WEB_SEARCH_ENGINE": "brave", "WEB_SEARCH_API_KEY": "<your key>"}
    assert "needs a key" in only(place.problems(environ)).problem


def test_the_engines() -> None:
    key = Secret("search-key")
    assert engine(WebToolSettings()) == DuckDuckGo("https://lite.duckduckgo.com")
    assert engine(WebToolSettings("duckduckgo", "http://x")) == DuckDuckGo("http://x")
    assert engine(WebToolSettings("searxng", "http://x")) == SearXNG("http://x")
    assert engine(WebToolSettings("brave", key=key)) == Brave(key, "https://api.search.brave.com")
    assert engine(WebToolSettings("tavily", "http://x", key)) == Tavily(key, "http://x")


def test_tokens_with_a_switch_and_a_rate(place: Place) -> None:
    settings = place.toml(
        '[[tokens]]\nname = "alice"\ntoken = "token-of-alice"\nweb_tools = false\n'
        '[[tokens]]\nname = "bob"\ntoken = "token-of-bob"\nweb_tools_per_minute = 3'
    )
    grants = [token.grant for token in settings.tokens]
    assert [(grant.web_tools, grant.web_tools_per_minute) for grant in grants] == [(False, None), (True, 3)]


@pytest.mark.parametrize(
    "line", ['web_tools = "no"', "web_tools = 1", "web_tools_per_minute = 0", 'web_tools_per_minute = "3"']
)
def test_tokens_whose_switch_is_none(place: Place, line: str) -> None:
    problem = only(place.toml_problems(f'[[tokens]]\nname = "alice"\ntoken = "token-of-alice"\n{line}'))
    assert problem.name == f"tokens.alice.{line.partition(' ')[0]}"


def own(lines: str) -> str:
    return f'[[providers]]\nname = "own"\ntype = "anthropic"\nbase_url = "http://127.0.0.1:9/v1"\n{lines}'


@pytest.mark.parametrize(
    ("lines", "tools"),
    [
        ("", ()),
        ("server_tools = []", ()),
        ('server_tools = ["web_search"]', ("web_search",)),
        ('server_tools = "web_fetch"', ("web_fetch",)),
    ],
)
def test_what_a_provider_runs_itself(place: Place, lines: str, tools: tuple[str, ...]) -> None:
    assert provider(place.toml(own(lines)), "own").quirks.server_tools == tools


def test_what_a_provider_of_the_table_runs_itself(place: Place) -> None:
    assert provider(place.load(), "minimax").quirks.of("MiniMax-M3").server_tools == ("web_search",)
    assert provider(place.load(), "anthropic").quirks.server_tools == ("web_search", "web_fetch")
    assert provider(place.load(), "bedrock").quirks.server_tools == ()
    settings = place.toml('[[providers]]\nname = "minimax"\napi_key = "k"\nserver_tools = []')
    assert provider(settings, "minimax").quirks.of("MiniMax-M3").server_tools == ()


@pytest.mark.parametrize("lines", ['server_tools = ["code_execution"]', "server_tools = 1", "server_tools = [1]"])
def test_server_tools_that_are_none(place: Place, lines: str) -> None:
    assert only(place.toml_problems(own(lines))).name == "providers.own.server_tools"
