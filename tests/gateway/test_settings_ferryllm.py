"""ferryllm's TOML: every table of it, and every source of a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.routing import Ref
from gateway.settings import Settings
from providers.spec import PromptCache, ReasoningPolicy
from tests.gateway.ferryllm import EXAMPLE, KEY, example
from tests.gateway.place import Place, keys, only, provider


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def entry(source: str) -> str:
    return f'[server]\n[[providers]]\nname = "mine"\ntype = "openai"\nbase_url = "https://a"\n{source}\n'


def test_its_example(place: Place) -> None:
    settings = place.toml(EXAMPLE, KEY)
    assert (settings.host, settings.port, settings.log_level, settings.log_format) == ("0.0.0.0", 3000, "INFO", "json")
    assert settings.ferryllm_events
    assert settings.routing.resolve("claude-opus-4-6") == Ref("codexapis", "gpt-5.4")
    assert settings.moved[0].startswith(
        "this is read as a configuration of ferryllm, told by [server]: docs/moving/ferryllm.md"
    )


def test_flags_and_the_environment_win_over_its_address(place: Place) -> None:
    place.write("codexapis.toml", example("http://127.0.0.1:9"))
    settings = place.load({**KEY, "PORT": "9001"}, config="codexapis.toml", flags={"HOST": "127.0.0.1"})
    assert (settings.host, settings.port) == ("127.0.0.1", 9001)


def test_its_defaults(place: Place) -> None:
    settings = place.toml('[logging]\nlevel = "warn"\n' + entry('api_key = "k"'))
    assert (settings.host, settings.port, settings.log_level) == ("0.0.0.0", 3000, "WARNING")
    assert provider(settings, "mine").cache == PromptCache(key="ferryllm")
    assert provider(settings, "mine").reasoning is None
    assert settings.metrics


def test_every_key_of_the_server(place: Place) -> None:
    settings = place.toml(
        """
        [server]
        listen = "[::1]:3001"
        request_timeout_secs = 90
        body_limit_mb = 8
        max_concurrent_requests = 4
        rate_limit_per_minute = 30
        retry_attempts = 2
        retry_backoff_ms = 250
        circuit_breaker_failures = 3
        circuit_breaker_cooldown_secs = 30
        default_reasoning_effort = "low"
        max_reasoning_effort = "high"
        reasoning_policy = "cap"
        [[providers]]
        name = "mine"
        type = "anthropic"
        base_url = "https://a"
        api_key = "k"
        """
    )
    mine = provider(settings, "mine")
    assert (settings.host, settings.port, settings.request_deadline) == ("::1", 3001, 90)
    assert settings.body_limit == 8 * 1024 * 1024
    assert (mine.traffic.rate, mine.traffic.window, mine.traffic.concurrency) == (30, 60, 4)
    assert (mine.retries.most, mine.retries.base_delay) == (2, 0.25)
    assert mine.reasoning == ReasoningPolicy("cap", "low", "high", tells=True)
    assert any("circuit_breaker_failures is not needed" in note for note in settings.moved)


def test_its_clients_keys(place: Place) -> None:
    text = '[auth]\nenabled = true\napi_keys_env = "FERRY_KEYS"\n' + entry('api_key = "k"')
    settings = place.toml(text, {"FERRY_KEYS": "kt-one-0123, kt-two-0123"})
    assert [(token.name, token.secret.reveal()) for token in settings.tokens] == [
        ("client-1", "kt-one-0123"),
        ("client-2", "kt-two-0123"),
    ]
    found = only(place.problems())
    assert (found.name, found.line) == ("auth.api_keys_env", 3)
    assert "FERRY_KEYS" in found.problem


def test_metrics_and_caches_can_be_switched_off(place: Place) -> None:
    text = (
        "[metrics]\nenabled = false\n[prompt_cache]\nauto_inject_anthropic_cache_control = false\n"
        'openai_prompt_cache_key = ""\nopenai_prompt_cache_retention = "24h"\n'
    )
    settings = place.toml(text + entry('api_key = "k"'))
    assert not settings.metrics
    assert provider(settings, "mine").cache == PromptCache(False, False, False, "", "24h")


def test_what_has_no_effect_is_told(place: Place) -> None:
    cache = '[prompt_cache]\nstrip_system_line_prefixes = ["x-anthropic-billing-header:"{}]\n'
    assert place.toml(cache.format("") + entry('api_key = "k"')).warnings == ()
    text = cache.format(', "date:"') + 'relocate_system_prefix_range = "0..9"\n' + entry('api_key = "k"')
    assert place.toml(text).warnings == (
        "prompt_cache.relocate_system_prefix_range (from ./keyturn.toml, line 3): this has no effect: Keyturn sends "
        "instructions whole and in order.",
        "prompt_cache.strip_system_line_prefixes (from ./keyturn.toml, line 2): only x-anthropic-billing-header: has "
        "an effect: Keyturn sends instructions whole.",
    )


def test_another_systems_variables_beside_it(place: Place) -> None:
    """Its routes come first, its address too; of other names the other system says what they are."""
    place.write(".env", "SMALL_MODEL_NAME=google/small\nOPENAI_API_KEY=sk-or-1\nPORT=9000\n")
    settings = place.toml(EXAMPLE, KEY)
    assert (settings.host, settings.port) == ("0.0.0.0", 3000)
    assert settings.routing.resolve("claude-haiku-4-5") == Ref("codexapis", "gpt-5.4")
    assert settings.routing.resolve("anything") == Ref("open_router", "google/small")
    told = [note.partition(",")[0] for note in settings.moved if note.startswith("this is read as")]
    assert told == [
        "this is read as a configuration of ujisati/claude-code-provider-proxy",
        "this is read as a configuration of ferryllm",
    ]


def test_fallback_providers_get_the_same_model(place: Place) -> None:
    route = '[[routes]]\nmatch = "gpt-"\nprovider = "mine"\nfallback_providers = ["other"]\n'
    other = '[[providers]]\nname = "other"\ntype = "openai"\nbase_url = "https://b"\napi_key = "k2"\n'
    settings = place.toml(entry('api_key = "k"') + other + route)
    assert [(t.provider, t.model) for t in settings.routing.targets("gpt-5")] == [("mine", "gpt-5"), ("other", "gpt-5")]
    found = only(place.toml_problems(entry('api_key = "k"') + route))
    assert (found.name, found.problem) == ("routes.gpt-.fallback_providers", "'other' is not a provider")


class Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"sk-from-a-url\n")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/key"
        server.shutdown()
        thread.join()


def of(settings: Settings) -> list[str]:
    return keys(settings, "mine")


def test_every_source_of_a_key(place: Place, url: str) -> None:
    place.write("key.txt", "sk-from-a-file\n")
    place.write("~/.codex/auth.json", json.dumps({"OPENAI_API_KEY": "sk-watched", "tokens": {"id": "deep"}}))
    place.write("other.toml", '[env]\ntoken = "sk-in-toml"\nurl = "https://elsewhere/v1"\n')
    assert of(place.toml(entry('api_key = "sk-here"'))) == ["sk-here"]
    assert of(place.toml(entry('api_keys = ["a1", "b2"]'))) == ["a1", "b2"]
    assert of(place.toml(entry('api_key_env = "SOME_KEY"'), {"SOME_KEY": "sk-env"})) == ["sk-env"]
    assert of(place.toml(entry('api_key_file = "key.txt"'))) == ["sk-from-a-file"]
    assert of(place.toml(entry(f'api_key_url = "{url}"'))) == ["sk-from-a-url"]
    watch = '[[providers.key_watch]]\nfile = "~/.codex/auth.json"\npath = "OPENAI_API_KEY"'
    settings = place.toml(entry(watch))
    assert of(settings) == ["sk-watched"]
    assert place.home / ".codex/auth.json" in settings.sources
    watch = '[[providers.key_watch]]\nfile = "other.toml"\npath = "env.token"\nurl_path = "env.url"'
    settings = place.toml(entry(watch).replace('base_url = "https://a"', 'base_url = "https://a/v1"'))
    assert of(settings) == ["sk-in-toml"]
    assert provider(settings, "mine").base_url == "https://elsewhere/v1"


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ('api_key_url = "http://example.com/key"', "providers.mine.api_key_url", 6),
        ('api_key_url = "http://127.0.0.1:9/key"', "providers.mine.api_key_url", 6),
        ('[[providers.key_watch]]\nfile = "gone.json"\npath = "x"', "providers.mine.key_watch[1].file", 7),
        ('[[providers.key_watch]]\nfile = "keyturn.toml"\npath = "a.b"', "providers.mine.key_watch[1].path", 8),
        ('api_key = "k"\napi_key_file = "f"', "providers.mine.api_key_file", 7),
    ],
)
def test_a_source_without_a_key_is_named(place: Place, source: str, name: str, line: int) -> None:
    found = place.toml_problems(entry(source))[0]
    assert (found.name, found.line) == (name, line)
