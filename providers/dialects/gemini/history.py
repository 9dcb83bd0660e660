"""A conversation as Gemini's contents, mended where that format is stricter. Pure.

Its rules: a conversation begins with the user; the results of a turn's calls follow it at once, all of them, in a turn
of nothing else; a newer model wants the last word to be the user's. So neighbours of one side become one turn, a
missing result is supplied, one without its call becomes text, and what came with results follows them
(github.com/vellum-ai/vellum-assistant/pull/39495, github.com/pipecat-ai/pipecat/pull/5821, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from providers.chat.marks import call_signature
from providers.chat.request import (
    INTERRUPTED,
    Block,
    ChatRequest,
    Document,
    Image,
    Message,
    Raw,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from providers.dialects.gemini import media, thought
from providers.dialects.openai_chat.naming import call_id, of_model, tool_name
from providers.dialects.openai_chat.replay import FOREIGN_CALL
from providers.dialects.openai_chat.tool_calls import is_object
from providers.quirks import Quirks

BEFORE = "Hello."  # what the user is taken to have said where the model speaks first
AFTER = "Go on."  # and where it spoke last

Json = dict[str, Any]


def history(request: ChatRequest, quirks: Quirks, provider: str, lost: list[str]) -> list[Json]:
    """The ``contents``; what they cannot hold is named in ``lost``. ``quirks`` are the model's."""
    writer = _Writer(quirks, provider, of_model(request.model, quirks.signed_models), lost)
    for message in request.messages:
        writer.message(message)
    writer.settle()
    if writer.out and writer.out[0]["role"] == "model":
        writer.out.insert(0, _turn("user", [{"text": BEFORE}]))
    if writer.out and writer.out[-1]["role"] == "model" and not quirks.prefill:
        writer.out.append(_turn("user", [{"text": AFTER}]))
        lost.append("messages.prefill")
    return writer.out


