"""Any answer as a Responses stream: its order, its numbers, and that it says what the whole answer says."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.chat.events import Event
from providers.chat.fold import fold
from providers.errors import Fault
from tests.providers.dialects.answers import answers
from tests.providers.dialects.openai_responses.asking import Json, events, streamed, writer

property_test = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

# What may follow what inside one item, by the kind of item (OpenAI API reference, streaming events, read 2026-11).
_ITEMS = {
    "message": "content_part.added output_text.delta* output_text.done content_part.done",
    "reasoning": "reasoning_summary_part.added reasoning_summary_text.delta* reasoning_summary_text.done "
    "reasoning_summary_part.done",
    "function_call": "function_call_arguments.delta* function_call_arguments.done",
    "custom_tool_call": "custom_tool_call_input.delta* custom_tool_call_input.done",
}


def faults(made: list[Json]) -> Iterator[str]:
    """What is wrong with a whole stream."""
    if [event["sequence_number"] for event in made] != list(range(len(made))):
        yield "the numbers have gaps"
    first, second, *inner, last = made
    if (first["type"], second["type"]) != ("response.created", "response.in_progress"):
        yield "it does not begin with created and in_progress"
    if last["type"] not in ("response.completed", "response.incomplete"):
        yield f"it ends with {last['type']}"
    if {event["response"]["id"] for event in (first, second, last)} != {"resp_tok"}:
        yield "the response changes its id"
    done: list[Json] = []
    while inner:
        length = next((at for at, each in enumerate(inner, 1) if each["type"] == "response.output_item.done"), 0)
        if not length:
            yield "an item is never done"
            break
        yield from _item_faults(inner[:length], len(done))
        done.append(inner[length - 1]["item"])
        del inner[:length]
    if last["response"]["output"] != done:
        yield "the end has other items than were done"


def _item_faults(made: list[Json], index: int) -> Iterator[str]:
    added, *inner, done = made
    item = done["item"]
    if added["type"] != "response.output_item.added" or added["item"]["id"] != item["id"]:
        yield f"{item['id']} was never added"
    if {event["output_index"] for event in made} != {index}:
        yield f"{item['id']} is not at {index}"
    if {event["item_id"] for event in inner} - {item["id"]}:
        yield f"events of another item inside {item['id']}"
    kinds = [event["type"].removeprefix("response.") for event in inner]
    squeezed = [kind for at, kind in enumerate(kinds) if not (at and kind == kinds[at - 1])]
    wanted = _ITEMS[item["type"]].replace("*", "").split() if inner or item["type"] != "reasoning" else []
    if squeezed != wanted and squeezed != [kind for kind in wanted if not kind.endswith(".delta")]:
        yield f"{item['type']}: {squeezed}"
    text = "".join(event["delta"] for event in inner if event["type"].endswith(".delta"))
    if [text] != _texts(item):
        yield f"{item['id']} is not the sum of its deltas"


def _texts(item: Json) -> list[str]:
    match item["type"]:
        case "message":
            return [part["text"] for part in item["content"]]
        case "reasoning":
            return [part["text"] for part in item["summary"]] or [""]
        case "function_call":
            return [item["arguments"]]
    return [item["input"]]


@property_test
@given(answers())
def test_every_answer_is_streamed_in_order(answer: list[Event]) -> None:
    assert list(faults(streamed(answer))) == []


@property_test
@given(answers())
def test_the_end_of_a_stream_is_the_whole_answer(answer: list[Event]) -> None:
    assert streamed(answer)[-1]["response"] == json.loads(writer().whole(fold(answer)))


@property_test
@given(answers(), st.data())
def test_a_cut_closes_no_item(answer: list[Event], data: st.DataObject) -> None:
    machine = writer()
    at = data.draw(st.integers(0, len(answer) - 2))  # before Finished
    said = events(b"".join(machine.write(event) for event in answer[:at]))
    error, failed = events(machine.failed(Fault(502, "api_error", "gone")))
    added = [event["item"]["id"] for event in said if event["type"] == "response.output_item.added"]
    done = [event["item"]["id"] for event in said if event["type"] == "response.output_item.done"]
    assert done == added[: len(done)]
    assert len(added) - len(done) <= 1
    assert [item["id"] for item in failed["response"]["output"]] == done
    assert (error["type"], failed["type"], failed["response"]["status"]) == ("error", "response.failed", "failed")
    assert [error["sequence_number"], failed["sequence_number"]] == [len(said), len(said) + 1]
