"""Tool calls whose arguments stand in tags of their own, one by one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from providers.chat.guardian.json_calls import read_arguments, read_objects
from providers.chat.guardian.mend import lacks, properties, wants_text
from providers.chat.guardian.repairs import Declared, Repair, TextCall
from providers.chat.guardian.tape import END, NotACall, Reading, Tape
from providers.json_object import NotJson, decode, encode

ENDS = (b"</tool_call>", b"</tools>", b"</function_call>")  # of wrappers; models mix them up
_NAME = re.compile(rb"[\w.:/-]*")
_HEADER = re.compile(rb"[^<>\n]*")
_NAMED = re.compile(r"""\s*["']?([^"'=]*[^"'=\s])["']?(?:\s+string=["'](true|false)["'])?\s*""")


@dataclass(frozen=True, slots=True)
class _Tags:
    """How one form writes an argument and the end of a call. ``cut`` finds where a value may end."""

    form: Repair
    opening: bytes
    closing: bytes
    end: bytes

    @property
    def cut(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, (self.closing, b"\n" + self.opening, b"\n" + self.end))))


def _invoking(prefix: bytes, form: Repair) -> _Tags:
    return _Tags(form, b"<" + prefix + b"parameter name=", b"</" + prefix + b"parameter>", b"</" + prefix + b"invoke>")


_FUNCTION = _Tags(Repair.QWEN_CODER, b"<parameter=", b"</parameter>", b"</function>")
_INVOKE = _invoking(b"", Repair.INVOKE)


def tool_call(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows <tool_call>: JSON (Hermes), <function=...> (Qwen3-Coder), <invoke>, or a name (GLM)."""
    calls: list[TextCall] = []
    while True:
        yield from tape.blank()
        if (yield from tape.stands(b"{[")):
            calls += yield from read_objects(tape, tools, Repair.HERMES, before=ENDS[0])
        elif (yield from tape.stands(b"<")):
            tag = yield from tape.must(*((*ENDS, b"<tool_call>") if calls else ()), b"<function=", b"<invoke name=")
            if tag == b"<tool_call>":
                tape.at -= len(tag)
            if tag not in (b"<function=", b"<invoke name="):
                return calls
            tags = _FUNCTION if tag == b"<function=" else _INVOKE
            calls.append((yield from _tagged_call(tape, tools, tags)))
        elif not calls:
            calls.append((yield from _glm(tape, tools)))
        elif (yield from tape.here()) == END:
            return calls
        else:
            raise NotACall


