"""The estimate of a request's tokens: near what is known, never 0, never an error, and never a download."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens import PER_BLOCK, Estimate, text_tokens
from gateway.tokens.media import IMAGE
from providers.json_object import JsonObject
from tests.serving import Json

FACTOR = 1.6

# Counts of o200k_base: the test vectors of github.com/niieani/gpt-tokenizer, data/TestPlans.txt at 44ce38e, without the
# emoji at their ends.
VECTORS = [
    ("Python vs Java: Which programming language should you learn first?", 12),
    ("A journey of a thousand miles begins with a single step. - Lao Tzu", 16),
    ("C# is a great programming language for building apps.", 11),
    ("The quick brown fox jumps over 13 lazy dogs.", 11),
    ("\u4f60\u4eca\u5929\u9047\u5230\u4ec0\u4e48\u6709\u8da3\u7684\u4e8b\u60c5\u4e86\u5417\uff1f", 11),
]

# huggingface.co/learn/llm-course/chapter6/2: 27 tokens in a vocabulary of 52,000 made from Python.
CODE = 'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'
CODE_TOKENS = 27

# platform.claude.com/docs/en/build-with-claude/token-counting, its first two examples. The second counts 403, of
# which 346 are the system prompt that the API adds for tools (.../tool-use, "Pricing"), which no request shows.
HELLO: Json = {"system": "You are a scientist", "messages": [{"role": "user", "content": "Hello, Claude"}]}
HELLO_TOKENS = 14
WEATHER: Json = {
    "tools": [
        {
            "name": "get_weather",
            "description": "Get the current weather in a given location",
            "input_schema": {
                "type": "object",
                "properties": {
                    "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
                },
                "required": ["location"],
            },
        }
    ],
    "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}],
}
WEATHER_TOKENS = 403 - 346


def tokens(body: Json, model: str = "") -> int:
    return Estimate(JsonObject(json.dumps(body).encode()))(model)


def said(content: Any) -> Json:
    return {"messages": [{"role": "user", "content": content}]}


def near(guess: float, known: int) -> bool:
    return known / FACTOR <= guess <= known * FACTOR


@pytest.mark.parametrize(("text", "known"), VECTORS, ids=[text[:12] for text, _ in VECTORS])
def test_near_the_known_counts_of_text(text: str, known: int) -> None:
    assert near(text_tokens(text.encode(), "gpt-5"), known)


def test_near_the_known_count_of_code() -> None:
    assert near(text_tokens(CODE.encode()), CODE_TOKENS)


@pytest.mark.parametrize(
    ("body", "known"), [(HELLO, HELLO_TOKENS), (WEATHER, WEATHER_TOKENS)], ids=["text", "JSON of a tool"]
)
def test_near_the_known_counts_of_requests(body: Json, known: int) -> None:
    assert near(tokens(body), known)


def test_english_prose_as_a_whole_is_closer_still() -> None:
    guess = sum(text_tokens(text.encode(), "gpt-5") for text, _ in VECTORS[:4])
    assert guess == pytest.approx(sum(known for _, known in VECTORS[:4]), rel=0.1)


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_never_less_than_one(content: Any) -> None:
    assert tokens(said(content)) >= 1


@given(text=st.text(max_size=200), more=st.text(max_size=50))
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert tokens(said(text + more)) >= tokens(said(text)) >= 1
    assert tokens(said([{"type": "text", "text": text}, {"type": "text", "text": more}])) >= tokens(said(text))


def test_every_part_of_a_request_counts() -> None:
    base = tokens(said("Hello"))
    long = "word " * 50
    for member in ({"system": long}, {"system": [{"type": "text", "text": long}]}, {"tools": [{"name": long}]}):
        assert tokens(said("Hello") | member) > base + 40
    for block in (
        {"type": "text", "text": long},
        {"type": "thinking", "thinking": long, "signature": ""},
        {"type": "tool_use", "id": "a", "name": "b", "input": {"c": long}},
        {"type": "tool_result", "tool_use_id": "a", "content": long},
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": long}]},
        {"type": "document", "source": {"type": "text", "data": long}},
        {"type": "search_result", "content": [{"type": "text", "text": long}]},
        {"type": "brand_new", "x": long},
    ):
        assert tokens(said([block])) > base + 40, block["type"]


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe1\x00\x06Exif\xff\xc0\x00\x11\x08"


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (PNG + struct.pack(">II", 300, 250), 100),
        (PNG + struct.pack(">II", 30, 25), 1),
        (PNG + struct.pack(">II", 3136, 750), 784),  # scaled down to 1568 x 375
        (PNG + struct.pack(">II", 9000, 9000), IMAGE),
        (b"GIF89a" + struct.pack("<HH", 300, 250), 100),
        (JPEG + struct.pack(">HH", 250, 300), 100),
        (b"RIFF____WEBPVP8X" + b"\0" * 8 + (299).to_bytes(3, "little") + (249).to_bytes(3, "little"), 100),
        (b"RIFF____WEBPVP8L" + b"\0" * 5 + (299 | 249 << 14).to_bytes(4, "little"), 100),
        (b"RIFF____WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 300, 250), 100),
        (PNG[:14], IMAGE),
        (b"\xff\xd8\xff\xe1\xff\xff", IMAGE),
        (b"RIFF____WEBPALPH", IMAGE),
        (b"<svg/>", IMAGE),
        (b"", IMAGE),
    ],
)
def test_an_image_costs_what_its_size_says(head: bytes, size: int) -> None:
    data = base64.b64encode(head + b"\0" * 30).decode()
    for image in (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{data}"},
    ):
        assert tokens(said([image])) == size + PER_BLOCK + 4


@pytest.mark.parametrize(
    "source", [{"type": "url", "url": "https://x/y.png"}, {"type": "base64", "data": "\u00e9!"}, 7]
)
def test_an_image_that_is_not_seen_costs_the_most(source: Any) -> None:
    assert tokens(said([{"type": "image", "source": source}])) == IMAGE + PER_BLOCK + 4


def test_media_are_told_apart() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    body = JsonObject(json.dumps(said([image, {"type": "text", "text": "word " * 100}])).encode())
    assert Estimate(body).media == IMAGE
    assert Estimate(body)("claude-sonnet-5") > IMAGE + 100
    assert Estimate(body, "claude-sonnet-5")() == Estimate(body)("claude-sonnet-5")


def test_media_cost_what_they_are_and_not_their_base64() -> None:
    data = "A" * 400_000
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert tokens(said([image])) == IMAGE + PER_BLOCK + 4
    assert tokens(said([{"type": "tool_result", "tool_use_id": "a", "content": [image]}])) < 2 * IMAGE
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    assert 1000 < tokens(said([pdf])) < 100_000
    assert 1 < tokens(said([{"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}])) < 60


def test_a_signature_is_no_text() -> None:
    thought = {"type": "thinking", "thinking": "short", "signature": "A" * 10_000}
    assert tokens(said([thought])) < 50
    call = {"type": "tool_use", "id": f"call_1-keyturn-{'A' * 10_000}", "name": "Bash", "input": {"command": "ls"}}
    assert tokens(said([call])) < 60


def test_a_million_spaces_are_few_tokens() -> None:
    assert tokens(said(" " * 1_000_000)) < 100_000


def test_lone_surrogates_are_counted() -> None:
    assert Estimate(JsonObject(b'{"messages":[{"role":"user","content":"\\u00e9 \\ud83d\\ude00"}]}'))() >= 1


SENTENCE = "The quick brown fox jumps over the lazy dog. " * 20
IMAGE_URL = "data:image/png;base64," + "A" * 40_000


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": SENTENCE}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": SENTENCE}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": SENTENCE}}]}]},
        {"messages": [{"role": "assistant", "content": None, "reasoning_content": SENTENCE}]},
        {"input": SENTENCE},
        {"input": "Hi", "instructions": SENTENCE},
        {"input": [{"role": "user", "content": SENTENCE}]},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": SENTENCE}]}]},
        {"input": [{"type": "function_call", "call_id": "c", "name": "x", "arguments": SENTENCE}]},
        {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "x", "input": SENTENCE}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": SENTENCE}]},
        {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": SENTENCE}]}]},
    ],
)
def test_what_openais_clients_send_counts_wherever_it_stands(body: Json) -> None:
    assert near(tokens(body), 200)


@pytest.mark.parametrize(
    "part",
    [{"type": "image_url", "image_url": {"url": IMAGE_URL}}, {"type": "input_image", "image_url": IMAGE_URL}],
)
def test_an_image_of_openais_is_no_text(part: Json) -> None:
    assert IMAGE < tokens(said([part])) < IMAGE + 20


def test_what_is_sealed_costs_nothing() -> None:
    assert tokens({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "g" * 9000}]}) < 10
