"""Which conversation a request belongs to, so that it finds its prompt cache warm, and whose part of it asks. Pure.

Claude Code 2.1.197 sends the id as a header and inside metadata.user_id, which is a JSON string; earlier ones wrote
``user_<hash>_account_<id>_session_<id>`` there. Clients of OpenAI's APIs name what they want cached together.
"""

from __future__ import annotations

import re
from typing import Any

from providers.json_object import JsonObject, NotJson
from providers.queue.fair_line import Rank

HEADER = b"x-claude-code-session-id"
AGENT = b"x-claude-code-agent-id"  # on every request of a subagent (Claude Code 2.1.197)
APP = b"x-app"
BACKGROUND_APP = "cli-bg"  # what Claude Code 2.1.197 calls itself in a session that runs in the background
LONGEST = 200  # characters
_IN_NAME = re.compile(r"_session_([A-Za-z0-9-]{8,})$")


def session(header: str, body: JsonObject) -> str:
    """The session's id, "" where the client names none."""
    named = header.strip() or _of_metadata(body.get("metadata")) or _text(body.get("prompt_cache_key"))
    return named[:LONGEST]


def rank(agent: str, app: str) -> Rank:
    """How urgent a call is, by these two headers. Who lies comes only before others of the same token."""
    if app.strip() == BACKGROUND_APP:
        return Rank.BACKGROUND
    return Rank.SUBAGENT if agent else Rank.MAIN


def _of_metadata(metadata: Any) -> str:
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return ""
    if named := _IN_NAME.search(user):
        return named.group(1)
    try:
        found = JsonObject(user.encode("utf-8", "replace")).get("session_id") if user.startswith("{") else None
    except NotJson:
        return ""
    return _text(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
