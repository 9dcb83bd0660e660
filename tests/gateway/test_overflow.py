"""A prompt that is too long, from every upstream to every client, and what is done before it is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.gateway.endpoints.faces import UPSTREAMS, Faces, Said, faces, refusal
from tests.serving import TOKEN, Gateway, Json, serving
from tests.upstream import (
    ChatUpstream,
    Reply,
    Request,
    Upstream,
    json_reply,
    message,
    openai_chat,
    openai_responses,
    text,
)

each_upstream = pytest.mark.parametrize("dialect", UPSTREAMS)
both = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
NUMBERS = "Your request exceeded model token limit: 65536 (requested: 70123)"
VAGUE = "Your input exceeds the context window of this model."
OPENAI_SAYS = "This model's maximum context length is 65536 tokens. However, your messages resulted in 70123 tokens."


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Faces]:
    async with faces(tmp_path) as running:
        yield running


def prompt(words: int) -> list[Json]:
    return [{"role": "user", "content": "word " * words}]


@each_upstream
@both
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_anthropics_client_is_told_in_its_words(served: Faces, dialect: str, streamed: bool, status: int) -> None:
    served.upstreams[dialect].script(refusal(dialect, status, NUMBERS))
    key = f"{TOKEN}:{UPSTREAMS[dialect]}"
    async with anthropic.AsyncAnthropic(base_url=served.gateway.url, api_key=key, max_retries=0) as client:
        with pytest.raises(anthropic.BadRequestError) as raised:
            await client.messages.create(
                model="claude-opus-4-8",
                max_tokens=64,
                messages=[{"role": "user", "content": "Hi"}],
                stream=streamed,
            )
    body: Any = raised.value.body
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "prompt is too long: 70123 tokens > 65536 maximum",
    }
    assert body["request_id"] == raised.value.request_id


@each_upstream
@both
@pytest.mark.parametrize("face", ["chat", "responses"])
async def test_openais_client_is_told_by_its_code(served: Faces, dialect: str, streamed: bool, face: str) -> None:
    served.upstreams[dialect].script(refusal(dialect, 400, NUMBERS))
    async with served.sdk(dialect) as client:
        ways: Any = {
            "chat": partial(client.chat.completions.create, messages=[{"role": "user", "content": "Hi"}]),
            "responses": partial(client.responses.create, input="Hi"),
        }
        with pytest.raises(openai.BadRequestError) as raised:
            await ways[face](model="gpt-5", stream=streamed)
    assert raised.value.code == "context_length_exceeded"
    assert raised.value.type == "invalid_request_error"
    assert OPENAI_SAYS in raised.value.message


async def test_inside_a_stream_it_is_told_alike(served: Faces) -> None:
    """Responses says so in an event, after the status has come."""
    failed = openai_responses.failed("context_length_exceeded", VAGUE)
    served.upstreams["openai_responses"].script(openai_responses.stream(failed))
    async with served.sdk("openai_responses") as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.responses.create(model="gpt-5", input="Hi", stream=True)
    assert raised.value.code == "context_length_exceeded"


async def test_an_error_that_clients_understand_passes_as_it_came(served: Faces) -> None:
    words = "prompt is too long: 210034 tokens > 200000 maximum"
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": words, "new": 1}, "request_id": "r"}
    served.upstreams["anthropic"].script(json_reply(body, 400))
    async with served.gateway.client(f"{TOKEN}:{UPSTREAMS['anthropic']}") as client:
        reply = await client.post("/v1/messages", json={"model": "m", "max_tokens": 9, "messages": prompt(1)})
    assert (reply.status_code, reply.json()) == (400, body)


# -- what counts and windows are good for


@asynccontextmanager
async def chat(home: Path, **environ: str) -> AsyncIterator[tuple[Gateway, ChatUpstream]]:
    """A gateway whose one provider is a Chat Completions upstream, with a model that holds 131,072 tokens."""
    async with ChatUpstream() as upstream:
        own = {"GROQ_API_KEY": "gk-1", "GROQ_BASE_URL": upstream.base_url, "MODEL": "groq/openai/gpt-oss-120b"}
        async with serving(home, own | environ) as gateway:
            yield gateway, upstream


def counting(ratio: float) -> Any:
    """An upstream that counts so many tokens for a word of the prompt."""

    def answer(request: Request) -> Reply:
        words = sum(len(str(message["content"]).split()) for message in request.json["messages"])
        usage = {"prompt_tokens": round(words * ratio), "completion_tokens": 5, "total_tokens": 0}
        reply: Reply = openai_chat.completion(openai_chat.text("Hello"), usage=usage)(request)
        return reply

    return answer


async def test_counts_follow_what_the_upstream_reports(tmp_path: Path) -> None:
    body = {"model": "claude-opus-4-8", "max_tokens": 9, "messages": prompt(20_000)}
    async with chat(tmp_path) as (gateway, upstream), gateway.client(token=None) as client:

        async def count() -> int:
            return int((await client.post("/v1/messages/count_tokens", json=body)).json()["input_tokens"])

        upstream.always(counting(1.5))
        before = await count()
        for _ in range(8):
            await client.post("/v1/messages", json=body)
        assert abs(before - 30_000) > 5_000
        assert await count() == pytest.approx(30_000, rel=0.03)
        async with gateway.admin() as admin:
            [provider, *_] = (await admin.get("/admin/pool")).json()["providers"]
    [measured] = provider["measured"]
    assert measured["model"] == "openai/gpt-oss-120b"
    assert measured["tokens_per_estimate"] == pytest.approx(30_000 / before, rel=0.03)
    assert measured["max_input_tokens"] is None


@both
async def test_they_follow_upstreams_that_speak_messages_too(tmp_path: Path, streamed: bool) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": prompt(20_000)}
    async with Upstream() as upstream:
        upstream.always(message(text("Hello"), usage={"input_tokens": 100, "cache_read_input_tokens": 29_900}))
        environ = {"OLLAMA_BASE_URL": upstream.url, "MODEL": "ollama/m"}
        async with serving(tmp_path, environ) as gateway, gateway.client(token=None) as client:
            for _ in range(8):
                await client.post("/v1/messages", json=body | {"stream": streamed})
            reply = await client.post("/v1/messages/count_tokens", json=body)
    assert reply.json()["input_tokens"] == pytest.approx(30_000, rel=0.03)


async def test_numbers_that_the_refusal_lacks_are_estimated(tmp_path: Path) -> None:
    async with chat(tmp_path) as (gateway, upstream), gateway.client(token=None) as client:
        upstream.always(openai_chat.error(400, VAGUE))
        body = {"model": "m", "max_tokens": 9, "messages": prompt(150_000)}
        count = (await client.post("/v1/messages/count_tokens", json=body)).json()["input_tokens"]
        reply = await client.post("/v1/messages", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == f"prompt is too long: {count} tokens > 131072 maximum"


async def test_without_any_number_the_upstreams_words_are_told(tmp_path: Path) -> None:
    async with chat(tmp_path, MODEL="groq/brand-new") as (gateway, upstream), gateway.client(token=None) as client:
        upstream.always(openai_chat.error(400, VAGUE))
        reply = await client.post("/v1/messages", json={"model": "m", "max_tokens": 9, "messages": prompt(10)})
    assert reply.json()["error"]["message"] == f"prompt is too long: {VAGUE}"


def clipping(limit: int, prompt: int) -> Any:
    """An upstream that stops counting a prompt where it cannot fit, as vLLM does."""

    def answer(request: Request) -> Reply:
        asked = request.json["max_tokens"]
        if prompt + asked <= limit:
            reply: Reply = openai_chat.completion(openai_chat.text("Hello"))(request)
            return reply
        seen = min(prompt, limit - asked + 1)
        words = (
            f"This model's maximum context length is {limit} tokens. However, you requested {asked} output tokens and "
            f"your prompt contains at least {seen} input tokens, for a total of at least {seen + asked} tokens."
        )
        return openai_chat.error(400, words)

    return answer


@pytest.mark.parametrize("tokens", [9_000, 20_000, 27_000])
async def test_a_shorter_answer_is_asked_for_where_the_prompt_leaves_room(tmp_path: Path, tokens: int) -> None:
    toml = '[[providers]]\nname = "house"\ntype = "openai"\nbase_url = "{url}"\napi_key = "sk-house"\n'
    async with ChatUpstream() as upstream:
        (tmp_path / "keyturn.toml").write_text(toml.format(url=upstream.base_url))
        upstream.always(clipping(32_768, tokens))
        async with serving(tmp_path, {"MODEL": "house/m"}) as gateway, gateway.client(token=None) as client:
            reply = await client.post(
                "/v1/messages", json={"model": "m", "max_tokens": 32_000, "messages": prompt(round(tokens * 0.9))}
            )
    assert reply.status_code == 200, reply.text
    answers = [each.json["max_tokens"] for each in upstream.chats]
    assert len(answers) <= 4
    assert 32_768 - tokens >= answers[-1] > 1024


async def test_a_prompt_that_does_not_fit_that_way_either_is_too_long(tmp_path: Path) -> None:
    async with chat(tmp_path) as (gateway, upstream), gateway.client(token=None) as client:
        upstream.always(clipping(32_768, 40_000))
        reply = await client.post("/v1/messages", json={"model": "m", "max_tokens": 32_000, "messages": prompt(40_000)})
        assert len(upstream.chats) <= 3
    words = reply.json()["error"]["message"]
    assert words.startswith("prompt is too long: ")
    assert words.endswith(" tokens > 32768 maximum")


# -- other targets


@asynccontextmanager
async def two(home: Path, primary: str, fallbacks: str) -> AsyncIterator[tuple[Gateway, ChatUpstream, Upstream]]:
    """Groq's models hold 131,072 tokens, Anthropic's newer ones a million, its older ones 200,000."""
    async with ChatUpstream() as upstream, Upstream() as other:
        environ = {
            "GROQ_API_KEY": "gk-1",
            "GROQ_BASE_URL": upstream.base_url,
            "ANTHROPIC_UPSTREAM_API_KEY": "sk-1",
            "ANTHROPIC_UPSTREAM_BASE_URL": other.url,
            "MODEL": primary,
            "MODEL_FALLBACKS": fallbacks,
        }
        async with serving(home, environ) as gateway:
            upstream.always(openai_chat.completion(openai_chat.text("Hello")))
            other.always(Said("Hello").answer("anthropic"))
            yield gateway, upstream, other


SMALL, LARGE, OLD = "groq/openai/gpt-oss-120b", "anthropic/claude-opus-4-8", "anthropic/claude-haiku-4-5"


async def asked(gateway: Gateway, words: int) -> Any:
    async with gateway.client(token=None) as client:
        return await client.post("/v1/messages", json={"model": "m", "max_tokens": 9, "messages": prompt(words)})


async def test_a_target_that_is_certainly_too_small_is_passed_over(tmp_path: Path) -> None:
    async with two(tmp_path, SMALL, LARGE) as (gateway, upstream, other):
        assert (await asked(gateway, 100)).headers["x-keyturn-provider"] == "groq"
        reply = await asked(gateway, 400_000)
        assert (reply.status_code, reply.headers["x-keyturn-provider"]) == (200, "anthropic")
        assert len(upstream.chats) == 1
        async with gateway.admin() as admin:
            story = (await admin.get(f"/admin/explain/{reply.headers['request-id']}")).json()
    skipped, attempt = story["steps"]
    assert (skipped["what"], skipped["provider"], skipped["reason"]) == ("skipped", "groq", "context_overflow")
    assert (attempt["what"], attempt["provider"]) == ("attempt", "anthropic")
    assert other.posts("/v1/messages")


async def test_one_that_may_hold_it_is_asked(tmp_path: Path) -> None:
    async with two(tmp_path, SMALL, LARGE) as (gateway, _, _):
        assert (await asked(gateway, 150_000)).headers["x-keyturn-provider"] == "groq"


async def test_the_only_target_is_always_asked(tmp_path: Path) -> None:
    """A table may be wrong, and would never be found wrong otherwise."""
    async with two(tmp_path, SMALL, "") as (gateway, _, _):
        assert (await asked(gateway, 400_000)).headers["x-keyturn-provider"] == "groq"


async def test_where_none_is_large_enough_all_are_asked(tmp_path: Path) -> None:
    async with two(tmp_path, SMALL, OLD) as (gateway, upstream, other):
        upstream.always(openai_chat.error(400, "Current length is 900000 while limit is 131072"))
        reply = await asked(gateway, 600_000)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "prompt is too long: 900000 tokens > 131072 maximum"
    assert other.posts("/v1/messages") == []  # the first one's count shows that it would not fit there either


async def test_after_an_overflow_only_larger_targets_are_asked(tmp_path: Path) -> None:
    async with two(tmp_path, OLD, f"{SMALL}, {LARGE}") as (gateway, upstream, other):
        too_long = refusal("anthropic", 400, "prompt is too long: 210000 tokens > 200000 maximum")
        other.script(too_long)
        reply = await asked(gateway, 100_000)
        assert (reply.status_code, reply.headers["x-keyturn-model"]) == (200, "claude-opus-4-8")
    assert upstream.requests == []


async def test_the_advice_of_a_row_stands_behind_the_words(tmp_path: Path) -> None:
    async with Upstream() as upstream:
        environ = {"VLLM_BASE_URL": f"{upstream.url}/v1", "MODEL": "vllm/m"}
        async with serving(tmp_path, environ) as gateway:
            upstream.always(refusal("openai_chat", 400, "Current length is 9000 while limit is 8192"))
            words = (await asked(gateway, 10)).json()["error"]["message"]
    assert words.startswith("prompt is too long: 9000 tokens > 8192 maximum. vLLM: start it with")
