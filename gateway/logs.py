"""Structured logs on stderr, and in a file where one is named. Never a key, a token or a word of a conversation."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from gateway.log_file import LogFileHandler
from gateway.redaction import Redactor
from gateway.settings import Settings
from gateway.settings.model import LogFile
from providers.secret import Secret

# What these say below WARNING is of use to their authors; some of it holds addresses with what stands in them.
TALKATIVE = ("aiohttp", "asyncio", "httpcore", "httpx", "opentelemetry", "requests", "urllib3")
_CREDENTIAL = re.compile(r"auth|cookie|key|password|secret|token", re.IGNORECASE)  # a header's name
_IN_TASK = re.compile(r"exception=(\w+)\(.*", re.DOTALL)  # how asyncio shows a task that failed
_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure_from(settings: Settings) -> None:
    """As the settings have it. Raises ConfigError where LOG_FILE cannot be written."""
    redact = redactor(settings)
    configure(settings.log_level, settings.log_format, settings.log_file, redact, settings.log_tracebacks)


def redactor(settings: Settings) -> Redactor:
    """Takes what is secret in these settings out of text, and what looks secret."""
    return Redactor(_secrets(settings))


def configure(
    level: str,
    style: str,
    file: LogFile | None = None,
    redact: Callable[[str], str] = Redactor(),  # noqa: B008 - it never changes
    tracebacks: bool = False,
) -> None:
    """For structlog and for the standard loggers of the libraries alike. ``style``, json or console, is that of
    stderr. Without ``tracebacks``, an exception is its class and where it was raised: its text may hold anything.
    """
    _EXCEPTIONS.configured(redact, tracebacks)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_EXCEPTIONS),
    ]
    foreign: list[Processor] = [*shared, _Foreign(redact, tracebacks)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            mask,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(level.upper())
    handlers: list[logging.Handler] = [_rendering(stderr, style, foreign)]
    if file:
        handlers.append(_rendering(LogFileHandler(file), "json", foreign))
    logging.basicConfig(handlers=handlers, level=min(handler.level for handler in handlers), force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _rendering(handler: logging.Handler, style: str, foreign: list[Processor]) -> logging.Handler:
    renderer: Processor = as_json if style == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    chain = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=chain))
    return handler


def as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """One line; what JSON cannot say is said as text."""
    return _encode(event).decode()


def mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A Secret that got into an event is printed as one."""
    for name, value in event.items():
        if isinstance(value, Secret):
            event[name] = str(value)
    return event


class _Foreign:
    """What a library says, without secrets; of a task that failed, without its exception's text."""

    def __init__(self, redact: Callable[[str], str], tracebacks: bool) -> None:
        self._redact = redact
        self._tracebacks = tracebacks

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        text = str(event["event"])
        event["event"] = self._redact(text if self._tracebacks else _IN_TASK.sub(r"exception=\1", text))
        return mask(_, __, event)


class _Exceptions:
    """An exception as text: with its own words, or without. There is one, which older loggers have too."""

    def __init__(self) -> None:
        self.configured(Redactor(), words=False)

    def configured(self, redact: Callable[[str], str], words: bool) -> None:
        self._redact = redact
        self._words = words

    def __call__(self, exc_info: ExcInfo) -> str:
        error = exc_info[1]
        if self._words:
            return self._redact("".join(traceback.format_exception(error)).rstrip())
        return "\n".join(_without_words(error))


_EXCEPTIONS = _Exceptions()


def _without_words(error: BaseException) -> Iterator[str]:
    """Where each exception of the chain was raised, the first one first, and its class."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    for each in reversed(chain):
        yield from (line.rstrip() for line in traceback.format_tb(each.__traceback__))
        yield _class_of(each)
        if isinstance(each, BaseExceptionGroup):
            yield f"  of {', '.join(_class_of(inner) for inner in each.exceptions)}"


def _class_of(error: BaseException) -> str:
    kind: type[Any] = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _secrets(settings: Settings) -> Iterator[str]:
    """Every key, token and password in the settings, as they stand there."""
    own = (settings.metrics_token, settings.admin_token, *(token.secret for token in settings.tokens))
    yield from (secret.reveal() for secret in own if secret)
    for provider in settings.providers:
        yield from (key.secret.reveal() for key in provider.keys)
        yield from (value for name, value in provider.headers if _CREDENTIAL.search(name))
        if provider.proxy:
            yield from _of_url(provider.proxy.reveal())
    if settings.redis:
        sentinels = settings.redis.options.get("sentinel_password", "")
        yield from filter(None, (settings.redis.password and settings.redis.password.reveal(), sentinels))
    if settings.traces:
        yield from (value for name, value in settings.traces.headers if _CREDENTIAL.search(name))


def _of_url(url: str) -> Iterator[str]:
    yield url
    if password := urlsplit(url).password:
        yield password
