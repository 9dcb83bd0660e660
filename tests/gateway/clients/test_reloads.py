"""Tokens, made and of the settings, in a gateway whose configuration changes while it runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.app import reload
from gateway.clients.roster import TWINS
from gateway.endpoints.models import CLIENT_NAMES
from tests.serving import Gateway, ask, post, serving
from tests.upstream import Pause, Signal, Upstream, frames, message, stream, text
from tests.upstream.bare_client import connected

OPUS, SONNET, _ = CLIENT_NAMES
FRAMES = frames("m", [text("a long answer")])
ADA = "kt_a-token-of-the-settings"


def toml(upstream: Upstream, tokens: str = "", routes: str = "") -> str:
    provider = f'type = "anthropic"\nbase_url = "{upstream.url}"\napi_keys = ["k1"]\n'
    both = "".join(f'[[providers]]\nname = "{name}"\n{provider}' for name in ("mine", "theirs"))
    return f'model = "mine/a"\nkeyturn_admin_token = "of-the-admin-5f"\n{both}{routes}{tokens}'


def token(name: str, secret: str = ADA, more: str = "") -> str:
    return f'[[tokens]]\nname = "{name}"\ntoken = "{secret}"\n{more}'


def rule(*names: str) -> str:
    return f'[[routes]]\nmatch = "{OPUS}"\nprovider = "theirs"\nrewrite_model = "b"\ntokens = {list(names)}\n'


@asynccontextmanager
async def running(folder: Path, tokens: str = "", routes: str = "") -> AsyncIterator[tuple[Gateway, Upstream]]:
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        (folder / "keyturn.toml").write_text(toml(upstream, tokens, routes))
        async with serving(folder, {"KEYTURN_STATE_FILE": str(folder / "state.json")}, reloads=True) as gateway:
            yield gateway, upstream


async def made(gateway: Gateway, name: str, **more: object) -> str:
    async with gateway.admin() as admin:
        reply = await admin.post("/admin/tokens", json={"name": name, **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["token"])


async def call(gateway: Gateway, secret: str, model: str = OPUS) -> httpx.Response:
    async with gateway.client(secret) as client:
        return await client.post("/v1/messages", json=ask(model=model))


async def listed(gateway: Gateway, secret: str) -> dict[str, str]:
    async with gateway.client(secret) as client:
        found = (await client.get("/v1/models")).json()["data"]
        for item in found:
            assert (await client.get(f"/v1/models/{item['id']}")).json() == item
    return {item["id"]: item["display_name"] for item in found}


async def test_a_made_token_has_its_rules_and_its_own_list(tmp_path: Path) -> None:
    async with running(tmp_path, token("ada"), rule("bob")) as (gateway, upstream):
        bob = await made(gateway, "bob", providers=["theirs"])
        assert (await call(gateway, bob)).status_code == 200
        assert upstream.requests[-1].model == "b"
        assert (await call(gateway, bob, SONNET)).status_code == 403
        own, everybodys = await listed(gateway, bob), await listed(gateway, ADA)
        assert (own[OPUS], SONNET in own) == (f"{OPUS} (theirs/b)", False)
        assert everybodys[OPUS] == f"{OPUS} (mine/a)"


async def test_a_list_follows_the_rules_of_a_reload(tmp_path: Path) -> None:
    async with running(tmp_path, token("ada")) as (gateway, upstream):
        bob = await made(gateway, "bob", providers=["mine"])
        assert OPUS in await listed(gateway, bob)
        (tmp_path / "keyturn.toml").write_text(toml(upstream, token("ada"), rule("bob")))
        assert await reload(gateway.app)
        assert OPUS not in await listed(gateway, bob)
        assert (await call(gateway, bob)).status_code == 403


async def test_made_tokens_stay_when_those_of_the_settings_change(tmp_path: Path) -> None:
    async with running(tmp_path, token("ada")) as (gateway, upstream):
        bob = await made(gateway, "bob", requests_per_minute=1)
        (tmp_path / "keyturn.toml").write_text(toml(upstream, token("eve", "kt_a-token-of-eve")))
        assert await reload(gateway.app)
        statuses = [(await call(gateway, each)).status_code for each in (ADA, "kt_a-token-of-eve", bob, bob)]
        assert statuses == [401, 200, 200, 429]
        (tmp_path / "keyturn.toml").write_text(toml(upstream))
        assert await reload(gateway.app)
        statuses = [(await call(gateway, each)).status_code for each in ("kt_a-token-of-eve", "", bob)]
        assert statuses == [401, 401, 429], "made tokens keep it closed, and their limits hold"


async def test_what_is_open_counts_after_a_reload(tmp_path: Path) -> None:
    async with running(tmp_path, token("ada", more="max_concurrency = 1\n")) as (gateway, upstream):
        go_on = Signal()
        upstream.script(stream(*FRAMES[:4], Pause(go_on), *FRAMES[4:]))
        async with connected(gateway.port) as client:
            client.write(post(json.dumps(ask(stream=True)).encode(), authorization=f"Bearer {ADA}"))
            await client.until(FRAMES[3])
            (tmp_path / "keyturn.toml").write_text(toml(upstream, token("ada", more="max_concurrency = 2\n")))
            assert await reload(gateway.app)
            assert (await call(gateway, ADA)).status_code == 200
            (tmp_path / "keyturn.toml").write_text(toml(upstream, token("ada", more="max_concurrency = 1\n")))
            assert await reload(gateway.app)
            assert (await call(gateway, ADA)).status_code == 429
            go_on.set()
            await client.until(b"0\r\n\r\n")
        await gateway.settled()
        assert (await call(gateway, ADA)).status_code == 200


async def test_a_name_that_is_there_twice_is_told_once(tmp_path: Path) -> None:
    async with running(tmp_path, token("ada")) as (gateway, upstream):
        bob = await made(gateway, "bob")
        for more in ("", "requests_per_minute = 9\n"):
            (tmp_path / "keyturn.toml").write_text(toml(upstream, token("bob", more=more)))
            assert await reload(gateway.app)
        assert [(await call(gateway, each)).status_code for each in (ADA, bob)] == [200, 200]
        [told] = gateway.log.events(TWINS)
        assert told["client"] == "bob"
        async with gateway.admin() as admin:
            assert (await admin.delete("/admin/tokens/bob")).status_code == 200
        assert [(await call(gateway, each)).status_code for each in (ADA, bob)] == [200, 401]
