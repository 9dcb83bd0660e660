"""REDIS_URL and what belongs to it: every form, and a plain sentence for every other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.settings.load import load
from gateway.settings.model import Settings
from gateway.settings.redis_address import CLUSTER, SENTINEL, SINGLE, RedisAddress, redis_address
from gateway.settings.values import Rejected
from gateway.state.redis_client import redis_client
from providers.errors import ConfigError
from providers.secret import Secret

PASSWORD = "pass/word@1"


def settings(tmp_path: Path, **environ: str) -> Settings:
    return load(environ, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("redis://10.0.0.5", RedisAddress(SINGLE, (("10.0.0.5", 6379),)), "10.0.0.5:6379, database 0"),
        (
            "rediss://:pass%2Fword%401@cache.example:6380/3",
            RedisAddress(SINGLE, (("cache.example", 6380),), True, "", Secret(PASSWORD), 3),
            "cache.example:6380, database 3",
        ),
        (
            "redis://ann:pass%2Fword%401@[::1]/",
            RedisAddress(SINGLE, (("::1", 6379),), False, "ann", Secret(PASSWORD)),
            "[::1]:6379, database 0",
        ),
        (
            "redis+sentinel://ann:pass%2Fword%401@a:1,b/mymaster/2?sentinel_password=x",
            RedisAddress(SENTINEL, (("a", 1), ("b", 26379)), False, "ann", Secret(PASSWORD), 2, "mymaster"),
            "mymaster of the Sentinels at a:1, b:26379",
        ),
        (
            "rediss+cluster://a:7000,b:7001",
            RedisAddress(CLUSTER, (("a", 7000), ("b", 7001)), True),
            "the cluster at a:7000, b:7001",
        ),
    ],
)
def test_every_form_of_the_url(url: str, address: RedisAddress, shown: str) -> None:
    found = redis_address(url)
    assert found is not None
    assert RedisAddress(**{name: getattr(found, name) for name in _NAMES}) == address
    assert str(found) == shown
    assert PASSWORD not in f"{found} {found!r}"


_NAMES = ("kind", "hosts", "tls", "username", "password", "database", "service")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:6379", "is not a redis://"),
        ("http://localhost:6379", "is not a redis://"),
        ("redis://", "has no host"),
        ("redis://:secret@/0", "has no host"),
        ("redis://a,b", "has several hosts"),
        ("redis://a:port", "has a host or a port that is none"),
        ("redis://a:99999", "has a host or a port that is none"),
        ("redis://[::1", "is not a URL"),
        ("redis://a/first", "names no database by its number"),
        ("redis://a/1/2", "names no database by its number"),
        ("redis+cluster://a/1", "names a database, which a cluster has not"),
        ("redis+sentinel://a:26379", "does not name the master"),
        ("redis+sentinel://a/mymaster/first", "names no database"),
        ("redis://a?socket_timeout=5", "has an option that is not known"),
        ("redis://a?sentinel_password=5", "has an option that is not known"),
    ],
)
def test_what_is_no_such_url_is_refused_without_being_shown(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        redis_address(url)
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, REDIS_URL=url)
    [problem] = refused.value.problems
    assert str(problem).startswith("REDIS_URL")
    assert "secret" not in str(problem)


@pytest.mark.parametrize("prefix", ["a b", "a{b}", "a\tb"])
def test_a_prefix_is_no_hash_tag(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ConfigError, match="KEYTURN_REDIS_PREFIX"):
        settings(tmp_path, KEYTURN_REDIS_PREFIX=prefix)


@pytest.mark.parametrize("processes", ["0", "-1", "many"])
def test_processes_are_counted(tmp_path: Path, processes: str) -> None:
    with pytest.raises(ConfigError, match="KEYTURN_PROCESSES"):
        settings(tmp_path, KEYTURN_PROCESSES=processes)


def test_nothing_is_said_of_state_that_ends_with_the_process(tmp_path: Path) -> None:
    assert settings(tmp_path).redis is None
    assert "state " not in banner(settings(tmp_path), 8082)


def test_banner_and_check_say_where_the_state_is_and_no_password(tmp_path: Path) -> None:
    found = settings(tmp_path, REDIS_URL="redis://ann:hunter22@10.0.0.5/0", KEYTURN_PROCESSES="4")
    for text in (banner(found, 8082), report(found)):
        assert "in Redis, 10.0.0.5:6379, database 0, under keyturn:*" in text
        assert "each of 4 processes" in text
        assert "hunter22" not in text


def test_a_state_file_beside_redis_is_said_to_be_unused(tmp_path: Path) -> None:
    found = settings(tmp_path, REDIS_URL="redis://10.0.0.5", KEYTURN_STATE_FILE="~/state.json")
    assert [warning for warning in found.warnings if "KEYTURN_STATE_FILE" in warning]
    assert found.state_file == tmp_path / "state.json"


@pytest.mark.parametrize(
    "url", ["redis://a", "rediss://:x@a/1", "redis+sentinel://a/mymaster?sentinel_password=y", "redis+cluster://a:7000"]
)
async def test_a_client_can_be_made_of_every_form(url: str) -> None:
    address = redis_address(url)
    assert address is not None
    await redis_client(address).aclose()
