"""What a value may be: the types of settings, and the words for a value that is none of them."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo

from gateway.settings.layers import Value
from gateway.settings.report import Report
from middleware.loopback import is_loopback
from providers.secret import Secret
from providers.spec import KeyOrder, Rotation, UsageWindow

FOREVER = ("", "none", "null", "off", "disabled")
YES = ("on", "true", "yes")
NO = ("off", "false", "no", "none")
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
M = TypeVar("M", bound=BaseModel)
SHOWN = 16  # characters of a bad value that a message may repeat: keys are longer


class Rejected(ValueError):
    """A value that a validator can say more about than its type does."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Expects:
    """What a setting takes, in words, and one good value."""

    what: str
    example: str


def host_name(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?", bare):
        return bare
    return str(ipaddress.ip_address(bare))


def networks(text: object) -> tuple[str, ...]:
    """Addresses and networks between commas or blanks. "*" would let everybody claim to be anybody."""
    parts = [part for part in re.split(r"[,\s]+", str(text)) if part] if isinstance(text, str) else []
    return tuple(str(ipaddress.ip_network(part, strict=False)) for part in parts)


def points_here(url: str) -> bool:
    """Whether a URL's host is this machine; False for what is no URL."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def patience(text: str) -> float | None:
    """Seconds to wait, or None for ever."""
    if text.lower() in FOREVER:
        return None
    seconds = float(text)
    if not math.isfinite(seconds):
        raise ValueError(text)
    return seconds if seconds > 0 else None


def affinity(text: str) -> float | None:
    """Seconds for which a session keeps its key, or None for not at all."""
    if text.lower() in YES:
        return Rotation().affinity
    if text.lower() in NO:
        return None
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(text)
    return seconds


def schemes(text: str) -> frozenset[str]:
    """Between commas, in lower case."""
    named = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    if not named or not all(part.isascii() and part.isalpha() for part in named):
        raise ValueError(text)
    return named


def level(text: str) -> str:
    return "WARNING" if text.upper() == "WARN" else text.upper()


def log_format(text: str) -> str:
    return "console" if text.lower() == "text" else text.lower()


def printable(text: str) -> str:
    if not text.isprintable():
        raise Rejected("holds a control character", "Write it again by hand.")
    return text


def secret_problem(text: str) -> str:
    """Why ``text`` cannot be a key or a token, in words that do not show it; "" where it can."""
    if any(character.isspace() for character in text):
        return "holds whitespace"
    if not text.isascii():
        return "holds a character that is not ASCII"
    return "" if text.isprintable() else "holds a control character"


def as_secret(text: str) -> Secret | None:
    if problem := secret_problem(text):
        raise Rejected(problem, "Copy it again, without quotes or line breaks.")
    return Secret(text) if text else None


def is_placeholder(text: str) -> bool:
    """Whether the text stands for a key that is still to be filled in: ``***``, ``<your key>``."""
    text = text.strip()
    return (text.startswith("<") and text.endswith(">")) or (len(text) >= 3 and not text.strip("*"))


def split_keys(text: str) -> list[str]:
    """Keys between commas and whitespace of any kind, order kept, duplicates dropped."""
    return list(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))


def base_url(text: str) -> str:
    """An http(s) URL without credentials, query or closing slash. Raises Rejected."""
    parts = _split(text)
    if parts.scheme not in ("http", "https"):
        raise Rejected("is not an http:// or https:// URL", "Write for example https://llm.example.com/v1.")
    if "@" in parts.netloc:
        raise Rejected(
            "holds a user name or password",
            "Take it out of the URL: a key has its own variable, any other header goes into headers in keyturn.toml.",
        )
    if "?" in text or "#" in text:
        raise Rejected("holds a query or a fragment", "Remove everything from the ? or # on.")
    return text.rstrip("/")


def api_version(text: str) -> str:
    """A date such as 2024-10-21, with -preview where it is one; preview or latest. "v1" is no version."""
    version = text.lower()
    if not re.fullmatch(r"(20\d\d-\d\d-\d\d(-preview)?|preview|latest|v1)?", version):
        raise ValueError(text)
    return "" if version == "v1" else version


def proxy_url(text: str) -> Secret:
    if _split(text, "http://127.0.0.1:3128").scheme not in PROXY_SCHEMES:
        raise Rejected(
            "is not an http://, https:// or socks5:// URL", "Write for example http://127.0.0.1:3128 or leave it out."
        )
    return Secret(text)


def _split(text: str, example: str = "https://llm.example.com/v1") -> SplitResult:
    if not text.isprintable() or " " in text:
        raise Rejected("holds whitespace or a control character", "Write the URL without them.")
    try:
        parts = urlsplit(text)
        reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Rejected("is not a URL", "Check its brackets and its port.") from None
    if not reachable:
        raise Rejected("has no host", f"Write it in full, such as {example}.")
    return parts


Text = Annotated[str, AfterValidator(printable), Expects("text", "text")]
Host = Annotated[
    str, AfterValidator(host_name), Expects("a host name or an IP address, without scheme or port", "127.0.0.1")
]
Port = Annotated[int, Field(ge=0, le=65535), Expects("a whole number from 0 to 65535", "8082")]
Switch = Annotated[bool, Expects("true or false", "true")]
MaybeSwitch = Annotated[bool | None, Expects("true or false", "true")]
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False), Expects("a number of seconds above 0, such as 10 or 2.5", "10")
]
Delay = Annotated[
    float, Field(ge=0, allow_inf_nan=False), Expects("a number of seconds from 0 on, such as 2 or 0.5", "2")
]
Whole = Annotated[int, Field(gt=0), Expects("a whole number above 0", "10")]
Limit = Annotated[int | None, Field(gt=0), Expects("a whole number above 0", "10")]
Period = Annotated[
    float | None, Field(gt=0, allow_inf_nan=False), Expects("a number of seconds above 0, such as 60 or 2.5", "60")
]
Count = Annotated[int, Field(ge=0), Expects("a whole number from 0 on", "10")]
Floor = Annotated[float, Field(ge=0, allow_inf_nan=False), Expects("a number of bytes a second, or 0 for none", "20")]
Affinity = Annotated[float | None, BeforeValidator(affinity), Expects("on, off or a number of seconds above 0", "on")]
Order = Annotated[KeyOrder, BeforeValidator(str.lower), Expects("least_recent, weighted or sticky", "weighted")]
Window = Annotated[UsageWindow, BeforeValidator(str.lower), Expects("round, day or month", "day")]
Patience = Annotated[
    float | None, BeforeValidator(patience), Expects("a number of seconds, or off to wait for ever", "180")
]
Networks = Annotated[
    tuple[str, ...], BeforeValidator(networks), Expects("addresses or networks between commas", "10.0.0.0/8")
]
Megabytes = Annotated[float, Field(gt=0, allow_inf_nan=False), Expects("a number of megabytes above 0", "32")]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(level),
    Expects("DEBUG, INFO, WARNING, ERROR or CRITICAL", "INFO"),
]
LogFormat = Annotated[Literal["json", "console"], BeforeValidator(log_format), Expects("json, console or text", "json")]
Schemes = Annotated[
    frozenset[str], BeforeValidator(schemes), Expects("schemes of URLs between commas, of letters only", "https")
]
SearchEngine = Annotated[
    Literal["duckduckgo", "searxng", "brave", "tavily"],
    BeforeValidator(str.lower),
    Expects("duckduckgo, searxng, brave or tavily", "duckduckgo"),
]
MaybeUrl = Annotated[
    str, AfterValidator(lambda text: base_url(text) if text else ""), Expects("a URL", "http://127.0.0.1:8888")
]
Token = Annotated[Secret | None, BeforeValidator(as_secret), Expects("a token", "<a token you choose>")]
ApiVersion = Annotated[
    str, AfterValidator(api_version), Expects("a version of Azure's API, such as 2024-10-21", "2024-10-21")
]
BaseUrl = Annotated[str, AfterValidator(base_url), Expects("a URL", "https://llm.example.com/v1")]
ProxyUrl = Annotated[Secret | None, BeforeValidator(proxy_url), Expects("a URL", "http://127.0.0.1:3128")]


def expects(info: FieldInfo) -> Expects:
    return next(each for each in info.metadata if isinstance(each, Expects))


def explain(
    invalid: ValidationError, fields: Mapping[str, FieldInfo], values: Mapping[str, Value], report: Report
) -> set[str]:
    """Report pydantic's findings in our words, without the values of secrets; return the fields they are in."""
    bad = set()
    for error in invalid.errors(include_url=False):
        name = str(error["loc"][0])
        bad.add(name)
        _explain(error.get("ctx", {}).get("error"), expects(fields[name]), values[name], report)
    return bad


def _explain(error: Any, wanted: Expects, value: Value, report: Report) -> None:
    if isinstance(error, Rejected):
        value.reject(report, error.problem, error.fix)
        return
    shown = repr(value.text.strip()) if len(value.text.strip()) <= SHOWN else "the value"
    value.reject(report, f"{shown} is not {wanted.what}", f"Write for example {value.assignment(wanted.example)}.")


def fill(model: type[M], values: Mapping[str, Value], report: Report) -> M:
    """Make ``model`` from what operators wrote; what is wrong is reported and left at its default."""
    texts = {name: value.text.strip() for name, value in values.items()}
    try:
        return model.model_validate(texts)
    except ValidationError as invalid:
        bad = explain(invalid, model.model_fields, values, report)
    return model.model_validate({name: text for name, text in texts.items() if name not in bad})
