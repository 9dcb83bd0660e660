"""Words that must be seen nowhere: planted wherever a secret or a conversation can stand, and looked for in a page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway.voices import GOOD, Pairs, Voice
from tests.serving import Json, ask
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
