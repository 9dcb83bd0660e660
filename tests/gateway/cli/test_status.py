"""``keyturn status``: what it asks, what it prints, and what it says where there is nothing to print."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from gateway.cli import main
from gateway.cli.pool_table import table
from gateway.cli.status import status
from gateway.settings import Settings, load
from gateway.words import spell
from tests.serving import TOKEN, Gateway, ask, serving
from tests.upstream import Upstream, error, free_port, json_reply, message, refusing, text

CANARIES = ("sk-canary-one-5f1d", "sk-canary-two-9b3e", "sk-canary-three-77aa")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as scripted:
        yield scripted


def environ(upstream: Upstream, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_UPSTREAM_API_KEYS": " ".join(CANARIES),
        "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        **more,
    }


async def shown(capsys: Capture, settings: Settings, url: str | None = None, as_json: bool = False) -> str:
    """What the command prints; it ends with 0."""
    code = await asyncio.to_thread(status, settings, url, as_json)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert not [secret for secret in (*CANARIES, TOKEN) if secret in out]
    return out


async def sentence(capsys: Capture, settings: Settings, url: str | None = None) -> str:
    """The one line that it says instead; it ends with 1."""
    code = await asyncio.to_thread(status, settings, url)
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert "Traceback" not in line
    return line


def at(gateway: Gateway, **more: Any) -> Settings:
    """The settings of somebody who has this gateway's, and knows no token but from its file."""
    return replace(gateway.settings, port=gateway.port, admin_token=None, **more)


async def test_keys_that_are_refused_limited_and_ready(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    upstream.script(
        error(401, "authentication_error", "no"),
        error(429, "rate_limit_error", "slow down", [("retry-after", "400")]),
        message(text("Hello")),
    )
    async with serving(tmp_path, environ(upstream)) as gateway, gateway.client() as client:
        await client.post("/v1/messages", json=ask(model="claude-x"))
        out = await shown(capsys, at(gateway))
    lines = [line.split("  ") for line in out.splitlines()]
    assert [[cell.strip() for cell in line if cell.strip()] for line in lines] == [
        ["provider", "key", "state", "in flight", "used"],
        ["anthropic", "anthropic-01", *_starting("refused: not a valid key, 3", lines[1]), "0", "0"],
        ["anthropic-02", "limited: rate limited, 7 min", "0", "0"],
        ["claude-x", "rate limited, 7 min"],
        ["anthropic-03", "ready", "0", "1"],
    ]


def _starting(beginning: str, cells: list[str]) -> list[str]:
    """The jitter of a rest decides the rest of it."""
    return [cell for cell in cells if cell.startswith(beginning)]


async def test_json_is_what_the_gateway_sent(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway:
        out = json.loads(await shown(capsys, at(gateway), as_json=True))
        async with gateway.admin() as admin:
            sent = (await admin.get("/admin/pool")).json()
    assert out | {"time": ""} == sent | {"time": ""}


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "http://127.0.0.1:{}/v1?x=1", "127.0.0.1:{}", "localhost:{}"])
async def test_an_address_of_ones_own(upstream: Upstream, tmp_path: Path, capsys: Capture, form: str) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway:
        elsewhere = replace(at(gateway), host="192.0.2.1", port=1)
        assert "anthropic-01" in await shown(capsys, elsewhere, form.format(gateway.port))


