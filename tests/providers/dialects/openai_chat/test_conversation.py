"""Messages as single providers take them: images that cannot be seen, roles, ids, marks for a cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.call import Hints
from providers.chat.unseen import UNSEEN
from providers.dialects.openai_chat import DIALECT
from providers.dialects.openai_chat.conversation import BETWEEN
from providers.dialects.openai_chat.naming import id_of_length, tool_name
from providers.errors import ErrorKind, UpstreamFailure
from providers.quirks import Quirks
from providers.spec import UnseenImages
from tests.providers.dialects.openai_chat.asking import (
    PNG,
    PNG_URL,
    assistant,
    chat,
    config,
    history,
    neutral,
    result,
    text,
    use,
    user,
)
from tests.providers.support import property_test

BLIND = Quirks(vision=False)
CACHED = {"cache_control": {"type": "ephemeral"}}


def test_an_image_for_a_model_that_sees_is_sent() -> None:
    assert history(user(text("Look"), PNG))[0]["content"][1] == {"type": "image_url", "image_url": {"url": PNG_URL}}


def test_an_image_for_a_model_that_cannot_see_becomes_a_note_and_is_named() -> None:
    asked = [user(text("Look"), PNG), assistant(use("t1")), user(result("t1", [text("a"), PNG]), text("Go on"))]
    body, lost = chat(BLIND, messages=asked)
    assert lost == ("messages.image",)
    assert body["messages"][0]["content"] == f"Look\n\n{UNSEEN}"
    assert body["messages"][2]["content"] == f"a\n{UNSEEN}"
    assert body["messages"][3]["content"] == "Go on"


def test_an_image_is_refused_where_the_operator_wants_that() -> None:
    strict = replace(config(BLIND), images=UnseenImages.REFUSE)
    for content in (user(PNG), user(result("t1", [PNG]))):
        with pytest.raises(UpstreamFailure, match="target takes no images") as caught:
            DIALECT.write_request(neutral({"messages": [content]}), strict, "", Hints("t", 1))
        assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert DIALECT.write_request(neutral({}), strict, "", Hints("t", 1)).lost == ()


def test_a_document_is_no_image() -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
    body, lost = chat(BLIND, messages=[user(document)])
    assert "words" in body["messages"][0]["content"]
    assert lost == ()


def test_the_system_speaks_in_the_rows_role_wherever_it_stands() -> None:
    asked = [user("a"), {"role": "system", "content": "Careful."}, user("b")]
    body, _ = chat(Quirks(system_role="developer"), messages=asked, system="Be brief.")
    assert [message["role"] for message in body["messages"]] == ["developer", "user", "developer", "user"]


@property_test
@given(identity=st.text(max_size=60), length=st.integers(1, 40))
def test_ids_of_a_length_are_made_the_same_way_each_time(identity: str, length: int) -> None:
    made = id_of_length(identity, length)
    assert len(made) == length
    assert made.isascii()
    assert made.isalnum()
    assert made == id_of_length(identity, length) == id_of_length(made, length)


def test_ids_of_a_length_stay_apart() -> None:
    assert len({id_of_length(f"toolu_{number}", 9) for number in range(5000)}) == 5000


def test_a_call_and_its_result_have_the_same_id_of_the_length() -> None:
    asked = [user("a"), assistant(use("toolu_1"), use("abcdefghi")), user(result("toolu_1"), result("abcdefghi"))]
    messages = history(*asked, quirks=Quirks(call_id_length=9))
    called = [call["id"] for call in messages[1]["tool_calls"]]
    assert called == [message["tool_call_id"] for message in messages[2:]]
    assert called[1] == "abcdefghi"
    assert len(called[0]) == 9


def test_a_word_of_the_model_between_a_result_and_the_user() -> None:
    asked = [user("a"), assistant(use("t1")), user(result("t1"), text("b")), assistant("c"), user("d")]
    messages = history(*asked, quirks=Quirks(user_after_tool=False))
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", *["assistant", "user"] * 2]
    assert messages[3]["content"] == BETWEEN


def marked(message: dict[str, Any]) -> bool:
    content = message["content"]
    return isinstance(content, list) and "cache_control" in content[-1]


@pytest.mark.parametrize(
    ("system", "marks", "places"),
    [("S", True, [0, 3]), ("", True, [2]), ("S", False, []), ("", False, [])],
)
def test_marks_for_a_cache_stand_in_parts_and_only_where_the_client_wants_one(
    system: str, marks: bool, places: list[int]
) -> None:
    last = {**text("c"), **CACHED} if marks else text("c")
    asked = [user("a"), assistant("b"), user(last)]
    body, _ = chat(Quirks(cache_marks=True), messages=asked, system=system)
    assert [at for at, message in enumerate(body["messages"]) if marked(message)] == places
    assert not any("cache_control" in message for message in body["messages"])
    plain, _ = chat(messages=asked)
    assert not any(marked(message) for message in plain["messages"])


def test_a_mark_stands_behind_an_image_too() -> None:
    body, _ = chat(Quirks(cache_marks=True), messages=[user(text("Look"), {**PNG, **CACHED})])
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "image_url"]
    assert marked(body["messages"][0])


@pytest.mark.parametrize("name", ["1st", "-x", "a.b", "", "9" * 70, "é"])
def test_names_begin_with_a_letter_or_a_line(name: str) -> None:
    assert tool_name(name)[0].isalpha() or tool_name(name)[0] == "_"
    assert tool_name(tool_name(name)) == tool_name(name)
