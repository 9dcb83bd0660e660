"""``keyturn token``: in a state file, in Redis, at a running gateway, and as lines of keyturn.toml."""

from __future__ import annotations

import asyncio
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.cli.token import FIRST, Wanted, token
from gateway.clients.office import NO_PLACE
from gateway.settings import Settings, load
from middleware.grant import digest
from tests.gateway.state.conftest import unique_prefix
from tests.redis_server import RedisServer
from tests.serving import ask, serving
from tests.upstream import Upstream, message, text

Capture = pytest.CaptureFixture[str]
FIELDS: dict[str, Any] = {
    "name": "ada",
    "models": ["groq/*", "*haiku*"],
    "providers": ["groq"],
    "requests_per_minute": 60,
    "tokens_per_minute": 100_000,
    "max_concurrency": 4,
    "expires": "2099-12-31",
    "web_tools": False,
}


@pytest.fixture(params=["file", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    environ = {"KEYTURN_STATE_FILE": str(tmp_path / "state.json")}
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("one_redis")
        environ = {"REDIS_URL": server.url, "KEYTURN_REDIS_PREFIX": unique_prefix()}
    return load(environ, tmp_path, tmp_path)


def run(settings: Settings, capsys: Capture, *wanted: Any, **more: Any) -> tuple[int, str, str]:
    code = token(settings, Wanted(*wanted, **more))
    out, err = capsys.readouterr()
    return code, out.strip(), err


def listed(settings: Settings, capsys: Capture) -> list[dict[str, Any]]:
    code, out, _ = run(settings, capsys, "list", as_json=True)
    assert code == 0
    found: list[dict[str, Any]] = json.loads(out)["tokens"]
    return found


def test_a_token_is_shown_once_and_can_be_revoked(settings: Settings, capsys: Capture) -> None:
    code, made, words = run(settings, capsys, "create", FIELDS)
    assert code == 0
    assert made.startswith("kt_")
    assert len(made) == 3 + 43, "32 bytes as base64url"
    assert "shown this once" in words
    assert FIRST in words
    (ada,) = listed(settings, capsys)
    assert {name: ada[name] for name in FIELDS} == FIELDS | {"expires": "2100-01-01T00:00:00Z"}
    assert (ada["state"], ada["from"]) == ("good", "store")
    code, out, _ = run(settings, capsys, "list")
    assert "60 requests/min, 100,000 tokens/min, 4 at once, no web tools" in out
    for shown in (out, json.dumps(ada)):
        assert made not in shown
        assert digest(made) not in shown
    code, second, words = run(settings, capsys, "create", {"name": "bob"})
    assert (code, FIRST in words, second != made) == (0, False, True)
    assert run(settings, capsys, "revoke", {"name": "ada"})[0] == 0
    assert [each["state"] for each in listed(settings, capsys)] == ["revoked", "good"]


@pytest.mark.parametrize(
    ("verb", "fields", "words"),
    [
        ("create", {"name": "e v"}, "name: write up to 40 letters"),
        ("create", {"name": "shared"}, "name: shared is the name of the token in ANTHROPIC_AUTH_TOKEN."),
        ("create", {"name": "ada", "requests_per_minute": 0}, "requests_per_minute: write a whole number above 0."),
        ("create", {"name": "ada", "expires": "yesterday"}, "expires: write a time to come, such as 90d"),
        ("create", {"name": "ada", "expires": "2001-01-01"}, "expires: write a time to come, such as 90d"),
        ("create", {"name": "ada", "models": ["\n"]}, "models: write a list of up to 100 patterns"),
        ("create", {"name": "ada", "speed": 1}, "speed: there is no such field"),
        ("revoke", {"name": "eve"}, "There is no token 'eve'. `keyturn token list` shows all."),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, capsys: Capture, verb: str, fields: dict[str, Any], words: str) -> None:
    settings = load({"KEYTURN_STATE_FILE": str(tmp_path / "state.json")}, tmp_path, tmp_path)
    code, out, err = run(settings, capsys, verb, fields)
    assert (code, out) == (1, "")
    assert words in err


def test_without_a_place_it_says_where_one_could_be(tmp_path: Path, capsys: Capture) -> None:
    settings = load({"ANTHROPIC_AUTH_TOKEN": "a-shared-token-1f"}, tmp_path, tmp_path)
    for verb in ("create", "revoke"):
        assert run(settings, capsys, verb, {"name": "ada"}) == (1, "", f"{NO_PLACE}\n")
    code, out, _ = run(settings, capsys, "list")
    assert code == 0
    assert "shared" in out
    assert "a-shared-token-1f" not in out


def test_the_lines_for_the_configuration_are_what_was_asked_for(tmp_path: Path, capsys: Capture) -> None:
    nowhere = load({}, tmp_path, tmp_path)
    code, out, _ = run(nowhere, capsys, "create", {**FIELDS, "models": ['a"b\\', "m[1]"]}, as_toml=True)
    made, _, lines = out.partition("\n")
    assert code == 0
    assert made not in lines
    (tmp_path / "keyturn.toml").write_text(lines)
    (entry,) = tomllib.loads(lines)["tokens"]
    assert entry["hash"] == f"sha256:{digest(made)}"
    (ada,) = load({}, tmp_path, tmp_path).tokens
    grant = ada.grant
    assert (ada.name, ada.digest, grant.models) == ("ada", digest(made), ('a"b\\', "m[1]"))
    assert (grant.limits.requests, grant.limits.tokens, grant.limits.concurrency) == (60, 100_000, 4)
    assert (grant.expires, grant.web_tools) == (4102444800.0, False)


async def test_at_a_running_gateway(tmp_path: Path, capsys: Capture) -> None:
    """By its admin token, with or without the store's address; what is made there is good there at once."""
    environ = {"KEYTURN_STATE_FILE": "state.json", "MODEL": "anthropic/claude-x", "ANTHROPIC_UPSTREAM_API_KEY": "sk-1"}
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        async with serving(tmp_path, {**environ, "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url}) as gateway:
            elsewhere = replace(gateway.settings, state_file=None)

            async def at(*wanted: Any, **more: Any) -> tuple[int, str, str]:
                return await asyncio.to_thread(run, elsewhere, capsys, *wanted, url=gateway.url, **more)

            code, made, _ = await at("create", {"name": "ada"})
            assert code == 0
            async with gateway.client(made) as client:
                assert (await client.post("/v1/messages", json=ask())).status_code == 200
                again = (await at("create", {"name": "ada"}))[2]
                assert again.startswith(f"The gateway at {gateway.url} says: There is a token ada already")
                assert "ada" in (await at("list"))[1]
                assert (await at("revoke", {"name": "ada"}))[0] == 0
                reply = await client.post("/v1/messages", json=ask())
                assert reply.status_code == 401
                assert "Your client token ada was revoked on 20" in reply.json()["error"]["message"]
            none_known = replace(elsewhere, run_folders=(), admin_token=None)
            refused = await asyncio.to_thread(run, none_known, capsys, "list", url=gateway.url)
            assert "wants an admin token" in refused[2]
            assert made not in gateway.log.text
            assert digest(made) not in gateway.log.text


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KEYTURN_STATE_FILE", "state.json")
    monkeypatch.delenv("REDIS_URL", raising=False)
    options = ["--models", "groq/*, *haiku*", "--rpm", "5", "--tpm", "6", "--concurrency", "7", "--expires", "90d"]
    assert main(["token", "create", "ada", *options, "--no-web-tools", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["token"].startswith("kt_")
    assert made["models"] == ["groq/*", "*haiku*"]
    assert (made["requests_per_minute"], made["tokens_per_minute"], made["max_concurrency"]) == (5, 6, 7)
    assert made["web_tools"] is False
    assert main(["token", "revoke", "ada"]) == 0
    assert main(["token", "list"]) == 0
    assert "revoked" in capsys.readouterr().out
