"""The status page with ten tokens at work, in a real browser."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.serving import Gateway, ask, serving
from tests.upstream import Hang, Upstream, frames, message, stream, text

ADMIN = "of-the-admin-x1"
LIMITS: dict[str, dict[str, Any]] = {
    "ada": {},
    "bob": {"requests_per_minute": 60},
    "carol": {"models": ["*haiku*", "anthropic/*"]},
    "dmitri": {"tokens_per_minute": 200_000, "max_concurrency": 8},
    "eve": {"expires": "90d"},
    "farid": {"web_tools": False},
    "grace": {"providers": ["anthropic"], "requests_per_minute": 120},
    "nightly": {"tokens_per_minute": 500_000, "expires": "30d"},
    "ci-runner": {"requests_per_minute": 3, "max_concurrency": 1, "web_tools": False},
    "intern": {"requests_per_minute": 2},
}
DONE = {name: number + 1 for number, name in enumerate(LIMITS)}  # requests of each
SIZES = {"team": (1440, "light"), "team-dark": (1440, "dark"), "team-phone": (390, "light")}


@asynccontextmanager
async def at_work(home: Path) -> AsyncIterator[Gateway]:
    """Each has asked, some for more than they may, and all but the last two have a request open."""
    async with Upstream() as upstream:
        environ = {"ANTHROPIC_UPSTREAM_API_KEYS": "sk-one-aaaaaaaa sk-two-bbbbbbbb", "KEYTURN_ADMIN_TOKEN": ADMIN}
        environ |= {"ANTHROPIC_UPSTREAM_BASE_URL": upstream.url, "KEYTURN_STATE_FILE": "state.json"}
        async with serving(home, {**environ, "MODEL": "anthropic/claude-sonnet-5"}) as gateway:
            async with gateway.admin() as admin:
                made = [await admin.post("/admin/tokens", json={"name": name, **LIMITS[name]}) for name in LIMITS]
            tokens = {name: reply.json()["token"] for name, reply in zip(LIMITS, made, strict=True)}
            upstream.always(message(text("Hello"), usage={"input_tokens": 1200}, late_usage={"output_tokens": 340}))
            for name, count in DONE.items():
                async with gateway.client(tokens[name]) as client:
                    for _ in range(count):
                        await client.post("/v1/messages", json=ask(model="claude-sonnet-5"))
            upstream.always(stream(*frames("claude-sonnet-5", [text("Hello")])[:-3], Hang()))
            working = [asyncio.create_task(_works(gateway, tokens[name])) for name in list(LIMITS)[:8]]
            yield gateway
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def _works(gateway: Gateway, token: str) -> None:
    async with gateway.client(token) as client:
        await client.post("/v1/messages", json=ask(model="claude-sonnet-5", stream=True))


async def clients(gateway: Gateway) -> dict[str, dict[str, Any]]:
    async with gateway.admin() as admin:
        found = (await admin.get("/admin/pool")).json()["clients"]
    return {each["name"]: each for each in found}


async def test_ten_tokens_at_work(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    async with at_work(tmp_path) as gateway:

        async def all_open() -> bool:
            return sum(int(each["open"]) for each in (await clients(gateway)).values()) == 8

        await eventually(all_open)
        found = await clients(gateway)
        assert {name: each["used"]["requests"] for name, each in found.items()} == DONE | {"ci-runner": 3, "intern": 2}
        assert {name: each["used"]["refused"] for name, each in found.items() if each["used"]["refused"]} == {
            "ci-runner": 6,
            "intern": 8,
        }
        if browser is None:
            pytest.skip("no Chromium here: apt install chromium")
        for name, (width, scheme) in SIZES.items():
            body = await _seen(gateway, browser, name, width, scheme)
            for words in (*LIMITS, "200,000 tokens/min, 8 at once", "no web tools", "*haiku*, anthropic/*"):
                assert words in body
            assert "its token's requests a minute are used up (429)" in body


async def _seen(gateway: Gateway, browser: str, name: str, width: int, scheme: Any) -> str:
    """The page's words; there is nothing that axe-core finds wrong, and nothing wider than the window."""
    from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    from playwright.async_api import async_playwright

    async with async_playwright() as player:
        running = await player.chromium.launch(
            executable_path=browser, args=["--disable-gpu"], chromium_sandbox=os.geteuid() != 0
        )
        context = await running.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            http_credentials={"username": "me", "password": ADMIN},
            base_url=gateway.url,
        )
        page = await context.new_page()
        await page.goto("/ui")
        body = await page.locator("body").inner_text()
        if pictures := os.environ.get("KEYTURN_TEST_PICTURES"):
            await page.screenshot(path=str(Path(pictures, f"ui-{name}.png")), full_page=True)
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await running.close()
    return body
