"""What an operator sees, as a whole."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from gateway.cli.banner import banner, masked, url
from gateway.cli.check import report
from gateway.cli.local_runtimes import Offer
from providers.secret import Secret
from providers.spec import KeySource
from providers.version import VERSION
from tests.gateway.place import Place

OPEN = "open: only programs on this machine reach this address, and any token will do"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def lines(text: str) -> str:
    return dedent(text).strip("\n").replace("VERSION", VERSION)


def test_with_nothing_configured_it_tells_how_to_begin(place: Place) -> None:
    assert banner(place.load(), 8082) == lines(
        f"""
        Keyturn    VERSION on http://127.0.0.1:8082
        token      {OPEN}
        providers  none is configured: the built-in demo answers.
                   Add a key to .env, for example OPENROUTER_API_KEY=<your key>; make one at https://openrouter.ai/keys
        models     default  demo/demo
        start      ANTHROPIC_BASE_URL=http://127.0.0.1:8082 ANTHROPIC_AUTH_TOKEN=any claude
        """
    )


def test_providers_keys_and_tiers(place: Place) -> None:
    place.write(".env", "ANTHROPIC_AUTH_TOKEN=kt-4f0c9a71\nMODEL_OPUS=ollama/qwen3\nMODEL_HAIKU=groq/small")
    settings = place.load(
        {
            "ANTHROPIC_UPSTREAM_API_KEYS": "sk-ant-0123456789-3f2a,sk-ant-0123456789-9c1d",
            "OPENROUTER_API_KEYS": "k1,k2,k3,k4,k5,k6",
            "VLLM_BASE_URL": "http://127.0.0.1:9/v1",
            "VLLM_API_KEY": "short",
            "ENABLE_SONNET_THINKING": "false",
        }
    )
    assert banner(settings, 9001) == lines(
        """
        Keyturn    VERSION on http://127.0.0.1:9001
        token      required; clients: shared
        providers  anthropic    2 keys: anthropic-01 ...3f2a, anthropic-02 ...9c1d
                   open_router  6 keys: open_router-01, open_router-02, open_router-03, open_router-04 and 2 more
                   ollama       http://127.0.0.1:11434
                   vllm         1 key: vllm-01  http://127.0.0.1:9/v1
                   groq         no key: set GROQ_API_KEY (make one at https://console.groq.com/keys)
        models     default  anthropic/claude-sonnet-5; claude-* as asked for
                   opus     ollama/qwen3
                   sonnet   as default, thinking off
                   haiku    groq/small
        warning    MODEL_HAIKU (from ./.env, line 3): groq has no key, so its requests get status 503. Set GROQ_API_KEY.
        start      ANTHROPIC_BASE_URL=http://127.0.0.1:9001 ANTHROPIC_AUTH_TOKEN=<your token> claude
        """
    )


def test_protected_mode_names_the_two_lines(place: Place) -> None:
    settings = place.load({"HOST": "0.0.0.0", "MODEL": "demo"})
    assert banner(settings, 8082) == lines(
        """
        Keyturn    VERSION on http://127.0.0.1:8082
        token      PROTECTED MODE: 0.0.0.0 is reachable from other machines and no token is set,
                   so only this machine is served. Add one of these two lines to .env:
                       ANTHROPIC_AUTH_TOKEN=<a token you choose>
                       KEYTURN_ALLOW_OPEN=true
        providers  demo  demo:
        models     default  demo/demo
        start      ANTHROPIC_BASE_URL=http://127.0.0.1:8082 ANTHROPIC_AUTH_TOKEN=any claude
        """
    )


def test_an_open_address_says_so(place: Place) -> None:
    text = banner(place.load({"HOST": "0.0.0.0", "KEYTURN_ALLOW_OPEN": "true"}), 8082)
    assert "token      OPEN: whoever reaches this address is served (KEYTURN_ALLOW_OPEN=true)\n" in text


def test_a_provider_without_a_key_page(place: Place) -> None:
    place.write(
        "keyturn.toml",
        "[[providers]]\nname='mine'\ntype='openai'\nbase_url='https://a/v1'\napi_key='<your key>'\n",
    )
    assert "providers  mine  no key: set MINE_API_KEY\n" in banner(place.load(), 8082)


def test_a_provider_whose_address_only_an_operator_knows(place: Place) -> None:
    """Its note is in the banner as long as it cannot be used, and in the check always."""
    settings = place.load({"AZURE_API_KEYS": "k1,k2"})
    assert settings.routing.default.provider == "azure"
    text = banner(settings, 8082)
    assert (
        "providers  azure  no base URL: set AZURE_BASE_URL, such as https://RESOURCE.openai.azure.com/openai/v1\n"
        in text
    )
    assert "note       azure  A model is a deployment's name." in text
    usable = place.load({"AZURE_API_KEYS": "k1,k2", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"})
    assert "providers  azure  2 keys: azure-01, azure-02  https://mine.openai.azure.com/openai/v1\n" in banner(
        usable, 1
    )
    assert "deployment's name" not in banner(usable, 1)
    assert "note       azure  A model is a deployment's name." in report(usable)


def test_what_lacks_two_things_names_both(place: Place) -> None:
    text = banner(place.load({"MODEL": "azure/gpt-5.4"}), 8082)
    assert (
        "azure  no base URL: set AZURE_BASE_URL, such as https://RESOURCE.openai.azure.com/openai/v1; "
        "no key: set AZURE_API_KEY (make one at https://ai.azure.com)\n" in text
    )
    assert (
        "MODEL (from the environment): azure has no base URL and no key, so its requests get status 503. "
        "Set AZURE_BASE_URL and AZURE_API_KEY." in text
    )


def test_local_runtimes_are_offered_with_the_line_that_uses_them(place: Place) -> None:
    offers = [
        Offer("ollama", "Ollama", "127.0.0.1:11434", "llama3.2:3b"),
        Offer("vllm", "vLLM", "127.0.0.1:8000", ""),
    ]
    assert banner(place.load(), 8082, offers).splitlines()[5:7] == [
        "found      Ollama answers on 127.0.0.1:11434: MODEL=ollama/llama3.2:3b make run",
        "           vLLM answers on 127.0.0.1:8000, without a model yet",
    ]


@pytest.mark.parametrize(
    ("host", "used"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("192.168.1.2", "http://192.168.1.2:1"),
        ("localhost", "http://localhost:1"),
    ],
)
def test_the_address_is_one_that_a_client_here_can_use(place: Place, host: str, used: str) -> None:
    assert url(place.load({"HOST": host}), 1) == used


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("sk-0123456789ab", "groq-03"),
        ("sk-0123456789abc", "groq-03 ...9abc"),
        ("sk-0123456789abcdef", "groq-03 ...cdef"),
    ],
)
def test_only_a_long_keys_end_is_shown(key: str, label: str) -> None:
    assert masked("groq", 3, KeySource(Secret(key), "GROQ_API_KEYS")) == label


def test_a_label_stands_for_the_number() -> None:
    key = KeySource(Secret("sk-0123456789abcdef"), "providers.groq.keys[3].api_key", "work")
    assert masked("groq", 3, key) == "work ...cdef"


def test_check_shows_everything_that_was_resolved(place: Place) -> None:
    place.write(".env", "ENABLE_HAIKU_THINKING=false")
    place.write(
        "keyturn.toml",
        """
        model = "mine/big"
        [[providers]]
        name = "mine"
        type = "openai"
        base_url = "http://127.0.0.1:9"
        [[routes]]
        match = "claude-"
        provider = "mine"
        rewrite_model = "gpt-5.4"
        [[routes]]
        match = "cc-gpt"
        match_type = "exact"
        provider = "mine"
        [[routes]]
        match = "*"
        provider = "groq"
        """,
    )
    assert report(place.load()) == lines(
        f"""
        valid      read: ./.env, ./keyturn.toml; the environment
        listen     127.0.0.1 port 8082
        token      {OPEN}
        providers  groq  no key: set GROQ_API_KEY (make one at https://console.groq.com/keys)
                   mine  http://127.0.0.1:9/v1
        models     default  mine/big, thinking on
                   opus     as default, thinking on
                   sonnet   as default, thinking on
                   haiku    as default, thinking off
        routes     claude-*  mine/gpt-5.4
                   cc-gpt    mine/<the same name>
                   *         groq/<the same name>
        warning    routes.*.provider (from ./keyturn.toml, line 17): groq has no key, so its requests get status 503. Set GROQ_API_KEY.
        """  # noqa: E501 - a line as it is printed
    )


def test_fallbacks_limits_and_labels(place: Place) -> None:
    place.write(
        "keyturn.toml",
        """
        model = "groq/big"
        model_fallbacks = ["ollama/m", "openrouter/no-key"]
        model_opus_fallbacks = ["vllm/x"]
        model_haiku = "ollama/m"
        [[providers]]
        name = "groq"
        rate_limit = 40
        max_concurrency = 5
        key_usage_limit = 1
        key_usage_window = "day"
        [[providers.keys]]
        label = "work"
        api_key = "gsk-0123456789-3f2a"
        requests_per_minute = 30
        tokens_per_minute = 6000
        [[providers.keys]]
        api_key = "short"
        max_concurrency = 2
        [[providers.models]]
        name = "big"
        requests_per_minute = 1
        [[routes]]
        match = "gpt-"
        provider = "groq"
        fallbacks = ["lmstudio/y"]
        [[routes]]
        match = "o3"
        provider = "ollama"
        rewrite_model = "m"
        """,
    )
    settings = place.load({"OLLAMA_RATE_LIMIT": "1", "OLLAMA_RATE_WINDOW": "2.5"})
    assert report(settings) == lines(
        f"""
        valid      read: ./keyturn.toml; the environment
        listen     127.0.0.1 port 8082
        token      {OPEN}
        providers  open_router  no key: set OPENROUTER_API_KEY (make one at https://openrouter.ai/keys)
                   ollama       http://127.0.0.1:11434  (1 call in 2.5 s)
                   lmstudio     http://127.0.0.1:1234/v1
                   vllm         http://127.0.0.1:8000/v1
                   groq         2 keys: work ...3f2a, groq-02  (40 calls in 60 s, 5 at once, 1 call a key a day)
        models     default  groq/big, thinking on, then ollama/m
                   opus     as default, thinking on, then vllm/x, ollama/m
                   sonnet   as default, thinking on
                   haiku    ollama/m, thinking on
        routes     gpt-*  groq/<the same name>, then lmstudio/y, ollama/m
                   o3*    ollama/m
        limits     work      30 requests a minute, 6000 tokens a minute
                   groq-02   2 at once
                   groq/big  1 request a minute
        note       ollama  Ollama's cloud: OLLAMA_BASE_URL=https://ollama.com and a key.
                   vllm    Tools need the server's option --enable-auto-tool-choice.
        warning    model_fallbacks (from ./keyturn.toml, line 3): open_router has no key, so open_router/no-key is left out. Set OPENROUTER_API_KEY.
        """  # noqa: E501 - a line as it is printed
    )
    assert banner(settings, 8082).splitlines()[7:10] == [
        "models     default  groq/big, then ollama/m",
        "           opus     as default, then vllm/x, ollama/m",
        "           haiku    ollama/m",
    ]


def test_a_provider_without_a_default_model_passes_names_on(place: Place) -> None:
    place.write("keyturn.toml", "[[providers]]\nname='mine'\ntype='openai'\nbase_url='http://127.0.0.1:9'\n")
    assert "models     default  mine, with the model that is asked for\n" in banner(place.load(), 8082)
