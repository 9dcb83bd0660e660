"""A Gemini answer, streamed or whole, as neutral events. Pure.

Nothing marks the end of a stream but its own: an answer is whole where a reason to stop came before that. Errors come
inside a stream as events, or as bare JSON behind the last one (github.com/theopenco/llmgateway/pull/3616,
github.com/maximhq/bifrost/pull/5262, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from providers import classify
from providers.chat.blocks import Blocks
from providers.chat.citations import ADDRESS
from providers.chat.events import (
    ArgumentsDelta,
    BlockKind,
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Failed,
    Finished,
    Stop,
    TextDelta,
)
from providers.chat.marks import signed_id
from providers.chat.reader import Confused, FrameReader
from providers.chat.sse import DONE, data_of, is_json
from providers.dialects.gemini import usage as usages
from providers.dialects.gemini.chunks import Candidate, Chunk, FunctionCall, Part, as_it_came, chunk, chunks, sources
from providers.dialects.gemini.thought import SignedThought
from providers.dialects.openai_chat.stops import failure_of, stop_of
from providers.errors import ErrorKind
from providers.ports import Usage

_JSON = (b"{", b"[")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Messages takes (platform.claude.com/docs, tool use)


class GeminiReader(FrameReader):
    """See ``providers.chat.ports.EventReader``."""

    def __init__(
        self,
        token: str,
        provider: str,
        estimate: int,
        names: Mapping[str, str],
        hidden: bool = False,
        signs: bool = True,
    ) -> None:
        """``token`` makes ids, ``estimate`` is the input's tokens, ``names`` gives a tool its own name back.

        ``hidden`` leaves all thoughts out; ``signs`` False leaves out those that would carry a text's signature only.
        """
        super().__init__()
        self._token = token
        self._provider = provider
        self._names = names
        self._signs = signs and not hidden
        self._usage = Usage(input_tokens=estimate)
        self._counts = b""  # the latest, not read yet
        self._counted = False
        self._blocks = Blocks(token, partial(SignedThought, provider), hidden)
        self._ids: list[str] = []  # of the calls so far
        self._calling = False  # the last call's block is open
        self._cited: set[str] = set()  # addresses
        self._stop: Stop | None = None

    @property
    def closing(self) -> bool:
        """The reason to stop has come; only counts can follow."""
        return self._stop is not None

    def _frame(self, frame: bytes) -> Iterator[Event]:
        data = _payload(frame)
        if not data or data.startswith(DONE):
            return
        if not data.startswith(_JSON):
            raise Confused("an event that is not JSON")
        for made in (chunk(data),) if data.startswith(b"{") else chunks(data):
            if text := self._plain_text(made):
                yield TextDelta(text)
            else:
                yield from self._chunk(made, data)

    def _plain_text(self, made: Chunk) -> str:
        """The next piece of the open text; "" where the chunk has to be looked at more closely."""
        candidates = made.candidates
        if self._blocks.open is not BlockKind.TEXT or candidates is None or len(candidates) != 1:
            return ""
        candidate = candidates[0]
        content = candidate.content
        if content is None or not content.parts or candidate.finish_reason or made.failed or made.prompt_feedback:
            return ""
        part = content.parts[0]
        signed = part.thought_signature or part.thought
        if len(content.parts) != 1 or not part.text or signed or part.function_call or part.inline_data:
            return ""
        self._counts = made.counts or self._counts
        self._blocks.said += len(part.text)
        return part.text

    def _chunk(self, made: Chunk, data: bytes) -> Iterator[Event]:
        if made.failed or (made.says_nothing and classify.words(data)):
            yield Failed(classify.error_inside(data))
            return
        self._counts = made.counts or self._counts
        if not self._blocks.started:
            self._count()
        if made.candidates:
            yield from self._candidate(made.candidates[0])
        if made.prompt_feedback is not None and made.prompt_feedback.block_reason:
            yield from self._close()
            self._stop = Stop.REFUSAL

    def _candidate(self, candidate: Candidate) -> Iterator[Event]:
        reason = candidate.finish_reason or ""
        if kind := failure_of(reason):
            said = f": {candidate.finish_message}" if candidate.finish_message else ""
            yield self._failed(kind, f"the upstream ended its answer with finishReason {reason}{said}")
            return
        for part in (candidate.content and candidate.content.parts) or ():
            yield from self._part(part)
        if as_it_came(candidate.grounding_metadata):
            yield from self._cite(sources(candidate.grounding_metadata))
        if reason:
            yield from self._close()
            self._stop = stop_of(reason)

    def _cite(self, found: list[dict[str, str]]) -> Iterator[Event]:
        """Where the answer was looked up; what does not stand behind its text is lost."""
        new = [each for each in found if each["url"] not in self._cited]
        self._cited.update(each["url"] for each in new)
        if new and self._blocks.open is not BlockKind.TEXT:
            self._lose("citations")
        yield from self._blocks.cite({"type": ADDRESS, **each} for each in new)

    def _part(self, part: Part) -> Iterator[Event]:
        signature = part.thought_signature or ""
        if part.function_call is not None:
            yield from self._call(part.function_call, signature)
        elif part.thought:
            yield from self._thought(part.text or "", signature)
        elif part.inline_data is not None:
            kind = part.inline_data.mime_type or "a file"
            yield from self._text(f"[{kind}: what the model made cannot be passed on.]", signature)
        elif part.text is not None:
            yield from self._text(part.text, signature)

    def _thought(self, text: str, signature: str) -> Iterator[Event]:
        blocks = self._blocks
        if text:
            yield from self._end_call()
            if blocks.open is not BlockKind.THINKING and blocks.thought.opaque:
                yield from blocks.make_way(self._usage)
            yield from blocks.say(BlockKind.THINKING, text, self._usage)
        if signature and blocks.open is BlockKind.THINKING:
            blocks.thought.own = signature
        elif signature and self._signs:
            blocks.thought.take("part", signature)

    def _text(self, text: str, signature: str) -> Iterator[Event]:
        first = bool(text) and self._blocks.open is not BlockKind.TEXT
        if first and signature and self._signs:
            self._blocks.thought.take("text", signature)
        if text:
            yield from self._end_call()
            yield from self._blocks.say(BlockKind.TEXT, text, self._usage)
        if signature and self._signs and not first:
            self._blocks.thought.take("part", signature)

    def _call(self, call: FunctionCall, signature: str) -> Iterator[Event]:
        """Calls come whole, but the block stays open until something follows: only that says that the call holds."""
        if not call.name:
            raise Confused("a tool call without a name")
        yield from self._end_call()
        yield from self._blocks.make_way(self._usage)
        yield from self._blocks.begin(self._usage)
        given = call.id or ""
        known = given in self._ids or not _ID.fullmatch(given)
        identity = f"toolu_{self._token}_{len(self._ids)}" if known else given
        self._ids.append(identity)
        if signature:
            identity = signed_id(identity, self._provider, "google", signature)
        yield BlockStarted(BlockKind.TOOL_USE, identity, self._names.get(call.name, call.name))
        arguments = as_it_came(call.args).decode("utf-8", "replace") or "{}"
        self._blocks.said += len(arguments)
        self._calling = True
        yield ArgumentsDelta(arguments)

    def _end_call(self) -> Iterator[Event]:
        if self._calling:
            self._calling = False
            yield BlockStopped()

    def _close(self) -> Iterator[Event]:
        yield from self._end_call()
        yield from self._blocks.close()

    def _count(self) -> None:
        found = usages.read(self._counts) if self._counts else None
        self._counts = b""
        if found is None:
            return
        if not (found.input_tokens or found.cache_read_tokens):
            found.input_tokens = self._usage.input_tokens
        self._usage, self._counted = found, bool(found.output_tokens)

    def _done(self, stop: Stop) -> Iterator[Event]:
        self._count()
        yield from self._close()
        yield from self._blocks.begin(self._usage)
        if not self._counted:
            self._usage.output_tokens = max(1, self._blocks.said // 4)
        yield Finished(Stop.TOOL_USE if self._ids and stop is Stop.END_TURN else stop, self._usage)
        yield Ended()

    def _whole(self, body: bytes) -> Iterator[Event]:
        try:
            found = chunks(body)
        except Confused:
            found = []
        if not found or all(made.says_nothing for made in found):
            yield Failed(classify.no_answer(body, "Gemini answer"))
            return
        for made in found:
            yield from self._chunk(made, body)
        if self._stop is None and len(found) > 1:
            yield self._cut()
            return
        yield from self._done(self._stop or Stop.END_TURN)

    def _finish(self) -> Iterator[Event]:
        tail = self._frames.rest.strip()
        if last := self._frames.last():
            yield from self._frame(last)
        elif tail.startswith(_JSON) and is_json(tail):
            yield from self._frame(tail)
        if self._over:
            return
        if self._stop is None:
            yield self._cut()
            return
        yield from self._done(self._stop)

    def _cut(self) -> Failed:
        where = "in the middle of its answer" if self._blocks.said else "before its answer began"
        return self._failed(ErrorKind.CUT, f"the upstream closed the connection {where}")


def _payload(frame: bytes) -> bytes:
    """What an event says; of bare JSON between events, that."""
    if frame.startswith(b"data: {"):
        line = frame.find(b"\n")
        if line == len(frame) - 2 and frame[line - 1] != 13:
            return frame[6:line]
        if line == len(frame) - 3 and frame[line - 1] == 13:
            return frame[6 : line - 1]
    bare = frame.strip()
    return data_of(frame).strip() or (bare if bare.startswith(_JSON) else b"")
