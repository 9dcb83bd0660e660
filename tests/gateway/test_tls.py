"""HTTPS without a proxy, and proxies whose word counts."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from gateway.cli.banner import start_line, url
from gateway.cli.running import pool, served
from gateway.settings import load
from tests.deploy.image import healthy
from tests.gateway.place import Place
from tests.gateway_process import running_gateway

ASK = {"model": "claude-x", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, as files."""
    made = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    made.cert_chain_pems[0].write_to_path(chain)
    made.private_key_pem.write_to_path(key)
    return str(chain), str(key)


def test_flags_make_it_speak_https(authority: trustme.CA, pem: tuple[str, str], tmp_path: Path) -> None:
    chain, key = pem
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    flags = ("--ssl-certfile", chain, "--ssl-keyfile", key)
    with running_gateway(tmp_path / "gateway", {}, flags, verify=trusted) as gateway:
        reply = httpx.post(
            f"https://127.0.0.1:{gateway.port}/v1/messages", json=ASK, headers={"x-api-key": "any"}, verify=trusted
        )
        assert f"https://127.0.0.1:{gateway.port}" in gateway.stdout
        environ = {"SSL_CERTFILE": chain, "SSL_KEYFILE": key, "PORT": str(gateway.port)}
        settings = load(environ, gateway.home, gateway.home)
        listed, shown = served(settings), pool(settings)[1]
        checks = [healthy(**environ), healthy(PORT=environ["PORT"])]
    assert reply.status_code == 200
    assert "demo/demo" in [item["id"] for item in listed]
    assert shown["providers"]
    assert checks == [0, 0]


def test_one_file_may_hold_both(authority: trustme.CA, place: Place, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
    settings = place.load({"SSL_CERTFILE": str(both)})
    assert settings.certificate
    assert url(settings, 9) == "https://127.0.0.1:9"
    assert "ANTHROPIC_BASE_URL=https://127.0.0.1:9 " in start_line(settings, 9)


def test_what_is_wrong_with_the_files_is_named(authority: trustme.CA, pem: tuple[str, str], place: Place) -> None:
    chain, key = pem
    other = Path(chain).with_name("other.key")
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(other)
    broken = place.write("broken.pem", "no certificate")
    for environ, name, words in (
        ({"SSL_KEYFILE": key}, "SSL_KEYFILE", "a key alone"),
        ({"SSL_CERTFILE": "/nowhere.crt"}, "SSL_CERTFILE", "cannot be read"),
        ({"SSL_CERTFILE": chain, "SSL_KEYFILE": "/nowhere.key"}, "SSL_KEYFILE", "cannot be read"),
        ({"SSL_CERTFILE": chain, "SSL_KEYFILE": str(other)}, "SSL_CERTFILE", "cannot be used"),
        ({"SSL_CERTFILE": str(broken)}, "SSL_CERTFILE", "cannot be used"),
    ):
        (problem,) = place.problems(environ)
        assert problem.name == name
        assert words in problem.problem


def test_proxies_are_believed_by_network_and_never_all(place: Place) -> None:
    assert place.load().believed_proxies == ()
    settings = place.load({"FORWARDED_ALLOW_IPS": "10.0.0.0/8, 192.168.1.7"})
    assert settings.believed_proxies == ("10.0.0.0/8", "192.168.1.7/32")
    (problem,) = place.problems({"FORWARDED_ALLOW_IPS": "*"})
    assert problem.name == "FORWARDED_ALLOW_IPS"


def test_a_pair_of_quotes_around_a_variable_is_none_of_it(place: Place) -> None:
    settings = place.load({"PORT": '"9001"', "ANTHROPIC_AUTH_TOKEN": "'it''s'"})
    assert settings.port == 9001
    assert settings.token
    assert settings.token.reveal() == "it''s"
