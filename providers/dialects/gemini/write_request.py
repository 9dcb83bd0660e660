"""A neutral request as Gemini wants it, and what of it could not be said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from providers import extra_body
from providers.chat import asides, schemas
from providers.chat.request import JSON_MODE, ChatRequest, Text, Tool, ToolChoice
from providers.chat.unseen import seen
from providers.dialects.gemini import thinking
from providers.dialects.gemini.history import history
from providers.dialects.openai_chat import parameters
from providers.dialects.openai_chat.naming import tool_name
from providers.quirks import Quirks
from providers.spec import ProviderConfig

MAX_STOPS = 5  # ai.google.dev/api/generate-content, GenerationConfig, read 2026-11

# Members of ``generationConfig``, by the names that they have elsewhere.
_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
_LEARNED = {"stop": "stop_sequences"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """``names`` gives back the tools' own names; ``lost`` says what did not fit."""

    body: Json
    names: Mapping[str, str]
    lost: tuple[str, ...]


def write(request: ChatRequest, quirks: Quirks, config: ProviderConfig) -> Written:
    """The body; the model and the wish for a stream stand in the address. ``quirks`` are the model's.

    Raises UpstreamFailure for what must not be left out.
    """
    lost = list(request.lost)
    short = {tool.name: tool_name(tool.name) for tool in request.tools}
    form, words = _answer_form(request, quirks, lost)
    if words:
        lost += [] if request.format is None else ["output_config.format"]
        request = replace(request, system=(*request.system, Text(words)))
    request = leading(request)
    body: Json = {"contents": history(seen(request, quirks, config.images, lost), quirks, config.id, lost)}
    if system := [{"text": part.text} for part in request.system if part.text]:
        body["systemInstruction"] = {"parts": system}
    body |= _tools(request, short, quirks, lost)
    if generation := {**_generation(request, quirks, lost), **form}:
        body["generationConfig"] = generation
    if request.user:
        lost.append("metadata.user_id")
    for extra in (config.extra_body, request.extra_body):
        body = extra_body.merged(body, extra)
        lost += extra_body.kept_out(extra)
    return Written(body, {new: old for old, new in short.items()}, tuple(dict.fromkeys(lost)))


def leading(request: ChatRequest) -> ChatRequest:
    """With what a system says before anybody else among its ``system``; where nobody else speaks, as it is."""
    messages = request.messages
    first = next((at for at, message in enumerate(messages) if message.role != "system"), 0)
    said = [block for message in messages[:first] for block in message.content]
    if not said or not all(isinstance(block, Text) for block in said):
        return request
    texts = tuple(block for block in said if isinstance(block, Text))
    return replace(request, system=(*request.system, *texts), messages=messages[first:])


def _generation(request: ChatRequest, quirks: Quirks, lost: list[str]) -> Json:
    made: Json = {}
    for name, value in _asked(request, quirks, lost):
        if parameters.takes(name, quirks) and _LEARNED.get(name, name) not in quirks.learned:
            made[_NAMES[name]] = value
        else:
            parameters.leave_out(name, value, lost)
    if asked := thinking.config(replace(request, max_tokens=made.get("maxOutputTokens")), quirks, lost):
        made["thinkingConfig"] = asked
    return made


def _asked(request: ChatRequest, quirks: Quirks, lost: list[str]) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that is said and that Gemini has a word for."""
    given = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k, **request.sampling}
    for name, value in given.items():
        if value is not None and name in _NAMES:
            yield name, value
        elif value is not None:
            lost.append(name)
    most = parameters.most_tokens(request, quirks, lost)
    if most is not None:
        yield "max_tokens", most
    if request.stop:
        yield "stop", list(request.stop[:MAX_STOPS])
        if len(request.stop) > MAX_STOPS:
            lost.append(f"stop_sequences[{MAX_STOPS}:]")


def _answer_form(request: ChatRequest, quirks: Quirks, lost: list[str]) -> tuple[Json, str]:
    """The members that bind the answer to a form, and words for the prompt where they do not."""
    form, words = parameters.answer_form(request, quirks)
    if form is None:
        return {}, words
    made: Json = {"responseMimeType": "application/json"}
    if request.format is None:
        dict(asides.told(request, (JSON_MODE,), lost))
    elif not words:
        described = {"description": request.format.description} if request.format.description else {}
        made["responseJsonSchema"] = {**described, **request.format.schema}
    return made, words


def _tools(request: ChatRequest, short: Mapping[str, str], quirks: Quirks, lost: list[str]) -> Json:
    if not request.tools:
        if request.tool_choice is not None and request.tool_choice.mode in ("any", "tool"):
            lost.append("tool_choice")
        return {}
    made: Json = {"tools": [{"functionDeclarations": [_tool(tool, short, quirks, lost) for tool in request.tools]}]}
    if request.tool_choice is not None:
        choice = _choice(request.tool_choice, request.tools, short, lost)
        made["toolConfig"] = {"functionCallingConfig": choice}
    if request.parallel_tools is False:
        lost.append("tool_choice.disable_parallel_tool_use")
    return made


def _tool(tool: Tool, short: Mapping[str, str], quirks: Quirks, lost: list[str]) -> Json:
    """A row without a profile is sent the schema as it is: Gemini has another member for that."""
    schema, lossy = schemas.clean(tool.schema, quirks.schemas)
    made: Json = {"name": short[tool.name]}
    if tool.description:
        made["description"] = tool.description
    if not schemas.bare(schema, quirks.schemas):
        made["parameters" if quirks.schemas else "parametersJsonSchema"] = schema
    if lossy:
        lost.append("tools.input_schema")
    if tool.strict:
        lost.append("tools.strict")
    return made


def _choice(choice: ToolChoice, known: Sequence[Tool], short: Mapping[str, str], lost: list[str]) -> Json:
    if choice.mode == "tool" and choice.name in {tool.name for tool in known}:
        return {"mode": "ANY", "allowedFunctionNames": [short[choice.name]]}
    if choice.mode == "tool":
        lost.append("tool_choice")
        return {"mode": "AUTO"}
    return {"mode": choice.mode.upper()}
