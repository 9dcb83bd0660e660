"""Requests of OpenAI's clients with one value spoilt, over real HTTP: an answer, or a 400 in OpenAI's shape."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.endpoints.test_any_json import ANYTHING
from tests.providers.dialects.conformance.samples import samples
from tests.serving import Gateway, Json

PATHS = {"openai_chat": "/v1/chat/completions", "openai_responses": "/v1/responses"}
BODIES = {name: [json.loads(sample.raw) for sample in samples(name, "requests/*.json")] for name in PATHS}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*path, key)
        yield from places(child, (*path, key))


def spoilt(body: Json, path: tuple[Any, ...], value: Any) -> Json:
    made = copy.deepcopy(body)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return made


def written(path: tuple[Any, ...]) -> str:
    """A place as OpenAI names it: ``tools[0].function``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def answered(dialect: str, body: Json, reply: httpx.Response) -> None:
    if body.get("stream") is True:
        end = "data: [DONE]" if dialect == "openai_chat" else '"status":"completed"'
        assert end in reply.text
    else:
        assert reply.json()["object"] in ("chat.completion", "response")


def refused(path: tuple[Any, ...], reply: httpx.Response) -> None:
    """The error names the spoilt place, one around it, or one inside it."""
    assert (reply.status_code, reply.headers["content-type"]) == (400, "application/json"), reply.text[:300]
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    if path == ("model",) and error["param"] is None:
        return  # a model that no provider has
    named, place = error["param"], written(path)
    assert error["message"].startswith(f"{named}: ")
    assert named.startswith(place) or place.startswith(named)


EVERY = [(dialect, body, path) for dialect, bodies in BODIES.items() for body in bodies for path in places(body)]


@settings(max_examples=250)
@given(case=st.sampled_from(EVERY), value=ANYTHING)
async def test_a_spoilt_value_is_taken_or_named(
    demo: Gateway, case: tuple[str, Json, tuple[Any, ...]], value: Any
) -> None:
    dialect, body, path = case
    made = spoilt(body, path, value)
    async with demo.client() as client:
        reply = await client.post(PATHS[dialect], content=json.dumps(made).encode())
    if reply.status_code == 200:
        answered(dialect, made, reply)
    elif reply.status_code != 503:  # a model of a provider that has no key here
        refused(path, reply)


@pytest.mark.parametrize("dialect", PATHS)
@settings(max_examples=40)
@given(body=st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
async def test_no_bytes_break_openais_faces(demo: Gateway, dialect: str, body: bytes) -> None:
    async with demo.client() as client:
        reply = await client.post(PATHS[dialect], content=body)
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
