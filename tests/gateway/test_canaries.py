"""Nothing that must not be seen is seen: in no log, metric, header, error, page, trace or command's words.

Whatever happens to a request: it succeeds, it fails in any way of the fault matrix, it is refused, the gateway crashes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.cli.doctor import doctor
from gateway.cli.status import status
from gateway.settings import Settings, load
from providers.catalog import CATALOG
from tests.gateway.canaries import (
    ALL,
    ECHO,
    FILE,
    SAID_TO_THE_CLIENT,
    SECRETS,
    TOKENS,
    TRACED,
    WORDS,
    Leaky,
    Shown,
    conversation,
    every_page,
    seen,
)
from tests.gateway.fault_shapes import SHAPES, Way
from tests.gateway.faults import Rig, rigged
from tests.gateway.place import Place
from tests.gateway.voices import VOICES, Voice
from tests.gateway_process import ONE_ATTEMPT, running_gateway, upstream_env
from tests.providers.socks import socks_proxy
from tests.serving import leave, post, serving
from tests.upstream import Answer, Hang, Reply, Upstream, error, json_reply, message, refusing, text
from tests.upstream.bare_client import connected
from tests.virtual_http import LoopMoments, in_virtual_time

A_MONTH = 32 * 86400.0  # seconds; whatever rests is back by then
RAW = {"LOG_RAW_API_PAYLOADS": "true", "LOG_RAW_SSE_EVENTS": "true", "LOG_API_ERROR_TRACEBACKS": "true"}
LIMITS = {"PROVIDER_MAX_RETRIES": "1", "QUEUE_MAX_WAIT": "0.01"}
EITHER_KEY = (SECRETS["upstream key"], SECRETS["second key"])


async def ask_for(rig: Rig, streamed: bool, **more: Any) -> httpx.Response:
    async with rig.gateway.client(SECRETS["client token"], cookie=f"a={SECRETS['cookie']}") as client:
        client.timeout = httpx.Timeout(None)
        return await client.post("/v1/messages", json=conversation(stream=streamed, **more))


async def every_fault(rig: Rig, way: Way, shown: Shown) -> None:
    for shape in SHAPES.values():
        fault = shape(way)
        if fault is None:
            continue
        rig.primary.answers = dict.fromkeys(EITHER_KEY, fault[0])
        rig.moments.ahead += A_MONTH
        shown.add(seen(await ask_for(rig, way.streamed)), *SAID_TO_THE_CLIENT)


async def successes(rig: Rig, way: Way, shown: Shown) -> None:
    """What the client gets holds the answer; its headers do not."""
    for answer in (way.voice.good(), way.voice.tool()):
        rig.primary.answers = dict.fromkeys(EITHER_KEY, answer)
        rig.moments.ahead += A_MONTH
        reply = await ask_for(rig, way.streamed)
        assert reply.status_code == 200
        shown.add(repr(reply.headers))


async def left(rig: Rig) -> None:
    """A client that leaves in the middle."""
    number = len(rig.primary.server.requests)
    rig.primary.answers = dict.fromkeys(EITHER_KEY, Reply((Hang(),)))
    rig.moments.ahead += A_MONTH
    async with connected(rig.gateway.port) as client:
        sent = post(json.dumps(conversation()).encode(), f"/v1/messages?key={SECRETS['query']}")
        client.write(sent.replace(b"x-api-key: freecc", f"x-api-key: {SECRETS['client token']}".encode()))
        request = await rig.primary.server.request(number)
        leave(client.writer, reset=True)
        await request.gone.wait()


@asynccontextmanager
async def leaky(home: Path, way: Way, shown: Shown, style: str, more: dict[str, str]) -> AsyncIterator[Rig]:
    """A gateway before a provider that repeats secrets; everything is told, and traced."""
    environ = {**LIMITS, **TOKENS, **TRACED, **FILE, **more}
    how = {"level": "DEBUG", "style": style, "exporter": shown.exporter}
    async with rigged(home, way.voice, EITHER_KEY, environ=environ, **cast(Any, how)) as rig:
        yield rig


WAYS = [Way(cast(Voice, Leaky(voice)), streamed) for voice, streamed in product(VOICES, (True, False))]


@pytest.mark.parametrize("way", WAYS, ids=str)
@in_virtual_time
async def test_whatever_becomes_of_a_request(tmp_path: Path, way: Way) -> None:
    shown = Shown(tmp_path)
    async with leaky(tmp_path, way, shown, "console" if way.streamed else "json", {}) as rig:
        await every_fault(rig, way, shown)
        await successes(rig, way, shown)
        await left(rig)
        await rig.gateway.settled()
        await every_page(rig.gateway, shown)
        shown.log_of(rig.gateway)
    assert len(shown.exporter.get_finished_spans()) > 80
    assert not shown.leaks, "\n".join(shown.leaks[:20])


@pytest.mark.parametrize("way", WAYS, ids=str)
@in_virtual_time
async def test_with_the_raw_switches_on_keys_and_tokens_are_seen_nowhere_still(tmp_path: Path, way: Way) -> None:
    shown = Shown(tmp_path)
    async with leaky(tmp_path, way, shown, "console" if way.streamed else "json", RAW) as rig:
        await every_fault(rig, way, shown)
        await successes(rig, way, shown)
        said = {"messages": [{"role": "user", "content": " ".join(SECRETS.values())}]}
        await ask_for(rig, way.streamed, **said)
        await rig.gateway.settled()
        # What a client says of other people's secrets is known for none.
        shown.log_of(rig.gateway, *WORDS, "wrong token", "cookie", "query", "proxy password", "password of Redis")
        await every_page(rig.gateway, shown)
        assert WORDS["prompt"] in rig.gateway.log.text
        assert WORDS["words of an upstream"] in rig.gateway.log.text
    assert not shown.leaks, "\n".join(shown.leaks[:20])


def broken_requests() -> list[dict[str, Any]]:
    """What Keyturn itself refuses, canaries and all, as arguments of httpx's post."""
    prompt = WORDS["prompt"]
    wrong = [
        conversation(messages=prompt),
        conversation(messages=[{"role": prompt, "content": prompt}]),
        conversation(messages=[{"role": "user", "content": [{"type": prompt}]}]),
        conversation(max_tokens=prompt),
        conversation(system={"text": prompt}),
        conversation(tools=prompt),
        conversation(tool_choice=prompt),
        conversation(thinking=prompt),
        conversation(stream=prompt),
        {"model": "m", "input": {"role": prompt}, "messages": [{"content": {"a": prompt}}]},
    ]
    whole = json.dumps(conversation())
    bodies = [whole[:-5], json.dumps(prompt), whole.replace(prompt, prompt + "\\x"), f"\xff{whole}", ""]
    return [
        *({"json": body} for body in wrong),
        *({"content": body.encode("latin-1")} for body in bodies),
        {"json": conversation(), "headers": {"x-api-key": SECRETS["wrong token"]}},
        {"json": conversation(), "headers": {"x-api-key": f"{SECRETS['wrong token']}:groq/m"}},
        {"json": conversation(), "headers": {"x-api-key": "", "authorization": f"Bearer {SECRETS['wrong token']}"}},
        {"json": conversation(), "headers": {"x-api-key": f"{SECRETS['client token']}:grok/m"}},
        {"json": conversation(), "headers": {"x-api-key": f"{SECRETS['client token']}:openai/m"}},
        {"json": conversation(), "headers": {"content-encoding": "gzip"}},
    ]


