"""GET /v1/models, read by the two official clients over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import httpx
import openai
import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from gateway.endpoints.models import CLIENT_NAMES
from tests.serving import Gateway, ask, refusal, serving
from tests.upstream import ChatUpstream, Upstream, error, json_reply, message, openai_chat, text

TOML = """
[[routes]]
match = "exactly-this"
match_type = "exact"
provider = "demo"
[[routes]]
match = "gpt-"
provider = "ollama"
rewrite_model = "routed:free"
"""
MODELS = {
    "ANTHROPIC_UPSTREAM_API_KEY": "sk-upstream-key",
    "MODEL": "anthropic/claude-sonnet-5",
    "MODEL_OPUS": "ollama/hf.co/a/b:Q4",
}
LISTED = ["anthropic/claude-sonnet-5", "ollama/hf.co/a/b:Q4"]


@pytest.fixture
def environ() -> dict[str, str]:
    return {**MODELS, "ANTHROPIC_AUTH_TOKEN": "freecc"}


async def test_anthropics_client_reads_the_list(environ: dict[str, str], tmp_path: Path) -> None:
    async with (
        serving(tmp_path, environ) as gateway,
        anthropic.AsyncAnthropic(base_url=gateway.url, auth_token="freecc", api_key=None, max_retries=0) as client,
    ):
        page = await client.models.list(limit=1000)
        ids = [model.id for model in page.data]
        one = await client.models.retrieve("ollama/hf.co/a/b:Q4")
        with pytest.raises(anthropic.NotFoundError) as raised:
            await client.models.retrieve("none/such")
    assert not page.has_more
    assert set(LISTED) <= set(ids)
    assert {f"claude-{listed}" for listed in LISTED} <= set(ids)
    assert len(ids) == len(set(ids))
    assert (page.first_id, page.last_id) == (ids[0], ids[-1])
    assert all(model.type == "model" and model.display_name and model.created_at for model in page.data)
    assert one.id == "ollama/hf.co/a/b:Q4"
    assert raised.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]


async def test_openais_client_reads_the_list(environ: dict[str, str], tmp_path: Path) -> None:
    async with (
        serving(tmp_path, environ) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="freecc", max_retries=0) as client,
    ):
        models = (await client.models.list()).data
        one = await client.models.retrieve("anthropic/claude-sonnet-5")
        with pytest.raises(openai.NotFoundError) as raised:
            await client.models.retrieve("none/such")
    assert set(LISTED) <= {model.id for model in models}
    assert all(model.object == "model" and model.owned_by and model.created for model in models)
    assert (one.id, one.owned_by) == ("anthropic/claude-sonnet-5", "anthropic")
    assert (raised.value.type, raised.value.code) == ("invalid_request_error", "model_not_found")


async def test_the_picker_of_the_client_keeps_every_model(environ: dict[str, str], tmp_path: Path) -> None:
    """Claude Code 2.1.197 keeps the ids that begin with "claude" or "anthropic", and sends one of them as it is."""
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        data = (await client.get("/v1/models?limit=1000")).json()["data"]
    kept = {item["id"] for item in data if item["id"].startswith(("claude", "anthropic"))}
    names = {item["display_name"] for item in data if item["id"] in kept}
    assert set(LISTED) <= names


async def test_every_listed_name_is_served(upstream: Upstream, tmp_path: Path) -> None:
    environ = {**MODELS, "ANTHROPIC_UPSTREAM_BASE_URL": upstream.url, "OLLAMA_BASE_URL": upstream.url}
    upstream.always(message(text("Hello")))
    async with serving(tmp_path, environ) as gateway, gateway.client(token=None) as client:
        for item in (await client.get("/v1/models")).json()["data"]:
            reply = await client.post("/v1/messages", json=ask(model=item["id"]))
            assert reply.status_code == 200
            assert reply.json()["model"] == item["id"]
            assert reply.headers["x-keyturn-provider"] == item["owned_by"]


async def test_ids_with_slashes_and_colons_are_found(environ: dict[str, str], tmp_path: Path) -> None:
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        for model in ("ollama/hf.co/a/b:Q4", "ollama%2Fhf.co%2Fa%2Fb%3AQ4", "claude-ollama/hf.co/a/b:Q4"):
            reply = await client.get(f"/v1/models/{model}")
            assert reply.status_code == 200
            assert reply.json()["id"].endswith("ollama/hf.co/a/b:Q4")


@pytest.mark.parametrize("shape", ["anthropic", "openai"])
async def test_an_unknown_model_is_404_in_the_clients_shape(demo: Gateway, shape: str) -> None:
    headers = {"anthropic-version": "2023-06-01"} if shape == "anthropic" else {}
    async with demo.client() as client:
        reply = await client.get("/v1/models/no/such:model", headers=headers)
    assert reply.status_code == 404
    body = reply.json()
    assert (body.get("type") == "error") is (shape == "anthropic")
    assert "'no/such:model'" in body["error"]["message"]
    assert "GET /v1/models" in body["error"]["message"]


async def test_routes_are_listed_where_they_name_a_model(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(TOML)
    async with serving(tmp_path, {}) as gateway, gateway.client() as client:
        ids = {item["id"] for item in (await client.get("/v1/models")).json()["data"]}
    assert {"demo/exactly-this", "ollama/routed:free"} <= ids
    assert not [listed for listed in ids if "gpt-" in listed]


async def test_fallbacks_are_listed(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(TOML + 'fallbacks = ["demo/of-a-route"]\n')
    environ = {"MODEL_FALLBACKS": "demo/of-all, ollama/routed:free", "MODEL_OPUS_FALLBACKS": "demo/of-opus"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        ids = [item["id"] for item in (await client.get("/v1/models")).json()["data"]]
    assert {"demo/of-a-route", "demo/of-all", "demo/of-opus", "claude-demo/of-all"} <= set(ids)
    assert len(ids) == len(set(ids))


async def test_a_newcomers_list_names_the_demo(demo: Gateway) -> None:
    async with demo.client() as client:
        data = (await client.get("/v1/models")).json()["data"]
    assert "demo/demo" in {item["id"] for item in data}
    assert {item["owned_by"] for item in data} == {"demo"}


async def test_the_list_needs_the_token(environ: dict[str, str], tmp_path: Path) -> None:
    async with serving(tmp_path, environ) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        for path in ("/v1/models", "/v1/models/anthropic/claude-sonnet-5"):
            reply = await client.get(path)
            assert reply.status_code == 401
            assert set(reply.json()) == {"error"}
            assert reply.headers["x-should-retry"] == "false"


# What providers list themselves


LISTED_THERE = {
    "data": [
        {"id": "openai/gpt-oss-120b", "created": 1754408224, "context_window": 65_000, "max_completion_tokens": 9000},
        {"id": "qwen/qwen3.8-27b", "created": 1760000000},
        {"id": "whisper-large-v3"},
        {"id": "brand-new"},
    ]
}
NAMES = ["groq/openai/gpt-oss-120b", "groq/qwen/qwen3.8-27b", "groq/brand-new"]


@asynccontextmanager
async def looked(home: Path, **environ: str) -> AsyncIterator[tuple[Gateway, ChatUpstream]]:
    """A gateway in front of a provider whose list it has looked at."""
    async with ChatUpstream() as upstream:
        upstream.on("/v1/models", json_reply(LISTED_THERE))
        own = {"GROQ_API_KEY": "gk-1", "GROQ_BASE_URL": upstream.base_url, "MODEL": "groq/openai/gpt-oss-120b"}
        async with serving(home, own | environ) as gateway:
            await look(gateway, "groq")
            yield gateway, upstream


async def look(gateway: Gateway, provider: str) -> None:
    state = gateway.app.state
    await state.inventory.refresh([state.registry.get(provider)])


async def test_what_a_provider_lists_can_be_asked_for(tmp_path: Path) -> None:
    async with looked(tmp_path) as (gateway, upstream), gateway.client(token=None) as client:
        ids = [item["id"] for item in (await client.get("/v1/models")).json()["data"]]
        assert set(NAMES) | {f"claude-{name}" for name in NAMES} <= set(ids)
        assert not [name for name in ids if "whisper" in name]
        assert len(ids) == len(set(ids))
        upstream.always(openai_chat.completion(openai_chat.text("Hello")))
        for name in ids:
            reply = await client.post("/v1/messages", json=ask(model=name))
            assert reply.json()["model"] == name
    assert {"openai/gpt-oss-120b", "qwen/qwen3.8-27b", "brand-new"} == {each.model for each in upstream.chats}


async def test_aliases_stand_before_what_the_picker_drops(tmp_path: Path) -> None:
    """It reads one page of 1,000."""
    async with looked(tmp_path) as (gateway, _), gateway.client(token=None) as client:
        ids = [item["id"] for item in (await client.get("/v1/models")).json()["data"]]
    assert tuple(ids[:3]) == CLIENT_NAMES
    assert max(ids.index(f"claude-{name}") for name in NAMES) < min(ids.index(name) for name in NAMES[1:])


async def test_sizes_come_from_whoever_knows_best(tmp_path: Path) -> None:
    """From a refusal, from the provider's list, from what is known of its models."""
    environ = {"ANTHROPIC_UPSTREAM_API_KEY": "k", "MODEL_OPUS": "anthropic/claude-opus-4-8"}
    async with looked(tmp_path, **environ) as (gateway, upstream), gateway.client(token=None) as client:

        async def sizes(name: str) -> tuple[int | None, int | None]:
            item = (await client.get(f"/v1/models/{name}")).json()
            return item["max_input_tokens"], item["max_tokens"]

        assert await sizes("claude-opus-4-8") == (1_000_000, 128_000)
        assert await sizes("groq/openai/gpt-oss-120b") == (65_000, 9_000)
        assert await sizes("groq/qwen/qwen3.8-27b") == (131_072, 16_384)
        assert await sizes("groq/brand-new") == (None, None)
        upstream.script(openai_chat.error(400, "Current length is 60000 while limit is 50000"))
        refusal(await client.post("/v1/messages", json=ask(model="groq/openai/gpt-oss-120b")))
        assert await sizes("claude-groq/openai/gpt-oss-120b") == (50_000, 9_000)