class _Writer:
    def __init__(self, quirks: Quirks, provider: str, signs: bool, lost: list[str]) -> None:
        self.out: list[Json] = []
        self._quirks = quirks
        self._provider = provider
        self._signs = signs  # a turn's calls are refused without a signature
        self._lost = lost
        self._owed: dict[str, str] = {}  # calls whose results have not come: their tools' names by their ids
        self._results: dict[str, Json | None] = {}  # of the last turn's calls, in the order of the calls
        self._behind: list[Json] = []  # parts that have to wait for the rest of them

    def message(self, message: Message) -> None:
        match message.role:
            case "assistant":
                self.settle()
                self._assistant(message.content)
            case "user":
                self._user(message.content)
            case _:
                for block in message.content:
                    if not isinstance(block, Text):
                        self._lose(block)
                said = "\n\n".join(block.text for block in message.content if isinstance(block, Text) and block.text)
                self._say([{"text": f"<system>\n{said}\n</system>"}] if said else [])

    def settle(self) -> None:
        """Supply the results that never came, and let out what waited for them."""
        for identity, name in self._owed.items():
            self._results[identity] = self._result_part(identity, name, {"error": INTERRUPTED})
        self._owed.clear()
        self._release()

    def _release(self) -> None:
        if self._owed:
            return
        if self._results:
            self.out.append(_turn("user", list(self._results.values())))
            self._results.clear()
        behind, self._behind = self._behind, []
        self._say(behind)

    def _say(self, parts: list[Json]) -> None:
        """What the user says; never in the turn that holds results."""
        if self._owed:
            self._behind += parts
        elif parts and self.out and _open_to_words(self.out[-1]):
            self.out[-1]["parts"] += parts
        elif parts:
            self.out.append(_turn("user", parts))

    def _assistant(self, content: Iterable[Block]) -> None:
        parts: list[Json] = []
        signature = ""  # of the text that comes next
        for block in content:
            match block:
                case Thinking():
                    signature = self._think(block, parts) or signature
                case Text(text=text) if text:
                    parts.append(_signed({"text": text}, signature))
                    signature = ""
                case Text():
                    pass
                case ToolUse():
                    parts.append(self._call(block))
                case _:
                    self._lose(block)
        if signature:
            parts.append(_signed({"text": ""}, signature))
        self._sign([part for part in parts if "functionCall" in part])
        if parts and self.out and self.out[-1]["role"] == "model":
            self.out[-1]["parts"] += parts
        elif parts:
            self.out.append(_turn("model", parts))

    def _think(self, block: Thinking, parts: list[Json]) -> str:
        """Writes the thought where this provider made it; answers with the signature of the text behind it."""
        found = thought.origin(block.signature, self._provider)
        if found is None:
            self._lost.append("messages.thinking")
            return ""
        if block.text or found.own:
            parts.append(_signed({"text": block.text, "thought": True}, found.own))
        if found.part:
            parts.append(_signed({"text": ""}, found.part))
        return found.text

    def _call(self, use: ToolUse) -> Json:
        identity, name = call_id(use.id), tool_name(use.name)
        self._owed[identity] = name
        self._results[identity] = None
        call: Json = {"name": name, "args": _arguments(use)}
        if self._quirks.call_ids:
            call["id"] = identity
        return _signed({"functionCall": call}, call_signature(use.id, self._provider)[1])

    def _sign(self, calls: list[Json]) -> None:
        if self._signs and calls and not any("thoughtSignature" in call for call in calls):
            calls[0]["thoughtSignature"] = FOREIGN_CALL

    def _user(self, content: Iterable[Block]) -> None:
        parts: list[Json] = []
        for block in content:
            parts += self._result(block) if isinstance(block, ToolResult) else self._part(block)
        self._behind += parts
        self._release()

    def _result(self, result: ToolResult) -> list[Json]:
        """Keeps the result; answers with the parts that only a turn of the user's can hold."""
        identity = call_id(result.tool_use_id)
        parts = [part for block in result.content for part in self._part(block)]
        text = "\n".join(part["text"] for part in parts if "text" in part)
        files = [part for part in parts if "text" not in part]
        if identity not in self._owed:
            said = f"Error: {text}" if result.is_error else text
            return [{"text": f"Result of an earlier tool call ({result.tool_use_id}): {said}"}, *files]
        name = self._owed.pop(identity)
        inside = self._quirks.result_files
        if files and not inside:
            text = f"{text}\n(What else it returned follows in the next message.)".strip()
        answer = {"error" if result.is_error else "output": text}
        self._results[identity] = self._result_part(identity, name, answer, files if inside else [])
        return [{"text": f"Returned by {name}:"}, *files] if files and not inside else []

    def _result_part(self, identity: str, name: str, answer: Json, files: Iterable[Json] = ()) -> Json:
        result: Json = {"name": name, "response": answer}
        if self._quirks.call_ids:
            result["id"] = identity
        if files:
            result["parts"] = list(files)
        return {"functionResponse": result}

    def _part(self, block: Block) -> list[Json]:
        match block:
            case Text():
                return [{"text": block.text}] if block.text else []
            case Image():
                if block.detail:
                    self._lost.append("messages.image.detail")
                return [media.image(block)]
            case Document():
                return [*([{"text": block.about}] if block.about else []), media.document(block)]
        self._lose(block)
        return []

    def _lose(self, block: Block) -> None:
        self._lost.append(f"messages.{block.type if isinstance(block, Raw) else type(block).__name__.lower()}")


def _turn(role: str, parts: list[Any]) -> Json:
    return {"role": role, "parts": parts}


def _open_to_words(turn: Json) -> bool:
    return turn["role"] == "user" and "functionResponse" not in turn["parts"][0]


def _signed(part: Json, signature: str) -> Json:
    return {**part, "thoughtSignature": signature} if signature else part


def _arguments(use: ToolUse) -> Any:
    """The object as the client wrote it; what the model left unreadable, inside one."""
    if use.sound or is_object(use.arguments):
        return msgspec.Raw(use.arguments.encode("utf-8", "replace"))
    return {"unparsed": use.arguments} if use.arguments.strip() else {}
