"""What is served, and the answers to everything that is not."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from gateway.app import SERVED
from tests.serving import TOKEN, Gateway, ask
from tests.upstream import Upstream, message, text
from tests.upstream.bare_client import connected

GETS = ("/", "/health", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/claude-opus-4-8")
POSTS = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches/b_1/results"),
        ("POST", "/v1/complete"),
        ("POST", "/v1/message"),
        ("POST", "/v1/messages/"),
        ("POST", "//v1/messages"),
        ("GET", "/v1/models/"),
        ("GET", "/health/"),
        ("GET", "/docs"),
        ("GET", "/redoc"),
        ("GET", "/openapi.json"),
        ("GET", "/favicon.ico"),
        ("DELETE", "/nonsense"),
        ("HEAD", "/nonsense"),
        ("OPTIONS", "/v1/messages/batches"),
        ("POST", "/v1/messages%2Fx"),
        ("GET", "/..%2f..%2fetc/passwd"),
    ],
)
async def test_a_path_that_is_not_served_is_404_and_lists_what_is(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    reply = await client.request(method, path, headers={"anthropic-version": "2023-06-01"})
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["request-id"]
    if method == "HEAD":
        assert reply.content == b""
        return
    body = reply.json()
    assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")
    assert body["request_id"] == reply.headers["request-id"]
    for served in ("POST /v1/messages,", "GET /v1/models,", "POST /v1/messages/count_tokens"):
        assert served in body["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/embeddings",
        "/v1/chat/completions/chatcmpl_1",
        "/v1/responses/resp_1",
        "/v1/responses/resp_1/cancel",
        "/v1/batches",
        "/v1/files",
    ],
)
async def test_openai_paths_get_openais_shape(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.post(path, json={})
    assert reply.status_code == 404
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "POST /v1/messages" in error["message"]


async def test_files_are_of_both(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/files", headers={"anthropic-version": "2023-06-01"})
    assert (reply.status_code, reply.json()["type"]) == (404, "error")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*GETS, *POSTS])
async def test_another_method_is_405_and_names_the_right_one(client: httpx.AsyncClient, method: str, path: str) -> None:
    own = "POST" if path in POSTS else "GET"
    reply = await client.request(method, path, headers={"anthropic-version": "2023-06-01"})
    assert reply.status_code == 405
    assert reply.headers["allow"] == f"{own}, HEAD, OPTIONS"
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert ("type" in reply.json()) is (path not in POSTS[2:])
    assert own in reply.json()["error"]["message"]


async def test_reading_what_is_written_to_and_the_other_way_round(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/messages")).status_code == 405
    assert (await client.post("/v1/models", json={})).status_code == 405
    assert (await client.post("/", json={})).status_code == 405


async def test_a_405_on_models_wears_the_clients_shape(client: httpx.AsyncClient) -> None:
    assert set((await client.post("/v1/models", json={})).json()) == {"error"}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", [*GETS, *POSTS])
async def test_probes_are_answered_without_a_body(
    client: httpx.AsyncClient, upstream: Upstream, method: str, path: str
) -> None:
    reply = await client.request(method, path)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["allow"] == f"{'POST' if path in POSTS else 'GET'}, HEAD, OPTIONS"
    assert upstream.requests == []


async def test_a_connection_survives_every_kind_of_refusal(gateway: Gateway) -> None:
    """A probe on the connection that the next call uses must leave it in order."""
    async with connected(gateway.port) as client:
        for method, path, status in (
            ("HEAD", "/", 204),
            ("OPTIONS", "/v1/messages", 204),
            ("HEAD", "/nonsense", 404),
            ("GET", "/nonsense", 404),
            ("PUT", "/v1/messages", 405),
            ("GET", "/health", 200),
        ):
            client.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {TOKEN}\r\n\r\n".encode())
            head = await client.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d " % status)
            if method != "HEAD" and status != 204:
                await client.reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


async def test_nothing_redirects(client: httpx.AsyncClient) -> None:
    for path in ("/v1/models/", "/health/", "/v1/messages/", "/v1"):
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("query", ["?beta=true", "?beta=true&key=1", "?", "?a=%ff"])
async def test_the_query_is_ignored(client: httpx.AsyncClient, upstream: Upstream, query: str) -> None:
    upstream.script(message(text("Hello")))
    assert (await client.post(f"/v1/messages{query}", json=ask())).status_code == 200
    assert upstream.requests[0].target == "/v1/messages"


async def test_a_doubled_prefix_is_served_and_warned_of_once(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with gateway.client(user_agent="odd-client/1.0") as client:
        replies = await asyncio.gather(
            client.post("/v1/v1/messages?beta=true", json=ask()),
            client.post("/v1/v1/messages", json=ask()),
            client.post("/v1/v1/messages/count_tokens", json=ask()),
            client.get("/v1/v1/models"),
        )
        missing = await client.post("/v1/v1/messages/batches", json={})
    assert [reply.status_code for reply in replies] == [200, 200, 200, 200]
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    warnings = [line for line in gateway.log.text.splitlines() if "ANTHROPIC_BASE_URL" in line]
    assert len(warnings) == 1
    assert json.loads(warnings[0])["level"] == "warning"
    assert "odd-client/1.0" in warnings[0]
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="ok") == 2


async def test_a_doubled_prefix_still_needs_the_token(gateway: Gateway) -> None:
    async with gateway.client(token=None) as client:
        assert (await client.post("/v1/v1/messages", json=ask())).status_code == 401


async def test_every_refusal_is_counted_under_a_bounded_route(gateway: Gateway) -> None:
    async with gateway.client() as client:
        for number in range(5):
            await client.get(f"/nonsense/{number}")
        await client.put("/v1/messages")
        await client.get("/v1/models/none/such")
    assert await gateway.metric("keyturn_requests_total", route="unmatched", outcome="error") == 5
    assert await gateway.metric("keyturn_requests_total", route="/v1/messages", outcome="error") == 1
    assert await gateway.metric("keyturn_requests_total", route="/v1/models/{model}", outcome="error") == 1


async def test_the_table_says_the_truth(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(message(text("Hello")))
    async with gateway.client() as client:
        told = (await client.post("/v1/messages", json=ask())).headers
    known = {
        "model": "claude-opus-4-8",
        "label": told["x-keyturn-key"],
        "request-id": told["request-id"],
        "name": "ada",
    }
    special = {("POST", "/admin/tokens"): 409, ("DELETE", "/admin/tokens/{name}"): 409}  # there is no place for them
    for path, methods in SERVED.items():
        for method in methods:
            url = path.format(**known)
            asked = {**ask(), "input": "Hi"}
            async with gateway.admin() if path.startswith(("/admin/", "/ui")) else gateway.client() as client:
                reply = await client.request(method, url, json=None if "/keys/" in url else asked)
            usual = 303 if path.startswith("/ui/keys/") else 200  # back to the page
            assert reply.status_code == special.get((method, path), usual), (method, path)


async def test_what_is_not_http_is_refused_and_does_no_harm(gateway: Gateway) -> None:
    async with connected(gateway.port) as client:
        client.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    async with gateway.client() as http:
        assert (await http.get("/health")).status_code == 200
