"""Signatures come back on the part that they came on, and to the provider that made them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.call import Hints
from providers.chat.events import BlockKind
from providers.chat.fold import AnswerBlock, WholeMessage, fold
from providers.chat.request import Block, Message, Text, Thinking, ToolResult, ToolUse
from providers.dialects import discover
from providers.spec import ProviderConfig
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.gemini.asking import HI, NEW, OLD, Json, config, read_all, reader, written
from tests.upstream import gemini

property_test = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
SIG = "CtkBAVSoXO4Q2fGzP0r1l8o3m5n7p9qLk2Jh4Gf6Ds8A=="
OTHER_SIG = "EjQKMgEMOdbHJChLX75QUCJjyYlm+x/y"
FOREIGN = "skip_thought_signature_validator"


def heard(*parts: Json, provider: str = "acme", signs: bool = True) -> WholeMessage:
    frames = [gemini.chunk(part) for part in parts]
    return fold(read_all(*frames, gemini.chunk(reason="STOP"), machine=reader(provider, signs=signs)))


def as_sent(block: AnswerBlock) -> Block:
    match block.kind:
        case BlockKind.THINKING:
            return Thinking(block.text, block.signature)
        case BlockKind.TOOL_USE:
            return ToolUse(block.id, block.name, block.text)
    return Text(block.text)


def sent_back(
    message: WholeMessage, model: str = NEW, provider: str = "acme", lost: tuple[str, ...] = ()
) -> list[Json]:
    """The parts of the model's turn, once its answer comes back from a client with the results of its calls."""
    content = tuple(map(as_sent, message.blocks))
    results = tuple(ToolResult(block.id, (Text("ok"),)) for block in content if isinstance(block, ToolUse))
    turns = (*HI.messages, Message("assistant", content), Message("user", (*results, Text("So?"))))
    made, named = written(replace(HI, model=model, messages=turns), provider=provider)
    assert named == lost
    assert gemini.objection(made) == ""
    return [part for turn in made["contents"] if turn["role"] == "model" for part in turn["parts"]]


def test_on_a_call() -> None:
    parts = [*gemini.call("Bash", {"a": 1}, "8f2b1a3c", SIG), *gemini.call("Read", {}, "9c3d2b4e")]
    assert sent_back(heard(*parts)) == parts


def test_on_a_call_without_an_id() -> None:
    parts = gemini.call("Bash", {"a": 1}, signature=SIG)
    assert sent_back(heard(*parts), OLD) == parts


def test_on_a_thought() -> None:
    parts: list[Json] = [{"text": "Hm", "thought": True, "thoughtSignature": SIG}, {"text": "Hi"}]
    assert sent_back(heard(*parts)) == parts
    pieces = [*gemini.thought("Hm"), {"text": "", "thought": True, "thoughtSignature": SIG}, {"text": "Hi"}]
    assert sent_back(heard(*pieces)) == parts


def test_on_the_text_behind_a_thought() -> None:
    parts: list[Json] = [{"text": "Hm", "thought": True}, {"text": "Hi", "thoughtSignature": SIG}]
    assert sent_back(heard(*parts)) == parts
    both: list[Json] = [{**parts[0], "thoughtSignature": OTHER_SIG}, parts[1]]
    assert sent_back(heard(*both)) == both


def test_on_the_first_text() -> None:
    parts: list[Json] = [{"text": "Hi", "thoughtSignature": SIG}]
    made = heard(*parts)
    assert [(str(block.kind), block.text) for block in made.blocks] == [("thinking", ""), ("text", "Hi")]
    assert sent_back(made) == parts


def test_on_an_empty_part_before_a_call() -> None:
    parts = [
        {"text": "I look."},
        {"text": "", "thoughtSignature": SIG},
        *gemini.call("Bash", {}, "8f2b1a3c", OTHER_SIG),
    ]
    assert sent_back(heard(*parts)) == parts
    after_a_thought = [{"text": "Hm", "thought": True}, *parts[1:]]
    assert sent_back(heard(*after_a_thought)) == after_a_thought


def test_after_the_last_words_it_is_not_kept() -> None:
    """An answer that ends with a thought has no result for ``claude -p``."""
    made = heard({"text": "Hi"}, {"text": "", "thoughtSignature": SIG})
    assert [(str(block.kind), block.text) for block in made.blocks] == [("text", "Hi")]


def test_a_client_that_wants_no_thoughts_gets_none_for_a_texts_signature() -> None:
    made = heard({"text": "Hi", "thoughtSignature": SIG}, *gemini.call("Bash", {}, "8f2b1a3c", SIG), signs=False)
    assert [str(block.kind) for block in made.blocks] == ["text", "tool_use"]
    assert sent_back(made)[1]["thoughtSignature"] == SIG


