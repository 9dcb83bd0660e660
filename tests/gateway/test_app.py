"""The gateway as a whole: what it says of itself, who may ask, what the demo does, and that it leaves nothing open."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import gateway.app
from gateway.lasting import Observers
from providers.demo import INTRODUCTION
from providers.ports import Attempt
from providers.version import VERSION
from tests.gateway_process import ROOT, upstream_env
from tests.serving import TOKEN, Gateway, ask, post, serving
from tests.upstream import Upstream, message, text
from tests.upstream.bare_client import connected

TOOLS = [
    {
        "name": "Bash",
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
    {"name": "Read", "input_schema": {"type": "object", "properties": {}}},
]
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
async def test_health_needs_no_token(gateway: Gateway, path: str) -> None:
    async with gateway.client(token=None) as client:
        reply = await client.get(path)
    assert reply.status_code == 200
    assert reply.json()["status"] in ("healthy", "ready")
    assert reply.headers["request-id"]


async def test_a_gateway_that_drains_is_alive_and_not_ready(gateway: Gateway) -> None:
    gateway.app.state.draining = True
    async with gateway.client(token=None) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        assert (await client.get("/health")).status_code == 200


async def test_the_root_says_what_runs_here(gateway: Gateway) -> None:
    async with gateway.client() as client:
        root = (await client.get("/")).json()
    assert (
        root.items()
        >= {
            "status": "ok",
            "name": "keyturn",
            "version": VERSION,
            "provider": "anthropic",
            "model": "anthropic/claude-sonnet-5",
            "providers": ["anthropic"],
        }.items()
    )


async def test_a_preconnect_needs_no_token_and_keeps_its_connection(gateway: Gateway, upstream: Upstream) -> None:
    """Claude Code sends HEAD / without a token, and its first call over the same connection."""
    upstream.script(message(text("Hello")))
    async with connected(gateway.port) as client:
        client.write(b"HEAD / HTTP/1.1\r\nHost: x\r\nUser-Agent: Bun/1.4.0\r\n\r\n")
        head = await client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 204 ")
        assert b"allow: GET, HEAD, OPTIONS" in head
        client.write(post(json.dumps(ask()).encode(), "/v1/messages?beta=true"))
        assert (await client.answer())[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nonsense"])
@pytest.mark.parametrize("token", [None, "wrong", "wrong:anthropic/m"])
async def test_everything_else_needs_the_token(gateway: Gateway, path: str, token: str | None) -> None:
    async with gateway.client(token, anthropic_version="2023-06-01") as client:
        reply = await client.get(path)
    assert reply.status_code == 401
    assert reply.headers["x-should-retry"] == "false"
    assert reply.json()["error"]["type"] == "authentication_error"
    assert "x-api-key" not in reply.text.lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": TOKEN},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"anthropic-auth-token": TOKEN},
        {"x-api-key": "sk-ant-of-the-user", "authorization": f"Bearer {TOKEN}"},
    ],
)
async def test_the_token_in_any_header(gateway: Gateway, upstream: Upstream, headers: dict[str, str]) -> None:
    upstream.script(message(text("Hello")))
    async with gateway.client(token=None) as client:
        assert (await client.post("/v1/messages", json=ask(), headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("suffix", "model"),
    [
        ("anthropic/vendor/model:free@west", "vendor/model:free@west"),
        ("some-model:free", "some-model:free"),
        ("", "claude-opus-4-8"),
    ],
)
async def test_the_suffix_pins_the_model_and_the_reply_names_the_requested_one(
    gateway: Gateway, upstream: Upstream, suffix: str, model: str
) -> None:
    upstream.script(message(text("Hello")))
    async with gateway.client(f"{TOKEN}:{suffix}") as client:
        reply = await client.post("/v1/messages", json=ask())
    assert reply.json()["model"] == "claude-opus-4-8"
    assert reply.headers["x-keyturn-model"] == model
    assert upstream.requests[0].model == model


async def test_named_tokens_are_logged_by_their_names(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text('[[tokens]]\nname = "alice"\ntoken = "token:of:alice"\n')
    upstream.always(message(text("Hello")))
    async with serving(tmp_path, upstream_env(upstream.url)) as running:
        for token in ("token:of:alice", TOKEN):
            async with running.client(token) as client:
                assert (await client.post("/v1/messages", json=ask())).status_code == 200
    assert [line["principal"] for line in running.log.events("request")] == ["alice", "shared"]


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 200), ({"x-forwarded-for": "10.0.0.9"}, 403), ({"forwarded": "for=x"}, 403)]
)
async def test_protected_mode(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """Reachable by others and without a token: only this machine is served, and nobody through a proxy."""
    async with serving(tmp_path, {"HOST": "0.0.0.0"}) as running, running.client(token=None) as client:
        reply = await client.post("/v1/messages", json=ask(), headers=headers)
        assert reply.status_code == status
        assert (await client.get("/health", headers=headers)).status_code == 200
    if status == 403:
        assert reply.json()["error"]["type"] == "permission_error"
        assert "KEYTURN_ALLOW_OPEN=true" in reply.text


async def test_a_peer_from_beyond_is_told_the_two_lines(tmp_path: Path) -> None:
    """The same application, asked by a peer that is not this machine."""
    async with serving(tmp_path, {"HOST": "0.0.0.0"}) as running:
        transport = httpx.ASGITransport(running.app, client=("10.0.0.9", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            reply = await client.post("/v1/messages", json=ask())
    assert reply.status_code == 403
    assert "ANTHROPIC_AUTH_TOKEN=" in reply.text


async def test_open_where_the_owner_says_so(tmp_path: Path) -> None:
    environ = {"HOST": "0.0.0.0", "KEYTURN_ALLOW_OPEN": "true"}
    async with serving(tmp_path, environ) as running, running.client(token=None) as client:
        assert (await client.post("/v1/messages", json=ask(), headers={"x-real-ip": "10.0.0.9"})).status_code == 200


@pytest.mark.parametrize(
    ("environ", "headers", "status"),
    [
        ({}, {}, 200),
        ({"ANTHROPIC_AUTH_TOKEN": "freecc"}, {}, 200),
        ({"HOST": "0.0.0.0"}, {}, 401),
        ({"HOST": "0.0.0.0", "METRICS_TOKEN": "scrape-me"}, {}, 401),
        ({"HOST": "0.0.0.0", "METRICS_TOKEN": "scrape-me"}, {"authorization": "Bearer freecc"}, 401),
        ({"HOST": "0.0.0.0", "METRICS_TOKEN": "scrape-me"}, {"authorization": "Bearer scrape-me"}, 200),
    ],
)
async def test_metrics(tmp_path: Path, environ: dict[str, str], headers: dict[str, str], status: int) -> None:
    async with serving(tmp_path, environ) as running, running.client(token=None) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


async def asked(demo: Gateway, prompt: str, **more: Any) -> Any:
    async with demo.client() as client:
        reply = await client.post("/v1/messages", json=ask(prompt, **{"max_tokens": 4000, **more}))
    assert reply.status_code == 200
    return reply.json()


async def test_the_demo_says_what_it_is_and_how_to_add_a_key(demo: Gateway) -> None:
    answer = await asked(demo, "hi")
    assert answer["content"] == [{"type": "text", "text": INTRODUCTION}]
    assert "_API_KEY" in INTRODUCTION
    assert (answer["model"], answer["stop_reason"]) == ("claude-opus-4-8", "end_turn")
    assert answer["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("prompt", ["use the Bash tool", "Use Bash to list the files", "Please run `ls` with Bash."])
async def test_the_demo_calls_a_tool_by_its_name(demo: Gateway, prompt: str) -> None:
    answer = await asked(demo, prompt, tools=TOOLS)
    [call] = [block for block in answer["content"] if block["type"] == "tool_use"]
    assert (call["name"], set(call["input"])) == ("Bash", {"command"})
    assert answer["stop_reason"] == "tool_use"


async def test_the_demo_thinks_when_asked(demo: Gateway) -> None:
    answer = await asked(demo, "hi", thinking={"type": "enabled", "budget_tokens": 2000})
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]


async def test_the_demo_keeps_to_a_schema(demo: Gateway) -> None:
    answer = await asked(demo, "a title", output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    assert set(json.loads(answer["content"][0]["text"])) == {"title"}


async def test_the_demo_streams_what_it_answers_whole(demo: Gateway) -> None:
    async with demo.client() as client:
        reply = await client.post("/v1/messages", json=ask("hi", stream=True))
        assert await demo.metric("keyturn_inflight", provider="demo") == 0
    deltas = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    said = "".join(event["delta"].get("text", "") for event in deltas if event["type"] == "content_block_delta")
    assert said == INTRODUCTION
    assert len(deltas) > 8
    assert reply.headers["x-keyturn-provider"] == "demo"


async def test_leaving_closes_every_connection_to_an_upstream(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(message(text("Hello")))
    before = asyncio.all_tasks()
    async with serving(tmp_path, upstream_env(upstream.url)) as running, running.client() as client:
        assert (await client.post("/v1/messages", json=ask(stream=True))).status_code == 200
        [request] = upstream.requests
        assert not request.gone.is_set()
    await request.gone.wait()
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_making_a_gateway_opens_nothing(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with Upstream() as upstream, serving(tmp_path, upstream_env(upstream.url)):
        assert upstream.accepted == 0
    assert asyncio.all_tasks() == before


def test_every_observer_is_told() -> None:
    told: list[str] = []

    class Noting:
        def attempt_began(self, attempt: Attempt) -> None:
            told.append("began")

        def attempt_ended(self, attempt: Attempt) -> None:
            told.append("ended")

    observers = Observers(Noting(), Noting())
    attempt = Attempt("r", "p", "m", "k", 0.0)
    observers.attempt_began(attempt)
    observers.attempt_ended(attempt)
    assert told == ["began"] * 2 + ["ended"] * 2


def test_the_module_has_an_app_for_any_server_and_reads_nothing_before(tmp_path: Path) -> None:
    code = (
        "import gateway.app as module, server\n"
        "assert 'app' not in vars(module)\n"
        "assert server.app is module.app is module.app\n"
        "print(type(module.app).__name__, module.app.title)"
    )
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    env = {**coverage, "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "Gateway Keyturn\n"), done.stderr


def test_the_module_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        gateway.app.nothing  # noqa: B018
