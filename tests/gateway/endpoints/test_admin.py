"""/admin: who gets in, what the pool shows, and keys that a person rests and wakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.pool_view import moment
from tests.moments import Moments
from tests.serving import AT_ONCE, TOKEN, Gateway, ask, refusal, serving
from tests.upstream import Answer, Hang, Reply, Request, Upstream, error, message, stream, text

CANARIES = ("sk-canary-one-5f1d", "sk-canary-two-9b3e", "sk-canary-three-77aa")
ADMIN = "the-admins-own-token"
PATHS = ("/admin/pool", "/admin/keys/anthropic-01/rest", "/admin/keys/anthropic-01/wake")
ONE, TWO, THREE = "anthropic-01", "anthropic-02", "anthropic-03"
SPENT = "Your weekly limit is used up"


def environ(upstream: Upstream, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_UPSTREAM_API_KEYS": " ".join(CANARIES),
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "KEYTURN_ADMIN_TOKEN": ADMIN,
        **more,
    }


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Three keys of one provider."""
    async with serving(tmp_path, environ(upstream)) as running:
        yield running


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.admin() as client:
        yield client


def told(reply: httpx.Response) -> Any:
    """The answer's JSON, with nothing in it that is secret."""
    assert reply.status_code == 200, reply.text
    for secret in (*CANARIES, ADMIN, TOKEN):
        assert secret not in reply.text
        assert secret not in str(reply.headers)
    return reply.json()


async def provider(admin: httpx.AsyncClient, name: str = "anthropic") -> Any:
    pool = told(await admin.get("/admin/pool"))
    return next(each for each in pool["providers"] if each["provider"] == name)


async def waiting(admin: httpx.AsyncClient, calls: int) -> Any:
    """The provider, once so many calls wait for it."""
    async with asyncio.timeout(AT_ONCE):
        while (seen := await provider(admin))["queue"]["waiting"] != calls:
            pass
    return seen


async def key(admin: httpx.AsyncClient, label: str = ONE) -> Any:
    return next(each for each in (await provider(admin))["keys"] if each["label"] == label)


def by_key(*answers: Answer) -> Answer:
    """An upstream that answers each of the canaries in its way."""

    def answer(request: Request) -> Reply:
        own = answers[CANARIES.index(request.header("x-api-key") or "")]
        return own if isinstance(own, Reply) else own(request)

    return answer


# -- who gets in


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{"x-api-key": ADMIN}, {"authorization": f"Bearer {ADMIN}"}])
async def test_the_admin_token_opens_it(gateway: Gateway, path: str, headers: dict[str, str]) -> None:
    method = "GET" if path == "/admin/pool" else "POST"
    async with gateway.client(None) as client:
        told(await client.request(method, path, headers=headers))