@pytest.mark.parametrize("style", ["json", "console"])
async def test_whatever_a_client_gets_wrong(upstream: Upstream, tmp_path: Path, style: str) -> None:
    shown = Shown(tmp_path)
    environ = upstream_env(upstream.url, key=SECRETS["upstream key"]) | TOKENS | TRACED | FILE
    paths = ("/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/messages/count_tokens", "/v1/other")
    upstream.always(error(400, "invalid_request_error", "no"))
    async with (
        serving(tmp_path, environ, "DEBUG", style=style, exporter=shown.exporter) as gateway,
        gateway.client(SECRETS["client token"], cookie=f"a={SECRETS['cookie']}") as client,
    ):
        for path, broken in product(paths, broken_requests()):
            reply = await client.post(f"{path}?key={SECRETS['query']}", **broken)
            assert reply.status_code >= 400 or path != "/v1/messages"
            shown.add(seen(reply))
        shown.add(seen(await client.put("/v1/messages", json=conversation())))
        await gateway.settled()
        await every_page(gateway, shown)
        shown.log_of(gateway)
    assert not shown.leaks, "\n".join(shown.leaks[:20])


@dataclass
class Broken(LoopMoments):
    """A clock on the wall that falls down when it is looked at, with a conversation in its hands."""

    falls: bool = False

    def wall(self) -> float:
        if self.falls:
            raise ValueError(f"{ECHO}, {WORDS['prompt']}, {SECRETS['client token']}")
        return super().wall()


@pytest.mark.parametrize("texts", ["false", "true"])
@in_virtual_time
async def test_a_crash_tells_where_it_was_and_no_word(tmp_path: Path, texts: str) -> None:
    shown, moments, way = Shown(tmp_path), Broken(), WAYS[0]
    environ = {**LIMITS, **TOKENS, **FILE, "LOG_API_ERROR_TRACEBACKS": texts}
    async with rigged(tmp_path, way.voice, EITHER_KEY, environ=environ, moments=moments) as rig:
        rig.primary.answers = dict.fromkeys(EITHER_KEY, way.voice.refusal(400, "invalid_request_error", "no"))
        moments.falls = True
        reply = await ask_for(rig, way.streamed)
        moments.falls = False
        shown.add(seen(reply))
        await rig.gateway.settled()
        shown.log_of(rig.gateway, *(WORDS if texts == "true" else ()))
        [crash] = [line for line in map(json.loads, rig.gateway.log.text.splitlines()) if "exception" in line]
    assert reply.status_code == 500
    assert crash["request_id"] == reply.headers["request-id"]
    assert crash["exception"].splitlines()[-1].startswith("ValueError")
    assert "in wall" in crash["exception"]
    assert (WORDS["prompt"] in crash["exception"]) == (texts == "true")
    assert not shown.leaks, "\n".join(shown.leaks[:20])


