"""GET /admin/explain/{request-id}: the story of a request, whatever became of it, and nothing secret in it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.stories import KEPT, Stories
from middleware.context import RequestContext
from tests.serving import AT_ONCE, KEY, TOKEN, Gateway, ask, leave, post, refusal, serving
from tests.upstream import ChatUpstream, Hang, Upstream, count_tokens, error, message, openai_chat, stream, text
from tests.upstream.bare_client import connected

CANARY = "sk-canary-5f1d77aa"
ADMIN = "the-admins-own-token"
PROMPT = "the prompt that nobody else may read"
HEADER = "a header that nobody else may read"
SECRETS = (CANARY, KEY, ADMIN, TOKEN, PROMPT, HEADER)
SESSION = "3b1c0c9e-0000-4000-8000-000000000001"


def environ(upstream: Upstream, *keys: str, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_UPSTREAM_API_KEYS": " ".join(keys or (CANARY,)),
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "KEYTURN_ADMIN_TOKEN": ADMIN,
        "PROVIDER_MAX_RETRIES": "0",
        **more,
    }


async def send(gateway: Gateway, model: str = "claude-x", token: str = TOKEN, **more: Any) -> httpx.Response:
    async with gateway.client(token, x_secret=HEADER) as client:
        return await client.post("/v1/messages", json=ask(PROMPT, model, **more))


async def explained(gateway: Gateway, request_id: str) -> Any:
    async with gateway.admin() as admin:
        reply = await admin.get(f"/admin/explain/{request_id}")
    assert reply.status_code == 200, reply.text
    assert not [secret for secret in SECRETS if secret in reply.text + str(reply.headers)]
    found = reply.json()
    moments = [step["ms"] for step in found["steps"]]
    assert moments == sorted(moments)
    assert all(moment >= 0 for moment in moments)
    return found


async def told(gateway: Gateway, reply: httpx.Response) -> Any:
    await gateway.settled()
    found = await explained(gateway, reply.headers["request-id"])
    assert (found["running"], found["status"]) == (False, reply.status_code)
    return found


def kinds(found: Any) -> list[str]:
    return [step["what"] for step in found["steps"]]


async def test_an_answer(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello"), usage={"input_tokens": 21}, late_usage={"output_tokens": 5}))
    async with serving(tmp_path, environ(upstream)) as gateway:
        async with gateway.client(x_claude_code_session_id=SESSION) as client:
            reply = await client.post("/v1/messages", json=ask(PROMPT))
        found = await told(gateway, reply)
    (step,) = found.pop("steps")
    assert found.pop("seconds") >= step["seconds"] >= step["first_content_seconds"] > 0
    assert found == {
        "request_id": reply.headers["request-id"],
        "running": False,
        "route": "/v1/messages",
        "principal": "shared",
        "requested": "claude-opus-4-8",
        "pinned": False,
        "session": True,
        "local": None,
        "targets": [
            {"provider": "anthropic", "model": "claude-opus-4-8", "why": "anthropic serves models of this name"}
        ],
        "provider": "anthropic",
        "model": "claude-opus-4-8",
        "key": "anthropic-01",
        "status": 200,
        "outcome": "ok",
        "refused": None,
    }
    assert (
        step.items()
        >= {
            "what": "attempt",
            "provider": "anthropic",
            "model": "claude-opus-4-8",
            "key": "anthropic-01",
            "passed": [],
            "upstream_status": 200,
            "outcome": "ok",
            "reason": None,
            "why": None,
            "tokens": {"input": 21, "output": 5, "cache_read": 0, "cache_write": 0, "reasoning": 0},
            "lost": [],
        }.items()
    )


async def test_keys_that_failed_and_keys_that_were_passed_over(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(
        error(401, "authentication_error", f"{CANARY} is no key"),
        error(429, "rate_limit_error", "slow down", [("retry-after", "40")]),
        message(text("Hello")),
        message(text("Hello")),
    )
    async with serving(tmp_path, environ(upstream, f"{CANARY}-1", f"{CANARY}-2", f"{CANARY}-3")) as gateway:
        first = await told(gateway, await send(gateway))
        second = await told(gateway, await send(gateway))
    assert [(each["key"], each["upstream_status"], each["outcome"], each["reason"]) for each in first["steps"]] == [
        ("anthropic-01", 401, "failed", "key_refused"),
        ("anthropic-02", 429, "failed", "rate_limited"),
        ("anthropic-03", 200, "ok", None),
    ]
    assert first["steps"][0]["why"] == "not a valid key"
    (attempt,) = second["steps"]
    assert attempt["key"] == "anthropic-03"


async def test_a_key_is_passed_over_with_its_reason_and_its_wait(upstream: Upstream, tmp_path: Path) -> None:
    """The key that served the session stands first in the order, and rests by now."""
    upstream.always(message(text("Hello")))
    async with (
        serving(tmp_path, environ(upstream, f"{CANARY}-1", f"{CANARY}-2")) as gateway,
        gateway.client(x_claude_code_session_id=SESSION) as client,
        gateway.admin() as admin,
    ):
        await client.post("/v1/messages", json=ask())
        await admin.post("/admin/keys/anthropic-01/rest", json={"seconds": 600})
        found = await told(gateway, await client.post("/v1/messages", json=ask()))
    (attempt,) = found["steps"]
    assert attempt["key"] == "anthropic-02"
    (passed,) = attempt["passed"]
    assert (passed["label"], passed["reason"], passed["why"]) == ("anthropic-01", "operator", "rested by hand")
    assert 590 < passed["wait"] <= 600


async def test_a_move_to_the_next_target(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(error(503, "api_error", "no"))
    async with ChatUpstream() as other:
        other.script(openai_chat.completion(openai_chat.text("Hello")))
        more = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{other.url}/v1", "MODEL_FALLBACKS": "openai/gpt-x"}
        async with serving(tmp_path, environ(upstream, **more)) as gateway:
            found = await told(gateway, await send(gateway, "claude-opus-x"))
            moved = await gateway.metric(
                "keyturn_failover_total", from_provider="anthropic", to_provider="openai", stage="before_headers"
            )
    assert [(each["provider"], each["model"], each["why"]) for each in found["targets"]] == [
        ("anthropic", "claude-opus-x", "anthropic serves models of this name"),
        ("openai", "gpt-x", "MODEL_FALLBACKS"),
    ]
    assert kinds(found)[-2:] == ["moved", "attempt"]
    move = found["steps"][-2]
    del move["ms"]
    assert move == {
        "what": "moved",
        "provider": "anthropic",
        "model": "claude-opus-x",
        "reason": "server_error",
        "why": "server error",
        "to": "openai",
        "stage": "before_headers",
    }
    assert (found["provider"], found["key"], found["outcome"]) == ("openai", "openai-01", "ok")
    assert moved == 1


async def test_a_call_that_waited_in_vain(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(tmp_path, environ(upstream, QUEUE_MAX_WAIT="2")) as gateway, gateway.admin() as admin:
        await admin.post("/admin/keys/anthropic-01/rest", json={"seconds": 1})
        upstream.script(error(429, "rate_limit_error", "slow down", [("retry-after", "50")]))
        found = await told(gateway, await send(gateway))
    assert kinds(found) == ["refused", "waited", "attempt", "refused", "given_up"]
    refused, waited, _, again, end = found["steps"]
    assert (refused["reason"], refused["times"]) == ("operator", 1)
    assert [each["label"] for each in refused["passed"]] == ["anthropic-01"]
    assert (waited["reason"], waited["why"]) == ("limit", "until a key may be free")
    assert 0.9 < waited["seconds"] < 2
    assert (again["reason"], again["seconds"] > 40) == ("rate_limited", True)
    assert end["reason"] == "rate_limited"
    assert (found["status"], found["outcome"]) == (429, "error")


async def test_a_full_queue(upstream: Upstream, tmp_path: Path) -> None:
    upstream.always(stream(Hang()))
    limits = environ(upstream, QUEUE_LIMIT="1", PROVIDER_MAX_CONCURRENCY="1")
    async with serving(tmp_path, limits) as gateway, gateway.client() as client:
        calls = [asyncio.create_task(client.post("/v1/messages", json=ask(stream=True))) for _ in range(2)]
        await upstream.arrival(1).wait()
        async with asyncio.timeout(AT_ONCE):
            while await gateway.metric("keyturn_queue_depth", provider="anthropic") != 1:
                pass
        reply = await client.post("/v1/messages", json=ask())
        found = await explained(gateway, reply.headers["request-id"])
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert [(each["what"], each["reason"]) for each in found["steps"]] == [
        ("refused", "queue_full"),
        ("given_up", "rate_limited"),
    ]
    assert found["steps"][0]["why"] == "too many wait already"


async def test_a_request_that_is_still_running(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(stream(Hang()))
    async with serving(tmp_path, environ(upstream)) as gateway, connected(gateway.port) as client:
        client.write(post(json.dumps(ask(PROMPT, stream=True)).encode(), request_id="still-running"))
        request = await upstream.request()
        found = await explained(gateway, "still-running")
        assert (found["running"], found["status"], found["outcome"]) == (True, None, None)
        (attempt,) = found["steps"]
        assert (attempt["outcome"], attempt["seconds"], attempt["first_content_seconds"]) == ("open", None, None)
        request.release.set()
        leave(client.writer)
        await gateway.settled()
        found = await explained(gateway, "still-running")
    assert (found["running"], found["outcome"]) == (False, "client_gone")


async def test_the_suffix_of_the_token(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello")))
    async with serving(tmp_path, environ(upstream)) as gateway:
        found = await told(gateway, await send(gateway, token=f"{TOKEN}:anthropic/claude-y"))
    assert (found["requested"], found["pinned"]) == ("claude-x", True)
    assert found["targets"] == [
        {"provider": "anthropic", "model": "claude-y", "why": "the suffix of the client's token"}
    ]


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [("wrong", ask(PROMPT), 401), (TOKEN, {"model": 7}, 400), (TOKEN, ask(model="grok/x"), 400)],
)
async def test_a_request_that_never_left(
    upstream: Upstream, tmp_path: Path, token: str, body: Any, status: int
) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client(token) as client:
        found = await told(gateway, await client.post("/v1/messages", json=body))
    assert (found["status"], found["outcome"], found["steps"], found["targets"]) == (status, "error", [], [])


async def test_a_count_of_tokens(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(count_tokens(9))
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        found = await told(gateway, await client.post("/v1/messages/count_tokens", json=ask(PROMPT)))
    assert (found["route"], kinds(found)) == ("/v1/messages/count_tokens", ["attempt"])


@pytest.mark.parametrize("request_id", ["req_nobody", "a/b", "%00", "x" * 300])
async def test_an_unknown_request_is_404_and_says_what_is_kept(
    upstream: Upstream, tmp_path: Path, request_id: str
) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.admin() as admin:
        for path in ("/health", "/v1/models"):
            await admin.get(path, headers={"x-request-id": "req_nobody"})
        assert "the last 1000 to models" in refusal(await admin.get(f"/admin/explain/{request_id}"), 404)


# -- what is kept


def request(name: str, route: str = "/v1/messages", **more: Any) -> RequestContext:
    return RequestContext(name, 0.0, route, **more)


def served(stories: Stories, *contexts: RequestContext) -> None:
    for context in contexts:
        stories.began(context)
        stories.ended(context)


def test_the_last_thousand_are_kept_and_those_that_run() -> None:
    stories = Stories(lambda: 5.0, ["/v1/messages"])
    long = request("long")
    stories.began(long)
    served(stories, *(request(f"r{number}") for number in range(KEPT + 1)))
    assert stories.find("long") is long
    assert stories.find("r0") is None
    assert (first := stories.find("r1")) is not None
    assert first.ended == 5.0
    assert stories.find(f"r{KEPT}") is not None


def test_other_requests_push_nothing_out() -> None:
    stories = Stories(lambda: 5.0, ["/v1/messages"])
    served(stories, request("kept"))
    served(stories, *(request("probe", "/metrics") for _ in range(KEPT)))
    assert stories.find("kept") is not None
    assert stories.find("probe") is None


def test_of_two_with_one_id_the_latest_is_told() -> None:
    stories = Stories(lambda: 5.0, ["/v1/messages"])
    one, other, running = (request("same") for _ in range(3))
    served(stories, one, other)
    assert stories.find("same") is other
    stories.began(running)
    assert stories.find("same") is running
