"""A neutral request as Chat Completions wants it, and what of it could not be said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers import extra_body
from providers.chat import asides
from providers.chat.request import JSON_MODE, ChatRequest, Text
from providers.dialects.openai_chat import parameters
from providers.dialects.openai_chat.conversation import conversation
from providers.dialects.openai_chat.naming import tool_name
from providers.dialects.openai_chat.thinking import thinking
from providers.learning import lessons
from providers.quirks import Quirks
from providers.spec import ProviderConfig

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """``names`` gives back the tools' own names; ``lost`` says what did not fit."""

    body: Json
    names: Mapping[str, str]
    lost: tuple[str, ...]


def write(request: ChatRequest, config: ProviderConfig) -> Written:
    """The body, streamed, with usage asked for. Raises UpstreamFailure for what must not be left out."""
    model = config.quirks.named(request.model)
    quirks = config.quirks.of(model)
    lost = list(request.lost)
    short = {tool.name: tool_name(tool.name) for tool in request.tools}
    form, words = parameters.answer_form(request, quirks)
    if words:
        lost += [] if request.format is None else ["output_config.format"]
        request = replace(request, system=(*request.system, Text(words)))
    body: Json = {
        "model": model,
        "messages": conversation(request, quirks, config.id, config.images, lost),
        "stream": True,
    }
    body |= parameters.fitted(_members(request, quirks, short, form, lost), quirks, lost)
    lost += parameters.clients(lessons.forgone(body, request.extra_body, quirks.learned))
    body = _with_extras(body, quirks, config, request, lost)
    names = {new: old for old, new in short.items()}
    return Written(lessons.without(body, quirks.learned), names, tuple(dict.fromkeys(lost)))


def _members(
    request: ChatRequest,
    quirks: Quirks,
    short: Mapping[str, str],
    form: Json | None,
    lost: list[str],
) -> Json:
    """By OpenAI's names for them."""
    members: Json = {"stream_options": {"include_usage": True}}
    members |= parameters.sampling(request, quirks, lost)
    most = parameters.most_tokens(request, quirks, lost)
    if most is not None:
        members[quirks.max_tokens_field] = most
    members |= parameters.tools(request, short, quirks, lost)
    members |= thinking(request, quirks, most, lost)
    if request.user:
        members["user"] = parameters.user(request)
    members |= asides.told(request, parameters.ASIDES if form is None else (*parameters.ASIDES, JSON_MODE), lost)
    return members if form is None else {**members, "response_format": form}


def _with_extras(body: Json, quirks: Quirks, config: ProviderConfig, request: ChatRequest, lost: list[str]) -> Json:
    """The row's members lie under what was asked for, the operator's and the client's over it."""
    for name, value in quirks.body.items():
        body[name] = extra_body.over(value, body[name]) if name in body else value
    for extra in (config.extra_body, request.extra_body):
        if extra:
            lost += extra_body.kept_out(extra)
            body = extra_body.merged(body, extra)
    return body
