"""A new configuration in a gateway that runs: whole or not at all, and no stream notices."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway.app import reload
from gateway.reload import Reloader, Watched
from gateway.settings import Settings, load
from providers.registry import Registry
from tests.gateway.ferryllm import KEY, example
from tests.serving import Gateway, ask, post, serving
from tests.upstream import ChatUpstream, Pause, Reply, Request, Signal, Upstream, error, frames, message, stream, text
from tests.upstream import openai_chat as chat
from tests.upstream.bare_client import connected

ADMIN = "the-operators-token"
FRAMES = frames("m", [text("a long answer")])
BEGINNING, END = FRAMES[:4], FRAMES[4:]


@dataclass(frozen=True)
class Rig:
    """A gateway that reads ``keyturn.toml`` in ``folder``, and its upstream."""

    gateway: Gateway
    upstream: Upstream
    folder: Path

    def write(self, toml: str) -> None:
        (self.folder / "keyturn.toml").write_text(toml, encoding="utf-8")

    async def reload(self, toml: str) -> bool:
        self.write(toml)
        return await reload(self.gateway.app)

    @property
    def registry(self) -> Registry:
        found: Registry = self.gateway.app.state.registry
        return found

    async def reloads(self, result: str) -> float | None:
        return await self.gateway.metric("keyturn_config_reload_total", result=result)


def entry(upstream: Upstream, name: str = "acme", keys: str = '"k1", "k2"', more: str = "") -> str:
    return (
        f'[[providers]]\nname = "{name}"\ntype = "anthropic"\nbase_url = "{upstream.url}"\n'
        f"api_keys = [{keys}]\n{more}\n"
    )


def config(upstream: Upstream, model: str = "m1", providers: str = "", token: str = "freecc") -> str:
    head = f'model = "acme/{model}"\nanthropic_auth_token = "{token}"\nkeyturn_admin_token = "{ADMIN}"\n'
    return head + "provider_max_retries = 0\n" + (providers or entry(upstream))


@asynccontextmanager
async def rigged(folder: Path) -> AsyncIterator[Rig]:
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        (folder / "keyturn.toml").write_text(config(upstream), encoding="utf-8")
        async with serving(folder, {}, reloads=True) as gateway:
            yield Rig(gateway, upstream, folder)


async def call(client: httpx.AsyncClient, model: str = "claude-opus-4-8") -> httpx.Response:
    return await client.post("/v1/messages", json=ask(model=model))


async def test_what_is_new_holds_for_the_next_request(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        assert (await call(client)).status_code == 200
        toml = config(rig.upstream, "m2", token="another-token") + (
            '[[routes]]\nmatch = "mine"\nprovider = "acme"\nrewrite_model = "m3"\n'
        )
        assert await rig.reload(toml)
        assert (await call(client)).status_code == 401
        client.headers["x-api-key"] = "another-token"
        assert (await call(client)).status_code == 200
        assert (await call(client, "mine")).status_code == 200
        assert [request.model for request in rig.upstream.requests] == ["m1", "m2", "m3"]
        names = [item["id"] for item in (await client.get("/v1/models")).json()["data"]]
        assert "acme/m2" in names
        assert "acme/m1" not in names
        assert (await client.get("/")).json()["model"] == "acme/m2"
        assert await rig.reloads("applied") == 1
        assert await rig.reloads("refused") == 0


async def test_a_bad_file_leaves_the_old_one_in_use_and_names_every_problem(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        bad = "modle = 'acme/m2'\nport = 'eight'\n" + config(rig.upstream, "m2")
        assert not await rig.reload(bad)
        assert (await call(client)).status_code == 200
        assert rig.upstream.requests[-1].model == "m1"
        problems = [event["problem"] for event in rig.gateway.log.events("configuration problem")]
        assert len(problems) == 2
        assert "modle" in problems[0]
        assert "Did you mean model?" in problems[0]
        assert "port" in problems[1]
        assert await rig.reloads("refused") == 1
        assert await rig.reloads("applied") == 0
        assert not await rig.reload("model = ")
        assert await rig.reloads("refused") == 2
        assert await rig.reload(config(rig.upstream, "m2"))
        await call(client)
        assert rig.upstream.requests[-1].model == "m2"


async def test_an_unchanged_provider_keeps_its_pool_its_window_and_its_connections(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        await call(client)
        live, pool = rig.registry.live["acme"], rig.registry.pools["acme"]
        assert await rig.reload(config(rig.upstream, "m2", entry(rig.upstream) + entry(rig.upstream, "other", '"k9"')))
        await call(client)
        assert rig.registry.live["acme"] is live
        assert rig.registry.pools["acme"] is pool
        assert rig.upstream.accepted == 1
        assert "other" in rig.registry.pools


async def test_a_key_that_stays_keeps_its_rest_when_another_comes_or_goes(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        refused = error(401, "authentication_error", "no such key")

        def by_key(request: Request) -> Reply:
            return refused if request.header("x-api-key") == "k1" else message(text("Hi"))(request)

        rig.upstream.always(by_key)
        for _ in range(2):
            assert (await call(client)).status_code == 200
        assert (await rig.registry.pools["acme"].states())["acme-01"] == "refused"
        assert await rig.reload(config(rig.upstream, providers=entry(rig.upstream, keys='"k1", "k2", "k3"')))
        assert await rig.registry.pools["acme"].states() == {
            "acme-01": "refused",
            "acme-02": "ready",
            "acme-03": "ready",
        }
        assert await rig.gateway.metric("keyturn_key_state", provider="acme", key="acme-03", state="ready") == 1
        assert await rig.reload(config(rig.upstream, providers=entry(rig.upstream, keys='"k2"')))
        assert await rig.gateway.metric("keyturn_key_state", provider="acme", key="acme-03") is None


async def test_the_window_of_a_changed_provider_goes_on(tmp_path: Path) -> None:
    """Another key is no reason to let twice as many calls through."""
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        await rig.reload(config(rig.upstream, providers=entry(rig.upstream, more="max_concurrency = 1")))
        await call(client)
        gate = rig.registry.live["acme"].gate
        more = entry(rig.upstream, keys='"k1", "k3"', more="max_concurrency = 1")
        await rig.reload(config(rig.upstream, providers=more))
        await call(client)
        assert rig.registry.live["acme"].gate is gate
        await rig.reload(config(rig.upstream, providers=more.replace("= 1", "= 2")))
        await call(client)
        assert rig.registry.live["acme"].gate is not gate


@pytest.mark.parametrize("removed", [True, False])
async def test_a_provider_that_goes_or_changes_closes_after_its_last_stream(tmp_path: Path, removed: bool) -> None:
    async with rigged(tmp_path) as rig:
        go_on = Signal()
        rig.upstream.script(stream(*BEGINNING, Pause(go_on), *END))
        async with connected(rig.gateway.port) as client:
            client.write(post(json.dumps(ask(stream=True)).encode()))
            await client.until(BEGINNING[-1])
            old = rig.registry.live["acme"]
            other = entry(rig.upstream, "other", '"k9"')
            toml = config(rig.upstream, providers=other if removed else entry(rig.upstream, keys='"k3"'))
            assert await rig.reload(toml.replace("acme/m1", "other/m1") if removed else toml)
            assert old.users == 1
            assert rig.upstream.connections, "the stream's connection is open"
            go_on.set()
            end = await client.until(b"0\r\n\r\n")
        assert b"message_stop" in end
        assert b"event: error" not in end
        await rig.gateway.settled()
        assert old.users == 0
        await rig.upstream.requests[0].gone.wait()  # its connection was closed, not kept for another call


async def test_what_is_fixed_is_said_to_need_a_restart(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        assert await rig.reload("port = 9999\n" + config(rig.upstream))
        assert (await call(client)).status_code == 200
        [told] = rig.gateway.log.events("some settings need a restart of Keyturn")
        assert told["settings"] == ["PORT"]


async def test_what_is_lost_is_said(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        (tmp_path / "keyturn.toml").unlink()
        assert await reload(rig.gateway.app)
        [gone] = rig.gateway.log.events("files of the configuration are no longer there")
        assert gone["files"] == ["./keyturn.toml"]
        assert rig.gateway.log.events("no provider is configured any more: the built-in demo answers")


async def test_a_file_that_was_gone_when_another_changed_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9000", encoding="utf-8")
    (tmp_path / "keyturn.toml").write_text("body_limit_mb = 1", encoding="utf-8")
    swapped: asyncio.Queue[Settings] = asyncio.Queue()
    counted: list[str] = []
    again = partial(load, {}, tmp_path, tmp_path)
    reloader = Reloader(again(), again, swapped.put, counted.append, every=0.01)
    (tmp_path / "keyturn.toml").unlink()
    assert await reloader.reload()
    assert (await swapped.get()).files == ("./.env",)
    async with reloader.running(), asyncio.timeout(20):
        (tmp_path / "keyturn.toml").write_text("body_limit_mb = 2", encoding="utf-8")
        found = await swapped.get()
    assert found.files == ("./.env", "./keyturn.toml")
    assert found.body_limit == 2 * 1024 * 1024
    assert counted == ["applied", "applied"]


def changed(watched: Watched, times: int) -> list[bool]:
    return [watched.changed() for _ in range(times)]


def touch(path: Path, content: str, later: int) -> None:
    path.write_text(content, encoding="utf-8")
    os.utime(path, ns=(later * 10**9, later * 10**9))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keyturn.toml"
    touch(path, "a", 1)
    return path


def test_a_changed_file_is_told_once_and_only_when_it_stays_as_it_is(file: Path) -> None:
    watched = Watched([file])
    assert changed(watched, 2) == [False, False]
    touch(file, "b", 2)
    assert changed(watched, 1) == [False]
    touch(file, "bc", 3)
    assert changed(watched, 4) == [False, True, False, False]


@pytest.mark.parametrize("how", ["renamed over", "removed and written", "link swapped"])
def test_a_file_may_be_replaced_in_any_way(file: Path, how: str) -> None:
    if how == "link swapped":
        data = file.parent / "data-1"
        file.rename(data)
        file.symlink_to(data)
    watched = Watched([file])
    if how == "removed and written":
        file.unlink()
        assert changed(watched, 3) == [False] * 3
        touch(file, "b", 2)
    elif how == "renamed over":
        touch(file.parent / "new", "b", 2)
        (file.parent / "new").rename(file)
    else:
        touch(file.parent / "data-2", "b", 2)
        (file.parent / "link").symlink_to(file.parent / "data-2")
        (file.parent / "link").rename(file)
    assert changed(watched, 3) == [False, True, False]


def test_a_change_of_the_same_size_is_seen(file: Path) -> None:
    watched = Watched([file])
    touch(file, "b", 2)
    assert changed(watched, 2) == [False, True]


def test_only_files_that_were_read_are_watched(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-a-file")
    (tmp_path / ".env").write_text("PORT=9000")
    (tmp_path / "keyturn.toml").write_text("[[providers]]\nname = 'groq'\napi_key_file = 'key'")
    settings = load({}, tmp_path, tmp_path)
    assert set(settings.sources) == {tmp_path / name for name in ("key", ".env", "keyturn.toml")}


async def test_a_call_whose_body_still_comes_keeps_what_it_began_with(tmp_path: Path) -> None:
    """Its provider is closed by then, or was never opened: it is opened for this call, and closed behind it."""
    body = json.dumps(ask()).encode()
    for warm in (True, False):
        folder = tmp_path / str(warm)
        folder.mkdir()
        async with rigged(folder) as rig, connected(rig.gateway.port) as late:
            if warm:
                async with rig.gateway.client() as client:
                    await call(client)
            late.write(post(body)[:-20])
            async with rig.gateway.client() as client:
                await client.get("/")  # the server has read what came before on the other connection
            assert await rig.reload(config(rig.upstream, "m2", entry(rig.upstream, keys='"k9"')))
            late.write(body[-20:])
            answer = await late.until(b"Hello")
            assert answer.startswith(b"HTTP/1.1 200 ")
            last = rig.upstream.requests[-1]
            assert (last.model, last.header("x-api-key")) == ("m1", "k1" if not warm else "k2")
            await last.gone.wait()


async def test_a_key_in_a_file_is_reloaded_with_it(tmp_path: Path) -> None:
    """What ferryllm's users know as hot reload of keys."""
    async with rigged(tmp_path) as rig, rig.gateway.client() as client:
        (tmp_path / "key").write_text("sk-first")
        provider = entry(rig.upstream).replace('api_keys = ["k1", "k2"]', 'api_key_file = "key"')
        assert await rig.reload(config(rig.upstream, providers=provider))
        await call(client)
        touch(tmp_path / "key", "sk-second", 9)
        assert await reload(rig.gateway.app)
        await call(client)
        assert [request.header("x-api-key") for request in rig.upstream.requests] == ["sk-first", "sk-second"]


