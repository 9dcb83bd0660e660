"""Conversations as contents: whole ones, and those that the format would refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from providers.chat.request import (
    INTERRUPTED,
    Block,
    Document,
    Image,
    Message,
    Raw,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from providers.chat.unseen import UNSEEN
from providers.dialects.gemini.history import AFTER, BEFORE
from providers.errors import ErrorKind, UpstreamFailure
from providers.quirks import Quirks
from providers.spec import UnseenImages
from tests.providers.dialects.conversations import conversations
from tests.providers.dialects.gemini.asking import HI, NEW, OLD, Json, written
from tests.providers.dialects.openai_chat.asking import neutral
from tests.upstream.gemini import objection

property_test = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FOREIGN = "skip_thought_signature_validator"
ASKED = Message("user", (Text("Hi"),))
CALL = ToolUse("toolu_1", "Bash", '{"a": 1}')
PNG = Image("image/png", "iVBORw0KGgo=")


def user(*content: Block) -> Message:
    return Message("user", content)


def model(*content: Block) -> Message:
    return Message("assistant", content)


def contents(*messages: Message, name: str = NEW, lost: tuple[str, ...] = (), **settings: Any) -> list[Json]:
    made, named = written(replace(HI, model=name, messages=messages), **settings)
    assert named == lost
    assert objection(made) == ""
    found: list[Json] = made["contents"]
    return found


def results(found: list[Json]) -> list[Json]:
    return [part["functionResponse"] for turn in found for part in turn["parts"] if "functionResponse" in part]


def words(found: list[Json]) -> list[tuple[str, list[str]]]:
    return [(turn["role"], [part.get("text", "-") for part in turn["parts"]]) for turn in found]


def test_a_call_and_its_result() -> None:
    found = contents(ASKED, model(Text("I look."), CALL), user(ToolResult("toolu_1", (Text("one"), Text("two")))))
    call = {"functionCall": {"name": "Bash", "args": {"a": 1}, "id": "toolu_1"}, "thoughtSignature": FOREIGN}
    assert found[1:] == [
        {"role": "model", "parts": [{"text": "I look."}, call]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "Bash", "response": {"output": "one\ntwo"}, "id": "toolu_1"}}],
        },
    ]


def test_before_gemini_3_calls_have_no_ids_and_no_signatures() -> None:
    found = contents(ASKED, model(CALL), user(ToolResult("toolu_1", (Text("one"),), True)), name=OLD)
    assert found[1]["parts"] == [{"functionCall": {"name": "Bash", "args": {"a": 1}}}]
    assert results(found) == [{"name": "Bash", "response": {"error": "one"}}]


def test_results_come_in_the_order_of_the_calls_and_alone() -> None:
    two = ToolUse("toolu_2", "Read", "{}")
    answers = (ToolResult("toolu_2", (Text("two"),)), Text("Look"), ToolResult("toolu_1", (Text("one"),)), PNG)
    found = contents(ASKED, model(CALL, two), user(*answers))
    assert [each["id"] for each in results(found)] == ["toolu_1", "toolu_2"]
    assert [len(turn["parts"]) for turn in found] == [1, 2, 2, 2]
    assert found[3]["parts"] == [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]


def test_results_in_two_messages_are_one_turn() -> None:
    """As Chat Completions has them."""
    two = ToolUse("toolu_2", "Read", "{}")
    found = contents(
        ASKED,
        model(CALL, two),
        user(ToolResult("toolu_1", (Text("one"),)), Text("more")),
        user(ToolResult("toolu_2", (Text("two"),))),
    )
    assert words(found)[2:] == [("user", ["-", "-"]), ("user", ["more"])]


def test_a_result_that_never_came_is_supplied() -> None:
    found = contents(ASKED, model(CALL), user(Text("Stop")))
    assert results(found) == [{"name": "Bash", "response": {"error": INTERRUPTED}, "id": "toolu_1"}]
    assert words(found)[-1] == ("user", ["Stop"])
    assert results(contents(ASKED, model(CALL), model(Text("Well")), user(Text("so"))))[0]["response"] == {
        "error": INTERRUPTED
    }


def test_a_result_without_its_call_is_text() -> None:
    found = contents(user(ToolResult("toolu_9", (Text("x"), PNG), True)))
    assert found[0]["parts"][0] == {"text": "Result of an earlier tool call (toolu_9): Error: x"}
    assert "inlineData" in found[0]["parts"][1]


def test_files_of_a_result() -> None:
    answer = user(ToolResult("toolu_1", (Text("a square"), PNG, Document("application/pdf", "JVBERi0="))))
    files = [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
    ]
    [new] = results(contents(ASKED, model(CALL), answer))
    assert (new["response"], new["parts"]) == ({"output": "a square"}, files)
    before = contents(ASKED, model(CALL), answer, name=OLD)
    assert results(before)[0]["response"]["output"].startswith("a square\n(What else it returned")
    assert before[-1] == {"role": "user", "parts": [{"text": "Returned by Bash:"}, *files]}


def test_documents_and_addresses() -> None:
    found = contents(
        user(
            Document(text="words", title="Notes"),
            Document("application/pdf", url="https://x.test/a.PDF?b=1"),
            Image(url="https://x.test/a.webp"),
            Image(url="https://x.test/picture"),
        )
    )
    assert found[0]["parts"] == [
        {"text": '<document title="Notes">\nwords\n</document>'},
        {"fileData": {"fileUri": "https://x.test/a.PDF?b=1", "mimeType": "application/pdf"}},
        {"fileData": {"fileUri": "https://x.test/a.webp", "mimeType": "image/webp"}},
        {"fileData": {"fileUri": "https://x.test/picture"}},
    ]


def test_neighbours_of_one_side_are_one_turn() -> None:
    found = contents(ASKED, user(Text("there")), model(Text("a")), model(Text("b")), user(Text("c")))
    assert words(found) == [("user", ["Hi", "there"]), ("model", ["a", "b"]), ("user", ["c"])]


def test_a_system_turn_keeps_its_place() -> None:
    note = Message("system", (Text("Be brief."),))
    found = contents(ASKED, model(CALL), note, user(ToolResult("toolu_1", (Text("one"),))), note)
    said = "<system>\nBe brief.\n</system>"
    assert words(found) == [("user", ["Hi"]), ("model", ["-"]), ("user", ["-"]), ("user", [said, said])]


def test_the_user_begins() -> None:
    assert words(contents(model(Text("Welcome.")), ASKED))[0] == ("user", [BEFORE])
    assert words(contents(model(CALL), user(ToolResult("toolu_1", ()))))[0] == ("user", [BEFORE])


def test_the_users_word_is_the_last_where_the_model_wants_that() -> None:
    assert words(contents(ASKED, model(Text("{")), lost=("messages.prefill",)))[-1] == ("user", [AFTER])
    made, lost = written(replace(HI, model=OLD, messages=(ASKED, model(Text("{")))))
    assert (words(made["contents"])[-1], lost) == (("model", ["{"]), ())


def test_what_has_no_place_is_lost_by_name() -> None:
    strange = (Raw("redacted_thinking", {}), Thinking("hm", "sig"), Thinking("hm", "keyturn:other:thought"), PNG)
    lost = ("messages.redacted_thinking", "messages.thinking", "messages.image")
    assert words(contents(ASKED, model(*strange, Text("a"), Text("")), ASKED, lost=lost))[1] == ("model", ["a"])


def test_an_image_for_a_model_that_cannot_see() -> None:
    blind = Quirks(vision=False)
    found = contents(user(Text("Look"), PNG), quirks=blind, lost=("messages.image",))
    assert words(found) == [("user", ["Look", UNSEEN])]
    with pytest.raises(UpstreamFailure) as raised:
        contents(user(PNG), quirks=blind, images=UnseenImages.REFUSE)
    assert raised.value.kind is ErrorKind.UNSUPPORTED


@property_test
@given(conversations(damaged=False))
def test_a_valid_history_keeps_the_rules_and_every_text(case: tuple[list[Json], list[str]]) -> None:
    assert "interrupted" not in _kept(*case)


@property_test
@given(conversations(damaged=True))
def test_a_damaged_history_is_mended_and_keeps_every_text(case: tuple[list[Json], list[str]]) -> None:
    _kept(*case)


def _kept(messages: list[Json], said: list[str]) -> str:
    texts = ""
    for name in (NEW, OLD):
        made, _ = written(neutral({"messages": messages}, model=name))
        assert objection(made) == ""
        texts = json.dumps(made)
        assert [word for word in said if word not in texts] == []
        assert texts.count('"image/png"') == json.dumps(messages).count("image/png")
    return texts
