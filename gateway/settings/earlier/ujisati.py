"""ujisati/claude-code-provider-proxy: two models at OpenRouter, or at a BASE_URL. Pure.

Its names are those of the class Settings in its src/main.py and of its README (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from gateway.settings.earlier.reading import (
    DEFAULT,
    Extra,
    Pairs,
    Reading,
    System,
    all_given,
    given,
    header,
    model_at,
    spelled,
    unset,
)
from gateway.settings.layers import ENVIRONMENT, Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import Row
from gateway.settings.values import is_placeholder

NAME = "ujisati/claude-code-provider-proxy"
BIG, SMALL, KEY, BASE = "BIG_MODEL_NAME", "SMALL_MODEL_NAME", "OPENAI_API_KEY", "BASE_URL"
KEYS = f"{KEY}S"  # Keyturn's way to have several
PORT = "8080"
OPEN_ROUTER = ("", "openrouter.ai", "www.openrouter.ai")  # hosts; none is its default
BEGINNING = "sk-or-"  # of OpenRouter's keys
HEADERS = {"REFERER_URL": "HTTP-Referer", "APP_NAME": "X-Title"}
ALIASES = {"LOG_FILE_PATH": "LOG_FILE"}
DEFAULTS = {"LOG_FILE_PATH": "none (there log.jsonl)", "APP_NAME": "none", "REFERER_URL": "none"}


def told(layers: Layers, _: Sequence[Row]) -> list[Value]:
    return all_given(layers, (BIG, SMALL))


def read(layers: Layers, _: Sequence[Row], report: Report) -> Reading:
    """Its OPENAI_API_KEY is for OpenRouter: a guess that it is OpenAI's would show it to another company."""
    key, base = spelled(layers, KEY), given(layers, BASE)
    routed = _host(base) in OPEN_ROUTER
    _warn_of_key(layers, key, routed, report)
    if value := spelled(layers, "OPENAI_BASE_URL"):
        value.warn(report, f"this is not used: beside {_first(layers).name}, {BASE} says where the key belongs.")
    provider, prefix = ("open_router", "OPENROUTER") if routed else ("openai", "OPENAI")
    values = {f"{prefix}_API_KEY": key, f"{prefix}_BASE_URL": base, "PORT": Value("PORT", PORT, DEFAULT)}
    values[f"{prefix}_API_KEYS"] = spelled(layers, KEYS)
    if routed:
        values["OPENROUTER_DIALECT"] = Value("OPENROUTER_DIALECT", "openai_chat", DEFAULT)
    return Reading(
        models=_models(layers, provider, report),
        values={name: value for name, value in values.items() if value},
        hidden=(KEY, KEYS, "OPENAI_BASE_URL"),
        extras={provider: Extra(headers=_headers(layers, report))},
        notes=tuple(_notes(layers, routed)),
    )


def _host(base: Value | None) -> str:
    try:
        return (urlsplit(base.text.strip()).hostname or "-") if base else ""
    except ValueError:
        return "-"


def _first(layers: Layers) -> Value:
    return told(layers, ())[0]


def _models(layers: Layers, provider: str, report: Report) -> dict[str, Value]:
    """opus and sonnet are big; small are haiku and all that has no tier."""
    big, small = given(layers, BIG), given(layers, SMALL)
    if big and small:
        if not given(layers, "MODEL"):
            small.warn(report, f"every model that is no opus, sonnet or haiku is this one, as in {NAME}.")
        tiers = {"MODEL": small, "MODEL_OPUS": big, "MODEL_SONNET": big}
    else:
        tiers = {"MODEL": _first(layers)}
    return {name: model_at(provider, value) for name, value in tiers.items()}


def _warn_of_key(layers: Layers, key: Value | None, routed: bool, report: Report) -> None:
    if key is None or is_placeholder(key.text):
        return
    others = [value for value in layers.every(KEY) if value.name == KEY]
    beaten = [value for value in others if value.text.strip() not in ("", key.text.strip())]
    if key.origin == ENVIRONMENT and beaten:
        key.warn(report, f"this beats the key in {beaten[-1].origin}. `unset {KEY}` if that is the one you mean.")
    if routed and not key.text.strip().startswith(BEGINNING):
        key.warn(
            report,
            f"this goes to OpenRouter, as in {NAME}, and does not begin with {BEGINNING} as OpenRouter's keys do. "
            f"If it is another company's, set {BASE} to that one's URL.",
        )


def _headers(layers: Layers, report: Report) -> Pairs:
    pairs = [header(sent, value, report) for name, sent in HEADERS.items() if (value := given(layers, name))]
    return tuple(pair for each in pairs for pair in each)


def _notes(layers: Layers, routed: bool) -> Iterator[str]:
    if routed:
        yield f"{KEY} is the key for OpenRouter, and is never sent to OpenAI"
    else:
        yield f"{KEY} is the key for {BASE}"
    if not given(layers, "PORT"):
        yield f"PORT is not set, so it is {PORT}, as there"
    yield from unset(layers, DEFAULTS)


UJISATI = System(NAME, "docs/moving/ujisati.md", told, read, names=(BIG, SMALL, BASE, *HEADERS, *ALIASES))