async def test_a_proxys_login(upstream: Upstream, tmp_path: Path) -> None:
    login = f"user:{SECRETS['proxy password']}"
    shown = Shown(tmp_path)
    with refusing() as nowhere:
        async with socks_proxy() as socks:
            environ = (
                upstream_env(upstream.url)
                | TOKENS
                | FILE
                | ONE_ATTEMPT
                | {
                    "DEEPSEEK_API_KEY": SECRETS["second key"],
                    "DEEPSEEK_PROXY": nowhere.replace("http://", f"http://{login}@"),
                    "OPENROUTER_API_KEY": SECRETS["upstream key"],
                    "OPENROUTER_BASE_URL": upstream.url,
                    "OPENROUTER_PROXY": f"socks5://{login}@127.0.0.1:{socks.port}",
                }
            )
            async with serving(tmp_path, environ, level="DEBUG") as gateway:
                upstream.script(message(text("Hello")))
                for model in ("deepseek/x", "open_router/x"):
                    async with gateway.client(f"{SECRETS['client token']}:{model}") as client:
                        shown.add(seen(await client.post("/v1/messages", json=conversation())))
                await every_page(gateway, shown)
                shown.log_of(gateway)
                _say(shown, gateway.settings)
    assert not shown.leaks, "\n".join(shown.leaks[:20])


def _say(shown: Shown, settings: Settings) -> None:
    shown.add(banner(settings, 8082))
    shown.add(report(settings))
    shown.add(repr(settings))


def two_keys(upstream: Upstream) -> dict[str, str]:
    second = {"ANTHROPIC_UPSTREAM_API_KEYS": SECRETS["second key"]}
    return upstream_env(upstream.url, key=SECRETS["upstream key"]) | second


def every_setting() -> dict[str, str]:
    """A key for every provider that takes one, in both of its variables."""
    keys = {
        f"{spec.prefixes[0]}_API_KEYS": f"{SECRETS['upstream key']}-{spec.id} {SECRETS['second key']}-{spec.id}"
        for spec in CATALOG
        if spec.prefixes
    }
    return {**keys, **TOKENS, **TRACED, "HOST": "0.0.0.0"}


def test_what_banner_and_check_say(tmp_path: Path) -> None:
    shown = Shown(tmp_path)
    settings = load(every_setting(), tmp_path, tmp_path)
    _say(shown, settings)
    _say(shown, replace(settings, token=None, tokens=()))
    assert "anthropic" in shown.pages[0][0]
    assert not shown.leaks, "\n".join(shown.leaks[:20])


@pytest.mark.parametrize("as_json", [False, True])
def test_what_doctor_says(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    place, shown = Place(tmp_path), Shown(tmp_path)
    replies: list[Answer] = [error(each, "api_error", ECHO) for each in (400, 401, 402, 403, 404, 429, 500, 529)]
    replies += [message(text(WORDS["answer"])), json_reply({"type": "error", "error": {"message": ECHO}})]
    for reply in replies:
        with Upstream() as upstream:
            upstream.always(reply)
            doctor(place.load(two_keys(upstream) | TOKENS | ONE_ATTEMPT), as_json)
        captured = capsys.readouterr()
        assert "anthropic" in captured.out
        shown.add(captured.out + captured.err, *SAID_TO_THE_CLIENT)  # who runs it is to read what upstreams say
    assert not shown.leaks, "\n".join(shown.leaks[:20])


def test_what_status_and_a_program_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown(tmp_path)
    with Upstream() as upstream:
        upstream.always(error(401, "authentication_error", ECHO))
        environ = two_keys(upstream) | TOKENS | ONE_ATTEMPT
        with running_gateway(tmp_path, environ) as gateway:
            headers = {"x-api-key": SECRETS["client token"]}
            with httpx.Client(base_url=gateway.url, trust_env=False, headers=headers) as client:
                shown.add(seen(client.post("/v1/messages", json=conversation())), *SAID_TO_THE_CLIENT)
            settings = load({**environ, "PORT": str(gateway.port)}, tmp_path, tmp_path)
            for as_json in (False, True):
                assert status(settings, as_json=as_json) == 0
                captured = capsys.readouterr()
                assert "anthropic-01" in captured.out
                shown.add(captured.out + captured.err)
        shown.add(gateway.stdout)
        shown.add(gateway.stderr)
    assert not shown.leaks, "\n".join(shown.leaks[:20])


def test_the_canaries_sing(tmp_path: Path) -> None:
    """What looks for them finds them."""
    shown = Shown(tmp_path)
    for word in ALL.values():
        shown.add(f"before {word} after")
    assert [leak.partition(":")[0] for leak in shown.leaks] == list(ALL)
