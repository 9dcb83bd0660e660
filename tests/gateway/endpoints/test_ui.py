"""The status page: who may see it, what it tells, its buttons, and what a real browser makes of it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Gateway, ask, serving
from tests.upstream import Hang, Request, Upstream, error, frames, message, stream, text

ADMIN = "an-admin-token-of-tests"
CLIENT = "a-client-token-of-tests"
KEYS = ("sk-page-one-5f1d22ab", "sk-page-two-9b3e44cd", "sk-page-three-77aa10ef")
PROMPT = "a prompt that nobody else may read"


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Gateway]:
    environ = {
        "ANTHROPIC_UPSTREAM_API_KEYS": " ".join(KEYS),
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": CLIENT,
        "KEYTURN_ADMIN_TOKEN": ADMIN,
        "GROQ_API_KEY": "gsk-page-four",
        "GROQ_RATE_LIMIT": "30",
        "MODEL": "anthropic/claude-x",
    }
    async with serving(tmp_path, environ) as running:
        yield running


def basic(password: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(f'me:{password}'.encode()).decode()}"}


def browser(gateway: Gateway, password: str = ADMIN) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers=basic(password), trust_env=False)


async def used(gateway: Gateway, upstream: Upstream) -> None:
    """One key is refused, one is limited, one answers; then a request fails."""
    upstream.script(
        error(401, "authentication_error", "no such key"),
        error(429, "rate_limit_error", "slow down", [("retry-after", "400")]),
        message(text("Hello"), usage={"input_tokens": 1200, "output_tokens": 1}, late_usage={"output_tokens": 34}),
        error(400, "invalid_request_error", "no"),
    )
    async with gateway.client(CLIENT) as client:
        for _ in range(2):
            await client.post("/v1/messages", json=ask(PROMPT, model="claude-x"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic(CLIENT), 401),
        ({"authorization": "Basic nonsense"}, 401),
        ({"authorization": f"Bearer {CLIENT}"}, 401),
        ({**basic(ADMIN), "origin": "https://evil.example"}, 403),
        (basic(ADMIN), 200),
        ({"authorization": f"Bearer {ADMIN}"}, 200),
    ],
)
async def test_only_the_admin_sees_it(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, trust_env=False) as client:
        reply = await client.get("/ui")
    assert reply.status_code == status
    assert ("www-authenticate" in reply.headers) == (status == 401)


async def test_admin_itself_asks_no_browser_for_a_password(gateway: Gateway) -> None:
    async with gateway.client() as client:
        assert "www-authenticate" not in (await client.get("/admin/pool")).headers


async def test_nothing_from_elsewhere_and_nothing_inline(gateway: Gateway) -> None:
    async with browser(gateway) as client:
        page = await client.get("/ui")
        for asset in re.findall(r'(?:href|src)="(/[^"]+)"', page.text):
            assert (await client.get(asset)).status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r'(?:href|src|action)="(?:https?:)?//', page.text)
    assert "<style" not in page.text
    assert not re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page.text)
    assert page.headers["cache-control"] == "no-store"


async def test_it_tells_of_keys_requests_and_clients(gateway: Gateway, upstream: Upstream) -> None:
    await used(gateway, upstream)
    async with browser(gateway) as client:
        page = (await client.get("/ui")).text
    for words in ("1 of 3 ready", "not a valid key", "rate limited", "30 requests in 60 s", "the request is wrong"):
        assert words in page
    shared = re.search(
        r'<th scope="row">shared</th><td>all</td><td>none</td>((?:<td class="number">\d+</td>){4})', page
    )
    assert shared
    assert re.findall(r"\d+", shared[1]) == ["0", "2", "1", "0"]
    assert '<td class="number">1,200</td>' in page


async def test_nothing_secret_is_on_it(gateway: Gateway, upstream: Upstream) -> None:
    await used(gateway, upstream)
    async with browser(gateway) as client:
        page = (await client.get("/ui")).text
        (story, *_) = re.findall(r'href="(/ui/requests/[^"]+)"', page)
        page += (await client.get(story)).text
    assert not [secret for secret in (*KEYS, ADMIN, CLIENT, PROMPT) if secret in page]


async def test_what_a_client_names_is_text(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(error(400, "invalid_request_error", "no"))
    async with gateway.client(CLIENT) as client:
        await client.post("/v1/messages", json=ask(model='anthropic/<script>alert("1")</script>'))
    async with browser(gateway) as client:
        page = (await client.get("/ui")).text
        (story, *_) = re.findall(r'href="(/ui/requests/[^"]+)"', page)
        page += (await client.get(story)).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


async def test_buttons_rest_and_wake_a_key(gateway: Gateway) -> None:
    async with browser(gateway) as client:
        for verb, state in (("rest", "rested"), ("wake", "ready")):
            reply = await client.post(f"/ui/keys/anthropic-02/{verb}", headers={"origin": gateway.url})
            assert (reply.status_code, reply.headers["location"]) == (303, "/ui")
            keys = (await client.get("/admin/pool")).json()["providers"][0]["keys"]
            assert [key["state"] for key in keys if key["label"] == "anthropic-02"] == [state]
        forged = await client.post("/ui/keys/anthropic-02/rest", headers={"origin": "https://evil.example"})
        unknown = await client.post("/ui/keys/nobody/rest")
    assert (forged.status_code, unknown.status_code) == (403, 404)


async def test_a_request_that_is_forgotten_is_a_404(gateway: Gateway) -> None:
    async with browser(gateway) as client:
        assert (await client.get("/ui/requests/req_nobody")).status_code == 404


async def test_it_is_off_where_there_is_no_admin_token(tmp_path: Path) -> None:
    environ = {"HOST": "0.0.0.0", "ANTHROPIC_AUTH_TOKEN": CLIENT}
    async with serving(tmp_path, environ) as gateway, gateway.client(CLIENT) as client:
        reply = await client.get("/ui")
    assert reply.status_code == 404
    assert "KEYTURN_ADMIN_TOKEN" in reply.text


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here: apt install chromium")
    return found


FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BEYOND = """cells => cells
    .filter(cell => cell.getBoundingClientRect().right > cell.closest("section, main").getBoundingClientRect().right)
    .map(cell => cell.textContent)"""
LONG = 90.0  # seconds that a browser may take for anything on a busy machine
SIZES: dict[str, Any] = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True},
    "without_javascript": {"viewport": {"width": 1280, "height": 900}, "java_script_enabled": False},
}


@pytest.mark.parametrize("size", SIZES)
async def test_in_a_browser(gateway: Gateway, upstream: Upstream, chromium: str, size: str, tmp_path: Path) -> None:
    """Readable at every size, without complaints of the browser's, and accessible by axe-core's rules."""
    from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    from playwright.async_api import async_playwright

    await used(gateway, upstream)
    upstream.script(open_stream)
    async with gateway.client(CLIENT) as client:
        asked = ask(PROMPT, model="claude-x", stream=True)
        waiting = asyncio.create_task(client.post("/v1/messages", json=asked, timeout=2 * LONG))
        await upstream.arrival(5).wait()
        async with async_playwright() as player:
            running = await player.chromium.launch(
                executable_path=chromium, args=FLAGS, chromium_sandbox=os.geteuid() != 0, timeout=1000 * LONG
            )
            context = await running.new_context(
                **SIZES[size], http_credentials={"username": "me", "password": ADMIN}, base_url=gateway.url
            )
            context.set_default_timeout(1000 * LONG)
            page = await context.new_page()
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(said.text) if said.type != "log" else None)
            page.on("pageerror", lambda failure: complaints.append(str(failure)))
            await page.goto("/ui")
            wide = await page.evaluate("document.documentElement.scrollWidth") if size == "phone" else 0
            hidden = await page.locator("td:visible, th[scope=row]:visible").evaluate_all(BEYOND)
            body = await page.locator("body").inner_text()
            if pictures := os.environ.get("KEYTURN_TEST_PICTURES"):
                await page.screenshot(path=str(Path(pictures, f"ui-{size}.png")), full_page=True)
            if size != "without_javascript":
                found = await Axe().run(page)
                assert found.violations_count == 0, found.generate_report()
            if size == "light":
                await page.get_by_role("button", name="Rest anthropic-03").click()
                await page.get_by_text("rested", exact=True).wait_for()
            await running.close()
        upstream.requests[4].release.set()
        await waiting
    assert complaints == []
    assert wide <= 390
    assert hidden == []
    for words in ("anthropic-01", "claude-x: rate limited", "waiting for content", "not a valid key", "shared"):
        assert words in body


def open_stream(request: Request) -> Any:
    """Nothing comes until the test lets it."""
    return stream(Hang(), *frames(request.model, [text("Late")]))
