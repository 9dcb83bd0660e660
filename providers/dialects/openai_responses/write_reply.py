"""Neutral events as a Responses stream, and a whole answer as one response. Pure.

Each block is an output item. An item is done when the next thing comes, for only the end says whether the last one
was cut short by a limit. The order is the API's own: created, in_progress; of an item added, its part added, deltas,
the part done, done; at the end the whole response again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.call import Call
from providers.chat import citations
from providers.chat.citations import Address
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    Finished,
    RawDelta,
    SignatureDelta,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.chat.reader import note
from providers.chat.sse import frame
from providers.dialects.openai_chat.errors import error_object
from providers.dialects.openai_responses import searches
from providers.dialects.openai_responses.marks import for_client_redacted
from providers.dialects.openai_responses.response import (
    INCOMPLETE,
    Json,
    Shell,
    call_item,
    message_item,
    reasoning_item,
    redacted_item,
    refusal_part,
    summary_part,
    text_part,
)
from providers.dialects.openai_responses.toolbox import Origin, Toolbox, input_of
from providers.errors import Fault
from providers.json_object import encode

_DELTA = b'event: %b\ndata: {"type":"%b","item_id":"%b","output_index":%d%b,"delta":'
_PREFIXES = {
    BlockKind.TEXT: "msg",
    BlockKind.REFUSAL: "msg",
    BlockKind.THINKING: "rs",
    BlockKind.TOOL_USE: "fc",
    BlockKind.RAW: "rs",
}
# What a part of a message is told by, up to its end.
_PARTS = {BlockKind.TEXT: "output_text", BlockKind.REFUSAL: "refusal"}

# OpenAI's codes of a response that failed (openai SDK 3.51.0, ResponseError).
_CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}


@dataclass(slots=True)
class _Open:
    """The item whose block has come last."""

    block: BlockStarted
    id: str
    index: int
    origin: Origin  # of a call
    head: bytes = b""  # of its deltas, up to their text
    tail: bytes = b""  # and after it, up to the number
    pieces: list[str] = field(default_factory=list)
    signature: str = ""
    cited: list[Address] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def part(self) -> Json:
        """Of a message, as it is so far."""
        if self.block.kind is BlockKind.REFUSAL:
            return refusal_part(self.text)
        return text_part(self.text, [_annotation(each, len(self.text)) for each in self.cited])


class ResponseWriter:
    """See ``providers.chat.ports.EventWriter``."""

    def __init__(self, call: Call) -> None:
        self.lost: list[str] = []
        self._shell = Shell(call)
        self._toolbox = Toolbox(call.body.get("tools"))
        self._token = ""
        self._number = 0  # of the next event
        self._open: _Open | None = None
        self._output: list[Json] = []  # items that are done, and searches that go on
        self._searches: dict[str, int] = {}  # the places of searches in the output, by their calls' ids
        self._sources = searches.SOURCES in (call.body.get("include") or ())
        self._refused = False  # in the model's own words

    def write(self, event: Event) -> bytes:
        """The event's bytes; ``event`` has passed the grammar."""
        match event:
            case TextDelta():
                return self._delta(event.text)
            case ThinkingDelta():
                return self._think(event.text)
            case ArgumentsDelta():
                return self._argue(event.json)
            case SignatureDelta() if self._open is not None:
                self._open.signature = event.signature
            case RawDelta():
                self._cite(event.value)
            case BlockStarted():
                return self._close("completed") + (self._found(event.raw) or self._begin(event))
            case BlockStopped() if self._open is not None and searches.is_call(self._open.block.raw):
                return self._close("completed")
            case Started():
                self._name(event.id)
                return self._state("response.created") + self._state("response.in_progress")
            case Finished():
                return self._finish(event)
        return b""

    def whole(self, message: WholeMessage) -> bytes:
        """The body of an answer that is not streamed. What was written before counts for nothing."""
        self._output, self._searches = [], {}
        self._name(message.id)
        self._refused = any(block.kind is BlockKind.REFUSAL for block in message.blocks)
        status = self._status(message.stop)
        self._lose(message.stop_sequence, message.details)
        last = len(message.blocks) - 1
        for number, block in enumerate(message.blocks):
            if self._found(block.raw):
                continue
            opened = self._opened(BlockStarted(block.kind, block.id, block.name, block.raw))
            if opened is not None:
                self._fill(opened, block)
                self._output.append(self._item(opened, status if number == last else "completed"))
        return self._shell.write(status, self._output, message.usage, message.stop)

    def failed(self, fault: Fault) -> bytes:
        """An ``error`` event, flat as OpenAI documents it and nested as it sends it, and the response that failed."""
        error = error_object(fault)
        code = error["code"] if fault.overflow else _CODES.get(fault.type, "server_error")
        event = {"code": code, "message": error["message"], "param": error["param"], "error": {**error, "code": code}}
        said = self._event("error", **event)
        response = self._shell.write("failed", self._output, error={"code": code, "message": error["message"]})
        return said + self._framed("response.failed", b'"response":' + response)

    def _name(self, identity: str) -> None:
        self._token = identity.removeprefix("msg_")
        self._shell.id = f"resp_{self._token}"

    def _state(self, kind: str) -> bytes:
        return self._framed(kind, b'"response":' + self._shell.write("in_progress"))

    def _status(self, stop: Stop) -> str:
        """A model that refuses in words of its own has answered."""
        if self._refused and stop is Stop.REFUSAL:
            return "completed"
        return "incomplete" if stop in INCOMPLETE else "completed"

    def _lose(self, sequence: str | None, details: Mapping[str, Any] | None) -> None:
        if sequence is not None:
            note(self.lost, "stop_sequence")
        if details:
            note(self.lost, "stop_details")

    def _cite(self, delta: Mapping[str, Any]) -> None:
        address = citations.address_of(delta)
        if address is not None and self._open is not None:
            self._open.cited.append(address)
        else:
            note(self.lost, "citations" if "citation" in delta else str(delta.get("type")))

    def _finish(self, event: Finished) -> bytes:
        status = self._status(event.stop)
        self._lose(event.stop_sequence, event.details)
        closed = self._close(status)
        response = self._shell.write(status, self._output, event.usage, event.stop)
        return closed + self._framed(f"response.{status}", b'"response":' + response)

    def _opened(self, block: BlockStarted) -> _Open | None:
        """The item of a block; None for one that only Messages knows."""
        search = searches.is_call(block.raw)
        if block.kind is BlockKind.RAW and not search and for_client_redacted(block.raw) is None:
            note(self.lost, str(block.raw.get("type")))
            return None
        self._refused = self._refused or block.kind is BlockKind.REFUSAL
        index, origin = len(self._output), self._toolbox.origin(block.name)
        prefix = "ws" if search else "ctc" if origin.custom else _PREFIXES[block.kind]
        if search:
            self._searches = {**self._searches, str(block.raw.get("id")): index}
        return _Open(block, f"{prefix}_{self._token}_{index}", index, origin)

    def _fill(self, opened: _Open, block: AnswerBlock) -> None:
        opened.pieces.append(block.text)
        opened.signature = block.signature
        self._open = opened
        for delta in block.raw_deltas:
            self._cite(delta)

    def _begin(self, block: BlockStarted) -> bytes:
        opened = self._open = self._opened(block)
        if opened is None or searches.is_call(block.raw):
            return b""  # a search is added once its query is whole
        added = self._event("response.output_item.added", output_index=opened.index, item=self._started(opened))
        if block.kind in _PARTS:
            more = b',"logprobs":[]' if block.kind is BlockKind.TEXT else b""
            self._prepare(f"response.{_PARTS[block.kind]}.delta", b',"content_index":0', more)
            part = {"item_id": opened.id, "output_index": opened.index, "content_index": 0, "part": opened.part}
            return added + self._event("response.content_part.added", **part)
        if block.kind is BlockKind.TOOL_USE:
            self._prepare("response.function_call_arguments.delta")
        return added

    def _started(self, opened: _Open) -> Json:
        """The item before anything of it has come."""
        block = opened.block
        match block.kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return message_item(opened.id, None, "in_progress", block.raw)
            case BlockKind.TOOL_USE:
                return call_item(opened.id, block.id, opened.origin, "", "in_progress")
        return reasoning_item(opened.id, "", "")

    def _item(self, opened: _Open, status: str) -> Json:
        """The item once all of it has come."""
        block = opened.block
        match block.kind:
            case BlockKind.RAW if searches.is_call(block.raw):
                return searches.begun(opened.id, opened.text)
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return message_item(opened.id, opened.part, status, block.raw)
            case BlockKind.THINKING:
                return reasoning_item(opened.id, opened.text, opened.signature)
            case BlockKind.TOOL_USE:
                arguments = opened.text.strip() or ("" if opened.origin.custom else "{}")
                return call_item(opened.id, block.id, opened.origin, arguments, status)
        return redacted_item(opened.id, for_client_redacted(block.raw) or "")

    def _prepare(self, kind: str, place: bytes = b"", more: bytes = b"") -> None:
        """The parts of the open item's deltas that are always the same."""
        if self._open is not None:
            name, identity = kind.encode(), self._open.id.encode()
            self._open.head = _DELTA % (name, name, identity, self._open.index, place)
            self._open.tail = more + b',"sequence_number":%d}\n\n'

    def _delta(self, text: str) -> bytes:
        """By hand, since this is done for every piece of every answer."""
        opened = self._open
        if opened is None:
            return b""
        opened.pieces.append(text)
        number = self._number
        self._number = number + 1
        return opened.head + encode(text) + opened.tail % number

    def _think(self, text: str) -> bytes:
        opened = self._open
        if opened is None or opened.head:
            return self._delta(text)
        self._prepare("response.reasoning_summary_text.delta", b',"summary_index":0')
        return self._summary("part.added", part=summary_part("")) + self._delta(text)

    def _argue(self, piece: str) -> bytes:
        """A custom tool's input is text: it can be told from its JSON only when that is whole."""
        opened = self._open
        if opened is None or opened.block.kind not in (BlockKind.TOOL_USE, BlockKind.RAW):
            return b""
        if opened.block.kind is BlockKind.TOOL_USE and not opened.origin.custom:
            return self._delta(piece)
        opened.pieces.append(piece)
        return b""

    def _close(self, status: str) -> bytes:
        opened = self._open
        if opened is None:
            return b""
        item = self._item(opened, status)
        said = self._done(opened, item)
        self._output = [*self._output, item]  # a writer may be copied, and its copy be given up
        self._open = None
        if item["type"] == searches.KIND:
            return self._searching(opened, item)
        return said + self._event("response.output_item.done", output_index=opened.index, item=item)

    def _searching(self, opened: _Open, item: Json) -> bytes:
        place = {"output_index": opened.index, "item_id": opened.id}
        added = {**item, "status": "in_progress"}
        return (
            self._event("response.output_item.added", output_index=opened.index, item=added)
            + self._event("response.web_search_call.in_progress", **place)
            + self._event("response.web_search_call.searching", **place)
        )

    def _found(self, result: Mapping[str, Any]) -> bytes:
        """The end of a search that has begun; b"" for what is none."""
        index = self._searches.get(str(result.get("tool_use_id")))
        if index is None:
            return b""
        item = searches.ended(self._output[index], result, self._sources)
        self._output = [*self._output[:index], item, *self._output[index + 1 :]]
        said = b""
        if item["status"] == "completed":
            said = self._event("response.web_search_call.completed", output_index=index, item_id=item["id"])
        return said + self._event("response.output_item.done", output_index=index, item=item)

    def _done(self, opened: _Open, item: Json) -> bytes:
        place = {"item_id": opened.id, "output_index": opened.index}
        match opened.block.kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return self._done_message(opened, {**place, "content_index": 0})
            case BlockKind.THINKING if opened.pieces:
                done = self._summary("text.done", text=opened.text)
                return done + self._summary("part.done", part=summary_part(opened.text))
            case BlockKind.TOOL_USE if opened.origin.custom:
                kind, text = "response.custom_tool_call_input", input_of(opened.text)
                return self._event(f"{kind}.delta", **place, delta=text) + self._event(
                    f"{kind}.done", **place, input=text
                )
            case BlockKind.TOOL_USE:
                said = b"" if opened.text.strip() else self._delta("{}")
                arguments = {"name": item["name"], "arguments": item["arguments"]}
                return said + self._event("response.function_call_arguments.done", **place, **arguments)
        return b""

    def _done_message(self, opened: _Open, at: Json) -> bytes:
        part = opened.part
        if opened.block.kind is BlockKind.REFUSAL:
            told = self._event("response.refusal.done", **at, refusal=opened.text)
            return told + self._event("response.content_part.done", **at, part=part)
        told = b"".join(
            self._event("response.output_text.annotation.added", **at, annotation_index=number, annotation=each)
            for number, each in enumerate(part["annotations"])
        )
        told += self._event("response.output_text.done", **at, text=opened.text, logprobs=[])
        return told + self._event("response.content_part.done", **at, part=part)

    def _summary(self, kind: str, **members: Any) -> bytes:
        if self._open is None:
            return b""
        place = {"item_id": self._open.id, "output_index": self._open.index, "summary_index": 0}
        return self._event(f"response.reasoning_summary_{kind}", **place, **members)

    def _event(self, kind: str, **members: Any) -> bytes:
        return self._framed(kind, encode(members)[1:-1])

    def _framed(self, kind: str, members: bytes) -> bytes:
        number = self._number
        self._number = number + 1
        name = kind.encode()
        return frame(name, b'{"type":"' + name + b'","sequence_number":%d,' % number + members + b"}")


def _annotation(address: Address, length: int) -> Json:
    return {"type": citations.ADDRESS, **address.within(0, length).annotation}
