"""ferryllm's whole configuration at work: what its upstreams are sent, which of its keys, and where a call goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import reload
from tests.serving import Gateway, ask, serving
from tests.upstream import ChatUpstream, Upstream, error, message, text
from tests.upstream import openai_chat as chat

KEYS = {"FERRY_KEYS": "kt-one-0123456789,kt-two-0123456789", "CHAT_KEY": "sk-chat", "MESSAGES_KEY": "sk-messages"}
MARK = {"type": "ephemeral"}
TOOL = {"name": "Bash", "description": "Runs it", "input_schema": {"type": "object", "properties": {}}}
WHOLE: dict[str, Any] = {"system": "Be brief.", "tools": [TOOL]}
CONFIG = """
[server]
listen = "127.0.0.1:3000"
retry_attempts = 0
{server}
[logging]
level = "info"
format = "json"
[auth]
enabled = true
api_keys_env = "FERRY_KEYS"
[prompt_cache]
openai_prompt_cache_retention = "24h"
{cache}
[[providers]]
name = "messages"
type = "anthropic"
base_url = "{messages}"
api_key_env = "MESSAGES_KEY"
[[providers]]
name = "chat"
type = "openai"
base_url = "{chat}"
{source}
[[routes]]
match = "claude-"
provider = "messages"
rewrite_model = "claude-big"
[[routes]]
match = "claude-haiku-4-5"
match_type = "exact"
provider = "chat"
rewrite_model = "gpt-small"
fallback_providers = ["messages"]
[[routes]]
match = "*"
provider = "chat"
"""


class Rig:
    """The gateway and both of its upstreams, which answer everything."""

    def __init__(self, gateway: Gateway, messages: Upstream, chats: ChatUpstream, folder: Path) -> None:
        self.gateway, self.messages, self.chats, self.folder = gateway, messages, chats, folder

    async def ask(self, model: str, stream: bool = False, **more: Any) -> httpx.Response:
        async with self.gateway.client("kt-two-0123456789") as client:
            reply = await client.post("/v1/messages", json=ask(model=model, stream=stream, **more))
            assert reply.status_code == 200, reply.text
            return reply


@asynccontextmanager
async def rigged(
    folder: Path, server: str = "", cache: str = "", source: str = 'api_key_env = "CHAT_KEY"'
) -> AsyncIterator[Rig]:
    async with Upstream() as messages, ChatUpstream() as chats:
        messages.always(message(text("from messages")))
        chats.always(chat.completion(chat.text("from chat")))
        config = CONFIG.format(server=server, cache=cache, messages=messages.url, chat=chats.url, source=source)
        (folder / "keyturn.toml").write_text(config)
        async with serving(folder, KEYS, reloads=True) as gateway:
            yield Rig(gateway, messages, chats, folder)


@pytest.mark.parametrize("stream", [False, True])
async def test_routes_exact_prefix_and_star_are_told_in_its_events(stream: bool, tmp_path: Path) -> None:
    cases = {
        "claude-opus-4-6": ("messages", "claude-big"),
        "claude-haiku-4-5": ("chat", "gpt-small"),
        "gpt-x": ("chat", "gpt-x"),
    }
    async with rigged(tmp_path) as rig:
        for model in cases:
            assert "from" in (await rig.ask(model, stream)).text
        log = rig.gateway.log
        routed = {each["display_model"]: each for each in log.events("resolved route")}
        assert {name: (each["provider"], each["backend_model"]) for name, each in routed.items()} == cases
        told = (*log.events("incoming request"), *routed.values())
        assert {(each["entry"], each["stream"]) for each in told} == {("anthropic", stream)}
        sent = log.events("sending streaming request" if stream else "sending chat request")
        assert [(each["provider"], each["model"], each["stream"]) for each in sent] == [
            (provider, model, stream) for provider, model in cases.values()
        ]
    assert [post.model for post in rig.messages.posts("/v1/messages")] == ["claude-big"]
    assert [post.model for post in rig.chats.chats] == ["gpt-small", "gpt-x"]


async def test_a_fallback_provider_is_asked_for_the_same_model(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.chats.always(chat.error(500, "down"))
        assert "from messages" in (await rig.ask("claude-haiku-4-5")).text
    assert rig.messages.posts("/v1/messages")[-1].model == "gpt-small"


async def test_prompts_are_marked_and_keyed_for_caches(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await rig.ask("claude-opus-4-6", **WHOLE)
        for question in ("one", "two"):
            await rig.ask("gpt-x", **WHOLE, metadata={"user_id": question})
    sent = rig.messages.posts("/v1/messages")[-1].json
    assert sent["system"] == [{"type": "text", "text": "Be brief.", "cache_control": MARK}]
    assert sent["tools"][-1]["cache_control"] == MARK
    assert sent["messages"][-1]["content"][-1]["cache_control"] == MARK
    keys = {post.json["prompt_cache_key"] for post in rig.chats.chats}
    assert len(keys) == 1
    assert keys.pop().startswith("ferryllm-gpt-x-")
    assert {post.json["prompt_cache_retention"] for post in rig.chats.chats} == {"24h"}


async def test_caches_switched_off_leave_requests_as_they_are(tmp_path: Path) -> None:
    off = 'auto_inject_anthropic_cache_control = false\nopenai_prompt_cache_key = ""'
    async with rigged(tmp_path, cache=off) as rig:
        await rig.ask("claude-opus-4-6", **WHOLE)
        await rig.ask("gpt-x", **WHOLE)
    assert b"cache_control" not in rig.messages.posts("/v1/messages")[-1].body
    assert "prompt_cache_key" not in rig.chats.chats[-1].json


@pytest.mark.parametrize(
    ("policy", "asked", "sent"),
    [
        ('default_reasoning_effort = "low"', None, "low"),
        ('default_reasoning_effort = "low"', "high", "high"),
        ('max_reasoning_effort = "medium"\nreasoning_policy = "cap"', "high", "medium"),
        ('max_reasoning_effort = "medium"\nreasoning_policy = "cap"', "low", "low"),
        ('default_reasoning_effort = "high"\nreasoning_policy = "force"', "low", "high"),
        ('default_reasoning_effort = "low"\nreasoning_policy = "preserve"', None, None),
    ],
)
async def test_its_rule_for_efforts_holds_at_both_kinds_of_upstream(
    policy: str, asked: str | None, sent: str | None, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"output_config": {"effort": asked}} if asked else {}
    async with rigged(tmp_path, server=policy) as rig:
        await rig.ask("claude-opus-4-6", **more)
        await rig.ask("gpt-x", **more)
    assert rig.messages.posts("/v1/messages")[-1].json.get("output_config", {}).get("effort") == sent
    assert rig.chats.chats[-1].json.get("reasoning_effort") == sent


async def test_a_model_that_refuses_efforts_is_told_none_from_then_on(tmp_path: Path) -> None:
    async with rigged(tmp_path, server='default_reasoning_effort = "low"') as rig:
        rig.chats.script(chat.error(400, "Unsupported parameter: 'reasoning_effort' is not supported with this model."))
        for _ in range(2):
            await rig.ask("gpt-x")
    assert ["reasoning_effort" in post.json for post in rig.chats.chats] == [True, False, False]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ('api_key_file = "key"', "{}\n"),
        ('[[providers.key_watch]]\nfile = "key"\npath = "env.TOKEN"', '{{"env": {{"TOKEN": "{}"}}}}'),
    ],
)
async def test_a_key_in_a_file_is_followed_while_it_runs(source: str, written: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(written.format("sk-first"))
    async with rigged(tmp_path, source=source) as rig:
        await rig.ask("gpt-x")
        (tmp_path / "key").write_text(written.format("sk-second"))
        assert await reload(rig.gateway.app)
        await rig.ask("gpt-x")
        (tmp_path / "key").write_text("")
        assert not await reload(rig.gateway.app)
        await rig.ask("gpt-x")
    keys = [post.header("authorization") for post in rig.chats.chats]
    assert keys == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-second"]


async def test_only_its_clients_keys_are_let_in(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.messages.always(error(500, "api_error", "nobody gets here"))
        for token in ("kt-three", None):
            async with rig.gateway.client(token) as client:
                assert (await client.post("/v1/messages", json=ask())).status_code == 401
    assert not rig.messages.requests
