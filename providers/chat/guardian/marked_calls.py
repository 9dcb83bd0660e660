"""Tool calls between marks that are tokens of their own to a model: Mistral's, Kimi's, DeepSeek's, Llama's. Pure."""

from __future__ import annotations

import re

from providers.chat.guardian.json_calls import read_arguments, read_objects
from providers.chat.guardian.repairs import Declared, Repair, TextCall
from providers.chat.guardian.tape import NotACall, Reading, Tape

_NAME = re.compile(rb"[\w.-]*")
_ID = re.compile(rb"[\w.:/-]*")
_LINE = re.compile(rb"[^<{\n]*")

KIMI_CALL = b"<|tool_call_begin|>"
_KIMI_ENDS = (b"<|tool_calls_section_end|>", b"<|tool_call_section_end|>")


def mistral(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows [TOOL_CALLS]: a list of objects (up to tokenizer v7), or a name and an object (from v11)."""
    yield from tape.blank()
    if (yield from tape.stands(b"[{")):
        return (yield from read_objects(tape, tools, Repair.MISTRAL))
    written = yield from tape.run(_NAME)
    yield from tape.blank()
    if (yield from tape.stands(b"[")) and (yield from tape.must(b"[CALL_ID]", b"[ARGS]")) == b"[CALL_ID]":
        yield from tape.run(_ID)
        yield from tape.must(b"[ARGS]")
    yield from tape.blank()
    if not (yield from tape.stands(b"{")):
        raise NotACall
    return [(yield from _named(tape, tools, written, Repair.MISTRAL))]


def llama(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows <|python_tag|>."""
    yield from tape.blank()
    if not (yield from tape.stands(b"[{")):
        raise NotACall
    return (yield from read_objects(tape, tools, Repair.LLAMA))


def kimi_section(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows <|tool_calls_section_begin|>."""
    yield from tape.blank()
    yield from tape.must(KIMI_CALL)
    return (yield from kimi(tape, tools))


def kimi(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows <|tool_call_begin|>: functions.name:number (or no number), a mark, an object; then more of them."""
    calls: list[TextCall] = []
    while True:
        yield from tape.blank()
        identity = yield from tape.run(_ID)
        yield from tape.blank()
        yield from tape.must(b"<|tool_call_argument_begin|>")
        identity = identity.removeprefix("functions.")
        written = identity.rpartition(":")[0] or identity
        calls.append((yield from _named(tape, tools, written, Repair.KIMI)))
        yield from tape.blank()
        yield from tape.must(b"<|tool_call_end|>")
        if not (yield from _another(tape, KIMI_CALL, *_KIMI_ENDS)):
            return calls


def deepseek_marks(bar: str, gap: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The five marks of DeepSeek's templates: calls begin, call begin, sep, call end, calls end."""
    words = ("tool calls begin", "tool call begin", "tool sep", "tool call end", "tool calls end")
    begin, call, sep, end, over = (f"<{bar}{mark.replace(' ', gap)}{bar}>".encode() for mark in words)
    return begin, call, sep, end, over


def deepseek(
    tape: Tape, tools: Declared, marks: tuple[bytes, bytes, bytes, bytes, bytes], section: bool
) -> Reading[list[TextCall]]:
    """What follows the first mark, or the second. V3: function, sep, name, fenced JSON. V3.1: name, sep, JSON."""
    _, call, sep, end, over = marks
    calls: list[TextCall] = []
    if section:
        yield from tape.blank()
        yield from tape.must(call)
    while True:
        yield from tape.blank()
        written = (yield from tape.run(_LINE)).strip()
        yield from tape.must(sep)
        if written == "function":
            written = (yield from tape.run(_LINE)).strip()
        yield from tape.blank()
        fence = yield from tape.one_of(b"```json", b"```\n")
        calls.append((yield from _named(tape, tools, written, Repair.DEEPSEEK)))
        yield from tape.blank()
        if fence:
            yield from tape.must(b"```")
            yield from tape.blank()
        yield from tape.must(end)
        if not (yield from _another(tape, call, over)):
            return calls


def _another(tape: Tape, call: bytes, *ends: bytes) -> Reading[bool]:
    """Whether one more call begins; the section's end is read where it stands here."""
    last = tape.at
    yield from tape.blank()
    tag = yield from tape.one_of(call, *ends)
    if not tag:
        tape.at = last
    return tag == call


def _named(tape: Tape, tools: Declared, written: str, form: Repair) -> Reading[TextCall]:
    name = tools.find(written)
    if not name:
        raise NotACall
    yield from tape.blank()
    arguments, repairs = yield from read_arguments(tape, tools.schema(name))
    return TextCall(name, arguments, (form, *([Repair.NAME] if name != written else []), *repairs))
