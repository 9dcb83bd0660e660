"""Claude Code's trivial probes, answered without a model. Pure.

Which client sends which, and how each is known: docs/local-answers.md. Only the last message is looked at, so that a
conversation about a probe is none. An answer about a shell command is given for plain commands only
(``shell_commands``): the client's permission check may become stricter, never weaker.

Most requests are no probes, so they are told apart by a few bytes: a conversation has tools, and then only the end of
its last message counts. Nothing is decoded before that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway import shell_commands
from providers.chat.events import BlockKind, Stop
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.json_object import JsonObject, decode, elements, encode

PROVIDER = "keyturn"  # who answered, in headers and metrics


class Probe(StrEnum):
    """The value is the name of the variable that switches the answer; all are on by default."""

    QUOTA = "ENABLE_NETWORK_PROBE_MOCK"
    PREFIX = "FAST_PREFIX_DETECTION"
    TITLE = "ENABLE_TITLE_GENERATION_SKIP"
    SUGGESTION = "ENABLE_SUGGESTION_MODE_SKIP"
    FILEPATHS = "ENABLE_FILEPATH_EXTRACTION_MOCK"

    @property
    def kind(self) -> str:
        """What metrics, logs and headers call it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """The text of an answer that costs no tokens."""

    probe: Probe
    text: str

    def message(self, token: str) -> WholeMessage:
        """The answer in the neutral language. ``token`` makes its id."""
        return WholeMessage(f"msg_{token}", "", [AnswerBlock(BlockKind.TEXT, self.text)], Stop.END_TURN)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the probes are known by. ``blocks`` are the texts of the last message of the user's.

    ``opened`` is the beginning of the answer, where the client wrote it: an assistant's message at the end.
    """

    body: JsonObject
    single: bool  # only a system's messages stand before that one
    blocks: tuple[str, ...]
    opened: str = ""

    @property
    def text(self) -> str:
        return "\n".join(self.blocks)

    @property
    def system(self) -> str:
        return "\n".join(_texts(self.body.get("system")))


def answer(body: JsonObject, enabled: Collection[Probe] = frozenset(Probe)) -> LocalAnswer | None:
    """The answer to a checked Messages body, None where it is for a model."""
    suggests, asks = _suggests(body), _may_ask(body)
    asked = _read(body) if suggests or asks else None
    if asked is None:
        return None
    for probe, reads in _READERS.items():
        likely = suggests if probe is Probe.SUGGESTION else asks
        if likely and probe in enabled and (text := reads(asked)) is not None:
            return LocalAnswer(probe, text)
    return None


_SUGGESTION = b"[SUGGESTION MODE"
_TAIL = 4096  # bytes; the client's own words for it are 1900
_NO_TOOLS = len(b"null")  # or []
_LARGEST = 1 << 17  # bytes; the output of a command, of which 1.0.56 sends 30,000 characters
_HEAD = 1024  # bytes, within which a probe says what it is about
_POLICY, _POLICY_END, _COMMAND, _OUTPUT = "<policy_spec>", "</policy_spec>", "Command:", "\nOutput: "


def _suggests(body: JsonObject) -> bool:
    return _SUGGESTION in bytes(body.view("messages")[-_TAIL:])


def _may_ask(body: JsonObject) -> bool:
    """Whether it may be a question of its own, without tools."""
    if len(body.view("tools")) > _NO_TOOLS:
        return False
    messages = body.view("messages")
    if len(messages) > _LARGEST:
        return False
    if bytes(body.view("max_tokens")) == b"1" or _POLICY.encode() in bytes(messages[:_HEAD]):
        return True
    system = bytes(body.view("system")[:_HEAD])
    return b"title" in system or b"policy_spec" in system or b"file paths" in system


def _read(body: JsonObject) -> _Asked | None:
    """The last message of a user, and of what stands beside it only what is needed to see that it is alone."""
    raw = bytes(body.view("messages"))
    spans = elements(raw)
    last = _message(raw, spans[-1]) if spans else {}
    opened = ""
    if last.get("role") == "assistant" and len(spans) > 1:
        opened = "".join(_texts(last.get("content")))
        spans = spans[:-1]
        last = _message(raw, spans[-1])
    if last.get("role") != "user" or opened not in ("", "{"):
        return None
    before = spans[:-1]
    single = len(before) <= _FEW and all(_message(raw, span).get("role") == "system" for span in before)
    return _Asked(body, single, tuple(_texts(last.get("content"))), opened)


_FEW = 2  # messages of a system that a client of today may put before its only question


def _message(raw: bytes, span: tuple[int, int]) -> Mapping[str, Any]:
    message = decode(raw[span[0] : span[1]])
    return message if isinstance(message, Mapping) else {}


def _texts(content: Any) -> list[str]:
    """The text blocks of a content or a system prompt."""
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    texts = (block.get("text") for block in blocks if isinstance(block, Mapping) and block.get("type") == "text")
    return [text for text in texts if isinstance(text, str)]


_QUOTA = re.compile(r"\bquota\b", re.IGNORECASE)


def _quota(asked: _Asked) -> str | None:
    if asked.body.get("max_tokens") != 1 or not asked.single or asked.opened or len(asked.text) > 200:
        return None
    return "Quota check passed." if _QUOTA.search(asked.text) else None


def _prefix(asked: _Asked) -> str | None:
    """The policy stands before the command: in the system's prompt, or where the only message begins.

    All that follows the first "Command:" behind it is the command, whatever it holds.
    """
    if not asked.single or asked.opened or len(asked.blocks) != 1:
        return None
    text = asked.text
    if _POLICY not in asked.system:
        policy, end, text = text.partition(_POLICY_END)
        text = text[text.find(_COMMAND) :] if end and policy.startswith(_POLICY) and _COMMAND in text else ""
    if not text.startswith(_COMMAND):
        return None
    # The client's own blank before the command and, up to 2.1.20, its own line break behind it.
    return shell_commands.prefix(text.removeprefix(_COMMAND).removeprefix(" ").removesuffix("\n"))


_LOOKED_AT = 2000  # characters
_SESSION = re.compile(r"<session>\s*(.*?)\s*(?:</session>|\Z)", re.DOTALL)
_NOT_IN_A_TITLE = re.compile(r"https?://\S+|<[^>]*>|[`*_#>\[\](){}\"]+")


def _title(asked: _Asked) -> str | None:
    """For clients of today {"title": ...}, for those up to 2.1.20 {"isNewTopic": true, "title": ...}, else words."""
    system = asked.system.lower()
    if not asked.single or "title" not in system:
        return None
    if "new conversation topic" in system and "isnewtopic" in system:
        return encode({"isNewTopic": True, "title": _title_of(asked.text, 3)}).decode().removeprefix(asked.opened)
    if asked.opened:
        return None
    of_session = "coding session" in system or "this session" in system
    as_json = "return json" in system and "field" in system
    if not of_session or not ("sentence-case title" in system or as_json):
        return None
    title = _title_of(asked.text)
    match asked.body.get("output_config"):
        case {"format": {"schema": dict() as schema}}:
            return encode({"title": title}).decode() if schema.get("required") in (None, [], ["title"]) else None
    return encode({"title": title}).decode() if as_json else title


def _title_of(text: str, most: int = 6) -> str:
    """The first words of what the session is about."""
    text = text[:_LOOKED_AT]
    found = _SESSION.search(text)
    words = _NOT_IN_A_TITLE.sub(" ", found[1] if found else text)[:400].split()[:most]
    title = " ".join(words)[:60].strip(" .,;:!?-")
    return title[:1].upper() + title[1:] if title else "Conversation"


def _suggestion(asked: _Asked) -> str | None:
    """Silence: the client then suggests nothing."""
    words = asked.blocks[-1].lstrip() if asked.blocks and not asked.opened else ""
    return "" if words.startswith(("[SUGGESTION MODE:", "[SUGGESTION MODE]")) else None


def _filepaths(asked: _Asked) -> str | None:
    system = asked.system.lower()
    if not asked.single or asked.opened or not asked.text.startswith(_COMMAND) or _OUTPUT not in asked.text:
        return None
    if "extract any file paths" not in system and "file paths that this command" not in system:
        return None
    command, _, output = asked.text.removeprefix(_COMMAND).removeprefix(" ").partition(_OUTPUT)
    files = shell_commands.shown_files(command, output)
    if files is None:
        return None
    listed = "\n".join(("<filepaths>", *files, "</filepaths>"))
    if "is_displaying_contents" not in system:
        return listed
    return f"<is_displaying_contents>\n{'true' if files else 'false'}\n</is_displaying_contents>\n\n{listed}"


# In the earlier system's order.
_READERS: Mapping[Probe, Callable[[_Asked], str | None]] = {
    Probe.QUOTA: _quota,
    Probe.PREFIX: _prefix,
    Probe.TITLE: _title,
    Probe.SUGGESTION: _suggestion,
    Probe.FILEPATHS: _filepaths,
}
