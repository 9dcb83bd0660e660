"""A provider asked for its list of models: what goes out, what comes of it, and what becomes of the key: nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from providers.errors import Scope
from providers.keys import Wish
from providers.model_lists import PAGES, NoList, fetched
from providers.secret import Secret
from providers.spec import Auth, KeySource, Limits, ProviderConfig
from providers.state import WHOLE, RestOrder
from tests.providers.support import KEY, SPEC, Rig, config, quick, rig
from tests.upstream import Answer, Cut, Hang, Head, Reply, Request, ScriptedServer, Send, json_reply, refusing

PATH = "/v1/models"
ONE = json_reply({"object": "list", "data": [{"id": "m", "context_length": 9000}]})
CHAT = replace(SPEC, dialect="openai_chat", auth=Auth.BEARER)


async def listed(upstream: ScriptedServer, answer: Answer, **changes: Any) -> tuple[list[str], Rig]:
    upstream.on(PATH, answer)
    async with rig(config(upstream.url, **changes)) as live:
        return [model.id for model in await fetched(live.provider)], live


async def refused(upstream: ScriptedServer, answer: Answer, **changes: Any) -> str:
    upstream.on(PATH, answer)
    async with rig(config(upstream.url, **changes)) as live:
        with pytest.raises(NoList) as raised:
            await fetched(live.provider)
        states = await live.pool.states()
    assert set(states.values()) == {"ready"}, "a list says nothing of a key"
    return str(raised.value)


async def test_the_list_is_asked_for_as_the_provider_wants_it() -> None:
    async with ScriptedServer() as upstream:
        names, live = await listed(upstream, ONE, headers=(("x-team", "blue"),))
    assert names == ["m"]
    [request] = upstream.requests
    assert (request.method, request.target, request.body) == ("GET", PATH, b"")
    assert request.header("x-api-key") == KEY
    assert request.header("x-team") == "blue"
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("content-type") is None
    assert request.header("content-length") is None
    assert live.watcher.told == [], "no attempt at a model"


async def test_another_dialect_has_another_credential_and_place() -> None:
    async with ScriptedServer() as upstream:
        upstream.on("/api/models", ONE)
        async with rig(config(f"{upstream.url}/api", spec=CHAT)) as live:
            assert [model.window for model in await fetched(live.provider)] == [9000]
    [request] = upstream.requests
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.header("anthropic-version") is None


async def test_a_key_is_none_the_older_for_it() -> None:
    async with ScriptedServer() as upstream:
        _, live = await listed(upstream, ONE)
        [key] = (await live.pool.snapshot()).keys
    assert (key.in_flight, key.used, key.rests) == (0, 0, ())


def pages(request: Request) -> Reply:
    """A list in three parts."""
    part = int(request.query.get("after_id", "m0")[1:])
    models = [{"type": "model", "id": f"m{part + 1}", "display_name": "M"}]
    return json_reply({"data": models, "has_more": part < 2, "first_id": "x", "last_id": f"m{part + 1}"})


async def test_every_part_of_a_list_is_asked_for() -> None:
    async with ScriptedServer() as upstream:
        names, _ = await listed(upstream, pages)
    assert names == ["m1", "m2", "m3"]
    assert [request.query for request in upstream.requests][1:] == [
        {"after_id": "m1", "limit": "1000"},
        {"after_id": "m2", "limit": "1000"},
    ]


async def test_a_list_that_never_ends_is_left() -> None:
    def endless(request: Request) -> Reply:
        number = len(upstream.requests)
        return json_reply({"data": [{"type": "model", "id": f"m{number}"}], "has_more": True, "last_id": f"m{number}"})

    async with ScriptedServer() as upstream:
        names, _ = await listed(upstream, endless)
    assert len(names) == len(upstream.requests) == PAGES


async def test_a_list_that_goes_round_is_left() -> None:
    same = json_reply({"data": [{"type": "model", "id": "m"}], "has_more": True, "last_id": "m"})
    async with ScriptedServer() as upstream:
        names, _ = await listed(upstream, same)
    assert names == ["m"]
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (json_reply({"error": {"message": "no"}}, 401), "HTTP 401: no"),
        (json_reply({"error": {"message": f"the key {KEY} is wrong"}}, 401), "HTTP 401: the key *** is wrong"),
        (json_reply({"error": {"message": "Missing scopes: api.model.read"}}, 403), "HTTP 403: Missing scopes"),
        (json_reply({"detail": "Not Found"}, 404), "HTTP 404: Not Found"),
        (json_reply({}, 429), "HTTP 429"),
        (json_reply({}, 500), "HTTP 500"),
        (json_reply({}, 302, [("location", "https://elsewhere.example.com")]), "HTTP 302"),
        (json_reply({"error": {"message": "no"}}), "shape that is not known"),
        (Reply((Head(200), Send(b"<html>"))), "not JSON"),
        (Reply((Cut(),)), "closed the connection"),
        (Reply((Head(200, (("content-length", "90"),)), Send(b'{"da'), Cut())), "closed the connection"),
    ],
)
async def test_a_list_that_cannot_be_had(answer: Reply, words: str) -> None:
    async with ScriptedServer() as upstream:
        assert words in await refused(upstream, answer)


async def test_a_provider_that_is_away() -> None:
    with refusing() as url:
        async with rig(config(url)) as live:
            with pytest.raises(NoList, match="the connection was refused"):
                await fetched(live.provider)


async def test_whoever_asks_may_give_up() -> None:
    async with ScriptedServer() as upstream:
        upstream.on(PATH, Reply((Hang(),)))
        async with rig(config(upstream.url, timeouts=quick())) as live:
            asking = asyncio.ensure_future(fetched(live.provider))
            request = await upstream.request()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await request.gone.wait()
        assert asking.cancelled()


async def test_a_key_that_rests_is_left_in_peace() -> None:
    async with ScriptedServer() as upstream, rig(config(upstream.url)) as live:
        await live.pool.rest(live.pool.keys[0], WHOLE, RestOrder(Scope.KEY, "key_refused", 600.0))
        with pytest.raises(NoList, match="no key can be used"):
            await fetched(live.provider)
    assert upstream.requests == []


async def test_a_key_that_is_to_be_tried_out_is_left_to_a_call() -> None:
    async with ScriptedServer() as upstream, rig(config(upstream.url)) as live:
        order = RestOrder(Scope.KEY, "key_refused", 60.0, probe=True)
        await live.pool.rest(live.pool.keys[0], WHOLE, order)
        live.moments.ahead += 100
        with pytest.raises(NoList, match="tried out"):
            await fetched(live.provider)
        async with live.pool.lease(Wish("m")) as lease:
            assert lease.probing
    assert upstream.requests == []


async def test_the_limits_of_a_key_hold() -> None:
    key = KeySource(Secret(KEY), "ACME_API_KEY", limits=Limits(requests=1))
    async with ScriptedServer() as upstream, rig(config(upstream.url, keys=(key,))) as live:
        upstream.on(PATH, ONE)
        await fetched(live.provider)
        with pytest.raises(NoList, match="requests"):
            await fetched(live.provider)
    assert len(upstream.requests) == 1


async def test_the_demo_lists_itself() -> None:
    spec = replace(SPEC, base_url="demo:", auth=Auth.NONE, local=True)
    async with rig(ProviderConfig(spec, "demo:")) as live:
        assert [model.id for model in await fetched(live.provider)] == ["demo"]
