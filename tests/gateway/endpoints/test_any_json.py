"""Random JSON and random bytes over real HTTP: an answer or a 4xx in the client's shape, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.dialects.anthropic.checks import BLOCKS as BLOCKS_BY_TYPE
from tests.serving import Gateway, Json, refusal, well_shaped

SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False).filter(lambda number: not math.isinf(number))
    | st.text(max_size=8)
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = [*BLOCKS_BY_TYPE, "web_search_tool_result", "hologram"]
FIELDS = sorted({name for fields in BLOCKS_BY_TYPE.values() for name in fields} | {"signature", "is_error", "title"})
PROMPTS = st.sampled_from(["Use Bash", "think", "call the tool `Bash`", "", "\x00"])


def object_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects in which each of these fields stands or not, mostly as it should be."""
    return st.fixed_dictionaries({}, optional={name: right | right | ANYTHING for name, right in fields.items()})


TEXT_BLOCKS = st.fixed_dictionaries({"type": st.just("text"), "text": PROMPTS}, optional={"cache_control": ANYTHING})
ODD_BLOCKS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)}, optional={name: st.text(max_size=5) | ANYTHING for name in FIELDS}
)
RESULTS = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": st.text(max_size=3)},
    optional={"content": PROMPTS | st.lists(TEXT_BLOCKS | ODD_BLOCKS, max_size=2)},
)
CALLS = st.fixed_dictionaries(
    {"type": st.just("tool_use"), "id": PROMPTS, "name": PROMPTS, "input": object_of(a=PROMPTS)}
)
SOURCES = object_of(type=st.sampled_from(["base64", "text", "url"]), data=st.text(max_size=5), url=PROMPTS)
MEDIA = st.fixed_dictionaries({"type": st.sampled_from(["image", "document"]), "source": SOURCES})
THOUGHTS = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": PROMPTS}, optional={"signature": ANYTHING})
BLOCKS = st.lists(TEXT_BLOCKS | RESULTS | CALLS | MEDIA | THOUGHTS, max_size=3)
SCHEMA = object_of(
    type=st.sampled_from(["object", "string", "array", ["null", "string"], "integer"]),
    properties=st.dictionaries(st.text("ab", max_size=1), object_of(type=st.just("integer"), enum=ANYTHING)),
    required=st.lists(st.text("ab", max_size=1), max_size=2),
    enum=st.lists(SCALARS, max_size=2),
    const=SCALARS,
    default=SCALARS,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "user", "assistant", "system"]), "content": PROMPTS | BLOCKS}
    ),
    min_size=1,
    max_size=3,
)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "stream": st.booleans(),
    "system": st.text(max_size=5) | st.lists(TEXT_BLOCKS, max_size=2),
    "tools": st.lists(object_of(name=st.just("Bash"), input_schema=SCHEMA), max_size=2),
    "thinking": object_of(type=st.sampled_from(["enabled", "adaptive", "disabled"])),
    "output_config": object_of(format=object_of(type=st.just("json_schema"), schema=SCHEMA)),
    "context_management": object_of(edits=st.lists(object_of(type=st.text(max_size=5)), max_size=2)),
    "metadata": object_of(user_id=st.text(max_size=5)),
    "stop_sequences": st.lists(st.text(max_size=3), max_size=2),
    "tool_choice": object_of(type=st.text(max_size=5), name=st.just("Bash")),
    "temperature": st.floats(0, 1),
}
NEEDED = {
    "model": st.sampled_from(["claude-opus-4-8", "demo/x", "x"]),
    "messages": MESSAGES,
    "max_tokens": st.integers(0, 100),
}
# Right at the top; what stands deeper is mostly nobody's business but the upstream's, so it may be anything.
REQUESTS = st.fixed_dictionaries(NEEDED, optional=MEMBERS)
SPOILT = st.builds(
    lambda body, name, value: body | {name: value}, REQUESTS, st.sampled_from([*MEMBERS, *NEEDED]), ANYTHING
)


@settings(max_examples=250)
@given(body=REQUESTS | SPOILT)
async def test_no_json_breaks_the_messages_endpoint(demo: Gateway, body: Json) -> None:
    async with demo.client() as client:
        reply = await client.post("/v1/messages", content=json.dumps(body).encode())
    well_shaped(reply, body.get("stream") is True)


@settings(max_examples=200)
@given(body=REQUESTS | SPOILT)
async def test_no_json_breaks_the_token_counter(demo: Gateway, body: Json) -> None:
    async with demo.client() as client:
        reply = await client.post("/v1/messages/count_tokens", content=json.dumps(body).encode())
    well_shaped(reply, False)


@settings(max_examples=100)
@given(body=st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
async def test_no_bytes_break_the_messages_endpoint(demo: Gateway, body: bytes) -> None:
    async with demo.client() as client:
        reply = await client.post("/v1/messages", content=body)
    refusal(reply)