async def test_one_shape_is_both_clients(tmp_path: Path) -> None:
    async with looked(tmp_path) as (gateway, _), gateway.client(token=None) as client:
        items = (await client.get("/v1/models")).json()["data"]
        one = (await client.get(f"/v1/models/{NAMES[1]}")).json()
    assert one in items
    for item in items:
        info, model = ModelInfo.model_validate(item), Model.model_validate(item)
        assert info.created_at.timestamp() == model.created
        assert (info.lifecycle, model.owned_by) == ("active", "groq")
    assert (one["created"], one["created_at"]) == (1760000000, "2025-10-09T08:53:20Z")


async def test_anthropics_client_turns_the_pages(tmp_path: Path) -> None:
    async with (
        looked(tmp_path, ANTHROPIC_AUTH_TOKEN="freecc") as (gateway, _),
        anthropic.AsyncAnthropic(base_url=gateway.url, auth_token="freecc", api_key=None, max_retries=0) as client,
    ):
        whole = [model.id for model in (await client.models.list()).data]
        page = await client.models.list(limit=4)
        assert (len(page.data), page.has_more) == (4, True)
        assert [model.id async for model in client.models.list(limit=4)] == whole
        back = await client.models.list(limit=2, before_id=whole[3])
        assert ([model.id for model in back.data], back.has_more) == (whole[1:3], True)
        assert not (await client.models.list(limit=4, before_id=whole[2])).has_more
        last = await client.models.list(after_id=whole[-1])
        assert (last.data, last.has_more, last.first_id, last.last_id) == ([], False, None, None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: is not a whole number from 1 to 1000"),
        ("limit=1001", "limit: "),
        ("limit=ten", "limit: "),
        ("limit=-1", "limit: "),
        ("limit=99999999999999999999", "limit: "),
        ("after_id=none", "after_id: 'none' is not listed here"),
        ("before_id=none", "before_id: 'none' is not listed here"),
    ],
)
async def test_a_page_that_there_is_none_of(demo: Gateway, query: str, words: str) -> None:
    async with demo.client(anthropic_version="2023-06-01") as client:
        assert refusal(await client.get(f"/v1/models?{query}")).startswith(words)