@pytest.mark.parametrize("token", [None, TOKEN, f"{TOKEN}:{ADMIN}", f"{ADMIN}:anthropic/m", "", ADMIN.upper()])
@pytest.mark.parametrize("path", [*PATHS, "/admin/nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
async def test_nothing_else_does(gateway: Gateway, token: str | None, path: str, method: str) -> None:
    async with gateway.client(token) as client:
        reply = await client.request(method, path)
    assert reply.status_code == 401
    if method != "HEAD":
        assert "KEYTURN_ADMIN_TOKEN" in refusal(reply, 401)
        assert "x-api-key" not in reply.text


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/messages", "/nonsense"])
async def test_the_admin_token_opens_nothing_else(gateway: Gateway, path: str) -> None:
    async with gateway.admin() as client:
        assert (await client.post(path, json=ask())).status_code == 401


@pytest.mark.parametrize("token", [None, TOKEN, ADMIN])
async def test_beyond_loopback_it_is_off_until_it_has_a_token(
    upstream: Upstream, tmp_path: Path, token: str | None
) -> None:
    settings = environ(upstream, HOST="0.0.0.0")
    del settings["KEYTURN_ADMIN_TOKEN"]
    async with serving(tmp_path, settings) as gateway, gateway.client(token) as client:
        for path in PATHS:
            assert "set KEYTURN_ADMIN_TOKEN" in refusal(await client.get(path), 404)


async def test_on_loopback_it_has_a_token_of_its_own(upstream: Upstream, tmp_path: Path) -> None:
    settings = environ(upstream)
    del settings["KEYTURN_ADMIN_TOKEN"]
    async with serving(tmp_path, settings) as gateway, gateway.admin() as admin:
        told(await admin.get("/admin/pool"))
        async with gateway.client() as client:
            refusal(await client.get("/admin/pool"), 401)


@pytest.mark.parametrize("client_token", ["", TOKEN], ids=["open", "closed"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://192.168.1.1:3000"])
async def test_pages_of_other_sites_do_not_get_in(
    upstream: Upstream, tmp_path: Path, client_token: str, origin: str
) -> None:
    async with serving(tmp_path, environ(upstream, ANTHROPIC_AUTH_TOKEN=client_token)) as gateway:
        async with gateway.client(ADMIN, origin=origin) as page:
            refusal(await page.get("/admin/pool"), 403)
            refusal(await page.post("/admin/keys/anthropic-01/rest"), 403)
        async with gateway.client(ADMIN, origin=gateway.url) as own:
            told(await own.get("/admin/pool"))
        async with gateway.client(ADMIN, origin="https://gw.example.org", host="gw.example.org") as own:
            told(await own.get("/admin/pool"))
        async with gateway.client(None, origin=gateway.url) as nobody:
            refusal(await nobody.get("/admin/pool"), 401)


async def test_what_is_wrong_is_answered_as_elsewhere(admin: httpx.AsyncClient) -> None:
    for path in PATHS:
        own, other = ("GET", "POST") if path == "/admin/pool" else ("POST", "GET")
        reply = await admin.request(other, path)
        refusal(reply, 405)
        assert reply.headers["allow"] == f"{own}, HEAD, OPTIONS"
        for probe in ("HEAD", "OPTIONS"):
            reply = await admin.request(probe, path)
            assert (reply.status_code, reply.headers["allow"]) == (204, f"{own}, HEAD, OPTIONS")
    for path in ("/admin", "/admin/", "/admin/keys", "/admin/keys/", "/admin/keys//rest", "/admin/keys/anthropic-01"):
        assert (await admin.get(path)).status_code in (401, 404)
    assert "GET /admin/pool" in refusal(await admin.get("/admin/nonsense"), 404)


# -- what the pool shows


async def test_a_fresh_pool(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    pool = told(await admin.get("/admin/pool"))
    assert pool["time"] == moment(gateway.moments.wall())
    first, *others = pool["providers"]
    assert [first["provider"], first["configured"]] == ["anthropic", True]
    assert {each["provider"] for each in others} >= {"demo", "ollama"}
    assert not any(each["configured"] for each in others)
    assert first["keys"][0] == {
        "label": ONE,
        "state": "ready",
        "reason": None,
        "why": None,
        "until": None,
        "seconds": None,
        "half_open": False,
        "in_flight": 0,
        "used": 0,
        "usage_limit": None,
        "turns": 0,
        "account": None,
        "rests": [],
    }
    assert first["rests"] == []
    assert first["queue"] == {"waiting": 0, "limit": 100, "longest_wait": 30.0, "free_slots": None}
    assert first["limits"] == {"requests": None, "window": 60.0, "concurrency": None}
    assert first["retry_budget"] == 1.0


async def test_what_a_model_refused_is_shown(gateway: Gateway, upstream: Upstream, admin: httpx.AsyncClient) -> None:
    upstream.script(error(400, "invalid_request_error", "`temperature` is deprecated for this model."))
    upstream.always(message(text("Hi")))
    async with gateway.client() as client:
        for _ in range(2):
            assert (await client.post("/v1/messages", json=ask(temperature=0.5))).status_code == 200
    assert ["temperature" in request.json for request in upstream.requests] == [True, False, False]
    first = (await admin.get("/admin/pool")).json()["providers"][0]
    [found] = first["learned"]
    assert (found["left_out"], found["max_output_tokens"]) == (["temperature"], None)


async def test_refused_and_limited_keys(gateway: Gateway, upstream: Upstream, admin: httpx.AsyncClient) -> None:
    upstream.always(
        by_key(
            error(401, "authentication_error", f"{CANARIES[0]} is no key"),
            error(429, "rate_limit_error", "slow down", [("retry-after", "42")]),
            message(text("Hello")),
        )
    )
    async with gateway.client() as client:
        for _ in range(3):
            assert (await client.post("/v1/messages", json=ask(model="claude-x"))).status_code == 200
    refused, limited, ready = (await provider(admin))["keys"]
    assert (refused["state"], refused["reason"], refused["why"]) == ("refused", "key_refused", "not a valid key")
    assert refused["rests"][0]["scope"] == "key"
    assert 1790 < refused["seconds"] < 2000
    assert (limited["state"], limited["reason"], limited["why"]) == ("limited", "rate_limited", "rate limited")
    assert 40 < limited["seconds"] <= 46.2
    assert moment(gateway.moments.wall() + 40) <= limited["until"] <= moment(gateway.moments.wall() + 47)
    assert [(rest["scope"], rest["model"]) for rest in limited["rests"]] == [("model", "claude-x")]
    assert (ready["state"], ready["rests"], ready["turns"], ready["used"]) == ("ready", [], 3, 3)


async def test_what_is_open_and_who_waits(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(stream(Hang()))
    limits = environ(upstream, PROVIDER_MAX_CONCURRENCY="2", PROVIDER_RATE_LIMIT="400", QUEUE_LIMIT="7")
    async with serving(tmp_path, limits) as gateway, gateway.admin() as admin, gateway.client() as client:
        calls = [asyncio.create_task(client.post("/v1/messages", json=ask(stream=True))) for _ in range(4)]
        await upstream.arrival(2).wait()
        seen = await waiting(admin, 2)
        # those that wait have no key yet
        assert [each["in_flight"] for each in seen["keys"]] == [1, 1, 0]
        assert seen["queue"] == {"waiting": 2, "limit": 7, "longest_wait": 30.0, "free_slots": 0}
        assert seen["limits"] == {"requests": 400, "window": 60.0, "concurrency": 2}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await gateway.settled()
        seen = await provider(admin)
    assert seen["queue"]["free_slots"] == 2
    assert [each["in_flight"] for each in seen["keys"]] == [0, 0, 0]


async def test_a_quota_rests_an_account_and_shows_on_its_keys(upstream: Upstream, tmp_path: Path) -> None:
    accounts = {"work": "acme", "spare": "acme", "own": ""}
    tables = [
        f'[[providers.keys]]\nlabel = "{label}"\napi_key = "{secret}"\n' + (f'account = "{name}"\n' if name else "")
        for (label, name), secret in zip(accounts.items(), CANARIES, strict=True)
    ]
    head = f'[[providers]]\nname = "house"\ntype = "anthropic"\nbase_url = "{upstream.url}"\n'
    (tmp_path / "keyturn.toml").write_text(head + "".join(tables))
    upstream.always(error(429, "rate_limit_error", SPENT))
    settings = {"KEYTURN_ADMIN_TOKEN": ADMIN, "MODEL": "house/m", "REQUEST_DEADLINE": "5"}
    async with serving(tmp_path, settings) as gateway, gateway.admin() as admin:
        async with gateway.client(None) as client:
            assert (await client.post("/v1/messages", json=ask())).status_code == 429
        seen = await provider(admin, "house")
    assert [each["account"] for each in seen["keys"]] == ["acme", "acme", None]
    assert {(each["state"], each["reason"]) for each in seen["keys"]} == {("limited", "account_quota")}
    assert [[(rest["scope"], rest["account"]) for rest in each["rests"]] for each in seen["keys"]] == [
        [("account", "acme")],
        [("account", "acme")],
        [("account", None)],
    ]
    assert [(rest["scope"], rest["account"]) for rest in seen["rests"]] == [("account", "acme")]


# -- by hand


async def test_a_key_rests_for_an_hour_where_nothing_is_said(
    gateway: Gateway, upstream: Upstream, admin: httpx.AsyncClient
) -> None:
    upstream.always(message(text("Hello")))
    entry = told(await admin.post(f"/admin/keys/{ONE}/rest"))
    assert entry == await key(admin) | {"seconds": entry["seconds"], "until": entry["until"], "rests": entry["rests"]}
    assert (entry["state"], entry["reason"], entry["why"]) == ("rested", "operator", "rested by hand")
    assert 3590 < entry["seconds"] <= 3600
    async with gateway.client() as client:
        for _ in range(6):
            reply = await client.post("/v1/messages", json=ask())
            assert reply.headers["x-keyturn-key"] in (TWO, THREE)
    assert "rested by hand" in gateway.log.text


async def test_a_rest_for_one_model(gateway: Gateway, upstream: Upstream, admin: httpx.AsyncClient) -> None:
    upstream.always(message(text("Hello")))
    entry = told(await admin.post(f"/admin/keys/{ONE}/rest", json={"seconds": 600, "model": "claude-a"}))
    assert (entry["state"], entry["rests"][0]["model"]) == ("rested", "claude-a")
    assert 590 < entry["rests"][0]["seconds"] <= 600
    async with gateway.client() as client:
        used: dict[str, set[str]] = {"claude-a": set(), "claude-b": set()}
        for model, keys in used.items():
            for _ in range(3):
                keys.add((await client.post("/v1/messages", json=ask(model=model))).headers["x-keyturn-key"])
    assert used == {"claude-a": {TWO, THREE}, "claude-b": {ONE, TWO, THREE}}


async def test_a_key_that_is_woken_is_as_new(gateway: Gateway, upstream: Upstream, admin: httpx.AsyncClient) -> None:
    for label in (ONE, TWO):
        await admin.post(f"/admin/keys/{label}/rest", json={"model": "claude-a"})
        await admin.post(f"/admin/keys/{label}/rest")
    entry = told(await admin.post(f"/admin/keys/{ONE}/wake"))
    assert (entry["state"], entry["rests"]) == ("ready", [])
    assert entry == await key(admin)
    assert (await key(admin, TWO))["state"] == "rested"
    assert "woken by hand" in gateway.log.text


async def test_a_call_that_waits_notices_the_key_that_is_woken(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(message(text("Hello")))
    asleep = Moments(hold=asyncio.Event())
    async with (
        serving(tmp_path, environ(upstream), moments=asleep) as gateway,
        gateway.admin() as admin,
        gateway.client() as client,
    ):
        for label in (ONE, TWO, THREE):
            await admin.post(f"/admin/keys/{label}/rest", json={"seconds": 25})
        call = asyncio.create_task(client.post("/v1/messages", json=ask()))
        await waiting(admin, 1)
        told(await admin.post(f"/admin/keys/{TWO}/wake"))
        reply = await asyncio.wait_for(call, AT_ONCE)
    assert (reply.status_code, reply.headers["x-keyturn-key"]) == (200, TWO)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"seconds": 0}', "seconds"),
        (b'{"seconds": 0.99}', "seconds"),
        (b'{"seconds": -5}', "seconds"),
        (b'{"seconds": 2678401}', "seconds"),
        (b'{"seconds": 1e400}', "body"),
        (b'{"seconds": "600"}', "seconds"),
        (b'{"seconds": true}', "seconds"),
        (b'{"seconds": null}', "seconds"),
        (b'{"model": ""}', "model"),
        (b'{"model": 7}', "model"),
        (b'{"model": ["m"]}', "model"),
        (json.dumps({"model": "m" * 301}).encode(), "model"),
        (b'{"minutes": 5}', "minutes"),
        (b"[]", "body"),
        (b"600", "body"),
        (b"{", "body"),
        (b'{"seconds": NaN}', "body"),
        (b"\xff", "body"),
    ],
)
async def test_a_wrong_body_is_400_and_names_the_field(admin: httpx.AsyncClient, body: bytes, named: str) -> None:
    assert refusal(await admin.post(f"/admin/keys/{ONE}/rest", content=body)).startswith(f"{named}: ")
    assert (await key(admin))["state"] == "ready"


@pytest.mark.parametrize("body", [b"", b"{}", b" \n", b'{"seconds": 1}', b'{"seconds": 2678400.0}', b'{"model": null}'])
async def test_bodies_that_will_do(admin: httpx.AsyncClient, body: bytes) -> None:
    assert told(await admin.post(f"/admin/keys/{ONE}/rest", content=body))["state"] == "rested"


@pytest.mark.parametrize("label", ["anthropic-04", "nobody", "anthropic-01/", "a/b", "%00", "ANTHROPIC-01"])
@pytest.mark.parametrize("verb", ["rest", "wake"])
async def test_an_unknown_label_is_404_and_lists_them(admin: httpx.AsyncClient, label: str, verb: str) -> None:
    said = refusal(await admin.post(f"/admin/keys/{label}/{verb}"), 404)
    assert f"there are {ONE}, {TWO}, {THREE}, " in said
