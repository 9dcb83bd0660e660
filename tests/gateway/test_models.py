"""GET /v1/models, read by the two official clients over real HTTP."""

from __future__ import annotations

from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from tests.serving import Gateway, ask, serving
from tests.upstream import Upstream, message, text

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
    assert raised.value.type == "invalid_request_error"


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
