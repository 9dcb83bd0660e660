"""Words that must be seen nowhere: planted wherever a secret or a conversation can stand, and looked for in a page."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.gateway.voices import GOOD, Pairs, Voice
from tests.serving import Gateway, Json, ask
from tests.upstream import Answer, Reply

# Every canary has a shape of its own, so that a hit says what leaked.
SECRETS = {
    "upstream key": "canary-key-83d2-upstream",
    "second key": "canary-key-19ac-upstream",
    "client token": "canary-token-b6a9",
    "wrong token": "canary-wrong-0e1f",
    "admin token": "canary-admin-5d70",
    "metrics token": "canary-metrics-c2f8",
    "proxy password": "canary-proxy-c5e8",
    "password of Redis": "canary-redis-60fe",
    "key of the collector": "canary-otlp-a4a4",
    "cookie": "canary-cookie-77aa",
    "query": "canary-query-19db",
}
WORDS = {
    "prompt": "canary-prompt-7f3a",
    "system": "canary-system-91bc",
    "tool description": "canary-tool-2d8e",
    "tool input": "canary-input-5c44",
    "tool result": "canary-result-e07d",
    "answer": "canary-answer-44f1",
    "input of a called tool": "canary-called-3b0c",
    "words of an upstream": "canary-echo-9e51",
}
ALL = SECRETS | WORDS
SAID_TO_THE_CLIENT = ("words of an upstream",)  # an upstream's refusal of a request is the client's to read
ECHO = f"you sent {SECRETS['upstream key']} and {SECRETS['second key']}: {WORDS['words of an upstream']}"

TOKENS = {
    "ANTHROPIC_AUTH_TOKEN": SECRETS["client token"],
    "KEYTURN_ADMIN_TOKEN": SECRETS["admin token"],
    "METRICS_TOKEN": SECRETS["metrics token"],
}
TRACED = {
    "KEYTURN_TRACES": "true",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRETS['key of the collector']}",
}
FILE = {"LOG_FILE": "keyturn.log", "LOG_FILE_LEVEL": "DEBUG"}
STORIES = 40
PAGES = ("/", "/metrics", "/v1/models", "/health", "/readyz", "/admin/pool", "/ui", "/ui/page.js", "/nowhere")


def conversation(**more: Any) -> Json:
    """A request that holds a canary wherever a client's words can stand."""
    turns = [
        {"role": "user", "content": WORDS["prompt"]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {"c": WORDS["tool input"]}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": WORDS["tool result"]}]},
    ]
    tool = {"name": "b", "description": WORDS["tool description"], "input_schema": {"type": "object"}}
    return ask(system=WORDS["system"], tools=[tool]) | {"messages": turns} | more


@dataclass(frozen=True)
class Leaky:
    """A provider that repeats keys, and words of its own, in whatever it refuses."""

    voice: Voice

    def __str__(self) -> str:
        return str(self.voice)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.voice, name)

    def good(self, words: str = GOOD) -> Answer:
        return self.voice.good(WORDS["answer"])

    def refusal(self, status: int, kind: str, words: str, headers: Pairs = ()) -> Reply:
        said = [*headers, ("x-echo", SECRETS["upstream key"]), ("set-cookie", f"a={SECRETS['cookie']}")]
        return self.voice.refusal(status, kind, f"{words} {ECHO}", said)

    def error_event(self, kind: str, words: str) -> bytes:
        return self.voice.error_event(kind, f"{words} {ECHO}")


def seen(reply: httpx.Response) -> str:
    return f"{reply.headers!r}\n{reply.text}"


def hits(page: str, but: Collection[str] = ()) -> list[str]:
    """Each canary in a page, with what stands around it."""
    return [
        f"{name}: {page[max(0, page.find(word) - 90) :][:150]}"
        for name, word in ALL.items()
        if word in page and name not in but
    ]


@dataclass
class Shown:
    """All that a gateway showed, by where: what may hold which canaries, and what none."""

    home: Path
    pages: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def add(self, page: str, *but: str) -> None:
        """``but`` may be in it."""
        self.pages.append((page, but))

    def log_of(self, gateway: Gateway, *but: str) -> None:
        self.add(gateway.log.text, *but)
        self.add((self.home / "keyturn.log").read_text(), *but)

    @property
    def leaks(self) -> list[str]:
        spans = "\n".join(span.to_json() for span in self.exporter.get_finished_spans())
        return [hit for page, but in [*self.pages, (spans, ())] for hit in hits(page, but)]


async def every_page(gateway: Gateway, shown: Shown) -> None:
    """All that is there to read, as an operator and as nobody, and the stories of requests of every kind."""
    lines = map(json.loads, (shown.home / "keyturn.log").read_text().splitlines())
    ids = [line["request_id"] for line in lines if "request_id" in line]
    some = list(dict.fromkeys(ids))[:: len(set(ids)) // STORIES + 1]
    stories = [f"{path}/{each}" for each in some for path in ("/admin/explain", "/ui/requests")]
    async with gateway.admin() as admin, gateway.client(SECRETS["wrong token"]) as nobody:
        for path in (*PAGES, *stories):
            admin.headers["authorization"] = f"Bearer {SECRETS['admin token']}"
            shown.add(seen(await admin.get(path)))
        for path in PAGES:
            shown.add(seen(await nobody.get(f"{path}?key={SECRETS['query']}")))
