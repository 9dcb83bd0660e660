"""Public addresses, and the URLs that lead to no other."""

from __future__ import annotations

import functools
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.server_tools.addresses import beside, refusal, refusal_of_any
from gateway.server_tools.failures import ToolFailure
from gateway.server_tools.urls import BAD_PORTS, Rules, Target, redirected, target
from tests.gateway.server_tools.ssrf import ANSWERS, NOT_ALLOWED, URLS

RULES = Rules()


@pytest.mark.parametrize(("url", "code", "words"), URLS, ids=[ascii(url)[:60] for url, _, _ in URLS])
def test_ways_into_a_network_are_refused(url: str, code: str, words: str) -> None:
    with pytest.raises(ToolFailure) as refused:
        target(url, RULES)
    assert refused.value.code == code
    assert words in refused.value.words


def test_there_are_enough_of_them() -> None:
    assert len({url for url, _, _ in URLS}) == len(URLS) >= 60


@pytest.mark.parametrize(("answers", "words"), ANSWERS, ids=[" ".join(answers) for answers, _ in ANSWERS])
def test_one_bad_address_of_a_name_refuses_it(answers: tuple[str, ...], words: str) -> None:
    assert words in refusal_of_any(answers)


@pytest.mark.parametrize(
    "answers",
    [
        ("93.184.216.34",),
        ("1.1.1.1", "8.8.8.8"),
        ("2606:4700::1111",),
        ("2a00:1450:4001:80f::200e",),
        ("100.63.255.1",),
    ],
    ids=str,
)
def test_public_addresses_pass(answers: tuple[str, ...]) -> None:
    assert refusal_of_any(answers) == ""


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ("93.184.216.34", "93.184.216.34", True),
        ("93.184.216.34", "93.184.216.35", False),
        ("2a00:1450:4001:80f::200e", "2a00:1450:4001:80f::200e", True),
        ("2a00:1450:4001:80f::200e", "2a00:1450:4001:80f:ffff::1", True),
        ("2a00:1450:4001:80f::200e", "2a00:1450:4001:810::200e", False),
        ("fe80::1%eth0", "2606:4700::1111", False),
    ],
)
def test_addresses_that_are_public_and_behind_the_firewall(own: str, other: str, expected: bool) -> None:
    assert beside(ip_address(own), ip_address(other)) is expected


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: object) -> None:
    found = ip_address(str(address))
    if found.is_private or found.is_multicast or found.is_reserved or found.is_loopback or found.is_link_local:
        # AS112's anycast servers are private to Python 3.11 and public to IANA
        assert refusal(found) or any(found in ip_network(net) for net in ("192.31.196.0/24", "192.175.48.0/24"))


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_means_the_same_in_every_notation(number: int) -> None:
    found = ip_address(number)
    octets = str(found).split(".")
    written = (
        str(found),
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(hex(int(octet)) for octet in octets),
        ".".join(f"0{int(octet):o}" for octet in octets),
        f"{octets[0]}.{number & 0xFFFFFF}",
        f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
        f"{found}.",
    )
    assert {target(f"http://{host}/", Rules(private=True)).address for host in written} == {found}


PARTS = [
    *(
        "http://",
        "https://",
        "//",
        "/",
        "?",
        "#",
        "@",
        ":",
        "[",
        "]",
        "::1",
        "127.0.0.1",
        "%",
        ".",
        "xn--",
        "example.com",
    ),
    *("\u00fc", "\u3002", "\u00b2", "\u0663", "\u200d", "\udcff", "0x", "\\", " ", "-", "_"),
]


@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(st.characters(exclude_categories=()))), max_size=12))
def test_any_text_is_a_url_of_one_meaning_or_refused(parts: list[str]) -> None:
    for rules in (RULES, Rules(private=True)):
        for read in (target, functools.partial(redirected, target("http://example.com/a/b?c", rules))):
            try:
                found = read("".join(parts), rules=rules)
            except ToolFailure:
                continue
            assert target(found.url, rules) == found


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("https://example.com./a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("https://b\u00fccher.example.com/\u00fc?q=\u00fc", "https://xn--bcher-kva.example.com/%C3%BC?q=%C3%BC"),
        ("https://example.com/a%20b?x=%2F&y=[1]", "https://example.com/a%20b?x=%2F&y=%5B1%5D"),
        ("http://134744072/", "http://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        ("https://1.2.3.example.com/", "https://1.2.3.example.com/"),
    ],
)
def test_the_one_form_of_a_url(url: str, same: str) -> None:
    found = target(url, RULES)
    assert found.url == same
    assert target(found.url, RULES) == found


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/b", "https://example.com/b"),
        ("c?d", "https://example.com/a/c?d"),
        ("//other.example.org/", "https://other.example.org/"),
        ("http://other.example.org:8080/#top", "http://other.example.org:8080/"),
    ],
)
def test_where_a_redirect_leads(location: str, leads: str) -> None:
    assert redirected(target("https://example.com/a/b", RULES), location, RULES).url == leads


@pytest.mark.parametrize(
    "location", ["", "http://127.0.0.1/", "//[::1]/", "file:///etc/passwd", "http://a@b.com/", "http://[", "\t//10.1/"]
)
def test_where_no_redirect_leads(location: str) -> None:
    with pytest.raises(ToolFailure):
        redirected(target("https://example.com/a/b", RULES), location, RULES)


def test_private_networks_are_for_those_who_allow_them() -> None:
    rules = Rules(private=True)
    for url in ("http://127.0.0.1:8000/", "http://intranet/", "http://printer.local/", "http://[::1]/"):
        assert isinstance(target(url, rules), Target)
    for url in ("http://127.0.0.1:22/", "file:///etc/passwd", "http://a@127.0.0.1/"):
        with pytest.raises(ToolFailure) as refused:
            target(url, rules)
        assert refused.value.code == NOT_ALLOWED


def test_only_the_schemes_that_are_allowed() -> None:
    only_https = Rules(frozenset({"https"}))
    assert target("https://example.com/", only_https)
    with pytest.raises(ToolFailure, match="WEB_FETCH_ALLOWED_SCHEMES"):
        target("http://example.com/", only_https)
    with pytest.raises(ToolFailure, match="nobody here speaks"):
        target("ftp://example.com/", Rules(frozenset({"ftp"})))


def test_no_port_of_another_protocol_is_open() -> None:
    for port in BAD_PORTS:
        with pytest.raises(ToolFailure, match="port"):
            target(f"https://example.com:{port}/", RULES)
