"""A Messages upstream whose URLs name the model: Claude on Vertex AI, as the catalog has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import pytest

from providers.call import Hints, Operation, UpstreamRequest
from providers.catalog import CATALOG
from providers.chat.request import ChatRequest
from providers.dialects import discover, of_clients
from providers.dialects.anthropic import DIALECT
from providers.json_object import JsonObject
from providers.spec import ProviderConfig, ProviderSpec
from tests.providers.support import call
from tests.upstream import Upstream, count_tokens, frames, message, stream, text

ROW = next(row for row in CATALOG if row.id == "vertex")
MODEL = "claude-sonnet-4-5@20250929"
LOCATION, PROJECT = ROW.parts
HOST = "https://us-east5-aiplatform.googleapis.com"
PATH = "/v1/projects/my-project/locations/us-east5/publishers/anthropic/models"
VERSION = "vertex-2023-10-16"
ASKED: dict[str, Any] = {
    "model": "claude-asked",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hi"}],
    "system": "Be brief.",
}


def claude(location: str = "us-east5") -> ProviderConfig:
    """The live provider as it asks for Claude."""
    spec: ProviderSpec = ROW.with_face(ROW.faces[0])
    return ProviderConfig(spec, placed(spec.base_url, location), quirks=spec.quirks)


def placed(url: str, location: str) -> str:
    return PROJECT.put(LOCATION.put(url, location), "my-project")


def build(model: str = MODEL, operation: Operation = Operation.MESSAGES, **more: Any) -> UpstreamRequest:
    body = {**ASKED, **more}
    asked = call(body, stream=bool(more.get("stream")), operation=operation)
    assert DIALECT.straight is not None
    return DIALECT.straight.request(asked, model, True, claude(), "")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_every_location_has_its_host(location: str, host: str) -> None:
    path = f"https://{host}/v1/projects/my-project/locations/{location}"
    assert claude(location).base_url == f"{path}/publishers/anthropic/models"
    assert placed(ROW.base_url, location) == f"{path}/endpoints/openapi"


def test_a_stream() -> None:
    sent = build(stream=True)
    assert sent.url == f"{HOST}{PATH}/{MODEL}:streamRawPredict"
    assert json.loads(sent.body) == {
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hi"}],
        "system": "Be brief.",
        "stream": True,
        "anthropic_version": VERSION,
    }


def test_a_whole_answer() -> None:
    sent = build()
    assert sent.url == f"{HOST}{PATH}/{MODEL}:rawPredict"
    assert "model" not in json.loads(sent.body)


def test_a_count_has_one_url_for_all_models_and_names_its_own() -> None:
    sent = build(operation=Operation.COUNT_TOKENS)
    assert sent.url == f"{HOST}{PATH}/count-tokens:rawPredict"
    assert json.loads(sent.body)["model"] == MODEL


@pytest.mark.parametrize(
    ("model", "written"),
    [("../../x", "..%2F..%2Fx"), ("claude?a#b", "claude%3Fa%23b"), ("claude;a:b", "claude%3Ba%3Ab"), ("ü", "%C3%BC")],
)
def test_a_model_cannot_lead_elsewhere(model: str, written: str) -> None:
    assert build(model).url == f"{HOST}{PATH}/{written}:rawPredict"


def test_a_version_of_the_clients_is_replaced() -> None:
    assert json.loads(build(anthropic_version="bedrock-2023-05-31").body)["anthropic_version"] == VERSION


def test_a_request_of_another_dialect() -> None:
    body = {"model": "x", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    chat = of_clients(discover())["openai_chat"]
    asked: ChatRequest = chat.read_request(JsonObject(json.dumps(body).encode()), MODEL, True)
    sent = DIALECT.write_request(asked, claude(), "", Hints("tok", 1)).request
    assert sent.url == f"{HOST}{PATH}/{MODEL}:streamRawPredict"
    written = json.loads(sent.body)
    assert "model" not in written
    assert (written["anthropic_version"], written["stream"]) == (VERSION, True)


@contextmanager
def sdk() -> Iterator[tuple[Upstream, anthropic.AnthropicVertex]]:
    """Anthropic's own client for Vertex AI, at a scripted upstream."""
    with (
        Upstream() as upstream,
        anthropic.AnthropicVertex(
            region="us-east5", project_id="my-project", access_token="t", base_url=f"{upstream.url}/v1", max_retries=0
        ) as client,
    ):
        yield upstream, client


def alike(upstream: Upstream, sent: UpstreamRequest) -> None:
    """Anthropic's client and Keyturn ask the same, but for the version: that is the client's own, 2026-10-21."""
    [asked] = upstream.requests
    assert f"{HOST}{asked.target}".replace("%40", "@") == sent.url
    assert {**asked.json, "anthropic_version": VERSION} == json.loads(sent.body)


def test_anthropics_own_client_asks_the_same_for_a_whole_answer() -> None:
    with sdk() as (upstream, client):
        upstream.script(message(text("Hello"), model=MODEL))
        client.messages.create(**{**ASKED, "model": MODEL})
        alike(upstream, build())


def test_anthropics_own_client_asks_the_same_for_a_stream() -> None:
    with sdk() as (upstream, client):
        upstream.script(stream(*frames(MODEL, [text("Hello")])))
        list(client.messages.create(**{**ASKED, "model": MODEL}, stream=True))
        alike(upstream, build(stream=True))


def test_anthropics_own_client_asks_the_same_for_a_count() -> None:
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    with sdk() as (upstream, client):
        upstream.script(count_tokens(7))
        client.messages.count_tokens(**{**asked, "model": MODEL})
        counted = call({**asked, "model": "claude-asked"}, operation=Operation.COUNT_TOKENS)
        assert DIALECT.straight is not None
        alike(upstream, DIALECT.straight.request(counted, MODEL, True, claude(), ""))
