"""Calls that models write as text, at a running gateway: run by the client, counted, explained, and switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serving import TOKEN, Gateway, ask, serving
from tests.upstream import ChatUpstream, Upstream
from tests.upstream import anthropic as messages
from tests.upstream import openai_chat as chat

WRITTEN = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls", "timeout": null}}\n</tool_call>'
SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "integer"}},
    "required": ["command"],
}
TOOLS = [{"name": "Bash", "description": "Runs.", "input_schema": SCHEMA}]
REPAIRS = {"hermes": 1, "name": 1, "null": 1, "stop_reason": 1}
ROWS = ("ollama", "nvidia_nim")


def environ(row: str, of_messages: Upstream, of_chat: ChatUpstream, **more: str) -> dict[str, str]:
    return {
        "OLLAMA_BASE_URL": of_messages.url,
        "NVIDIA_NIM_BASE_URL": of_chat.base_url,
        "NVIDIA_NIM_API_KEY": "sk-nim",
        "MODEL": f"{row}/a-model",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        **more,
    }


def says(row: str, of_messages: Upstream, of_chat: ChatUpstream) -> None:
    if row == "ollama":
        of_messages.always(messages.message(messages.text(f"I look.\n{WRITTEN}", pieces=7)))
    else:
        of_chat.always(chat.completion(chat.text(f"I look.\n{WRITTEN}", pieces=7)))


async def answered(gateway: Gateway, **more: Any) -> tuple[Any, str]:
    """The whole answer, and the id of its request."""
    async with gateway.client() as client:
        reply = await client.post("/v1/messages", json=ask(stream=False, tools=TOOLS, **more))
    assert reply.status_code == 200, reply.text
    return reply.json(), reply.headers["request-id"]


@pytest.mark.parametrize("row", ROWS)
async def test_a_call_is_counted_and_explained(row: str, upstream: Upstream, tmp_path: Path) -> None:
    async with ChatUpstream() as of_chat, serving(tmp_path, environ(row, upstream, of_chat)) as gateway:
        says(row, upstream, of_chat)
        answer, request_id = await answered(gateway)
        text, call = answer["content"]
        assert (text["text"], call["name"], call["input"]) == ("I look.\n", "Bash", {"command": "ls"})
        assert answer["stop_reason"] == "tool_use"
        await gateway.settled()
        counted = {kind: await gateway.metric("keyturn_tool_repairs_total", kind=kind) for kind in REPAIRS}
        assert counted == REPAIRS
        assert await gateway.metric("keyturn_tool_repairs_total") == sum(REPAIRS.values())
        async with gateway.admin() as admin:
            story = (await admin.get(f"/admin/explain/{request_id}")).json()
        assert [step["repairs"] for step in story["steps"]] == [REPAIRS]


@pytest.mark.parametrize("row", ROWS)
async def test_the_switch(row: str, upstream: Upstream, tmp_path: Path) -> None:
    prefix = row.upper()
    async with ChatUpstream() as of_chat:
        says(row, upstream, of_chat)
        off = environ(row, upstream, of_chat, **{f"{prefix}_TOOL_GUARDIAN": "false"})
        async with serving(tmp_path, off) as gateway:
            answer, _ = await answered(gateway)
            assert [block["type"] for block in answer["content"]] == ["text"]
            assert answer["stop_reason"] == "end_turn"
            assert await gateway.metric("keyturn_tool_repairs_total") == 0


async def test_a_provider_that_keyturn_toml_adds(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(
        f'[[providers]]\nname = "mine"\ntype = "anthropic"\nbase_url = "{upstream.url}"\ntool_guardian = true\n'
    )
    upstream.always(messages.message(messages.text(WRITTEN)))
    async with serving(tmp_path, {"MODEL": "mine/a-model", "ANTHROPIC_AUTH_TOKEN": TOKEN}) as gateway:
        answer, _ = await answered(gateway)
    assert [block["type"] for block in answer["content"]] == ["tool_use"]


async def test_the_request_goes_out_as_it_came(upstream: Upstream, tmp_path: Path) -> None:
    """A row whose answers are looked at keeps the straight line: cache marks, unknown members, headers."""
    body = ask(stream=True, tools=TOOLS, brand_new={"a": [1.0]})
    body["messages"][0]["content"] = [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]
    raw = json.dumps(body, indent=1).encode()
    async with ChatUpstream() as of_chat, serving(tmp_path, environ("ollama", upstream, of_chat)) as gateway:
        says("ollama", upstream, of_chat)
        async with gateway.client() as client:
            headers = {"anthropic-beta": "brand-new", "content-type": "application/json"}
            reply = await client.post("/v1/messages", content=raw, headers=headers)
    [request] = upstream.posts("/v1/messages")
    assert request.body == raw.replace(body["model"].encode(), b"a-model", 1)
    assert request.header("anthropic-beta") == "brand-new"
    assert b'"stop_reason":"tool_use"' in reply.content.replace(b" ", b"")
    assert b"event: ping" in reply.content
