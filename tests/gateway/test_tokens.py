"""The estimate of a request's tokens: near what is known, never 0, never an error, and never a download."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens import PER_BLOCK, Estimate, text_tokens
from gateway.tokens.media import IMAGE
from providers.json_object import JsonObject
from tests.serving import Json

FACTOR = 1.6

# Counts of cl100k_base and, where it has one, o200k_base: the test vectors of github.com/niieani/gpt-tokenizer,
# data/TestPlans.txt at 44ce38e, without the emoji at their ends.
VECTORS = [
    ("Python vs Java: Which programming language should you learn first?", (12, 12)),
    ("A journey of a thousand miles begins with a single step. - Lao Tzu", (17, 16)),
    ("C# is a great programming language for building apps.", (11,)),
    ("The quick brown fox jumps over 13 lazy dogs.", (11, 11)),
    ("\u4f60\u4eca\u5929\u9047\u5230\u4ec0\u4e48\u6709\u8da3\u7684\u4e8b\u60c5\u4e86\u5417\uff1f", (19, 11)),
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
def test_near_the_known_counts_of_text(text: str, known: tuple[int, ...]) -> None:
    guess = text_tokens(text.encode())
    assert [count for count in known if not near(guess, count)] == [], guess


def test_near_the_known_count_of_code() -> None:
    assert near(text_tokens(CODE.encode()), CODE_TOKENS)


@pytest.mark.parametrize(
    ("body", "known"), [(HELLO, HELLO_TOKENS), (WEATHER, WEATHER_TOKENS)], ids=["text", "JSON of a tool"]
)
def test_near_the_known_counts_of_requests(body: Json, known: int) -> None:
    assert near(tokens(body), known)


def test_english_prose_as_a_whole_is_closer_still() -> None:
    texts = [(text, known[0]) for text, known in VECTORS[:4]]
    guess = sum(text_tokens(text.encode()) for text, _ in texts)
    assert sum(known for _, known in texts) / 1.25 <= guess <= sum(known for _, known in texts) * 1.25


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
