"""Values that mean something special, and values that mean nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.values import (
    Rejected,
    base_url,
    is_placeholder,
    points_here,
    secret_problem,
    split_keys,
)
from middleware.loopback import is_loopback
from tests.gateway.place import Place, only, provider


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "problem", "example"),
    [
        ("PORT", "eight", "'eight' is not a whole number from 0 to 65535", "PORT=8082"),
        ("PORT", "65536", "'65536' is not a whole number from 0 to 65535", "PORT=8082"),
        ("PORT", "-1", "'-1' is not a whole number from 0 to 65535", "PORT=8082"),
        ("PORT", "80.5", "'80.5' is not a whole number from 0 to 65535", "PORT=8082"),
        ("HOST", "http://a", "'http://a' is not a host name or an IP address", "HOST=127.0.0.1"),
        ("HOST", "0.0.0.0:80", "'0.0.0.0:80' is not a host name or an IP address", "HOST=127.0.0.1"),
        ("HOST", "a b", "'a b' is not a host name or an IP address", "HOST=127.0.0.1"),
        ("ENABLE_MODEL_THINKING", "maybe", "'maybe' is not true or false", "ENABLE_MODEL_THINKING=true"),
        ("KEYTURN_ALLOW_OPEN", "2", "'2' is not true or false", "KEYTURN_ALLOW_OPEN=true"),
        ("HTTP_WRITE_TIMEOUT", "0", "'0' is not a number of seconds above 0", "HTTP_WRITE_TIMEOUT=10"),
        ("HTTP_CONNECT_TIMEOUT", "nan", "'nan' is not a number of seconds above 0", "HTTP_CONNECT_TIMEOUT=10"),
        ("FIRST_TOKEN_TIMEOUT", "inf", "'inf' is not a number of seconds above 0", "FIRST_TOKEN_TIMEOUT=10"),
        ("BODY_READ_TIMEOUT", "-3", "'-3' is not a number of seconds above 0", "BODY_READ_TIMEOUT=10"),
        ("DRAIN_TIMEOUT", "1m", "'1m' is not a number of seconds above 0", "DRAIN_TIMEOUT=10"),
        ("HTTP_READ_TIMEOUT", "nan", "'nan' is not a number of seconds, or off", "HTTP_READ_TIMEOUT=180"),
        ("HTTP_READ_TIMEOUT", "inf", "'inf' is not a number of seconds, or off", "HTTP_READ_TIMEOUT=180"),
        ("HTTP_READ_TIMEOUT", "soon", "'soon' is not a number of seconds, or off", "HTTP_READ_TIMEOUT=180"),
        ("BODY_LIMIT_MB", "0", "'0' is not a number of megabytes above 0", "BODY_LIMIT_MB=32"),
        ("LOG_LEVEL", "loud", "'loud' is not DEBUG, INFO, WARNING, ERROR or CRITICAL", "LOG_LEVEL=INFO"),
        ("LOG_FORMAT", "xml", "'xml' is not json, console or text", "LOG_FORMAT=json"),
        ("GROQ_WRITE_TIMEOUT", "no", "'no' is not a number of seconds above 0", "GROQ_WRITE_TIMEOUT=10"),
        ("GROQ_READ_TIMEOUT", "no", "'no' is not a number of seconds, or off", "GROQ_READ_TIMEOUT=180"),
    ],
)
def test_a_bad_value_names_the_variable_its_place_and_the_fix(
    place: Place, name: str, text: str, problem: str, example: str
) -> None:
    from_environment = only(place.problems({name: text}))
    assert (from_environment.name, from_environment.origin) == (name, "the environment")
    assert from_environment.problem.startswith(problem)
    assert from_environment.fix == f"Write for example {example}."

    place.write(".env", f"{name}={text}")
    from_file = only(place.problems())
    assert (from_file.name, from_file.origin, from_file.problem) == (name, "./.env", from_environment.problem)


def test_a_bad_value_in_keyturn_toml_is_named_as_it_is_there(place: Place) -> None:
    assert str(only(place.toml_problems('port = "eight"'))) == (
        "port (from ./keyturn.toml, line 1): 'eight' is not a whole number from 0 to 65535. "
        "Write for example port = 8082."
    )
    assert str(only(place.toml_problems('host = "a b"'))) == (
        "host (from ./keyturn.toml, line 1): 'a b' is not a host name or an IP address, without scheme or port. "
        'Write for example host = "127.0.0.1".'
    )


def test_a_bad_flag_is_named_as_the_flag(place: Place) -> None:
    assert str(only(place.problems(flags={"PORT": "eight"}))) == (
        "--port (from the command line): 'eight' is not a whole number from 0 to 65535. Write for example --port 8082."
    )


def test_a_long_bad_value_is_not_repeated_since_it_may_be_a_key(place: Place) -> None:
    text = str(only(place.problems({"PORT": "sk-live-1234567890"})))
    assert "sk-live" not in text
    assert "the value is not a whole number" in text


def test_every_problem_is_told_at_once(place: Place) -> None:
    place.write(".env", "PORT=x\nGROQ_BASE_URL=x")
    place.write("keyturn.toml", "hots = 1\n[[routes]]\nmatch = 'a'\nprovider = 'b'\n")
    found = place.problems({"LOG_LEVEL": "x", "MODEL": "grok/x", "ENABLE_THINKING": "1", "FCC_ENV_FILE": "x"})
    assert sorted(problem.name for problem in found) == [
        "ENABLE_THINKING",
        "FCC_ENV_FILE",
        "GROQ_BASE_URL",
        "LOG_LEVEL",
        "MODEL",
        "PORT",
        "hots",
        "routes.a.provider",
    ]


@pytest.mark.parametrize("text", ["", " ", "0", "-1", "-0.5", "none", "NULL", "off", "Disabled"])
def test_a_read_timeout_may_be_for_ever(place: Place, text: str) -> None:
    settings = place.load({"HTTP_READ_TIMEOUT": text})
    assert {each.timeouts.read for each in settings.providers if each.id != "demo"} == {None}


def test_an_unset_read_timeout_is_180_seconds(place: Place) -> None:
    assert provider(place.load(), "anthropic").timeouts.read == 180.0


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("localhost", "localhost"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("::", "::"),
        ("0.0.0.0", "0.0.0.0"),
        (" gateway.example.com ", "gateway.example.com"),
        ("my_box", "my_box"),
        ("", "127.0.0.1"),
    ],
)
def test_hosts(place: Place, text: str, host: str) -> None:
    assert place.load({"HOST": text, "KEYTURN_ALLOW_OPEN": "true"}).host == host


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("gateway", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://localhost:1/v1", True), ("http://[::1]:1", True), ("https://a", False), ("http://[", False), ("", False)],
)
def test_urls_that_point_here(url: str, here: bool) -> None:
    assert points_here(url) is here


@pytest.mark.parametrize(
    ("given_format", "terminal", "used"),
    [
        ("", False, "json"),
        ("", True, "console"),
        ("text", False, "console"),
        ("Console", False, "console"),
        ("JSON", True, "json"),
    ],
)
def test_log_formats(place: Place, given_format: str, terminal: bool, used: str) -> None:
    assert place.load({"LOG_FORMAT": given_format}, terminal=terminal).log_format == used


@pytest.mark.parametrize(("text", "used"), [("debug", "DEBUG"), ("warn", "WARNING"), (" Error ", "ERROR")])
def test_log_levels(place: Place, text: str, used: str) -> None:
    assert place.load({"LOG_LEVEL": text}).log_level == used


def test_sizes_are_bytes(place: Place) -> None:
    assert place.load({"BODY_LIMIT_MB": "0.5"}).body_limit == 512 * 1024


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("api.example.com", "has no host"),
        ("https://", "has no host"),
        ("https://:80", "has no host"),
        ("https://a:0", "has no host"),
        ("ftp://a", "is not an http:// or https:// URL"),
        ("socks5://a", "is not an http:// or https:// URL"),
        ("https://me:hunter2@a", "holds a user name or password"),
        ("https://a/?api-version=1", "holds a query or a fragment"),
        ("https://a/#x", "holds a query or a fragment"),
        ("https://a b", "holds whitespace or a control character"),
        ("https://a\tb", "holds whitespace or a control character"),
        ("https://a:port", "is not a URL"),
        ("https://[a", "is not a URL"),
    ],
)
def test_a_base_url_is_a_plain_http_url(place: Place, url: str, problem: str) -> None:
    found = only(place.problems({"GROQ_BASE_URL": url}))
    assert (found.name, found.origin, found.problem) == ("GROQ_BASE_URL", "the environment", problem)
    assert found.fix
    assert "hunter2" not in str(found)


@given(st.text())
def test_a_base_url_is_taken_or_refused_in_our_words(text: str) -> None:
    try:
        url = base_url(text)
    except Rejected:
        return
    assert re.match(r"https?://[^/@?#\s]", url, re.IGNORECASE)


@pytest.mark.parametrize("url", ["http://p:1", "https://p", "socks5://me:hunter2@p:1", "socks5h://p"])
def test_proxies(place: Place, url: str) -> None:
    settings = place.load({"GROQ_PROXY": url})
    proxy = provider(settings, "groq").proxy
    assert proxy is not None
    assert proxy.reveal() == url
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://me:hunter2@p", "is not an http://, https:// or socks5:// URL"),
        ("me:hunter2@p:1", "has no host"),
        ("http://me:hunter2@p:x", "is not a URL"),
        ("http://me:hunter2@p\n", "holds whitespace or a control character"),
    ],
)
def test_a_bad_proxy_does_not_show_its_password(place: Place, url: str, problem: str) -> None:
    found = only(place.problems({"GROQ_PROXY": f"{url}\x00" if url.endswith("\n") else url}))
    assert (found.name, found.problem) == ("GROQ_PROXY", problem)
    assert "hunter2" not in str(found)


@given(st.lists(st.from_regex(r"[!-+\--~]{1,12}", fullmatch=True)), st.data())
def test_key_lists_keep_their_order_and_lose_duplicates(keys: list[str], data: st.DataObject) -> None:
    gap = st.text(alphabet=", \t\r\n\u00a0", min_size=1, max_size=3)
    text = "".join(data.draw(gap) + key for key in keys) + data.draw(gap)
    assert split_keys(text) == list(dict.fromkeys(keys))


@pytest.mark.parametrize(
    ("text", "placeholder"),
    [
        ("***", True),
        ("********", True),
        ("<your key>", True),
        (" <> ", True),
        ("**", False),
        ("", False),
        ("sk-<x>", False),
        ("<x", False),
    ],
)
def test_placeholders(text: str, placeholder: bool) -> None:
    assert is_placeholder(text) is placeholder


@given(st.text(min_size=1))
def test_a_key_is_visible_ascii(text: str) -> None:
    assert (secret_problem(text) == "") == all("!" <= character <= "~" for character in text)
