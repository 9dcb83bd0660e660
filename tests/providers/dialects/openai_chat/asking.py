"""Requests of one dialect as another writes them, and the rules that Chat Completions has for a conversation."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from providers.call import Hints
from providers.chat.request import ChatRequest
from providers.dialects.anthropic import DIALECT as MESSAGES
from providers.dialects.openai_chat import DIALECT as CHAT
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec

Json = dict[str, Any]
HI: list[Json] = [{"role": "user", "content": "Hi"}]
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
PNG_URL = "data:image/png;base64,iVBORw0KGgo="
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


PLAIN = Quirks()


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(identity: str, name: str = "Bash", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def result(identity: str, content: Any = "done", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": identity, "content": content, **more}


def tool(name: str, **schema: Any) -> Json:
    return {
        "name": name,
        "description": f"Runs {name}.",
        "input_schema": {"type": "object", "properties": {}, **schema},
    }


def config(quirks: Quirks = PLAIN, provider: str = "acme", base_url: str = "https://acme.test/v1") -> ProviderConfig:
    return ProviderConfig(ProviderSpec(provider, "Acme", ("ACME",), "openai_chat", base_url), base_url, quirks=quirks)


def neutral(body: Mapping[str, Any], think: bool = True, model: str = "target") -> ChatRequest:
    """A Messages request in the neutral language, once it has passed the checks."""
    made = JsonObject(json.dumps({"model": "claude-asked", "max_tokens": 100, "messages": HI, **body}).encode())
    MESSAGES.check(made)
    return MESSAGES.read_request(made, model, think)


def chat(
    quirks: Quirks = PLAIN, *, think: bool = True, model: str = "target", provider: str = "acme", **body: Any
) -> tuple[Json, tuple[str, ...]]:
    """A Messages request as it goes to a Chat upstream, and what was lost."""
    asked = neutral(body, think, model)
    made = CHAT.write_request(asked, config(quirks, provider), "", Hints("tok", 1))
    return json.loads(made.request.body), made.lost


def history(*messages: Json, provider: str = "acme", quirks: Quirks = PLAIN, **body: Any) -> list[Json]:
    """The ``messages`` that a Messages conversation becomes; they keep Chat's rules."""
    made, _ = chat(quirks, provider=provider, messages=list(messages), **body)
    assert list(faults(made["messages"])) == []
    written: list[Json] = made["messages"]
    return written


def user(*content: Any) -> Json:
    return {"role": "user", "content": list(content) if content and isinstance(content[0], dict) else content[0]}


def assistant(*content: Any) -> Json:
    return {"role": "assistant", "content": list(content) if content and isinstance(content[0], dict) else content[0]}


def faults(messages: list[Json]) -> Iterator[str]:
    """What OpenAI would refuse: each call's results follow at once, none is an orphan, nothing is empty."""
    owed: list[str] = []
    for number, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "tool":
            if message["tool_call_id"] not in owed:
                yield f"{number}: a result without its call"
                continue
            owed.remove(message["tool_call_id"])
        elif owed:
            yield f"{number}: {owed} have no results"
            owed = []
        calls = message.get("tool_calls", [])
        owed += [call["id"] for call in calls]
        yield from (f"{number}: {fault}" for fault in _call_faults(calls))
        if not isinstance(content, str) and not (role == "user" and isinstance(content, list)):
            yield f"{number}: content of {role} is {content!r}"
        if not content and role != "tool" and not calls and not message.get("reasoning_content"):
            yield f"{number}: empty content of {role}"
        if isinstance(content, list):
            yield from (f"{number}: an empty part" for part in content if part.get("text") == "")
    if owed:
        yield f"{owed} have no results"


def _call_faults(calls: list[Json]) -> Iterator[str]:
    ids = [call["id"] for call in calls]
    if len(set(ids)) != len(ids):
        yield f"an id twice in {ids}"
    for call in calls:
        if not 0 < len(call["id"]) <= 40:
            yield f"the id {call['id']!r}"
        if not _NAME.fullmatch(call["function"]["name"]):
            yield f"the name {call['function']['name']!r}"
        if not isinstance(json.loads(call["function"]["arguments"]), dict):
            yield f"the arguments {call['function']['arguments']!r}"


def messages_faults(messages: list[Json]) -> Iterator[str]:
    """What Anthropic refuses: results that do not stand first in the turn after their calls, roles that do not turn."""
    owed: set[str] = set()
    for number, (message, role) in enumerate(zip(messages, itertools.cycle(["user", "assistant"]), strict=False)):
        if message["role"] != role:
            yield f"{number}: {message['role']} for {role}"
        kinds = [block["type"] for block in message["content"]]
        answered = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        if set(answered) != owed or len(answered) != len(owed):
            yield f"{number}: results {answered} for {owed}"
        if "tool_result" in kinds[len(answered) :]:
            yield f"{number}: results behind something else"
        owed = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        if not message["content"]:
            yield f"{number}: nothing"
