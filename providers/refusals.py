"""What the words of a refusal name: members of the body, a limit of tokens. Pure; the forms are data.

Every form begins where the refusal begins, after what gateways put in front: behind its first words, some upstreams
echo the prompt. The words are those of the providers' own answers, as their users report them (read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from providers.classify.evidence import decoded, words

_LEAST_CAP = 64
_LONGEST = 2000  # characters of a refusal that are read
_DEEPEST = 3  # refusals within refusals

_NAME = r"[`'\"]?[A-Za-z_][\w.\[\]]*[`'\"]?"
_NAMES = rf"{_NAME}(?:, {_NAME})*"
_BEFORE = re.compile(
    r"(?:error code: \d+ - |<\d+> InternalError\.Algo\.InvalidParameter: |validation(?: error)?: |invalid request: "
    r"|bad request: |malformed input request: (?:#: )?|error from provider[^:]{0,40}: |\d{3} )+",
    re.IGNORECASE,
)
_CODE = r"[`'\"][\w.]+[`'\"]|[a-z]+_\w+|temperature"  # what is no word of a sentence
_NEXT_LINE = re.compile(r"[^\n]{0,200}\n\s*")
_FORMS = tuple(
    re.compile(
        form.replace("NAMES", f"(?P<names>{_NAMES})")
        .replace("NAME", f"(?P<names>{_NAME})")
        .replace("CODE", f"(?P<names>{_CODE})"),
        re.IGNORECASE,
    )
    for form in (
        r"(?:(?:unsupported|unknown|unrecognized|unexpected)(?: request)? (?:parameter|argument|field|property)"
        r"(?:s|\(s\))?(?: supplied)?|unsupported value): ?NAMES",
        r"NAME: extra (?:inputs|fields)(?: are)? not permitted",
        r"extra inputs are not permitted, field: NAME",
        r"body -> NAME\s+extra (?:inputs|fields)(?: are)? not permitted",
        r"(?:[\w.]+: )?property NAME is unsupported",
        r"'messages\.\d+' ?: for 'role:\w+' the following must be satisfied ?\[\('messages\.\d+' ?: "
        r"property NAME is unsupported",
        r"(?P<names>messages[\[.]\d+\]?\.reasoning(?:_content)?): reasoning(?:_content)? is not supported",
        r"(?:the )?(?:parameter )?CODE(?: parameter| field)? (?:is|are) (?:not supported|unsupported|not allowed"
        r"|not permitted|deprecated for|not available for)\b",
        r"(?P<names>tool_choice) '?\w+'? is (?:incompatible with|not supported)\b",
        r"(?:the )?model \S{1,200} does not support (?:the )?(?:parameter|argument) NAME",
        r"this model does not support (?:the )?NAME parameter",
        r"arguments? not supported on this model: NAMES",
        r"\S{1,200}(?: \w+)? does not support this (?P<names>tool_choice)\b",
        r"invalid json payload received\. unknown name NAME(?: at 'generation_config')?: cannot find field",
        r"extraneous key \[NAME\] is not permitted",
        r"invalid NAME: only \S+ is allowed for this model",
        r"[`'\"]?(?P<names>response_format)[`'\"]? does not support streaming",
        r"invalid parameter: NAME (?:of type \S+ )?is not supported",
    )
)
# "Unexpected value(s) `a`, `b` for the `anthropic-beta` header": Anthropic's, and so Vertex AI's and Bedrock's
# (github.com/anthropics/claude-code/issues/12429 and /34802)
_BETAS = re.compile(
    r"(?:[\w-]+ error: )?unexpected value\(s\) (?P<names>`[^`\n]+`(?:,\s*`[^`\n]+`)*) for the `anthropic-beta` header",
    re.IGNORECASE,
)
_QUIET_TOOLS = re.compile(r"function tools with reasoning_effort are not supported", re.IGNORECASE)
_NO_THINKING = re.compile(
    r"\S{1,200} does not support thinking\b|(?:adaptive )?thinking(?: level| budget)? is not supported (?:on|by|for)\b"
    r"|thinking_config is not supported"
    r"|think value \S{1,20} is not supported for this model",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(
    r"(?:(?:the|this) model|(?:model )?\S{1,200}) (?:does not|doesn't) support (?:image|vision|multimodal)"
    r"|image(?:s| inputs?|_url)? (?:is|are) not supported|\S{1,200} is not a multimodal model"
    r"|at most 0 image\(s\) may be provided"
    r"|failed to deserialize the json body into the target type: messages[\w.\[\]]*: unknown variant `image(?:_url)?`",
    re.IGNORECASE,
)
_LIMIT = r"[`'\"]?max_(?:completion_|output_|new_)?tokens[`'\"]?"
_CAPS = tuple(
    re.compile(form.replace("LIMIT", _LIMIT).replace("NUMBER", r"[`'\"]?(?P<cap>\d[\d,]*)\b"), re.IGNORECASE)
    for form in (
        r"LIMIT is too large: \d+\. this model supports at most NUMBER completion tokens",
        r"LIMIT:? (?:value )?must be (?:less|smaller) than or equal to NUMBER",
        r"invalid LIMIT value, the valid range of LIMIT is \[\d+, ?NUMBER\]",
        r"range of LIMIT should be \[\d+, ?NUMBER\]",
        r"LIMIT: \d+ > NUMBER, which is the maximum allowed number of output tokens",
        r"unable to submit request because it has a maxOutputTokens value of \d+ but the supported range is from 1 "
        r"\(inclusive\) to NUMBER \(exclusive\)",
        r"(?:invalid |the )?(?:value for |parameter )?LIMIT[^.\n]{0,80}?"
        r"(?:at most|must not exceed|cannot exceed|<=|less than or equal to"
        r"|maximum(?: allowed)?(?: value)?(?: for [\w./:-]+)? (?:is|of))"
        r" ?NUMBER",
    )
)


def sayings(body: bytes, depth: int = 0) -> Iterator[str]:
    """The words, and those of the refusal that they quote whole."""
    value = decoded(body)
    match value:
        case {"error": {"metadata": {"raw": str() as raw}}} if depth < _DEEPEST:
            yield from sayings(raw.encode(), depth + 1)
    said = words(body)[:_LONGEST]
    if said.startswith("{") and value is not None and depth < _DEEPEST:
        yield from sayings(said.encode(), depth + 1)
    elif said:
        yield _BEFORE.sub("", said, count=1) if _BEFORE.match(said) else said


def named(said: str) -> Iterator[str]:
    """Members: a sentence names one or lists them, and the next line may be such a sentence too."""
    if betas := _BETAS.match(said):
        yield from (f"anthropic-beta.{name.strip()}" for name in betas["names"].replace("`", "").split(","))
    at = 0
    while found := next((found for form in _FORMS if (found := form.match(said, at))), None):
        yield from found["names"].split(", ")
        following = _NEXT_LINE.match(said, found.end())
        if following is None:
            return
        at = following.end()


def wants_quiet_tools(said: str) -> bool:
    """Tools are taken with the effort "none" only."""
    return _QUIET_TOOLS.match(said) is not None


def cannot_think(said: str) -> bool:
    return _NO_THINKING.match(said) is not None


def cannot_see(said: str) -> bool:
    return _NO_IMAGES.match(said) is not None


def cap(said: str) -> int | None:
    """The most tokens that the model writes."""
    for form in _CAPS:
        if found := form.match(said):
            tokens = int(found["cap"].replace(",", "")) - found[0].endswith("(exclusive)")
            return tokens if tokens >= _LEAST_CAP else None
    return None


_FORBIDDEN = ("extra_forbidden", "value_error.extra")
_WRITTEN_OUT = re.compile(r"'extra_forbidden', 'loc': \('body', '(\w+)'")
_PARAM_CODES = ("unsupported_parameter", "unknown_parameter", "unsupported_value")


def located(value: Any) -> Iterator[str]:
    """Members that a refusal names as data: OpenAI's ``param``, FastAPI's ``loc``."""
    match value:
        case {"error": {"param": str() as name, "code": str() as code}} if code in _PARAM_CODES:
            yield name
        case {"detail": list() as details} | {"message": {"detail": list() as details}}:
            yield from _places(details)
        case {"detail": str() as text}:
            yield from _WRITTEN_OUT.findall(text)


def _places(details: Iterable[Any]) -> Iterator[str]:
    for detail in details:
        match detail:
            case {"type": str() as kind, "loc": ["body", *path]} if kind in _FORBIDDEN and path:
                yield ".".join(map(str, path))
