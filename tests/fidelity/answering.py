"""A feature of an answer: what a client gets of one that an upstream gave, streamed and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from middleware.shapes import error_body
from providers import classify, policy
from providers.call import Call, Hints, Operation, StreamReader
from providers.chat.guardian import Guardian
from providers.chat.ports import EventReader, EventWriter
from providers.chat.request import ChatRequest, Message, Reasoning, Text
from providers.errors import UpstreamFailure
from providers.json_object import JsonObject, encode
from providers.translation import Translation
from tests.fidelity.cases import FOLDER, AnswerCase, base
from tests.fidelity.heard import HEARD
from tests.fidelity.match import holds, leaves
from tests.fidelity.verdict import Fate, Verdict
from tests.fidelity.ways import DIALECTS, FACES, Way

HINTS = Hints("0123abcd", 5)

Json = dict[str, Any]


@dataclass(frozen=True)
class Got:
    """What the client has, and what was named as lost on the way."""

    answer: Json
    lost: tuple[str, ...]


@cache
def samples(upstream: str) -> Mapping[str, Json]:
    """What an upstream of this dialect can say, by name; nothing where nobody wrote it down."""
    path = FOLDER / "answers" / f"{upstream}.json"
    found: Mapping[str, Json] = json.loads(path.read_text()) if path.exists() else {}
    return found


def judge(case: AnswerCase, way: Way) -> Verdict:
    """What becomes of the feature on this way: the same, streamed and whole."""
    sample = samples(way.upstream).get(case.given)
    if sample is None:
        return Verdict(Fate.NONE)
    if "status" in sample:
        return _judged(case, way, _refused(way, sample))
    both = (True,) if sample.get("only_streamed") else (True, False)
    verdicts = {_judged(case, way, _got(way, sample, stream)) for stream in both}
    return verdicts.pop() if len(verdicts) == 1 else Verdict(Fate.SILENT, tuple(sorted(map(str, verdicts))))


def _judged(case: AnswerCase, way: Way, got: Got) -> Verdict:
    if holds(got.answer, case.form):
        return Verdict(Fate.CARRIED)
    if _is_near(case, got.answer):
        return Verdict(Fate.ADAPTED, tuple(dict.fromkeys(_members(case.near))), got.lost, case.form_there(way))
    if got.lost:
        return Verdict(Fate.LOST, names=got.lost)
    why = case.reason(way)
    return Verdict(Fate.NEEDLESS, why=why) if why else Verdict(Fate.SILENT)


def _members(form: Any) -> Iterator[str]:
    """The names under which a form has its values."""
    for name, value in form.items() if isinstance(form, dict) else ():
        if isinstance(value, dict | list):
            yield from _members(value)
        elif name != "type":
            yield name
    for each in form if isinstance(form, list) else ():
        yield from _members(each)


def _is_near(case: AnswerCase, answer: Json) -> bool:
    if case.near is not None and holds(answer, case.near):
        return True
    said = "\n".join(leaves(answer))
    return bool(case.marks) and all(mark in said for mark in case.marks)


def _got(way: Way, sample: Json, stream: bool) -> Got:
    reader = straight(way, stream) if way.straight else translation(way, stream)
    if stream or not way.straight:
        sent = reader.feed(stream_of(sample["stream"])) + reader.finish()
    else:
        sent = reader.take_whole(encode(sample["whole"]))
    if reader.failure is not None:
        sent += reader.failed(policy.fault(_at_acme(reader.failure)))
    answer = HEARD[way.client](sent) if stream else json.loads(sent)
    return Got(answer, tuple(getattr(reader, "lost", ())))


def straight(way: Way, stream: bool) -> StreamReader:
    """The reader of a call whose bytes pass."""
    line = DIALECTS[way.upstream].straight
    assert line is not None
    return line.reader(_call(way.client, stream))


def translation(way: Way, stream: bool, guardian: Guardian | None = None) -> Translation:
    """The reader of a call that is translated."""
    thinking = Reasoning("adaptive", 0, "", True)
    asked = ChatRequest("m", (Message("user", (Text("Hi"),)),), stop=("END",), reasoning=thinking)
    made = DIALECTS[way.upstream].write_request(asked, way.config, "", HINTS)
    return Translation(made.reader, FACES[way.client].writer(_call(way.client, stream)), stream, guardian)


def _call(client: str, stream: bool) -> Call:
    options = {"stream_options": {"include_usage": True}} if client == "openai_chat" and stream else {}
    body = {**base(client), "stream": stream, **options}
    return Call("req_1", client, Operation.MESSAGES, JsonObject(encode(body)), body["model"], stream, received=7)


def _refused(way: Way, sample: Json) -> Got:
    """The status and the body of an error that came instead of an answer."""
    body = encode(sample["body"])
    failure = classify.status_failure(sample["status"], sample["headers"], body, "acme", 0.0)
    fault = policy.fault(_at_acme(failure))
    told = json.loads(error_body(fault, "req_1", openai=way.client != "anthropic"))
    return Got({"status": fault.status, "retry_after": fault.retry_after, **told}, ())


def _at_acme(failure: UpstreamFailure) -> UpstreamFailure:
    failure.provider = "acme"
    return failure


def stream_of(told: list[Any]) -> bytes:
    """A stream's bytes: an object is an event, named where it has a type; a text is a comment, or data as it is."""
    return b"".join(map(_frame, told))


def _frame(event: Any) -> bytes:
    if isinstance(event, str):
        return (f"{event}\n\n" if event.startswith(":") else f"data: {event}\n\n").encode()
    name = f"event: {event['type']}\n" if isinstance(event.get("type"), str) else ""
    return f"{name}data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def whole(reader: EventReader, writer: EventWriter, upstream: str, given: str) -> Json:
    """What a client that wants it whole gets of this upstream's answer."""
    machine = Translation(reader, writer, False)
    sent = machine.feed(stream_of(samples(upstream)[given]["stream"])) + machine.finish()
    answer: Json = json.loads(sent)
    return answer
