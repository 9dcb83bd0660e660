"""Any answer as a stream of chunks: its order, and that it says what the whole completion says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.call import Call, Operation
from providers.chat.events import Event
from providers.chat.fold import fold
from providers.chat.ports import EventWriter
from providers.dialects.openai_chat import DIALECT
from providers.errors import Fault
from providers.json_object import JsonObject
from tests.providers.dialects.answers import answers

property_test = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
Json = dict[str, Any]
ASKED = JsonObject(b'{"model":"m","messages":[],"stream_options":{"include_usage":true}}')


def writer() -> EventWriter:
    return DIALECT.writer(Call("req_1", "openai_chat", Operation.MESSAGES, ASKED, "asked/for", True, received=7))


def chunks(raw: bytes) -> list[Json]:
    """Without [DONE], which may only be the last."""
    lines = raw.decode().removesuffix("\n\n").split("\n\n") if raw else []
    return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]


def accumulated(made: list[Json]) -> Json:
    """What the deltas add up to, by the rules of the official SDKs: text is joined, calls are told by their index."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    calls: list[Json] = []
    for chunk in made:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            for field in ("content", "reasoning_content"):
                if delta.get(field):
                    message[field] = (message.get(field) or "") + delta[field]
            for piece in delta.get("tool_calls", ()):
                if piece["index"] == len(calls):
                    calls.append({"function": {"arguments": ""}})
                call = calls[piece["index"]]
                function = piece.get("function", {})
                call["function"] |= {**function, "arguments": call["function"]["arguments"] + function["arguments"]}
                call |= {key: value for key, value in piece.items() if key in ("id", "type")}
    return {**message, **({"tool_calls": calls} if calls else {})}


def faults(made: list[Json]) -> Iterator[str]:
    *said, end, usage = made
    if said[0]["choices"][0]["delta"] != {"role": "assistant", "content": ""}:
        yield "it does not begin with the role"
    if any(chunk["choices"][0]["finish_reason"] for chunk in said) or not end["choices"][0]["finish_reason"]:
        yield "the reason does not come at the end"
    if usage["choices"] or not usage["usage"]:
        yield "the counts do not come last"
    if len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in made}) != 1:
        yield "the head changes"
    indices = [piece["index"] for chunk in said for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]
    if indices != sorted(indices) or set(indices) != set(range(len(set(indices)))):
        yield f"calls in no order: {indices}"


@property_test
@given(answers())
def test_every_answer_is_streamed_in_order(answer: list[Event]) -> None:
    machine = writer()
    raw = b"".join(machine.write(event) for event in answer)
    assert raw.endswith(b"data: [DONE]\n\n")
    assert list(faults(chunks(raw))) == []


@property_test
@given(answers())
def test_a_stream_adds_up_to_the_whole_completion(answer: list[Event]) -> None:
    machine = writer()
    made = chunks(b"".join(machine.write(event) for event in answer))
    whole = json.loads(writer().whole(fold(answer)))
    (choice,) = whole["choices"]
    assert accumulated(made) == choice["message"]
    assert made[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert (made[-1]["usage"], made[-1]["id"]) == (whole["usage"], whole["id"])


@property_test
@given(answers(), st.data())
def test_a_cut_is_an_error_and_never_an_end(answer: list[Event], data: st.DataObject) -> None:
    machine = writer()
    at = data.draw(st.integers(0, len(answer) - 2))  # before Finished
    raw = b"".join(machine.write(event) for event in answer[:at]) + machine.failed(Fault(502, "api_error", "gone"))
    *said, error = chunks(raw)
    assert error["error"]["message"] == "gone"
    assert not any(choice["finish_reason"] for chunk in said for choice in chunk["choices"])
    assert b"[DONE]" not in raw
