"""The Gemini dialect of the scripted upstream: what it answers, and what it refuses as Google would."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.upstream import GeminiUpstream, gemini
from tests.upstream.gemini import Json, objection

PATH = "/v1beta/models/gemini-3.8-flash"
ASK: Json = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
CALL: Json = {"role": "model", "parts": gemini.call("Bash", {"a": 1}, "8f2b1a3c")}
RESULT: Json = {"role": "user", "parts": [{"functionResponse": {"name": "Bash", "response": {"output": "ok"}}}]}
WORDS: Json = {"role": "user", "parts": [{"text": "So?"}]}


def turns(*contents: Json) -> Json:
    return {"contents": [*ASK["contents"], *contents]}


def test_a_stream_says_what_a_whole_answer_says() -> None:
    with GeminiUpstream() as upstream:
        upstream.always(gemini.answer(gemini.thought("Hm"), gemini.text("Hello"), CALL["parts"]))
        whole = httpx.post(f"{upstream.url}{PATH}:generateContent", json=ASK).json()
        streamed = httpx.post(f"{upstream.url}{PATH}:streamGenerateContent", params={"alt": "sse"}, json=ASK).text
        assert [request.model for request in upstream.requests] == ["gemini-3.8-flash"] * 2
        assert len(upstream.chats) == 1
    events = [json.loads(event.removeprefix("data: ")) for event in streamed.split("\r\n\r\n")[:-1]]
    [candidate] = whole["candidates"]
    assert [part for event in events for part in event["candidates"][0]["content"]["parts"]] == candidate["content"][
        "parts"
    ]
    assert (events[-1]["usageMetadata"], events[-1]["candidates"][0]["finishReason"]) == (
        whole["usageMetadata"],
        candidate["finishReason"],
    )


@pytest.mark.parametrize(
    "body",
    [
        ASK,
        turns(CALL, RESULT),
        turns(CALL, RESULT, WORDS),
        {**ASK, "generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingLevel": "LOW"}}},
    ],
)
def test_what_is_taken(body: Json) -> None:
    assert objection(body) == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**ASK, "model": "m"}, 'Unknown name "model"'),
        ({**ASK, "generationConfig": {"top_k": 3}}, "Unknown name \"top_k\" at 'generation_config'"),
        (
            {**ASK, "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 0}}},
            "only one of thinking budget and thinking level",
        ),
        ({**ASK, "tools": [{"functionDeclarations": [{"name": "a b"}]}]}, "Invalid function name: a b"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        (turns({"role": "user", "parts": [{"image": 1}]}), "must not be empty, nor hold this"),
        (turns(CALL), "ending with a model turn"),
        (turns(CALL, WORDS), "number of function response parts"),
        (turns(CALL, {**RESULT, "parts": [*RESULT["parts"], *WORDS["parts"]]}), "number of function response parts"),
        (turns(RESULT), "number of function response parts"),
        ({"contents": [CALL, RESULT]}, "comes immediately after a user turn"),
        (turns({"role": "model", "parts": [{"text": "{"}]}), "ending with a model turn"),
    ],
)
def test_what_is_refused(body: Json, words: str) -> None:
    assert words in objection(body)


def ask(body: Json) -> None:
    with GeminiUpstream() as upstream:
        upstream.always(gemini.answer(gemini.text("Hi")))
        reply = httpx.post(f"{upstream.url}{PATH}:streamGenerateContent", json=body)
        assert (reply.status_code, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_request_that_google_would_refuse_is_refused_and_told() -> None:
    with pytest.raises(AssertionError, match="Unknown name"):
        ask({**ASK, "model": "m"})
