"""Whatever a client sends: a 4xx in its shape that names the field, never a 500, a traceback or a hang."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway_process import upstream_env
from tests.serving import AT_ONCE, Gateway, Json, ask, post, refusal, serving, well_shaped
from tests.upstream import Pause, Reply, Upstream, message, text
from tests.upstream.bare_client import connected

PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])


def said(content: Any) -> Json:
    return ask() | {"messages": [{"role": "user", "content": content}]}


def without(name: str) -> Json:
    return {key: value for key, value in ask().items() if key != name}


# what is wrong, and the field that the words must name
WRONG: dict[str, tuple[Any, str]] = {
    "no model": (without("model"), "model"),
    "model is null": (ask() | {"model": None}, "model"),
    "model is a number": (ask() | {"model": 4}, "model"),
    "model is empty": (ask(model=""), "model"),
    "model is blank": (ask(model="  "), "model"),
    "model without a name": (ask(model="anthropic/"), "model"),
    "a misspelt provider": (ask(model="antropic/claude-x"), "model"),
    "no messages": (without("messages"), "messages"),
    "messages is empty": (ask() | {"messages": []}, "messages"),
    "messages is a string": (ask() | {"messages": "hi"}, "messages"),
    "messages is an object": (ask() | {"messages": {"role": "user"}}, "messages"),
    "a message is a string": (ask() | {"messages": ["hi"]}, "messages.0"),
    "the second message is null": (ask() | {"messages": [*ask()["messages"], None]}, "messages.1"),
    "no role": (ask() | {"messages": [{"content": "hi"}]}, "messages.0.role"),
    "an unknown role": (ask() | {"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role"),
    "role is a list": (ask() | {"messages": [{"role": ["user"], "content": "hi"}]}, "messages.0.role"),
    "role is an object": (ask() | {"messages": [{"role": {"a": 1}, "content": "hi"}]}, "messages.0.role"),
    "no content": (ask() | {"messages": [{"role": "user"}]}, "messages.0.content"),
    "content is null": (said(None), "messages.0.content"),
    "content is a number": (said(4), "messages.0.content"),
    "content is an object": (said({"type": "text", "text": "x"}), "messages.0.content"),
    "a block is a string": (said(["x"]), "messages.0.content.0"),
    "a block without a type": (said([{"text": "x"}]), "messages.0.content.0"),
    "a type that is a list": (said([{"type": ["text"]}]), "messages.0.content.0"),
    "an unknown block": (said([{"type": "hologram"}]), "messages.0.content.0.type"),
    "text is a number": (said([{"type": "text", "text": 4}]), "messages.0.content.0.text"),
    "text is missing": (said([{"type": "text"}]), "messages.0.content.0.text"),
    "an image without a source": (said([{"type": "image"}]), "messages.0.content.0.source"),
    "tool_use without an id": (said([{"type": "tool_use", "name": "a", "input": {}}]), "messages.0.content.0.id"),
    "tool_use with a string for input": (
        said([{"type": "tool_use", "id": "a", "name": "a", "input": "{}"}]),
        "messages.0.content.0.input",
    ),
    "tool_result without an id": (said([{"type": "tool_result"}]), "messages.0.content.0.tool_use_id"),
    "tool_result with a number": (
        said([{"type": "tool_result", "tool_use_id": "a", "content": 4}]),
        "messages.0.content.0.content",
    ),
    "tool_result with strings": (
        said([{"type": "tool_result", "tool_use_id": "a", "content": ["x"]}]),
        "messages.0.content.0.content.0",
    ),
    "max_tokens is a string": (ask() | {"max_tokens": "64"}, "max_tokens"),
    "max_tokens is negative": (ask() | {"max_tokens": -1}, "max_tokens"),
    "max_tokens is true": (ask() | {"max_tokens": True}, "max_tokens"),
    "max_tokens is a fraction": (ask() | {"max_tokens": 1.5}, "max_tokens"),
    "system is a number": (ask(system=4), "system"),
    "system is an object": (ask(system={"type": "text", "text": "x"}), "system"),
    "system holds a string": (ask(system=["x"]), "system.0"),
    "system holds a block without text": (ask(system=[{"type": "text"}]), "system.0.text"),
    "stream is a string": (ask(stream="true"), "stream"),
    "tools is an object": (ask(tools={}), "tools"),
    "a tool is a string": (ask(tools=["Bash"]), "tools.0"),
    "a tool's name is a number": (ask(tools=[{"name": 4}]), "tools.0.name"),
    "a tool's schema is a list": (ask(tools=[{"name": "a", "input_schema": []}]), "tools.0.input_schema"),
    "tool_choice is a string": (ask(tool_choice="auto"), "tool_choice"),
    "thinking is true": (ask(thinking=True), "thinking"),
    "metadata is a list": (ask(metadata=[]), "metadata"),
    "stop_sequences is a string": (ask(stop_sequences="x"), "stop_sequences"),
    "stop_sequences holds a number": (ask(stop_sequences=[4]), "stop_sequences"),
    "temperature is a string": (ask(temperature="hot"), "temperature"),
    "top_p is a list": (ask(top_p=[]), "top_p"),
    "output_config is a list": (ask(output_config=[]), "output_config"),
    "context_management is a string": (ask(context_management="x"), "context_management"),
}


@PATHS
@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
async def test_the_field_is_named(
    client: httpx.AsyncClient, upstream: Upstream, path: str, body: Any, field: str
) -> None:
    words = refusal(await client.post(path, json=body))
    assert words.startswith(f"{field}: ") or words.startswith(f"{field}.")
    assert upstream.requests == []


INSIDE_A_TOOL_RESULT = [
    [{"type": "text", "text": 4}],
    [{"type": "text", "text": {"a": 1}}],
    [{"type": "text"}],
    [{"type": "thinking", "thinking": 4}],
    [{"type": "document", "source": 4}],
    [{"type": "document", "source": {"data": 4}}],
    [{"type": "document", "source": {"type": "text", "data": ""}}],
    [{"type": "tool_result", "content": [4]}],
    [{"type": "tool_result", "content": [{"type": ["text"]}]}],
    [{"type": "hologram", "text": 4}],
    None,
]


@PATHS
@pytest.mark.parametrize("content", INSIDE_A_TOOL_RESULT, ids=str)
async def test_what_stands_in_a_tool_result_is_served_or_refused(demo: Gateway, path: str, content: Any) -> None:
    """Upstreams differ in what they take there."""
    body = said([{"type": "tool_result", "tool_use_id": "a", "content": content}])
    async with demo.client() as client:
        well_shaped(await client.post(path, json=body), False)


RAW: dict[str, bytes] = {
    "nothing": b"",
    "blank": b" \n ",
    "half": b'{"model": "m", "messages": [',
    "a list": b"[]",
    "a string": b'"hi"',
    "null": b"null",
    "a number": b"4",
    "two objects": b"{}{}",
    "single quotes": b"{'model': 'm'}",
    "a comma too many": b'{"model":"m","messages":[],}',
    "a comment": b'{/* */"model":"m"}',
    "no JSON in a member": b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":nope}]}',
    "a control character": b'{"model":"m\x01","messages":[{"role":"user","content":"a"}]}',
    "UTF-16": '{"model":"m"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(ask()).encode(),
    "Latin-1": b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"caf\xe9"}]}',
    "invalid UTF-8 in an unknown field": json.dumps(ask())[:-1].encode() + b',"x":"\xff"}',
    "invalid UTF-8 in a name": json.dumps(ask())[:-1].encode() + b',"\xc3":1}',
    "NUL": b"\x00" * 10,
    "form data": b"model=m&messages=hi",
}


@PATHS
@pytest.mark.parametrize("body", RAW.values(), ids=RAW)
async def test_what_is_no_json_object_is_400(
    client: httpx.AsyncClient, upstream: Upstream, path: str, body: bytes
) -> None:
    words = refusal(await client.post(path, content=body))
    assert words.startswith("body: ")
    assert upstream.requests == []


def nested(opening: bytes, closing: bytes, depth: int = 100_000) -> bytes:
    return opening * depth + closing * depth


DEEP = {
    "an unknown field, lists": b'"x":' + nested(b"[", b"]"),
    "an unknown field, objects": b'"x":' + nested(b'{"a":', b"}").replace(b":}", b":1}", 1),
    "the system prompt": b'"system":' + nested(b"[", b"]"),
    "a tool": b'"tools":[{"name":"a","input_schema":' + nested(b'{"a":', b"}").replace(b":}", b":1}", 1) + b"}]",
    "never closed": b'"x":' + b"[" * 100_000,
}


@PATHS
@pytest.mark.parametrize("member", DEEP.values(), ids=DEEP)
async def test_nesting_without_end_is_400(
    client: httpx.AsyncClient, upstream: Upstream, path: str, member: bytes
) -> None:
    body = json.dumps(ask())[:-1].encode() + b"," + member + b"}"
    refusal(await client.post(path, content=body))
    assert upstream.requests == []
    upstream.script(message(text("Hello")))
    assert (await client.post("/v1/messages", json=ask())).status_code == 200


@pytest.mark.parametrize("depth", [20, 200])
async def test_nesting_that_people_write_passes(client: httpx.AsyncClient, upstream: Upstream, depth: int) -> None:
    upstream.script(message(text("Hello")))
    body = json.dumps(ask())[:-1].encode() + b',"x":' + nested(b"[", b"]", depth) + b"}"
    assert (await client.post("/v1/messages", content=body)).status_code == 200
    assert upstream.requests[0].body == body


@PATHS
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"])
async def test_a_compressed_body_is_400_and_says_what_to_do(
    client: httpx.AsyncClient, path: str, encoding: str
) -> None:
    body = gzip.compress(json.dumps(ask()).encode())
    words = refusal(await client.post(path, content=body, headers={"content-encoding": encoding}))
    assert words.startswith("content-encoding: ")
    assert "uncompressed" in words


async def test_a_bomb_without_a_label_is_no_json(client: httpx.AsyncClient) -> None:
    refusal(await client.post("/v1/messages", content=gzip.compress(b"\x00" * (20 << 20))))


async def test_identity_is_no_compression(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(message(text("Hello")))
    reply = await client.post("/v1/messages", json=ask(), headers={"content-encoding": "identity"})
    assert reply.status_code == 200


async def test_unknown_fields_pass_untouched(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(message(text("Hello")))
    blocks = [
        {"type": "text", "text": "x", "new": {"a": [1]}, "cache_control": {"type": "ephemeral"}},
        {"type": "brand_new_tool_result", "content": 4},
    ]
    body = said(blocks) | {"brand_new": {"b": None}, "mcp_servers": [], "service_tier": "auto", "temperature": None}
    assert (await client.post("/v1/messages", json=body)).status_code == 200
    assert upstream.requests[0].json == body


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


@PATHS
async def test_forty_megabytes_announced_are_413_before_they_are_sent(gateway: Gateway, path: str) -> None:
    async with connected(gateway.port) as client:
        client.write(post(b"", path).replace(b"content-length: 0", b"content-length: %d" % (40 << 20)))
        head, body = await client.answer()
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"BODY_LIMIT_MB" in body


@PATHS
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_forty_megabytes_are_413(gateway: Gateway, path: str, chunked: bool) -> None:
    content: Any = in_pieces(40 << 20) if chunked else b" " * (40 << 20)
    async with gateway.client() as client:
        words = refusal(await client.post(path, content=content), 413)
        assert "32 MB (BODY_LIMIT_MB)" in words
        assert (await client.get("/health")).status_code == 200


async def test_a_body_within_the_limit_arrives_whole(client: httpx.AsyncClient, upstream: Upstream) -> None:
    upstream.script(message(text("Hello")))
    body = json.dumps(ask("a" * (31 << 20))).encode()
    assert (await client.post("/v1/messages", content=body)).status_code == 200
    assert upstream.requests[0].body == body


@PATHS
@pytest.mark.parametrize("dripping", [False, True], ids=["silent", "dripping"])
async def test_a_body_that_does_not_end_is_408_and_closed(
    upstream: Upstream, tmp_path: Path, path: str, dripping: bool
) -> None:
    environ = upstream_env(upstream.url) | {"BODY_READ_TIMEOUT": "0.2"}
    async with serving(tmp_path, environ) as gateway, connected(gateway.port) as client:
        body = json.dumps(ask()).encode()
        client.write(post(body, path)[: -len(body)])

        async def drip() -> None:
            with suppress(ConnectionError):
                for byte in body[:-1] if dripping else b"":
                    client.write(bytes((byte,)))
                    await client.writer.drain()
                    await asyncio.sleep(0.01)  # the subject of this test is a client that is slow

        dripper = asyncio.create_task(drip())
        async with asyncio.timeout(5 * AT_ONCE):
            head, words = await client.answer()
            with suppress(ConnectionResetError):  # what still drips in after the end is answered by a reset
                assert await client.rest() == b""
        dripper.cancel()
        await asyncio.gather(dripper, return_exceptions=True)
        async with gateway.client() as http:
            assert (await http.get("/health")).status_code == 200
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert json.loads(words)["error"]["type"] == "timeout_error"
    assert b"BODY_READ_TIMEOUT" in words
    assert upstream.requests == []


async def test_a_slow_answer_is_not_a_slow_body(upstream: Upstream, tmp_path: Path) -> None:
    whole = message(text("Late"))
    upstream.script(lambda request: Reply((Pause(0.3), *whole(request).steps)))
    environ = upstream_env(upstream.url) | {"BODY_READ_TIMEOUT": "0.1"}
    async with serving(tmp_path, environ) as gateway, gateway.client() as client:
        assert (await client.post("/v1/messages", json=ask())).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_the_client_cuts_reaches_no_upstream(
    gateway: Gateway, upstream: Upstream, chunked: bool
) -> None:
    sent = post(json.dumps(ask()).encode())
    if chunked:
        sent = sent.replace(b"content-length: 106", b"transfer-encoding: chunked")
    async with connected(gateway.port) as client:
        client.write(sent[:-20])
        await client.writer.drain()
    await gateway.settled()
    assert upstream.requests == []
    assert "Traceback" not in gateway.log.text
    async with gateway.client() as http:
        assert (await http.get("/health")).status_code == 200


ODD_DEPTHS: list[Json] = [
    {"output_config": {"format": "x"}},
    {"output_config": {"format": {"schema": {"enum": {"a": 1}}}}},
    {"output_config": {"format": {"schema": {"type": "object", "properties": {"a": {}}, "required": 4}}}},
    {"output_config": {"format": {"schema": {"type": "object", "properties": {"a": {}}, "required": [[]]}}}},
    {"tools": [{"name": "my_tool", "input_schema": {"enum": 4}}]},
    {"tools": [{"input_schema": {}}], "tool_choice": {"name": []}},
    {"thinking": {"type": ["enabled"]}},
    {"context_management": {"edits": "x"}},
    {"context_management": {"edits": [4, {"type": 4}]}},
]


@PATHS
@pytest.mark.parametrize("member", ODD_DEPTHS, ids=str)
async def test_what_stands_deep_in_a_member_is_served_or_refused(demo: Gateway, path: str, member: Json) -> None:
    async with demo.client() as client:
        well_shaped(await client.post(path, json=ask("call my_tool") | member), False)


ODD_MODELS = [
    "m\nx",
    "m\r\nset-cookie: a=b",
    "m\x00",
    "m\x7f",
    "caf\u00e9",
    "\u4e94",
    "a" * 5000,
    "%s%n",
    "../..",
    " m ",
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ODD_MODELS, ids=ascii)
async def test_an_odd_model_name_is_served_or_refused(demo: Gateway, model: str, streamed: bool) -> None:
    async with demo.client() as client:
        reply = await client.post("/v1/messages", json=ask(model=model, stream=streamed))
    assert reply.status_code in (200, 400)
    assert "set-cookie" not in reply.headers
    assert "Traceback" not in demo.log.text


@pytest.mark.parametrize("pin", ["m\x7fx", "caf\u00e9", "/", "//", "a//b", "/m", "demo/", "\u00ff/\u00ff", "." * 3000])
async def test_an_odd_pin_is_served_or_refused(demo: Gateway, pin: str) -> None:
    async with demo.client(token=None) as client:
        headers = httpx.Headers({b"x-api-key": b"any:" + pin.encode("latin-1")})
        reply = await client.post("/v1/messages", json=ask(), headers=headers)
    assert reply.status_code in (200, 400)
    assert "Traceback" not in demo.log.text
