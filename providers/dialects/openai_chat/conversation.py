"""The ``messages`` as one provider takes them: what ``history`` writes for all, changed as the row asks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from providers.chat.request import ChatRequest
from providers.chat.unseen import seen
from providers.dialects.openai_chat.history import history
from providers.dialects.openai_chat.naming import id_of_length
from providers.quirks import Quirks
from providers.spec import UnseenImages

BETWEEN = "Understood."

Json = dict[str, Any]


def conversation(
    request: ChatRequest, quirks: Quirks, provider: str, images: UnseenImages, lost: list[str]
) -> list[Json]:
    """What cannot be carried is named in ``lost``. Raises UpstreamFailure for an image that must not be left out."""
    messages = history(seen(request, quirks, images, lost), quirks, provider, lost)
    if quirks.system_role != "system":
        messages = [_said_by(message, quirks.system_role) for message in messages]
    if quirks.call_id_length:
        messages = [_with_ids(message, quirks.call_id_length) for message in messages]
    if not quirks.user_after_tool:
        messages = list(_answered(messages))
    return _marked(messages) if quirks.cache_marks and request.caches else messages


def _said_by(message: Json, role: str) -> Json:
    return {**message, "role": role} if message["role"] == "system" else message


def _with_ids(message: Json, length: int) -> Json:
    if message["role"] == "tool":
        return {**message, "tool_call_id": id_of_length(message["tool_call_id"], length)}
    if "tool_calls" in message:
        calls = [{**call, "id": id_of_length(call["id"], length)} for call in message["tool_calls"]]
        return {**message, "tool_calls": calls}
    return message


def _answered(messages: Iterable[Json]) -> Iterator[Json]:
    """The model has a word between a tool's result and the user's."""
    before = ""
    for message in messages:
        if before == "tool" and message["role"] == "user":
            yield {"role": "assistant", "content": BETWEEN}
        yield message
        before = message["role"]


def _marked(messages: list[Json]) -> list[Json]:
    """A mark behind the system's words and one behind the user's last ones."""
    roles = [message["role"] for message in messages]
    places = {roles.index("system")} if "system" in roles else set()
    if "user" in roles:
        places.add(len(roles) - 1 - roles[::-1].index("user"))
    return [_with_mark(message) if at in places else message for at, message in enumerate(messages)]


def _with_mark(message: Json) -> Json:
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    marked = {**parts[-1], "cache_control": {"type": "ephemeral"}}
    return {**message, "content": [*parts[:-1], marked]}
