"""The real Prometheus: it scrapes a gateway that was used, and every panel and every rule finds its data."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import ROOT, GatewayProcess, running_gateway
from tests.redis_server import INSTALL, RedisServer, binary, redis_server
from tests.test_observability_files import BOARDS, RULES
from tests.upstream import (
    ChatUpstream,
    Cut,
    Pause,
    Upstream,
    error,
    frames,
    free_port,
    message,
    openai_chat,
    stream,
    text,
)
from tests.upstream.anthropic import block_delta, block_start, message_start

WITHIN = 40.0
SHOWN = 4  # results of a panel in the table that KEYTURN_TEST_PICTURES asks for
KEYS = "sk-prom-one-aaaaaa sk-prom-two-bbbbbb"
TOKEN_FILE = "/tmp/keyturn-metrics-token"  # noqa: S108 - of the container, where nobody else is
TOO_MANY = "max_tokens: 5000 > 4096, which is the maximum allowed number of output tokens for claude-opus-4-8."


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool here: apt install prometheus")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=WITHIN)


@pytest.mark.parametrize("name", ["prometheus.yml", "compose.yml"])
def test_promtool_takes_the_configuration_and_its_rules(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    shutil.copytree(ROOT / "deploy/prometheus", folder)
    # The token's file is made inside the container.
    text = (folder / name).read_text().replace(TOKEN_FILE, str(tmp_path / "token"))
    (tmp_path / "token").write_text("m")
    (folder / name).write_text(text)
    done = promtool("check", "config", str(folder / name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


def test_alerts_ring_when_they_should_and_only_then(tmp_path: Path) -> None:
    cases = (ROOT / "tests/deploy/alerts.test.yml").read_text()
    (tmp_path / "alerts.yml").write_text(cases.replace("RULES", str(ROOT / "deploy/prometheus/rules/keyturn.yml")))
    done = promtool("test", "rules", str(tmp_path / "alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, gateway: GatewayProcess) -> Iterator[str]:
    """A Prometheus that scrapes the gateway every second, by the shipped configuration."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no Prometheus here: apt install prometheus")
    port = free_port()
    folder.mkdir()
    conf = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    assert "127.0.0.1:8082" in conf
    conf = conf.replace("127.0.0.1:8082", f"127.0.0.1:{gateway.port}").replace("interval: 15s", "interval: 1s")
    conf = conf.replace("rules/*.yml", str(ROOT / "deploy/prometheus/rules/*.yml"))
    (folder / "prometheus.yml").write_text(conf)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(process, lambda: len(query(url, "keyturn_build_info[20s]")) == 1)
        yield url
    finally:
        process.terminate()
        process.wait(WITHIN)


