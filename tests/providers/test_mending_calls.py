"""A refusal that says what it refuses is answered by the same request put otherwise, and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from providers.call import Call
from providers.errand import MENDS
from providers.errors import ErrorKind, UpstreamFailure
from providers.learning.pupil import REMEMBERED, Pupil
from tests.providers.support import SPEC, UPSTREAM_MODEL, call, config, rig
from tests.upstream import Upstream
from tests.upstream import anthropic as messages
from tests.upstream.openai_chat import ChatUpstream, completion, error, error_event, stream, text

ADVICE = "Start it with a larger context."
CHAT = replace(SPEC, dialect="openai_chat", advice=ADVICE)


def asked(stream: bool = False, **more: Any) -> Call:
    body: Mapping[str, Any] = {
        "model": "m",
        "max_tokens": 9000,
        "temperature": 0.5,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": stream,
        **more,
    }
    return call(body, stream=stream)


def refused(member: str) -> Any:
    return error(400, f"Unsupported parameter: '{member}' is not supported with this model.")


async def test_a_member_that_is_refused_is_left_out_at_once_and_from_then_on() -> None:
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(refused("temperature"))
        upstream.always(completion(text("Hello")))
        assert b"Hello" in await live.ask(asked(), once=False)
        assert b"Hello" in await live.ask(asked(), once=False)
        assert live.moments.slept == []
        assert set(live.provider.pupil.known) == {UPSTREAM_MODEL}
    first, second, third = (request.json for request in upstream.chats)
    assert first["temperature"] == 0.5
    assert "temperature" not in second
    assert "temperature" not in third
    assert [each.reason for each in live.trail.attempts] == ["unsupported", "", ""]


async def test_an_image_that_a_messages_upstream_refuses_is_a_note_from_then_on() -> None:
    """Else the conversation would be refused for ever: the client sends the image with every turn."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    words = (
        "Failed to deserialize the JSON body into the target type: messages[0].content: unknown variant `image`, "
        "expected one of `text`, `tool_use`, `tool_result`, `thinking` at line 1 column 99"
    )
    async with Upstream() as upstream, rig(config(upstream.url, spec=SPEC)) as live:
        upstream.script(error(400, words))
        upstream.always(messages.message(messages.text("Hello")))
        for _ in range(2):
            assert b"Hello" in await live.ask(asked(messages=[{"role": "user", "content": [image]}]), once=False)
        assert live.provider.pupil.known[UPSTREAM_MODEL].blind
    shown = [request.json["messages"][0]["content"][0]["type"] for request in upstream.requests]
    assert shown == ["image", "text", "text"]


async def test_several_are_refused_one_after_the_other() -> None:
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(refused("temperature"), refused("top_p"), completion(text("Hello")))
        assert b"Hello" in await live.ask(asked(top_p=0.9), once=False)
    assert not {"temperature", "top_p"} & set(upstream.chats[-1].json)


async def test_a_cap_on_the_answers_tokens_is_kept() -> None:
    words = (
        "max_tokens is too large: 9000. This model supports at most 4096 completion tokens, whereas you provided 9000."
    )
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(error(400, words))
        upstream.always(completion(text("Hello")))
        for _ in range(2):
            await live.ask(asked(), once=False)
    assert [request.json["max_tokens"] for request in upstream.chats] == [9000, 4096, 4096]


async def test_room_that_the_upstream_counted_is_for_this_call_alone() -> None:
    words = (
        "This model's maximum context length is 16384 tokens. However, you requested 18000 tokens "
        "(9000 in the messages, 9000 in the completion). Please reduce the length of the messages or completion."
    )
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(error(400, words))
        upstream.always(completion(text("Hello")))
        for _ in range(2):
            await live.ask(asked(), once=False)
    first, second, third = (request.json["max_tokens"] for request in upstream.chats)
    assert first == third == 9000
    assert second == 7384


async def test_an_error_inside_a_stream_teaches_too() -> None:
    said = error_event("Unsupported parameter: 'temperature' is not supported with this model.", code=400)
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(stream(said), completion(text("Hello")))
        assert b"message_stop" in await live.ask(asked(stream=True), once=False)
    assert "temperature" not in upstream.chats[-1].json


async def test_what_is_refused_again_is_the_clients_to_hear_with_the_rows_advice() -> None:
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.always(refused("temperature"))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(asked(), once=False)
    assert len(upstream.chats) == 2
    assert raised.value.kind is ErrorKind.UNSUPPORTED
    assert raised.value.words.endswith(ADVICE)


async def test_an_upstream_that_refuses_ever_more_ends_the_call() -> None:
    names = ["temperature", "top_p", "stop", "user", "metadata", "seed", "store"]
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.script(*(refused(name) for name in names))
        with pytest.raises(UpstreamFailure):
            await live.ask(asked(), once=False)
    assert len(upstream.chats) == MENDS + 1


async def test_a_request_that_is_wrong_is_asked_once() -> None:
    async with ChatUpstream() as upstream, rig(config(upstream.base_url, spec=CHAT)) as live:
        upstream.always(error(400, "messages.0.content: must not be empty"))
        with pytest.raises(UpstreamFailure):
            await live.ask(asked(), once=False)
    assert len(upstream.chats) == 1


def test_only_so_many_models_are_remembered() -> None:
    pupil = Pupil(config("http://127.0.0.1:9", spec=CHAT))
    body = b'{"error": {"message": "Unsupported parameter: \'temperature\' is not supported with this model."}}'
    for number in range(REMEMBERED + 10):
        pupil.learn(UpstreamFailure(ErrorKind.UNSUPPORTED, "x"), f"m{number}", 400, body)
    assert len(pupil.known) == REMEMBERED
    assert f"m{REMEMBERED + 9}" in pupil.known
