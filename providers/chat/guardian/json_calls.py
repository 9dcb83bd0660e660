"""Tool calls that are JSON: {"name": ..., "arguments": {...}} and its kin. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from providers.chat.guardian.mend import Schema, fits, properties
from providers.chat.guardian.repairs import Declared, Repair, TextCall
from providers.chat.guardian.tape import END, NotACall, Reading, Tape
from providers.json_object import NotJson, decode, encode

# Hermes and Qwen say arguments, Llama's template parameters, Anthropic's blocks input.
_ARGUMENTS = ("arguments", "parameters", "input")
_BESIDE = {"type", "id", "index"}
_KEYS = {"name", "function", *_ARGUMENTS, *_BESIDE}
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_objects(
    tape: Tape, tools: Declared, form: Repair, before: bytes = b"", strict: bool = False
) -> Reading[list[TextCall]]:
    """The calls of one JSON object or list. Raises NotACall, as early as a key or a name shows that it is none.

    ``before`` is what may stand where a last bracket is missing. ``strict`` is for JSON without a mark: its call must
    have arguments, and all that the tool requires.
    """
    yield from _begins(tape)
    start = tape.at
    raw = yield from tape.json(_Watch(tools), before)
    repairs = [form] if tape.at - start == len(raw) else [form, Repair.UNCLOSED]
    try:
        _members(raw) if raw.startswith(b"{") else _items(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if not strict and (unreadable := _unreadable_call(raw, tools, repairs)):
            return [unreadable]
        raw = _forgiving(raw)
        repairs.append(Repair.CONTROL_CHARACTER)
    calls = [_call(members, tools, repairs, strict) for members in _objects(raw)]
    if not calls:
        raise NotACall
    return calls


def read_arguments(tape: Tape, schema: Schema) -> Reading[tuple[str, list[Repair]]]:
    """A JSON object that is a call's arguments, {} where none stands here, and what was repaired."""
    if not (yield from tape.stands(b"{")):
        return "{}", []
    raw = yield from tape.json()
    try:
        _members(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if unreadable := _unreadable(_text(raw), schema):
            return unreadable, []
        return _forgiving(raw).decode(), [Repair.CONTROL_CHARACTER]
    return raw.decode(), []


def bare(tape: Tape, tools: Declared) -> Reading[list[TextCall]]:
    """Calls as JSON that are the whole text, white space apart."""
    calls = []
    while (yield from tape.here()) != END:
        calls += yield from _unmarked(tape, tools, Repair.BARE_JSON)
        yield from tape.blank()
    return calls


def fenced(tape: Tape, tools: Declared, fence: bytes) -> Reading[list[TextCall]]:
    """Calls as JSON in code fences that end the text. ``fence`` has been read."""
    calls = []
    while True:
        if not (yield from tape.stands(b" \t\r\n")):
            yield from tape.must(b"json\n", b"json\r\n", b"json ", b"tool_call\n", b"tool_calls\n", b"tool_use\n")
        yield from tape.blank()
        calls += yield from _unmarked(tape, tools, Repair.FENCED_JSON)
        yield from tape.blank()
        if (yield from tape.here()) != END:
            yield from tape.must(fence)
            yield from tape.blank()
        if (yield from tape.here()) == END:
            return calls
        yield from tape.must(fence)


def _unmarked(tape: Tape, tools: Declared, form: Repair) -> Reading[list[TextCall]]:
    if not (yield from tape.stands(b"{[")):
        raise NotACall
    return (yield from read_objects(tape, tools, form, strict=True))


def _begins(tape: Tape) -> Reading[None]:
    """Looks at the first bytes: an object with a member, or a list of such."""
    start = tape.at
    for wanted in (b"{", b'"') if tape.data[start : start + 1] == b"[" else (b'"',):
        tape.at += 1
        yield from tape.blank()
        if not (yield from tape.stands(wanted)):
            raise NotACall
    tape.at = start


class _Watch:
    """Looks at the outermost keys and at the name, as they come."""

    __slots__ = ("_key", "_tools")

    def __init__(self, tools: Declared) -> None:
        self._tools = tools
        self._key = ""

    def __call__(self, literal: bytes, is_key: bool) -> None:
        if len(literal) > 256:  # bytes
            if is_key or self._key == "name":
                raise NotACall
            return
        try:
            text = decode(literal)
        except NotJson as error:
            raise NotACall from error
        if is_key:
            self._key = text
        if (text not in _KEYS) if is_key else (self._key == "name" and not self._tools.find(text)):
            raise NotACall


_KEY = "|".join(_ARGUMENTS)
_PARTS = re.compile(rf'\{{\s*"name"\s*:\s*"([^"\\]+)"\s*,\s*"(?:{_KEY})"\s*:\s*(\{{.*\}})\s*\}}', re.DOTALL)
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]+)"\s*:')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _unreadable_call(raw: bytes, tools: Declared, repairs: list[Repair]) -> TextCall | None:
    """A call whose arguments are no JSON: the client complains of it to the model. None where it is none."""
    parts = _PARTS.fullmatch(_text(raw))
    name = tools.find(parts[1]) if parts else ""
    if parts is None or not name or not (arguments := _unreadable(parts[2], tools.schema(name))):
        return None
    return TextCall(name, arguments, (*repairs, *([Repair.NAME] if name != parts[1] else [])))


