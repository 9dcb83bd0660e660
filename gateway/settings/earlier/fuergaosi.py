"""fuergaosi233/claude-code-proxy: three models at OPENAI_BASE_URL, with one key. Pure.

Its names are those of its README, its .env.example and its src/core/config.py (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Sequence

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
    whole,
)
from gateway.settings.layers import CLIENT_TOKEN, ENVIRONMENT, Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import BASE_URL, KEY, KEYS, Row, variables

NAME = "fuergaosi233/claude-code-proxy"
BIG, MIDDLE, SMALL, BASE = "BIG_MODEL", "MIDDLE_MODEL", "SMALL_MODEL", "OPENAI_BASE_URL"
MODELS = (BIG, MIDDLE, SMALL)
MOST, LEAST, TIMEOUT = "MAX_TOKENS_LIMIT", "MIN_TOKENS_LIMIT", "REQUEST_TIMEOUT"
HEADERS = "CUSTOM_HEADER_"
CLIENT_KEY = "ANTHROPIC_API_KEY"  # to this system, the token that clients send
OURS = ("MODEL", "MODEL_OPUS", "MODEL_SONNET", "MODEL_HAIKU")
PROVIDER = "openai"
ONE_KEY = ("openai", "azure")  # rows that its OPENAI_API_KEY and AZURE_API_VERSION are about
DEFAULTS = {"LOG_LEVEL": "INFO", MOST: "none (there 4096)", TIMEOUT: "none (there 90): HTTP_READ_TIMEOUT"}


def told(layers: Layers, rows: Sequence[Row]) -> list[Value]:
    """OPENAI_BASE_URL is Keyturn's name too: alone it tells this system only where nothing is another's."""
    found = all_given(layers, (*MODELS, MOST, LEAST, *_header_names(layers)))
    base = spelled(layers, BASE)
    return [*found, base] if base and (found or _alone(layers, rows)) else found


def read(layers: Layers, rows: Sequence[Row], report: Report) -> Reading:
    timeout = given(layers, TIMEOUT)
    values = {"HTTP_READ_TIMEOUT": timeout, "FIRST_TOKEN_TIMEOUT": timeout if _is_time(timeout) else None}
    return Reading(
        models=_models(layers) if all_given(layers, MODELS) or _alone(layers, rows) else {},
        values={name: value for name, value in values.items() if value},
        extras={PROVIDER: _extra(layers, report)},
        notes=tuple(unset(layers, DEFAULTS)),
    )


def client_key(layers: Layers) -> Value | None:
    """The token that clients must send. One that is meant for Keyturn beats it, and none in a file an exported one."""
    key, own = given(layers, CLIENT_KEY), layers.find(CLIENT_TOKEN)
    if key is None or not (all_given(layers, MODELS) or spelled(layers, BASE)):
        return None
    open_to_all = own is not None and own.origin != ENVIRONMENT and key.origin == ENVIRONMENT
    return None if open_to_all or given(layers, CLIENT_TOKEN) else key


def _alone(layers: Layers, rows: Sequence[Row]) -> bool:
    """Nothing is set for another provider, and no model by Keyturn's names."""
    others = [row for row in rows if row.spec.id not in ONE_KEY]
    of_others = (name for row in others for kind in (KEY, KEYS, BASE_URL) for name in variables(row.spec, kind))
    return not (any(row.listed for row in others) or all_given(layers, (*OURS, *of_others)))


def _models(layers: Layers) -> dict[str, Value]:
    """sonnet is the middle one where there is one; what has no tier is big."""
    big = given(layers, BIG) or Value(BIG, "gpt-4o", DEFAULT)
    small = given(layers, SMALL) or Value(SMALL, "gpt-4o-mini", DEFAULT)
    tiers = {"MODEL": big, "MODEL_SONNET": given(layers, MIDDLE), "MODEL_HAIKU": small}
    return {name: model_at(PROVIDER, value) for name, value in tiers.items() if value}


def _extra(layers: Layers, report: Report) -> Extra:
    low = given(layers, LEAST)
    most, least = whole(given(layers, MOST), report), whole(low, report)
    if low and most and least and least > most:
        low.reject(report, f"{least} is above {MOST} ({most})", "Raise the one or lower the other.")
    return Extra(_headers(layers, report), most, least or 0)


def _headers(layers: Layers, report: Report) -> Pairs:
    """CUSTOM_HEADER_X_TEAM is the header X-TEAM."""
    pairs = [
        header(name.removeprefix(HEADERS).replace("_", "-"), value, report)
        for name in _header_names(layers)
        if (value := given(layers, name))
    ]
    return tuple(pair for each in pairs for pair in each)


def _header_names(layers: Layers) -> list[str]:
    found = {name for layer in layers.layers for name in layer.values if name.startswith(HEADERS)}
    return sorted(found)


def _is_time(value: Value | None) -> bool:
    """Whether it bounds the wait for the first content too; whatever else it is, HTTP_READ_TIMEOUT says."""
    try:
        return value is not None and 0 < float(value.text) < float("inf")
    except ValueError:
        return False


FUERGAOSI = System(
    NAME, "docs/moving/fuergaosi.md", told, read, beside=(BASE,), names=(*MODELS, MOST, LEAST, TIMEOUT, CLIENT_KEY)
)