async def test_every_address_means_this_machine(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway:
        assert "anthropic-01" in await shown(capsys, at(gateway, host="0.0.0.0"))


async def test_the_token_of_the_settings(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    settings = environ(upstream, KEYTURN_ADMIN_TOKEN="the-admins-own-token")
    async with serving(tmp_path, settings) as gateway:
        own = replace(gateway.settings, port=gateway.port)
        assert "anthropic-01" in await shown(capsys, own)
        said = await sentence(capsys, at(gateway))
        assert said == (
            f"The gateway at {gateway.url} wants an admin token, and none is known here: "
            "set KEYTURN_ADMIN_TOKEN to the one that it was started with."
        )


async def test_two_gateways_on_two_ports(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    more = {"GROQ_API_KEY": "gk-0123456789"}
    async with serving(tmp_path, environ(upstream)) as one, serving(tmp_path, environ(upstream, **more)) as other:
        assert "groq-01" not in await shown(capsys, at(one))
        assert "groq-01" in await shown(capsys, at(other))
        assert "groq-01" in await shown(capsys, at(one), other.url)


async def test_a_stale_file(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    """A gateway was killed, and the next one was given a token."""
    port = free_port()
    file = tmp_path / ".local/state/keyturn" / f"admin-{port}.token"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text("of-a-gateway-that-was-killed")
    settings = load(environ(upstream), tmp_path, tmp_path)
    assert (await sentence(capsys, settings, f"http://127.0.0.1:{port}")).startswith("No gateway answers at ")
    async with serving(tmp_path, environ(upstream, KEYTURN_ADMIN_TOKEN="the-admins-own-token")) as gateway:
        file.rename(file.with_name(f"admin-{gateway.port}.token"))
        assert "refuses the admin token that is known here" in await sentence(capsys, at(gateway))
        with_token = replace(gateway.settings, port=gateway.port)
        assert "anthropic-01" in await shown(capsys, with_token)


async def test_a_stale_file_of_another_place_does_no_harm(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway:
        stale = tmp_path / "run/keyturn"
        stale.mkdir(parents=True)
        (stale / f"admin-{gateway.port}.token").write_text("of-a-gateway-that-was-killed")
        both = at(gateway, run_folders=(stale, *gateway.settings.run_folders))
        assert "anthropic-01" in await shown(capsys, both)


async def test_admin_is_off(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream, HOST="0.0.0.0")) as gateway:
        said = await sentence(capsys, at(gateway))
    assert said.startswith(f"The gateway at {gateway.url} says: /admin and /ui are off here. ")
    assert "set KEYTURN_ADMIN_TOKEN" in said


async def test_nobody_is_there(tmp_path: Path, capsys: Capture) -> None:
    with refusing() as url:
        said = await sentence(capsys, load({}, tmp_path, tmp_path), url)
    assert said == f"No gateway answers at {url}. Start one with `keyturn serve`, or say with --url where it is."


@pytest.mark.parametrize("status_code", [200, 404, 502])
@pytest.mark.parametrize("body", [{"providers": 5}, {"error": "no"}, [], "hello"])
async def test_somebody_else_is_there(
    upstream: Upstream, tmp_path: Path, capsys: Capture, status_code: int, body: Any
) -> None:
    upstream.always(json_reply(body, status_code))
    said = await sentence(capsys, load({}, tmp_path, tmp_path), upstream.url)
    assert said == f"What answers at {upstream.url} is no Keyturn that knows /admin/pool (HTTP {status_code})."


async def test_a_token_of_this_machine_stays_on_it(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    """The upstream stands for a machine elsewhere, reached by a name that is not localhost."""
    folder = tmp_path / ".local/state/keyturn"
    folder.mkdir(parents=True, mode=0o700)
    (folder / f"admin-{upstream.port}.token").write_text("of-this-machine")
    upstream.always(json_reply({}, 401))
    settings = load({}, tmp_path, tmp_path)
    assert "refuses" in await sentence(capsys, settings, upstream.url)
    assert "none is known here" in await sentence(capsys, settings, f"http://0.0.0.0:{upstream.port}")
    assert [request.header("authorization") for request in upstream.requests] == ["Bearer of-this-machine", None]


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://127.0.0.1:99999", "http://[::1"])
async def test_what_is_no_address(tmp_path: Path, capsys: Capture, url: str) -> None:
    assert (await sentence(capsys, load({}, tmp_path, tmp_path), url)).startswith(f"--url: {url!r} is no address; ")


async def test_a_port_that_the_system_chose(tmp_path: Path, capsys: Capture) -> None:
    settings = load({"PORT": "0"}, tmp_path, tmp_path)
    assert await sentence(capsys, settings) == "PORT=0 does not say where the gateway is: say it with --url."


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with refusing() as url:
        (tmp_path / ".env").write_text(f"PORT={url.rpartition(':')[2]}\n")
        assert main(["status"]) == 1
        assert url in capsys.readouterr().err
        assert main(["status", "--json", "--url", f"{url}/"]) == 1
        assert f"No gateway answers at {url}. " in capsys.readouterr().err


# -- the table


def rest(**own: Any) -> Any:
    known = {"scope": "key", "model": None, "account": None, "reason": "x", "why": "rate limited", "half_open": False}
    return {**known, "until": "2026-11-21T10:00:00Z", "seconds": 42.0, **own}


def key(label: str, **own: Any) -> Any:
    nothing: Any = {"why": None, "seconds": None, "half_open": False, "rests": [], "turns": 0}
    return {"label": label, "state": "ready", "in_flight": 0, "used": 0, "usage_limit": None, **nothing, **own}


def provider(name: str, *keys: Any, **own: Any) -> Any:
    queue = {"waiting": 0, "limit": 100, "longest_wait": 30.0, "free_slots": None}
    limits = {"requests": None, "window": 60.0, "concurrency": None}
    common = {"configured": True, "rests": [], "queue": queue, "limits": limits, "retry_budget": 1.0, "learned": []}
    return {"provider": name, "keys": list(keys), **common, **own}


def learned(model: str, **own: Any) -> Any:
    nothing: Any = {"left_out": [], "max_output_tokens": None, "limit_member": None}
    return {"model": model, **nothing, "tools_without_effort": False, "no_images": False, **own}


def drawn(*providers: Any) -> str:
    return table({"providers": list(providers)})


def lines(wanted: str) -> str:
    return dedent(wanted).strip("\n")


def test_a_table_of_everything() -> None:
    limited = key(
        "g-02", state="limited", why="rate limited", seconds=41.6, rests=[rest(model="m\x1b[2J")], in_flight=2
    )
    refused = key("g-03", state="refused", why="not a valid key", half_open=True, used=7)
    spent = key("g-04", state="spent", why="its usage limit is reached", used=5, usage_limit=5)
    groq = provider(
        "groq",
        key("g-01", used=12),
        limited,
        refused,
        spent,
        rests=[
            rest(scope="provider", seconds=3.0),
            rest(scope="model", model="m", why="model overloaded", half_open=True, seconds=None),
            rest(scope="account", account="acme", why="the account's quota is used up", seconds=40000.0),
        ],
        queue={"waiting": 3, "limit": 100, "longest_wait": 30.0, "free_slots": 0},
        limits={"requests": 40, "window": 60.0, "concurrency": 5},
        retry_budget=0.4,
        learned=[
            learned("m", left_out=["stop", "top_p"], max_output_tokens=4096),
            learned("n\x1b", tools_without_effort=True, no_images=True),
            learned("o", limit_member="max_tokens"),
        ],
    )
    assert drawn(groq, provider("ollama", key("ollama"), configured=False)) == lines(
        """
        provider  key           state                                                 in flight  used
        groq      g-01          ready                                                 0          12
                  g-02          limited: rate limited, 42 s                           2          0
                    m?[2J       rate limited, 42 s
                  g-03          refused: not a valid key, the next request finds out  0          7
                  g-04          spent: its usage limit is reached                     0          5 of 5
                  all keys      rate limited, 3 s
                  model m       model overloaded, the next request finds out
                  account acme  the account's quota is used up, 11 h
                  queue         3 of at most 100; 0 of 5 slots free
                  repeats       40% left
                    m           learned: without stop, top_p; at most 4096 tokens
                    n?          learned: tools with effort none; no images
                    o           learned: its limit is called max_tokens
        """
    )


def test_providers_that_nobody_configured_are_shown_once_they_are_used() -> None:
    demo, ollama = provider("demo", key("demo"), configured=False), provider("ollama", key("ollama"), configured=False)
    assert [line.split()[0] for line in drawn(ollama, demo).splitlines()] == ["provider", "demo"]
    ollama["keys"][0]["turns"] = 1
    assert [line.split()[0] for line in drawn(ollama, demo).splitlines()] == ["provider", "ollama"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "1 s"),
        (0.4, "1 s"),
        (42.4, "42 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (1800.0, "30 min"),
        (7200.0, "2 h"),
        (43200.0, "12 h"),
        (172800.0, "2 days"),
        (2678400.0, "31 days"),
    ],
)
def test_times_are_short(seconds: float, words: str) -> None:
    assert spell(seconds) == words


async def test_the_status_page_and_its_password(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream)) as gateway:
        code = await asyncio.to_thread(status, at(gateway), page=True)
        out = capsys.readouterr().out
        address, password = out.split()[0], out.rstrip(")\n").rpartition(" ")[2]
        async with httpx.AsyncClient(auth=("me", password), trust_env=False) as client:
            assert (await client.get(address)).status_code == 200
    assert code == 0


async def test_the_status_page_where_it_is_off(upstream: Upstream, tmp_path: Path, capsys: Capture) -> None:
    async with serving(tmp_path, environ(upstream, HOST="0.0.0.0")) as gateway:
        assert await asyncio.to_thread(status, at(gateway), page=True) == 1
    assert "KEYTURN_ADMIN_TOKEN" in capsys.readouterr().err
