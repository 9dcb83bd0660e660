"""What a refusal says of a model: members that it does not take, and how many tokens it will write. Pure.

A 400 names the member in one of many spellings. It is believed only where its first words have one of the forms below,
since some upstreams echo the prompt behind them, and only for members on a list: a request without its model, its
messages or its tools would be another request.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers import refusals
from providers.classify.evidence import decoded
from providers.json_object import JsonObject, encode
from providers.learning import overflow
from providers.quirks import Quirks
from providers.spec import ProviderConfig

STATUSES = (400, 422)

DROPPABLE = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty"),
        *("seed", "random_seed", "logit_bias", "logprobs", "top_logprobs", "stop", "stop_sequences"),
        *("user", "user_id", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "verbosity"),
        *("stream_options", "usage", "parallel_tool_calls", "tool_choice", "response_format"),
        *("reasoning_effort", "reasoning", "reasoning_split", "reasoning_format", "include_reasoning"),
        *("max_tool_calls", "moderation", "prediction", "prompt_cache_options", "prompt_cache_retention", "truncation"),
        "web_search_options",
        *("parse_reasoning", "thinking", "enable_thinking", "thinking_budget", "reasoning_budget", "clear_thinking"),
        *("chat_template_kwargs", "context_management", "output_config", "speed", "inference_geo", "cache_control"),
        *("messages.reasoning_content", "messages.reasoning", "messages.reasoning_details"),
    }
)
BETAS = "anthropic-beta"  # a header, whose values can go one by one
# Theirs can go alone.
_INSIDE = (BETAS, "chat_template_kwargs", "output_config", "reasoning", "stream_options", "thinking")
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# What one name stands for.
_MEANS = {
    "chat_template": ("chat_template_kwargs",),
    "reasoning_content": ("messages.reasoning_content",),
    "reasoning_budget": ("reasoning_budget", "chat_template_kwargs.reasoning_budget"),
    "effort": ("output_config.effort", "reasoning_effort"),
}
_THINKING = ("thinking", "reasoning_effort", "reasoning", "enable_thinking", "thinking_budget", "chat_template_kwargs")


@dataclass(frozen=True, slots=True)
class Learned:
    """What one model was found to refuse."""

    # of the body; a dot leads into an object, "messages." into each of them, "anthropic-beta." into that header
    members: frozenset[str] = frozenset()
    cap: int | None = None  # on the tokens of an answer
    limit: str = ""  # the name of that member
    quiet_tools: bool = False  # takes tools only with the effort "none"
    blind: bool = False  # takes no images

    def __bool__(self) -> bool:
        return self != Learned()

    def joined(self, other: Learned) -> Learned:
        """Both."""
        caps = [cap for cap in (self.cap, other.cap) if cap is not None]
        return Learned(
            self.members | other.members,
            min(caps, default=None),
            other.limit or self.limit,
            self.quiet_tools or other.quiet_tools,
            self.blind or other.blind,
        )

    def plain(self) -> dict[str, Any]:
        """To be kept as JSON; what says nothing is left out."""
        found = {"members": sorted(self.members), "cap": self.cap, "limit": self.limit}
        found |= {"quiet_tools": self.quiet_tools, "blind": self.blind}
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of(cls, plain: Any) -> Learned:
        """What ``plain`` gave; of anything else, as much as can be believed."""
        if not isinstance(plain, Mapping):
            return cls()
        members, cap, limit = plain.get("members"), plain.get("cap"), plain.get("limit")
        return cls(
            frozenset(each for each in members if isinstance(each, str)) if isinstance(members, list) else frozenset(),
            cap if isinstance(cap, int) and not isinstance(cap, bool) and cap > 0 else None,
            limit if limit in _LIMITS else "",
            plain.get("quiet_tools") is True,
            plain.get("blind") is True,
        )

    def over(self, quirks: Quirks) -> Quirks:
        """One model's quirks with this laid over them."""
        caps = [cap for cap in (self.cap, quirks.max_output_tokens) if cap is not None]
        return replace(
            quirks,
            max_output_tokens=min(caps, default=None),
            max_tokens_field=self.limit or quirks.max_tokens_field,
            tool_effort="none" if self.quiet_tools else quirks.tool_effort,
            vision=quirks.vision and not self.blind,
            json_mode="" if "response_format" in self.members else quirks.json_mode,
            learned=tuple(sorted(self.members)),
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one refusal taught. ``room`` is what is left of the context for this call's answer; it is not to be kept."""

    learned: Learned = Learned()
    room: int | None = None

    def __bool__(self) -> bool:
        return bool(self.learned) or self.room is not None


def applied(config: ProviderConfig, model: str, learned: Learned, room: int | None = None) -> ProviderConfig:
    """The provider as this model wants to be asked from now on, and in ``room`` tokens this once."""
    if not learned and room is None:
        return config
    quirks = learned.over(config.quirks.of(model))
    if room is not None:
        quirks = replace(quirks, max_output_tokens=min(room, quirks.max_output_tokens or room))
    return replace(config, quirks=quirks)


def without(body: dict[str, Any], members: Iterable[str]) -> dict[str, Any]:
    """The body without these members; it is not changed itself."""
    for member in members:
        head, _, inner = member.partition(".")
        if head not in body:
            continue
        if not inner:
            body = {name: value for name, value in body.items() if name != head}
        elif head == "messages":
            body = {**body, head: [_less(message, inner) for message in body[head]]}
        else:
            body = {**body, head: _less(body[head], inner)}
    return body


def forgone(body: Mapping[str, Any], extra: Mapping[str, Any], members: Iterable[str]) -> list[str]:
    """What of a client's request, and of its ``extra_body``, goes with these members."""
    named = list(members)
    return [*dropped(body, named), *(f"extra_body.{member}" for member in dropped(extra, named))]


def dropped(body: Mapping[str, Any], members: Iterable[str]) -> list[str]:
    """Which of these members ``without`` takes out."""
    return [member for member in members if _stands(body, *member.partition(".")[::2])]


def _stands(body: Mapping[str, Any], head: str, inner: str) -> bool:
    value = body.get(head)
    holders = value if head == "messages" and isinstance(value, list) else [value]
    return head in body and (not inner or any(isinstance(each, Mapping) and inner in each for each in holders))


def edits(body: JsonObject, members: tuple[str, ...]) -> dict[str, bytes | None]:
    """The same as changes of a body that otherwise keeps its bytes. Messages keep theirs."""
    old = {head: body.get(head) for head in _heads(members) if head in body and head != "messages"}
    new = without(old, members)
    return {
        head: encode(new[head]) if head in new else None
        for head, value in old.items()
        if head not in new or new[head] is not value
    }


def edited_out(body: JsonObject, members: tuple[str, ...]) -> list[str]:
    """Which of these members ``edits`` takes out."""
    return dropped({head: body.get(head) for head in _heads(members) if head in body and head != "messages"}, members)


def headers(pairs: Iterable[tuple[str, str]], members: Iterable[str]) -> list[tuple[str, str]]:
    """A client's headers without the betas among ``members``; a header that is left empty goes too."""
    refused = {inner for head, _, inner in (member.partition(".") for member in members) if head == BETAS}
    kept = [(name, _others(value, refused) if name == BETAS else value) for name, value in pairs]
    return [pair for pair in kept if pair != (BETAS, "")]


def betas_out(pairs: Iterable[tuple[str, str]], members: Iterable[str]) -> list[str]:
    """Which of these members ``headers`` takes out."""
    sent = {f"{BETAS}.{beta.strip()}" for name, value in pairs if name == BETAS for beta in value.split(",")}
    return [member for member in members if member in sent]


def _others(value: str, refused: Container[str]) -> str:
    return ",".join(beta for beta in (each.strip() for each in value.split(",")) if beta and beta not in refused)


def _heads(members: Iterable[str]) -> set[str]:
    return {member.partition(".")[0] for member in members}


def _less(holder: Any, name: str) -> Any:
    if not isinstance(holder, Mapping) or name not in holder:
        return holder
    return {each: value for each, value in holder.items() if each != name}


def lesson(status: int | None, body: bytes) -> Lesson:
    """What a failed answer teaches; nothing, where it teaches nothing. ``status`` None: an error inside a 200."""
    if status is not None and status not in STATUSES:
        return Lesson()
    named: list[str] = [*refusals.located(decoded(body))]
    learned, room = Learned(), None
    for said in refusals.sayings(body):
        left = overflow.left(said)
        learned = learned.joined(_special(said, left))
        room = left if room is None else room
        named += refusals.named(said)
    if not learned and room is None:
        learned = _dropping(named)
    return Lesson(learned, room)


def _special(said: str, room: int | None) -> Learned:
    thinking = frozenset(_THINKING if refusals.cannot_think(said) else ())
    quiet = refusals.wants_quiet_tools(said)
    return Learned(thinking, None if room else refusals.cap(said), "", quiet, refusals.cannot_see(said))


def _dropping(named: Iterable[str]) -> Learned:
    members: set[str] = set()
    limit = ""
    for name in named:
        plain = _plain(name)
        if plain in _LIMITS:
            limit = _LIMITS[plain]
        members.update(member for member in _MEANS.get(plain, (plain,)) if _may_go(member))
    return Learned(frozenset(members), limit=limit)


def _may_go(member: str) -> bool:
    head, _, inner = member.partition(".")
    return member in DROPPABLE or (head in _INSIDE and bool(inner) and "." not in inner)


def _plain(name: str) -> str:
    """``body.messages[1].assistant.reasoningContent`` is ``messages.reasoning_content``."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip("`'\" ")).lower()
    parts = [part for part in re.split(r"[.\[\]/]+", name) if part and not part.isdecimal()]
    while parts[:1] == ["body"]:
        parts = parts[1:]
    if parts[:1] == ["messages"]:
        parts = [parts[0], *parts[-1:]] if len(parts) > 1 else parts
    return ".".join(parts)
