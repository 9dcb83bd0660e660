"""Which URLs stand in a text, and the domains that a client allows."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.server_tools import domains
from gateway.server_tools.sources import stands_in
from gateway.server_tools.urls import Rules, target

RULES = Rules(private=True)
URL = "https://docs.example.com/a_(b)/c?d=e&f=%20g"


def stands(url: str, *texts: str) -> bool:
    return stands_in(target(url, RULES), texts)


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"See {URL}.",
        f"See {URL}, or not",
        f"({URL})",
        f"<{URL}>",
        f'"{URL}"',
        f"`{URL}`",
        f"**{URL}**",
        f"[a link]({URL})",
        f"{URL}?!",
        f"{URL}#top",
        f"http{URL[5:]}",
        URL.removeprefix("https://"),
        f"see {URL.removeprefix('https://')}",
        URL.replace("docs.example.com", "DOCS.Example.COM"),
        f"https://elsewhere.example/ {URL}",
        f"first https://docs.example.com/ then {URL}",
        f"{URL}x and {URL}",
        f"https://elsewhere.example/?to={URL}",
        f"line\n{URL}\nline",
    ],
)
def test_a_url_in_a_text(text: str) -> None:
    assert stands(URL, text)
    assert stands(URL, "nothing", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docs.example.com",
        URL[:-1],
        f"{URL}x",
        f"{URL}/",
        f"{URL}&h=i",
        URL.replace("/c", "/C"),
        URL.replace("docs", "xdocs"),
        URL.replace("docs", "x.docs"),
        URL.replace("docs", "-docs"),
        URL.replace(".com", ".com.evil.example"),
        URL.replace(".com/", ".com:8443/"),
        URL.replace("https://", "https://user@"),
        URL.replace("https://", "ftp://"),
        URL.replace("https://", "https:///"),
        URL.replace("https://", "https://evil.example/"),
        URL.replace("https://", "="),
        f"https://docs.example.com\\{URL[24:]}",
        URL.replace("/a_", " /a_"),
    ],
)
def test_a_url_that_is_not_in_a_text(text: str) -> None:
    assert not stands(URL, text)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://example.com", "Read example.com"),
        ("https://example.com/", "Read http://example.com!"),
        ("http://[2606:4700::1111]/x", "Read http://[2606:4700::1111]/x."),
        ("https://xn--bcher-kva.example.com/\u00fc", "Read https://xn--bcher-kva.example.com/%C3%BC"),
        ("https://example.com/a?b=[c]", "Read https://example.com/a?b=[c]"),
        ("https://xn--bcher-kva.example.com/", "Read https://B\u00fccher.example.com/"),
        ("https://b\u00fccher.example.com/", "Read xn--bcher-kva.example.com"),
    ],
)
def test_one_url_written_in_two_ways(url: str, text: str) -> None:
    assert stands(url, text)


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_stands_around_it(before: str, after: str) -> None:
    assert stands("https://example.com/a", f"{before} https://example.com/a {after}")


@given(st.text(alphabet="ab.:/@[]()#? \\\n%", max_size=60))
def test_a_host_alone_is_no_url_of_it(text: str) -> None:
    assert not stands("https://a.ab/secret?q", text)


@pytest.mark.parametrize(
    "text",
    [
        "a.example" * 200_000,
        "a.example " * 200_000,
        "https://a.example/" + "x" * 2_000_000,
        "https://a.example/x" + ")" * 100_000,
    ],
    ids=["hosts", "bare hosts", "a long one", "much behind it"],
)
def test_a_text_that_is_made_to_take_long(text: str) -> None:
    began = time.monotonic()
    assert not stands("https://a.example/y", text)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (
            "example.com",
            "https://example.com/ https://docs.example.com/x",
            "https://example.org/ https://xexample.com/",
        ),
        ("docs.example.com", "https://docs.example.com/", "https://example.com/ https://other.example.com/"),
        ("https://Example.com/", "http://example.com/", "http://example.org/"),
        ("*.example.com", "https://a.example.com/ https://example.com/", "https://example.org/"),
        ("example.com/blog", "https://example.com/blog https://example.com/blog/1?a", "https://example.com/blogs"),
        ("example.com/blog/", "https://example.com/blog/1", "https://example.com/ https://example.com/blog"),
        ("example.com/*/docs", "https://example.com/a/docs https://example.com/a/docs/b", "https://example.com/docs"),
        ("example.com/a[1]", "https://example.com/a%5B1%5D https://example.com/a[1]", "https://example.com/a1"),
        (
            "b\u00fccher.example",
            "https://b\u00fccher.example/ https://xn--bcher-kva.example/",
            "https://bucher.example/",
        ),
        ("example.com:8443", "https://example.com/", "https://example.org/"),
    ],
)
def test_domains(domain: str, inside: str, outside: str) -> None:
    allowed, blocked = domains.rule([domain], ()), domains.rule((), [domain])
    for url in inside.split():
        place = target(url, RULES)
        assert (allowed(place), bool(blocked(place))) == ("", True), url
    for url in outside.split():
        place = target(url, RULES)
        assert (bool(allowed(place)), blocked(place)) == (True, ""), url


def test_domains_that_are_none_allow_nothing() -> None:
    place = target("https://example.com/", RULES)
    assert domains.rule(["", "//", "a b"], ())(place)
    assert domains.rule((), ["", "//"])(place) == ""
    assert domains.rule((), ())(place) == ""