def function(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """What follows <function=. Qwen3-Coder often leaves out the <tool_call> before it and keeps the one after it."""
    calls = [(yield from _tagged_call(tape, tools, _FUNCTION))]
    end = tape.at
    yield from tape.blank()
    if not (yield from tape.one_of(*ENDS)):
        tape.at = end
    return calls


def invoke(tape: Tape, tools: Declared, prefix: bytes = b"", wrapper: bytes = b"") -> Reading[list[TextCall]]:
    """What follows <invoke name= or, with a ``wrapper``, what follows <wrapper>."""
    tags = _invoking(prefix, Repair.DSML if b"DSML" in prefix else Repair.INVOKE)
    opening, closing = b"<" + prefix + b"invoke name=", b"</" + (wrapper or prefix + b"function_calls") + b">"
    if wrapper:
        yield from tape.blank()
        yield from tape.must(opening)
    calls = [(yield from _tagged_call(tape, tools, tags))]
    while True:
        end = tape.at
        yield from tape.blank()
        tag = yield from tape.one_of(opening, closing)
        if tag != opening:
            tape.at = tape.at if tag else end
            return calls
        calls.append((yield from _tagged_call(tape, tools, tags)))


def _tagged_call(tape: Tape, tools: Declared, tags: _Tags) -> Reading[TextCall]:
    """A call from its name on, with its end."""
    written, _ = yield from _header(tape)
    name = tools.find(written)
    if not name:
        raise NotACall
    repairs = [tags.form, *([Repair.NAME] if name != written else [])]
    yield from tape.blank()
    if (yield from tape.stands(b"{")):
        arguments, mended = yield from read_arguments(tape, tools.schema(name))
        yield from tape.blank()
        if (yield from tape.here()) != END:
            yield from tape.must(tags.end)
        return TextCall(name, arguments, (*repairs, *mended))
    values = yield from _arguments(tape, tools, name, tags, repairs)
    return TextCall(name, _encoded(values), tuple(repairs))


def _arguments(tape: Tape, tools: Declared, name: str, tags: _Tags, repairs: list[Repair]) -> Reading[dict[str, Any]]:
    schema = tools.schema(name)
    values: dict[str, Any] = {}
    tag = yield from tape.must(tags.opening, tags.end)
    while tag == tags.opening:
        key, is_text = yield from _header(tape)
        if key in values:
            raise NotACall
        value, tag = yield from _value(tape, tags, properties(schema).keys() - values.keys() - {key}, repairs)
        values[key] = _typed(value, schema, key, is_text)
    if tag != tags.end:
        repairs.append(Repair.UNCLOSED)
        tape.at -= len(tag)
        if lacks(values, schema):
            raise NotACall
    return values


def _value(tape: Tape, tags: _Tags, missing: set[str], repairs: list[Repair]) -> Reading[tuple[str, bytes]]:
    """A value and the tag after it. Tags inside of a value are part of it, unless what follows makes them ends."""
    start = seek = tape.at
    after = (tags.opening, tags.end, *ENDS)
    while True:
        end, tape.at = yield from tape.find(tags.cut, len(tags.opening) + len(tags.end), seek)
        closed = tape.data.startswith(tags.closing, end)
        seek = tape.at
        if closed:
            yield from tape.blank()
            tag = yield from tape.one_of(*after)
            over = bool(tag) or (yield from tape.here()) == END
        else:
            tag = bytes(tape.data[end + 1 : seek])
            over = yield from _shows_an_end(tape, tag == tags.opening, missing)
        if over:
            if not closed:
                repairs.append(Repair.UNCLOSED)
            return _unwrapped(tape.text(start, end)), tag
        tape.at = start


def _shows_an_end(tape: Tape, opens: bool, missing: set[str]) -> Reading[bool]:
    """Whether a tag ends a value that has no end of its own: by a missing argument's beginning, or the call's end."""
    at = tape.at
    if opens:
        try:
            key, _ = yield from _header(tape)
        except NotACall:
            return False
        tape.at = at
        return key in missing
    yield from tape.blank()
    ends = (yield from tape.one_of(*ENDS)) or (yield from tape.here()) == END
    tape.at = at
    return bool(ends)


def _header(tape: Tape) -> Reading[tuple[str, bool]]:
    """The rest of an opening tag: a name, quoted or not, and whether it is not said to be no string."""
    text = yield from tape.run(_HEADER)
    yield from tape.must(b">")
    named = _NAMED.fullmatch(text)
    if named is None:
        raise NotACall
    return named[1], named[2] != "false"


def _glm(tape: Tape, tools: Declared) -> Reading[TextCall]:
    """A name, keys and values, up to a tag that ends the call, which stays unread."""
    written = yield from tape.run(_NAME)
    name = tools.find(written)
    if not name:
        raise NotACall
    schema = tools.schema(name)
    values: dict[str, Any] = {}
    tag = yield from _next_key(tape)
    while tag == b"<arg_key>":
        key = (yield from tape.run(_HEADER)).strip()
        yield from tape.must(b"</arg_key>")
        yield from tape.blank()
        yield from tape.must(b"<arg_value>")
        if key in values:
            raise NotACall
        value, tag = yield from _glm_value(tape)
        values[key] = _typed(value, schema, key, True)
    if not values and lacks(values, schema):
        raise NotACall
    return TextCall(name, _encoded(values), (Repair.GLM, *([Repair.NAME] if name != written else [])))


_GLM_CUT = re.compile(rb"</arg_value>")


def _glm_value(tape: Tape) -> Reading[tuple[str, bytes]]:
    start = seek = tape.at
    while True:
        end, seek = yield from tape.find(_GLM_CUT, 12, seek)
        tape.at = seek
        try:
            return tape.text(start, end), (yield from _next_key(tape))
        except NotACall:
            tape.at = start


def _next_key(tape: Tape) -> Reading[bytes]:
    """Goes past <arg_key>, or stays before what ends the call. Raises NotACall for anything else."""
    yield from tape.blank()
    tag = yield from tape.must(b"<arg_key>", b"<tool_call>", *ENDS)
    if tag != b"<arg_key>":
        tape.at -= len(tag)
    return tag


def _typed(text: str, schema: Any, key: str, is_text: bool) -> Any:
    """A value that its tag says is no string is JSON, unless the schema wants a string."""
    wanted = properties(schema).get(key)
    if is_text or (wanted is not None and wants_text(wanted, schema)):
        return text
    try:
        return decode(text.encode("utf-8", "replace"))
    except NotJson:
        return text


def _unwrapped(text: str) -> str:
    """Without the line break after the opening tag and the one before the closing tag."""
    text = text.removeprefix("\r\n" if text.startswith("\r") else "\n")
    return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")


def _encoded(values: dict[str, Any]) -> str:
    try:
        return encode(values).decode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise NotACall from error
