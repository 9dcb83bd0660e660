"""Which of its dialects a provider is asked in. Pure."""

from __future__ import annotations

from gateway.settings.layers import Value
from gateway.settings.report import Report
from providers.spec import ProviderSpec

NAMES = {"openai": "openai_chat"}  # keyturn.toml's word for it, and what most people call it


def with_face(spec: ProviderSpec, chosen: Value | None, report: Report) -> ProviderSpec:
    """The row with the face that an operator chose; a face that it does not have is reported."""
    text = chosen.text.strip().lower() if chosen else ""
    dialect = NAMES.get(text, text)
    if chosen is None or dialect in ("", spec.dialect):
        return spec
    face = next((face for face in spec.faces if face.dialect == dialect), None)
    if face is None:
        spoken = " or ".join((spec.dialect, *(face.dialect for face in spec.faces)))
        chosen.reject(report, f"{spec.title} does not speak {text!r}", f"Write {spoken}, or remove it.")
        return spec
    return spec.turned(face)
