"""1rgs/claude-code-proxy, which chachako/freecc stems from: two models of one preferred provider. Pure.

Its names and defaults are those of its README (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.settings.earlier.reading import DEFAULT, Reading, System, all_given, given, model_at
from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import Row

NAME = "1rgs/claude-code-proxy"
PREFERRED, VERTEX = "PREFERRED_PROVIDER", "USE_VERTEX_AUTH"
CLIENT_KEY = "ANTHROPIC_API_KEY"
ALIASES = {"VERTEX_PROJECT": "VERTEX_PROJECT_ID"}
DEFAULTS = {"openai": ("gpt-4.1", "gpt-4.1-mini"), "google": ("gemini-2.5-pro-preview-03-25", "gemini-2.0-flash")}
ANTHROPIC = "anthropic"  # serves the names that clients ask for


def told(layers: Layers, _: Sequence[Row]) -> list[Value]:
    return all_given(layers, (PREFERRED,))


def read(layers: Layers, _: Sequence[Row], report: Report) -> Reading:
    (preferred,) = told(layers, ())
    provider = preferred.text.strip().lower()
    if provider not in (*DEFAULTS, ANTHROPIC):
        preferred.reject(report, f"{provider!r} is not openai, google or anthropic", "Write one of the three.")
        return Reading()
    key = given(layers, CLIENT_KEY)
    return Reading(
        models=dict(_models(layers, provider)) if provider != ANTHROPIC else {},
        values={"ANTHROPIC_UPSTREAM_API_KEY": key} if key else {},
        notes=(f"{CLIENT_KEY} is Anthropic's key, and no token of clients",) if key else (),
    )


def _models(layers: Layers, provider: str) -> Iterator[tuple[str, Value]]:
    """Gemini's models are Google's, all others OpenAI's, whichever is preferred."""
    big, small = DEFAULTS[provider]
    for tier, name, default in (("MODEL", "BIG_MODEL", big), ("MODEL_HAIKU", "SMALL_MODEL", small)):
        value = given(layers, name) or Value(name, default, DEFAULT)
        google = "vertex" if _is_on(given(layers, VERTEX)) else "gemini"
        yield tier, model_at(google if value.text.strip().startswith("gemini") else "openai", value)


def _is_on(value: Value | None) -> bool:
    return value is not None and value.text.strip().lower() in ("1", "true", "yes", "on")


PREFERRED_PROVIDER = System(
    NAME, "docs/moving/freecc.md", told, read, ("BIG_MODEL", "SMALL_MODEL"), names=(PREFERRED, VERTEX, *ALIASES)
)
