"""Who is told what: a token that is unknown, ended or not allowed something; and what an outsider can learn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from middleware.grant import digest
from tests.serving import Gateway, ask, serving
from tests.upstream import Upstream, message, text

TOKENS = {name: f"kt_a-token-of-{name}" for name in ("ada", "late", "small")}
TOML = f"""
[[tokens]]
name = "ada"
hash = "sha256:{digest(TOKENS["ada"])}"

[[tokens]]
name = "late"
hash = "{digest(TOKENS["late"]).upper()}"
expires = 2020-02-29

[[tokens]]
name = "small"
token = "{TOKENS["small"]}"
models = ["groq/*"]
"""
OWN = ("date", "request-id", "server-timing")  # headers that differ with every reply
PATHS = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses", "/v1/models")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    (tmp_path / "keyturn.toml").write_text(TOML)
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        environ = {"ANTHROPIC_UPSTREAM_API_KEY": "sk-1", "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url}
        more = {"MODEL": "anthropic/claude-x", "KEYTURN_STATE_FILE": "state.json", "HOST": "0.0.0.0"}
        async with serving(tmp_path, {**environ, **more, "KEYTURN_ADMIN_TOKEN": "of-the-admin-5f"}) as running:
            yield running


async def told(gateway: Gateway, token: str | None, path: str = "/v1/messages") -> httpx.Response:
    body = {**ask(), "input": "Hi"} if path != "/v1/models" else None
    async with gateway.client(token) as client:
        return await client.request("POST" if body else "GET", path, json=body)


def words(reply: httpx.Response) -> str:
    return str(reply.json()["error"]["message"])


async def test_each_case_has_words_of_its_own_and_a_way_out(gateway: Gateway) -> None:
    async with gateway.admin() as admin:
        gone = (await admin.post("/admin/tokens", json={"name": "gone"})).json()["token"]
        await admin.delete("/admin/tokens/gone")
    cases = {
        None: (401, "This Keyturn needs a client token. Set ANTHROPIC_AUTH_TOKEN"),
        "kt_nobodys": (401, "This client token is not one of this Keyturn's. Set ANTHROPIC_AUTH_TOKEN"),
        TOKENS["late"]: (401, "Your client token late expired on 2020-03-01. Ask whoever runs this Keyturn"),
        gone: (401, "Your client token gone was revoked on 20"),
        TOKENS["small"]: (403, "Your client token small may not use anthropic/claude-x. It may use models groq/*"),
    }
    for token, (status, beginning) in cases.items():
        reply = await told(gateway, token)
        assert reply.status_code == status
        assert words(reply).startswith(beginning)
        assert reply.headers["x-should-retry"] == "false"
        assert "x-api-key" not in words(reply).lower(), "the client shows its login screen where it reads these words"
    assert (await told(gateway, TOKENS["ada"])).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_an_outsider_learns_nothing(gateway: Gateway, path: str) -> None:
    """Names, hashes and parts of tokens are tokens that nobody has: the answer is the same, to the byte."""
    guesses = [
        *("ada", "late", "nobody", "shared", "sha256:" + digest(TOKENS["ada"]), digest(TOKENS["ada"])),
        *(TOKENS["ada"][:-1], TOKENS["ada"] + "x", TOKENS["ada"].upper(), TOKENS["late"][:-1], "kt_" + "A" * 43),
        *("ada:groq/x", "late:x", "x:" + TOKENS["ada"], TOKENS["late"][:-1] + ":anthropic/claude-x"),
    ]
    answers = set()
    for guess in guesses:
        reply = await told(gateway, guess, path)
        own = reply.headers["request-id"]
        shown = {name: value for name, value in reply.headers.items() if name not in OWN}
        answers.add((reply.status_code, str(shown).replace(own, ""), reply.text.replace(own, "")))
    assert len(answers) == 1
    ((status, _, _),) = answers
    assert status == 401


async def test_a_clients_token_opens_no_admin_page_and_the_admins_no_model(gateway: Gateway) -> None:
    async with gateway.client(TOKENS["ada"]) as client:
        for path in ("/admin/tokens", "/admin/usage", "/admin/pool", "/ui"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/admin/tokens", json={"name": "eve"})).status_code == 401
        assert (await client.delete("/admin/tokens/ada")).status_code == 401
    async with gateway.admin() as admin:
        assert (await admin.post("/v1/messages", json=ask())).status_code == 401


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body:"),
        (b"[]", "body:"),
        (b"{", "body:"),
        (b'{"name": 5}', "name: write"),
        (b'{"name": "ada"}', "The name ada is taken in the settings."),
        (b'{"name": "a", "web_tools": "no"}', "web_tools: write true or false."),
        (b'{"name": "a", "max_concurrency": true}', "max_concurrency: write a whole number above 0."),
        (b'{"name": "a", "requests_per_minute": 1e999}', ""),
        (b'{"name": "a", "providers": "groq"}', "providers: write a list"),
        (b'{"name": "a", "expires": "9999999d"}', ""),
        (b'{"name": "a", "expires": 5}', "expires: write a time to come"),
        (b'{"name": "a", "revoked": 5}', "revoked: there is no such field"),
    ],
)
async def test_what_is_asked_of_admin_wrongly_is_named(gateway: Gateway, body: bytes, words: str) -> None:
    async with gateway.admin() as admin:
        reply = await admin.post("/admin/tokens", content=body)
    assert reply.status_code in ((400,) if words else (201, 400))
    assert words in reply.text


async def test_a_name_that_nobody_has_cannot_be_revoked(gateway: Gateway) -> None:
    async with gateway.admin() as admin:
        for name, why in (("eve", "There is no token"), ("ada", "stands in the settings"), ("a%20b", "There is no")):
            reply = await admin.delete(f"/admin/tokens/{name}")
            assert reply.status_code == 400
            assert why in words(reply)