async def test_other_parameters_are_of_no_account(demo: Gateway) -> None:
    async with demo.client() as client:
        plain = (await client.get("/v1/models")).json()
        assert (await client.get("/v1/models?beta=true&lifecycle=active&limit=&after_id=")).json() == plain


async def test_the_old_list_stays_where_a_new_one_does_not_come(tmp_path: Path) -> None:
    async with looked(tmp_path) as (gateway, upstream), gateway.client(token=None) as client:
        before = (await client.get("/v1/models")).content
        upstream.on("/v1/models", error(401, "authentication_error", "no"))
        await look(gateway, "groq")
        assert (await client.get("/v1/models")).content == before
        upstream.on("/v1/models", json_reply({"data": [{"id": "only"}]}))
        await look(gateway, "groq")
        ids = {item["id"] for item in (await client.get("/v1/models")).json()["data"]}
        assert await gateway.metric("keyturn_key_state", state="ready", provider="groq") == 1
    assert "groq/only" in ids
    assert "groq/brand-new" not in ids


async def test_the_demo_lists_itself_too(demo: Gateway) -> None:
    await look(demo, "demo")
    async with demo.client() as client:
        data = (await client.get("/v1/models")).json()["data"]
    assert [item["id"] for item in data].count("demo/demo") == 1
