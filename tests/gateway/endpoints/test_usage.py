"""Who used how much: for the admin of everybody, for a client of itself."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.usage import KEPT, UsageLedger, Who, by_client
from middleware.context import RequestContext
from providers.ports import Attempt, Usage
from tests.serving import Gateway, ask, serving
from tests.upstream import Upstream, error, message, text

USED = {"input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 1}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Two clients, ada and bob."""
    (tmp_path / "keyturn.toml").write_text(
        '[[tokens]]\nname = "ada"\ntoken = "token-of-ada"\n[[tokens]]\nname = "bob"\ntoken = "token-of-bob"\n'
    )
    environ = {"ANTHROPIC_UPSTREAM_API_KEY": "sk-usage-1", "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url}
    async with serving(tmp_path, environ) as running:
        upstream.always(message(text("Hello"), usage=USED, late_usage={"output_tokens": 30}))
        for token, session, agent in (
            ("ada", "one", ""),
            ("ada", "one", "sub"),
            ("ada", "two", ""),
            ("bob", "=1+1", ""),
        ):
            headers = {"x-claude-code-session-id": session} | ({"x-claude-code-agent-id": agent} if agent else {})
            async with running.client(f"token-of-{token}") as client:
                assert (await client.post("/v1/messages", json=ask(), headers=headers)).status_code == 200
        upstream.script(error(400, "invalid_request_error", "no"))
        async with running.client("token-of-bob") as client:
            await client.post("/v1/messages", json=ask())
        yield running


async def usage(gateway: Gateway, path: str, token: str | None = None) -> list[dict[str, Any]]:
    async with gateway.client(token) if token else gateway.admin() as client:
        reply = await client.get(path)
    assert reply.status_code == 200, reply.text
    rows: list[dict[str, Any]] = reply.json()["usage"]
    return rows


async def test_by_client(gateway: Gateway) -> None:
    rows = {row["client"]: row for row in await usage(gateway, "/admin/usage")}
    assert set(rows) == {"ada", "bob"}
    assert (rows["ada"]["requests"], rows["bob"]["requests"], rows["bob"]["failed"]) == (3, 2, 1)
    assert rows["ada"]["input_tokens"] == 300
    assert rows["ada"]["cache_read_tokens"] == 120
    assert rows["ada"]["cache_write_tokens"] == 21
    assert rows["ada"]["output_tokens"] == 90


async def test_by_session_and_by_agent(gateway: Gateway) -> None:
    sessions = await usage(gateway, "/admin/usage?by=session")
    assert sorted((row["client"], row["session"] or "", row["requests"]) for row in sessions) == [
        ("ada", "one", 2),
        ("ada", "two", 1),
        ("bob", "", 1),
        ("bob", "=1+1", 1),
    ]
    agents = await usage(gateway, "/admin/usage?by=agent")
    assert ("ada", "one", "sub") in [(row["client"], row["session"], row["agent"]) for row in agents]


async def test_a_client_sees_itself_alone(gateway: Gateway) -> None:
    rows = await usage(gateway, "/v1/usage?by=client", "token-of-bob")
    assert [row["client"] for row in rows] == ["bob"]


async def test_csv_holds_no_formula(gateway: Gateway) -> None:
    async with gateway.admin() as client:
        reply = await client.get("/admin/usage?by=session&format=csv")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert "'=1+1" in [row["session"] for row in rows]
    assert sum(int(row["requests"]) for row in rows) == 5


@pytest.mark.parametrize("query", ["by=moon", "format=xml"])
async def test_what_it_does_not_know_is_named(gateway: Gateway, query: str) -> None:
    async with gateway.admin() as client:
        reply = await client.get(f"/admin/usage?{query}")
    assert reply.status_code == 400
    assert query.partition("=")[0] in reply.json()["error"]["message"]


async def test_nobody_sees_it_without_a_token(gateway: Gateway) -> None:
    async with gateway.client("another") as client:
        assert (await client.get("/v1/usage")).status_code == 401
        assert (await client.get("/admin/usage")).status_code == 401


async def test_sums_outlive_the_sessions_that_are_forgotten() -> None:
    ledger = UsageLedger(lambda *_: 0.5, lambda: 1.0)
    for number in range(KEPT + 100):
        asked = RequestContext("req", 0.0, principal="ada", conversation=f"session-{number}", outcome="ok")
        asked.trail.attempts.append(Attempt("req", "groq", "a", "groq-01", 0.0, usage=Usage(10, 1)))
        ledger.ended(asked)
    rows = (await ledger.used()).rows
    assert len(rows) <= KEPT + 1
    ((row),) = by_client(rows)
    assert row.who == Who("ada")
    assert (row.tally.requests, row.tally.usage.input_tokens) == (KEPT + 100, 10 * (KEPT + 100))
    assert row.tally.cost == pytest.approx(0.5 * (KEPT + 100))


async def test_what_asked_nothing_of_a_model_is_not_counted() -> None:
    ledger = UsageLedger(lambda *_: None, lambda: 1.0)
    ledger.ended(RequestContext("req", 0.0, outcome="error"))
    assert (await ledger.used()).rows == []