def until(process: subprocess.Popen[bytes], seen: Any) -> None:
    """Asks again and again; fails where the process ends, or nothing is seen in time."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        try:
            if seen():
                return
        except httpx.TransportError:
            pass
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
    raise AssertionError("Prometheus saw nothing in time")


def query(url: str, expression: str) -> list[Any]:
    """The result of an instant query."""
    reply = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=WITHIN, trust_env=False)
    found: list[Any] = reply.json()["data"]["result"]
    return found


async def load(gateway: GatewayProcess, anthropic: Upstream, groq: ChatUpstream) -> None:
    """A little of everything that a panel shows."""
    session = {"x-claude-code-session-id": "a-session-of-prometheus", "x-api-key": "any"}
    asked = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello"}]}
    tool = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
    used = {"input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7, "output_tokens": 1}
    begun = (
        message_start("claude-opus-4-8"),
        block_start(0, text("")),
        block_delta(0, {"type": "text_delta", "text": "He"}),
    )
    anthropic.always(message(text("Hello", pieces=5), usage=used, late_usage={"output_tokens": 30}))
    groq.always(
        openai_chat.completion(
            openai_chat.text('<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>')
        )
    )
    async with httpx.AsyncClient(base_url=gateway.url, headers=session, timeout=WITHIN, trust_env=False) as client:

        async def call(model: str = "claude-opus-4-8", **more: Any) -> None:
            await client.post("/v1/messages", json={**asked, "model": model, **more})

        parts = frames("claude-opus-4-8", [text("Hello", pieces=5)])
        anthropic.script(stream(*parts[:4], Pause(0.05), *parts[4:6], Pause(0.05), *parts[6:]))
        await call(stream=True)
        anthropic.script(error(400, "invalid_request_error", TOO_MANY))
        await call(max_tokens=5000)
        anthropic.script(error(529, "overloaded_error", "busy"), error(529, "overloaded_error", "busy"))
        await call()
        anthropic.script(stream(*begun, Cut()))
        await call(stream=True)
        await call(model="nvidia_nim/z", tools=[tool], top_k=5)
        await call(model="anthropic/made-up")
        anthropic.script(error(429, "rate_limit_error", "slow", [("retry-after", "400")]))
        await call()
        await asyncio.gather(*(call(stream=True) for _ in range(8)))


async def test_every_panel_and_every_rule_finds_its_data(tmp_path: Path) -> None:
    if binary() is None:
        pytest.skip(INSTALL)
    with redis_server() as redis:
        await _every_panel_and_every_rule(tmp_path, redis)


async def _every_panel_and_every_rule(tmp_path: Path, redis: RedisServer) -> None:
    async with Upstream() as anthropic, ChatUpstream() as groq:
        env = {
            "ANTHROPIC_UPSTREAM_API_KEYS": KEYS,
            "ANTHROPIC_UPSTREAM_BASE_URL": anthropic.url,
            "ANTHROPIC_UPSTREAM_KEY_USAGE_LIMIT": "1000",
            "ANTHROPIC_UPSTREAM_KEY_USAGE_WINDOW": "day",
            "ANTHROPIC_UPSTREAM_MAX_CONCURRENCY": "1",
            "NVIDIA_NIM_API_KEY": "nvapi-prom",
            "NVIDIA_NIM_BASE_URL": groq.url,
            "MODEL": "anthropic/claude-opus-4-8",
            "MODEL_FALLBACKS": "nvidia_nim/z",
            "PROVIDER_RETRY_BASE_DELAY": "0.01",
            "REDIS_URL": redis.url,
        }
        with running_gateway(tmp_path / "gateway", env) as gateway, prometheus(tmp_path / "prometheus", gateway) as url:
            await load(gateway, anthropic, groq)
            reached = 'keyturn_attempts_total{outcome="ok"}'
            seen = lambda: sum(float(each["value"][1]) for each in query(url, reached)) >= 12  # noqa: E731
            await asyncio.to_thread(until, gateway.process, seen)
            empty = await asyncio.to_thread(unanswered, gateway, url)
            rules = await asyncio.to_thread(evaluated, url)
    assert empty == []
    assert {rule["health"] for rule in rules} <= {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
    assert {rule["name"] for rule in rules} == {
        rule.get("alert") or rule["record"] for group in RULES for rule in group["rules"]
    }


def unanswered(gateway: GatewayProcess, url: str) -> list[str]:
    """The panels and recorded series whose expressions return nothing, tried until all return something."""
    expressions = {
        (name, panel["title"], target["expr"]): None
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel["targets"]
    }
    records = [("rule", rule["record"], rule["expr"]) for group in RULES for rule in group["rules"] if "record" in rule]
    left = [*expressions, *records]

    rows: list[str] = []

    def found(key: tuple[str, str, str]) -> bool:
        results = query(url, _instant(key[2]))
        rows.extend(f"{key[0]:<20}{key[1]:<42}{_row(each)}" for each in results[:SHOWN])
        return bool(results)

    def none_left() -> bool:
        left[:] = [key for key in left if not found(key)]
        return not left

    try:
        until(gateway.process, none_left)
    except AssertionError:
        return [f"{board}: {title}: {expression}" for board, title, expression in left]
    if pictures := os.environ.get("KEYTURN_TEST_PICTURES"):
        Path(pictures, "dashboards.txt").write_text("\n".join(sorted(rows)) + "\n")
    return []


def _row(result: Any) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(result["metric"].items()) if name != "__name__")
    return f"{result['value'][1]:<24}{labels}"


def _instant(expression: str) -> str:
    """Grafana's own variables, as it would fill them in."""
    return expression.replace("$__rate_interval", "1m").replace("$__range", "1m")


def evaluated(url: str) -> list[Any]:
    """The rules, once each was evaluated."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        groups = httpx.get(f"{url}/api/v1/rules", timeout=WITHIN, trust_env=False).json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if rules and all(rule["health"] != "unknown" for rule in rules):
            return rules
    raise AssertionError("not every rule was evaluated in time")