def test_a_lost_text_leaves_its_signature_a_part_of_its_own() -> None:
    message = heard({"text": "Hm", "thought": True}, {"text": "Hi", "thoughtSignature": SIG})
    message.blocks.pop()
    assert sent_back(message) == [{"text": "Hm", "thought": True}, {"text": "", "thoughtSignature": SIG}]


def test_calls_of_another_say_so() -> None:
    parts = [*gemini.call("Bash", {}, "8f2b1a3c", SIG), *gemini.call("Read", {}, "9c3d2b4e")]
    foreign = sent_back(heard(*parts, provider="other"))
    assert [part.get("thoughtSignature") for part in foreign] == [FOREIGN, None]
    assert [part["functionCall"]["id"] for part in foreign] == ["8f2b1a3c", "9c3d2b4e"]
    assert "thoughtSignature" not in sent_back(heard(*parts, provider="other"), OLD)[0]


def test_thoughts_of_another_are_lost_by_name() -> None:
    message = heard(*gemini.thought("Hm", SIG), {"text": "Hi"}, provider="other")
    assert sent_back(message, lost=("messages.thinking",)) == [{"text": "Hi"}]


def test_no_other_dialect_is_sent_a_signature() -> None:
    message = heard(*gemini.thought("Hm", SIG), {"text": "Hi"}, *gemini.call("Bash", {}, "8f2b1a3c", OTHER_SIG))
    content = tuple(map(as_sent, message.blocks))
    turns = (*HI.messages, Message("assistant", content), Message("user", (ToolResult(message.blocks[2].id, ()),)))
    for name, dialect in discover().items():
        for provider in ("acme", "other"):
            if (name, provider) == ("gemini", "acme"):
                continue
            made = dialect.write_request(replace(HI, messages=turns), _row(name, provider), "", Hints("t", 1))
            assert SIG.encode() not in made.request.body, (name, provider)
            assert name == "openai_chat" or OTHER_SIG.encode() not in made.request.body, (name, provider)


def _row(dialect: str, provider: str) -> ProviderConfig:
    if dialect == "gemini":
        return config(provider=provider)
    row = kit.config(dialect)
    return replace(row, spec=replace(row.spec, id=provider))


TEXTS = st.text(min_size=1, max_size=6)
SIGNED = st.none() | st.sampled_from([SIG, OTHER_SIG])


@st.composite
def turns(draw: st.DrawFn) -> list[Json]:
    """The parts of an answer, as they would stand in a history: no two of a kind beside each other, but for calls."""
    made: list[Json] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["text", "thought", "call"]), min_size=1, max_size=5))):
        signature = draw(SIGNED)
        signed = {"thoughtSignature": signature} if signature else {}
        if kind == "call":
            call = {"name": draw(st.sampled_from(["Bash", "Read"])), "args": {"n": number}, "id": f"call_{number}"}
            made.append({"functionCall": call, **signed})
        elif not made or ("text" not in made[-1]) or bool(made[-1].get("thought")) != (kind == "thought"):
            thought = {"thought": True} if kind == "thought" else {}
            made.append({"text": draw(TEXTS), **thought, **signed})
    calls = [part for part in made if "functionCall" in part]
    if calls and not any("thoughtSignature" in part for part in calls):
        calls[0]["thoughtSignature"] = SIG
    return made


@property_test
@given(turns(), st.data())
def test_any_turn_goes_back_as_it_came(parts: list[Json], data: st.DataObject) -> None:
    """In any pieces, over any line ends, cut at any bytes."""
    pieces: list[Json] = []
    for part in parts:
        cut = data.draw(st.integers(1, len(part["text"]))) if "text" in part else 0
        rest = {**part, "text": part["text"][cut:]} if "text" in part and part["text"][cut:] else None
        pieces += [{**part, "text": part["text"][:cut]}, *([_unsigned(rest)] if rest else [])] if cut else [part]
    end = data.draw(st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]))
    stream = b"".join(_frame([piece], end) for piece in pieces) + _frame([], end, "STOP")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    split = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = fold(read_all(*split))
    assert sent_back(whole) == parts
    assert fold(reader().whole(json.dumps(gemini.body(parts, reason="STOP")).encode())) == whole


def _unsigned(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "thoughtSignature"}


def _frame(parts: list[Json], end: str, reason: str = "", **more: Any) -> bytes:
    return f"data: {json.dumps(gemini.body(parts, reason=reason, **more))}{end}".encode()