async def test_ferryllms_example_answers_whole_and_streamed_and_tells_its_routes(tmp_path: Path) -> None:
    async with ChatUpstream() as chats:
        chats.always(chat.completion(chat.text("pong")))
        (tmp_path / "keyturn.toml").write_text(example(chats.url))
        async with serving(tmp_path, KEY) as gateway, gateway.client() as client:
            for stream_it in (False, True):
                body = ask(model="claude-opus-4-6", stream=stream_it)
                reply = await client.post("/v1/messages", json=body)
                assert reply.status_code == 200
                assert b"message_stop" in reply.content if stream_it else reply.json()["content"][0]["text"] == "pong"
            for event, streamed in (("sending chat request", False), ("sending streaming request", True)):
                [told] = gateway.log.events(event)
                assert (told["provider"], told["model"], told["stream"]) == ("codexapis", "gpt-5.4", streamed)
            for told in gateway.log.events("resolved route"):
                assert (told["display_model"], told["backend_model"]) == ("claude-opus-4-6", "gpt-5.4")


async def test_routes_are_told_at_debug_elsewhere_and_metrics_can_be_off(tmp_path: Path) -> None:
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        (tmp_path / "keyturn.toml").write_text(config(upstream))
        for level, lines in (("INFO", 0), ("DEBUG", 1)):
            async with serving(tmp_path, {}, level) as gateway, gateway.client() as client:
                await call(client)
                assert len(gateway.log.events("resolved route")) == lines
        (tmp_path / "keyturn.toml").write_text(
            '[server]\nlisten = "127.0.0.1:3000"\n[metrics]\nenabled = false\n' + entry(upstream)
        )
        async with serving(tmp_path, {}) as gateway, gateway.client(None) as client:
            assert (await client.get("/metrics")).status_code == 404