def _unreadable(text: str, schema: Schema) -> str:
    """Arguments that begin as the tool's do and are no JSON; "" for those that are, and for the {...} of prose."""
    first = _FIRST_KEY.match(text)
    if first is None or first[1] not in properties(schema) or ".." in _STRING.sub("", text):
        return ""
    try:
        json.loads(text, strict=False)
    except ValueError:
        return text
    except RecursionError:
        pass
    return ""


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


def _forgiving(raw: bytes) -> bytes:
    """JSON that has bare line breaks in its strings, as models without a grammar write them."""
    try:
        return encode(json.loads(raw.decode(), strict=False))
    except (ValueError, RecursionError) as error:
        raise NotACall from error


def _objects(raw: bytes) -> list[dict[str, msgspec.Raw]]:
    if raw.startswith(b"{"):
        return [_object(raw)]
    try:
        return [_object(item) for item in _items(raw)]
    except msgspec.DecodeError as error:
        raise NotACall from error


def _object(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _members(raw)
    except msgspec.DecodeError as error:
        raise NotACall from error


def _call(members: Mapping[str, msgspec.Raw], tools: Declared, repairs: list[Repair], strict: bool) -> TextCall:
    if "function" in members:
        if not members.keys() <= {"function", *_BESIDE}:
            raise NotACall
        members = _object(bytes(members["function"]))
    given = [key for key in _ARGUMENTS if key in members]
    if "name" not in members or len(given) > 1 or not members.keys() <= {"name", *given, *_BESIDE}:
        raise NotACall
    written = _value(members["name"])
    name = tools.find(written) if isinstance(written, str) else ""
    arguments = _arguments(members[given[0]]) if given else "{}"
    if not name or (strict and not (given and fits(arguments, tools.schema(name)))):
        raise NotACall
    return TextCall(name, arguments, (*repairs, *([Repair.NAME] if name != written else [])))


def _arguments(raw: msgspec.Raw) -> str:
    """The JSON text of an object; of one inside a JSON string too, as OpenAI writes it."""
    value = _value(raw)
    if value is None or value == "":
        return "{}"
    text = value if isinstance(value, str) else bytes(raw).decode()
    if isinstance(value, str):
        value = _value(text.encode("utf-8", "replace"))
    if not isinstance(value, dict):
        raise NotACall
    return text


def _value(raw: bytes | msgspec.Raw) -> Any:
    try:
        return decode(bytes(raw))
    except NotJson as error:
        raise NotACall from error
