"""No token and no hash of one is seen: in no page, metric, log, message, command's words or upstream."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.cli.pool_table import table
from gateway.clients.office import mint
from middleware.grant import digest
from tests.chaos.faults import plain
from tests.gateway.state.conftest import unique_prefix
from tests.redis_server import RedisServer
from tests.serving import Gateway, ask, serving
from tests.upstream import Upstream, message, text

PAGES = ("/admin/pool", "/admin/tokens", "/admin/usage?by=agent", "/admin/usage?by=agent&format=csv", "/ui", "/metrics")
RAW = {"LOG_RAW_API_PAYLOADS": "true", "LOG_RAW_SSE_EVENTS": "true", "LOG_API_ERROR_TRACEBACKS": "true"}


async def dump(server: RedisServer) -> str:
    """All that Redis holds."""
    found: list[object] = []
    async with plain(server.port) as client:
        async for name in client.scan_iter():
            kind = await client.type(name)
            if kind == b"hash":
                found.append(await client.hgetall(name))
            else:
                found.append(await (client.zrange(name, 0, -1) if kind == b"zset" else client.get(name)))
    return repr(found)


@pytest.mark.parametrize("where", ["file", "redis"])
async def test_no_token_and_no_hash_is_seen(
    tmp_path: Path, where: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed, hashed, wrong = mint(), mint(), mint()
    (tmp_path / "keyturn.toml").write_text(
        f'[[tokens]]\nname = "fixed"\ntoken = "{fixed}"\nrequests_per_minute = 1\n'
        f'[[tokens]]\nname = "hashed"\nhash = "{digest(hashed)}"\nexpires = 2001-01-01\nmodels = ["none"]\n'
    )
    environ = {"MODEL": "anthropic/claude-x", "ANTHROPIC_UPSTREAM_API_KEY": "sk-leaks-1", "LOG_FILE": "keyturn.log"}
    if where == "redis":
        server: RedisServer = request.getfixturevalue("one_redis")
        environ |= {"REDIS_URL": server.url, "KEYTURN_REDIS_PREFIX": unique_prefix()}
    else:
        environ |= {"KEYTURN_STATE_FILE": "state.json"}
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        environ |= {"ANTHROPIC_UPSTREAM_BASE_URL": upstream.url, **RAW, "LOG_FILE_LEVEL": "DEBUG"}
        async with serving(tmp_path, environ, level="DEBUG") as gateway:
            made, gone, seen = await _used(gateway, [fixed, hashed, wrong])
            seen += [gateway.log.text, banner(gateway.settings, 1), report(gateway.settings), repr(gateway.settings)]
            seen.append((tmp_path / "keyturn.log").read_text())
            asked = [f"{request.headers!r} {request.body!r}" for request in upstream.requests]
    tokens = (fixed, hashed, wrong, made, gone)
    store = await dump(server) if where == "redis" else (tmp_path / "state.json").read_text()
    assert digest(made) in store
    assert digest(gone) in store
    captured = capsys.readouterr()
    assert all(seen)
    for page in [*seen, *asked, store, captured.out, captured.err]:
        assert not [token for token in tokens if token in page or token[3:30] in page]
    for page in [*seen, *asked]:
        assert not [token for token in tokens if digest(token) in page or digest(token)[:20] in page]


async def _used(gateway: Gateway, tokens: list[str]) -> tuple[str, str, list[str]]:
    """Two tokens that were made, of which the second was revoked; and every page after all were used, two times."""
    seen: list[str] = []
    async with gateway.admin() as admin:
        replies = [await admin.post("/admin/tokens", json={"name": name}) for name in ("ada", "eve")]
        made, gone = [reply.json()["token"] for reply in replies]
        assert (await admin.delete("/admin/tokens/eve")).status_code == 200
        for token in [*tokens, made, gone] * 2:
            async with gateway.client(f"{token}:anthropic/claude-y") as client:
                for path in ("/v1/messages", "/v1/models", "/v1/usage"):
                    body = ask() if path == "/v1/messages" else None
                    reply = await client.request("POST" if body else "GET", path, json=body)
                    seen.append(f"{reply.headers!r} {reply.text}")
        seen += [(await admin.get(page)).text for page in PAGES]
        seen.append(table((await admin.get("/admin/pool")).json()))
    return made, gone, seen
