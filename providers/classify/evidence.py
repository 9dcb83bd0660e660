"""What an answer says about its failure: the words, and every name that it gives the error. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers.json_object import NotJson, decode

_MAX_WORDS = 2000  # characters of an upstream's words that travel on
_DEPTH = 6
_MOST = 100  # objects looked into
_CODE = re.compile(r"[A-Za-z][A-Za-z_]{2,49}")
_PARAM = re.compile(r"[A-Za-z_][\w.\[\]]{0,99}", re.ASCII)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)

# Members that name an error, and members that hold them. Nothing else is entered: some bodies echo the request.
_NAMES = (
    "code",
    "type",
    "status",
    "error_code",
    "error_type",
    "reason",
    "limit_source",
    "status_code",
    "quotaId",
    "__type",
)
_HOLDERS = ("error", "detail", "details", "metadata", "innererror", "violations", "base_resp")
_MARKS = ("provider_name", "provider_code", "failed_generation")  # their presence alone says something


@dataclass(frozen=True, slots=True)
class Evidence:
    """One failed answer, as the rules see it."""

    provider: str  # its id, "" where it is not known yet
    status: int  # HTTP's, or the one inside a 200; 0 = none
    names: frozenset[str]  # codes, types, reasons, in lower case
    words: str
    headers: Mapping[str, str]
    value: Any  # the decoded body, None where it is not JSON


def gather(provider: str, status: int | None, headers: Mapping[str, str], body: bytes) -> Evidence:
    """``status`` None: the error came inside a 200, and may write its status as its code."""
    value = decoded(body)
    names = frozenset((*_names(value), *_header_names(headers)))
    inside = _status_inside(error_object(value)) if status is None else status
    return Evidence(provider, inside, names, "\n".join((words(body), *_raw(value), *_quotas(value))), headers, value)


def decoded(body: bytes) -> Any:
    """The body's JSON, without the list that Gemini puts around it; None where it is none."""
    try:
        value = decode(body)
    except NotJson:
        return None
    while isinstance(value, list) and value:
        value = value[0]
    return value


def words(body: bytes) -> str:
    """The upstream's own words, from any of the shapes that providers use; never more than 2,000 characters.

    ``{"error": {"message"}}``, ``{"error": "..."}``, ``{"detail"}``, ``{"message"}``, ``{"title"}``, ``{"base_resp"}``,
    a list of one of these, HTML (its title), plain text.
    """
    try:
        found = _message(decode(body))
    except NotJson:
        found = _plain(body.decode("utf-8", "replace").strip())
    return found[:_MAX_WORDS]


def _plain(text: str) -> str:
    if text[:1] != "<":
        return text
    title = _TITLE.search(text)
    return f"an HTML page titled {title.group(1).strip()!r}" if title else "an HTML page"


def _message(value: Any) -> str:
    while isinstance(value, list) and value:
        value = value[0]
    match value:
        case str():
            return value
        case {"error": {"message": str() as message}} | {"error": str() as message}:
            return message
        case {"message": str() as message} | {"detail": str() as message} | {"title": str() as message}:
            return message
        case {"detail": [{"msg": str() as message}, *_]}:
            return message
        case {"base_resp": {"status_code": int() as code, "status_msg": str() as message}} if code:
            return message
    return ""


def error_object(value: Any) -> Mapping[str, Any]:
    """What holds the code and the type: the error member, or the whole object where that is the error."""
    match value:
        case {"error": dict() as error}:
            return error
        case {"error": str()} | {"message": str()} | {"detail": _} | {"title": str()}:
            return dict(value)
        case {"base_resp": {"status_code": int() as code} as error} if code:
            return dict(error)
    return {}


def own_code(value: Any) -> tuple[str | None, str | None]:
    """``code`` and ``param`` of an error in OpenAI's shape, where each is a name and no sentence."""
    match value:
        case {"error": {"message": str(), "code": code, "param": param}}:
            return _name(_CODE, code), _name(_PARAM, param)
    return None, None


def _name(form: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _status_inside(error: Mapping[str, Any]) -> int:
    """OpenRouter and vLLM write an HTTP status as the error's code."""
    code = error.get("code", error.get("status"))
    three = isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdecimal()
    number = int(code) if isinstance(code, int) or three else 0
    return number if 400 <= number < 600 else 0


def _names(value: Any) -> Iterator[str]:
    level = [value]
    for _ in range(_DEPTH):
        inner: list[Any] = []
        for part in level[:_MOST]:
            if isinstance(part, list):
                inner += part[:_MOST]
            elif isinstance(part, dict):
                yield from _own_names(part)
                inner += [part[name] for name in _HOLDERS if isinstance(part.get(name), dict | list)]
        level = inner


def _own_names(part: Mapping[str, Any]) -> Iterator[str]:
    for name in _NAMES:
        match part.get(name):
            case bool():
                pass
            case str() | int() as found:
                yield str(found).lower()[:200]
    yield from (mark for mark in _MARKS if part.get(mark))


def _header_names(headers: Mapping[str, str]) -> Iterator[str]:
    """AWS names the error in a header: ``ThrottlingException:http://...``."""
    if named := headers.get("x-amzn-errortype"):
        yield named.partition(":")[0].lower()


def _raw(value: Any) -> Iterator[str]:
    """What OpenRouter's own upstream said."""
    match value:
        case {"error": {"metadata": {"raw": str() as raw}}}:
            yield raw[:_MAX_WORDS]


def _quotas(value: Any) -> Iterator[str]:
    """The quotas that Google names: ``GenerateRequestsPerDayPerProjectPerModel-FreeTier``."""
    match value:
        case {"error": {"details": list() as details}}:
            for detail in details[:_MOST]:
                match detail:
                    case {"violations": [*found]}:
                        yield from (
                            str(each.get("quotaId", ""))[:200] for each in found[:_MOST] if isinstance(each, dict)
                        )
