"""Claude Code's trivial probes, answered without a model. Pure.

Which client sends which (read 2026-11: 2.1.197 in its traffic and its bundle, 1.0 in public extracts of its bundles):

| probe      | 2.1.197                                           | 1.0.56      | free-claude-code 2.0 knows it |
|------------|---------------------------------------------------|-------------|-------------------------------|
| quota      | with a claude.ai login only                       | so          | yes                           |
| prefix     | no: its prompt is there, its check calls it no    | yes         | yes                           |
|            | more                                              |             |                               |
| title      | yes, at an interactive start, as JSON             | as a topic  | yes, as text                  |
| suggestion | with CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION, or a   | no          | yes                           |
|            | feature flag                                      |             |                               |
| filepaths  | no                                                | yes         | yes                           |

Only the last message is looked at, so that a conversation about a probe is none. An answer about a shell command is
given for plain commands only (``shell_commands``): the client's permission check may become stricter, never weaker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from gateway import shell_commands
from providers.chat.events import BlockKind, Stop
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.json_object import encode


class Probe(StrEnum):
    """The value is the name of the variable that switches the answer; all are on by default."""

    QUOTA = "ENABLE_NETWORK_PROBE_MOCK"
    PREFIX = "FAST_PREFIX_DETECTION"
    TITLE = "ENABLE_TITLE_GENERATION_SKIP"
    SUGGESTION = "ENABLE_SUGGESTION_MODE_SKIP"
    FILEPATHS = "ENABLE_FILEPATH_EXTRACTION_MOCK"


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """The text of an answer that costs no tokens."""

    probe: Probe
    text: str

    def message(self, token: str) -> WholeMessage:
        """The answer in the neutral language. ``token`` makes its id."""
        return WholeMessage(f"msg_{token}", "", [AnswerBlock(BlockKind.TEXT, self.text)], Stop.END_TURN)


class Body(Protocol):
    """A checked Messages body: a mapping, or a ``JsonObject``."""

    def get(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the probes are known by. ``text`` is the last message's, where that is the user's."""

    body: Body
    single: bool
    blocks: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.blocks)

    @property
    def system(self) -> str:
        return "\n".join(_texts(self.body.get("system")))


def answer(body: Body, enabled: Collection[Probe] = frozenset(Probe)) -> LocalAnswer | None:
    """The answer to a checked Messages body, None where it is for a model."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, Mapping) or last.get("role") != "user":
        return None
    asked = _Asked(body, len(messages) == 1, tuple(_texts(last.get("content"))))
    small = not body.get("tools")
    for probe, (needs_tools, reads) in _READERS.items():
        if probe in enabled and (small or needs_tools) and (text := reads(asked)) is not None:
            return LocalAnswer(probe, text)
    return None


def _texts(content: Any) -> list[str]:
    """The text blocks of a content or a system prompt."""
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    texts = (block.get("text") for block in blocks if isinstance(block, Mapping) and block.get("type") == "text")
    return [text for text in texts if isinstance(text, str)]


_QUOTA = re.compile(r"\bquota\b", re.IGNORECASE)


def _quota(asked: _Asked) -> str | None:
    if asked.body.get("max_tokens") != 1 or not asked.single or len(asked.text) > 200:
        return None
    return "Quota check passed." if _QUOTA.search(asked.text) else None


_POLICY, _POLICY_END, _COMMAND, _OUTPUT = "<policy_spec>", "</policy_spec>", "Command: ", "\nOutput: "


def _prefix(asked: _Asked) -> str | None:
    """All that follows the first "Command: " behind the policy is the command, whatever it holds."""
    if not asked.single or len(asked.blocks) != 1:
        return None
    text = asked.text
    if _POLICY in text:
        head, _, text = text.rpartition(_POLICY_END) if text.count(_POLICY_END) == 1 else ("", "", "")
        text = text[text.find(f"\n{_COMMAND}") + 1 :] if head and f"\n{_COMMAND}" in text else ""
    elif _POLICY not in asked.system:
        return None
    return shell_commands.prefix(text.removeprefix(_COMMAND)) if text.startswith(_COMMAND) else None


_LOOKED_AT = 2000  # characters
_SESSION = re.compile(r"<session>\s*(.*?)\s*(?:</session>|\Z)", re.DOTALL)
_NOT_IN_A_TITLE = re.compile(r"https?://\S+|<[^>]*>|[`*_#>\[\](){}\"]+")


def _title(asked: _Asked) -> str | None:
    """For 2.1 {"title": ...}, for 1.0 {"isNewTopic": true, "title": ...}, plain words where no JSON is asked for."""
    system = asked.system.lower()
    if not asked.single or "title" not in system:
        return None
    if "new conversation topic" in system and "isnewtopic" in system:
        return encode({"isNewTopic": True, "title": _title_of(asked.text)}).decode()
    of_session = "coding session" in system or "this session" in system
    as_json = "return json" in system and "field" in system
    if not of_session or not ("sentence-case title" in system or as_json):
        return None
    title = _title_of(asked.text)
    match asked.body.get("output_config"):
        case {"format": {"schema": dict() as schema}}:
            return encode({"title": title}).decode() if schema.get("required") in (None, [], ["title"]) else None
    return encode({"title": title}).decode() if as_json else title


def _title_of(text: str) -> str:
    """The first words of what the session is about."""
    text = text[:_LOOKED_AT]
    found = _SESSION.search(text)
    words = _NOT_IN_A_TITLE.sub(" ", found[1] if found else text)[:400].split()[:6]
    title = " ".join(words)[:60].strip(" .,;:!?-")
    return title[:1].upper() + title[1:] if title else "Conversation"


def _suggestion(asked: _Asked) -> str | None:
    """Silence: the client then suggests nothing."""
    return "" if asked.blocks and asked.blocks[-1].lstrip().startswith("[SUGGESTION MODE:") else None


def _filepaths(asked: _Asked) -> str | None:
    system = asked.system.lower()
    if not asked.single or not asked.text.startswith(_COMMAND) or _OUTPUT not in asked.text:
        return None
    if "extract any file paths" not in system and "file paths that this command" not in system:
        return None
    command, _, output = asked.text.removeprefix(_COMMAND).partition(_OUTPUT)
    files = shell_commands.shown_files(command, output)
    if files is None:
        return None
    listed = "\n".join(("<filepaths>", *files, "</filepaths>"))
    if "is_displaying_contents" not in system:
        return listed
    return f"<is_displaying_contents>\n{'true' if files else 'false'}\n</is_displaying_contents>\n\n{listed}"


# Whether a request that declares tools can be one, and what reads it; the order is the earlier system's.
_READERS: Mapping[Probe, tuple[bool, Callable[[_Asked], str | None]]] = {
    Probe.QUOTA: (False, _quota),
    Probe.PREFIX: (False, _prefix),
    Probe.TITLE: (False, _title),
    Probe.SUGGESTION: (True, _suggestion),
    Probe.FILEPATHS: (False, _filepaths),
}
