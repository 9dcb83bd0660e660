"""What OpenAI's clients are sent while a stream waits: comments, and an error in the words of their own format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import BAD, Rig, late, rigged
from tests.gateway.voices import CHAT, GOOD, MESSAGES, Voice
from tests.serving import TOKEN, Json
from tests.virtual_http import in_virtual_time

BODIES: dict[str, Json] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"input": "Hi"},
}
each_path = pytest.mark.parametrize("path", BODIES)
each_voice = pytest.mark.parametrize("voice", [MESSAGES, CHAT], ids=str)


async def streamed(rig: Rig, path: str) -> tuple[int, str]:
    async with rig.client(authorization=f"Bearer {TOKEN}") as client:
        reply = await client.post(path, json={"model": "gpt-5", "stream": True, **BODIES[path]})
        return reply.status_code, reply.text


def events(body: str) -> list[Any]:
    """The data of each event that is JSON."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def said(found: list[Any]) -> str:
    """The text of a stream in either format."""
    choices = [choice for event in found for choice in event.get("choices", ())]
    pieces = [event["delta"] for event in found if event.get("type") == "response.output_text.delta"]
    return "".join([*(choice["delta"].get("content") or "" for choice in choices), *pieces])


@each_path
@each_voice
@in_virtual_time
async def test_comments_until_the_answer_comes(tmp_path: Path, voice: Voice, path: str) -> None:
    async with rigged(tmp_path, voice, [BAD]) as rig:
        rig.primary.answers[BAD] = late(voice.good(), 55)
        status, body = await streamed(rig, path)
        assert (status, body.count(": keepalive\n\n")) == (200, 3)
        assert body.startswith(": keepalive\n\n" * 3 + ("data: {" if "chat" in path else "event: response.created"))
        assert said(events(body)) == GOOD
        await rig.came_back()


@each_path
@each_voice
@in_virtual_time
async def test_a_failure_after_comments_is_in_their_own_words(tmp_path: Path, voice: Voice, path: str) -> None:
    async with rigged(tmp_path, voice, [BAD], environ={"PROVIDER_MAX_RETRIES": "0"}) as rig:
        rig.primary.answers[BAD] = late(voice.refusal(400, "invalid_request_error", "their words"), 35)
        status, body = await streamed(rig, path)
        assert (status, body.count(": keepalive\n\n")) == (200, 1)
        last = events(body)[-1]
        error = last["response"]["error"] if path == "/v1/responses" else last["error"]
        assert "their words" in error["message"]
        assert (last.get("type"), "[DONE]" in body) == ("response.failed" if "responses" in path else None, False)
        await rig.came_back()
