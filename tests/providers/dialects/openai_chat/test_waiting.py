"""A Chat Completions client waits on comments, and its answer comes as it is."""

from __future__ import annotations

from providers.dialects.openai_chat import DIALECT
from tests.providers.support import call

COMMENT = b": keepalive\n\n"


def test_a_comment_is_all_that_is_ever_sent_before_the_answer() -> None:
    waiting = DIALECT.waiting(call(dialect="openai_chat"))
    assert [waiting.ping(), waiting.hold(), waiting.ping(), waiting.hold()] == [COMMENT] * 4


def test_the_answer_comes_as_it_is() -> None:
    waiting = DIALECT.waiting(call(dialect="openai_chat"))
    for data in (b'data: {"choices":[]}\n\ndata: [DONE]\n\n', b""):
        assert waiting.join(data) is data
        waiting.hold()
        assert waiting.join(data) is data
