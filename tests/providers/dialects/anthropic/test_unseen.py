"""Images for a model that cannot see: a note in their place, or a refusal, on both ways to a Messages upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Hints, UpstreamRequest
from providers.chat.request import ChatRequest, Image, Message
from providers.chat.unseen import UNSEEN
from providers.dialects.anthropic import DIALECT
from providers.errors import ErrorKind, UpstreamFailure
from providers.quirks import Quirks
from providers.spec import UnseenImages
from tests.providers.support import call, config

Json = dict[str, Any]
BASE = "https://api.example.com"
BLIND = Quirks(vision=False)
PNG: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
NOTE: Json = {"type": "text", "text": UNSEEN}
MARK: Json = {"cache_control": {"type": "ephemeral"}}


def result(*content: Json) -> Json:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(content)}


def straight(body: bytes, quirks: Quirks = BLIND, images: UnseenImages = UnseenImages.NOTE) -> UpstreamRequest:
    assert DIALECT.straight is not None
    row = config(BASE, quirks=quirks, images=images)
    return DIALECT.straight.request(call(body), "asked", True, row, "")


def asked(*content: Json) -> bytes:
    before = b'{"role": "user", "content": "an \\"image\\" of 1.0e+2"},  '
    last = json.dumps({"role": "user", "content": list(content)}).encode()
    return b'{"model":"asked","max_tokens":9,"messages":[' + before + last + b"]}"


@pytest.mark.parametrize(
    ("shown", "noted"),
    [
        ([PNG], [NOTE]),
        ([{"type": "text", "text": "a"}, PNG | MARK], [{"type": "text", "text": "a"}, NOTE | MARK]),
        ([result(PNG, PNG) | MARK], [result(NOTE, NOTE) | MARK]),
    ],
)
def test_a_note_stands_in_the_place_of_an_image(shown: list[Json], noted: list[Json]) -> None:
    request = straight(asked(*shown))
    assert request.lost == ("messages.image",)
    assert json.loads(request.body)["messages"][1]["content"] == noted
    assert b'"an \\"image\\" of 1.0e+2"},  {' in request.body


def test_what_is_no_image_keeps_its_bytes() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "draw", "input": {"type": "image"}}
    said = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "image"}
    for body in (asked({"type": "text", "text": '"image"'}), asked(use), asked(said)):
        request = straight(body)
        assert (request.body, request.lost) == (body, ())


def test_a_model_that_sees_is_sent_the_image() -> None:
    body = asked(PNG)
    assert (straight(body, Quirks()).body, straight(body, Quirks()).lost) == (body, ())


def test_an_image_is_refused_where_the_operator_wants_that() -> None:
    for content in (PNG, result(PNG)):
        with pytest.raises(UpstreamFailure, match="asked takes no images") as caught:
            straight(asked(content), images=UnseenImages.REFUSE)
        assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert straight(asked(NOTE), images=UnseenImages.REFUSE).lost == ()


def test_what_came_in_another_dialect_is_noted_too() -> None:
    request = ChatRequest("m", (Message("user", (Image("image/png", "aGk="),)),))
    made = DIALECT.write_request(request, config(BASE, quirks=BLIND), "", Hints("t", 1))
    assert json.loads(made.request.body)["messages"][0]["content"] == [NOTE]
    assert made.lost == ("messages.image",)
