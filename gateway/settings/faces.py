"""Which of its dialects a provider is asked in. Pure."""

from __future__ import annotations

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import BASE_URL, variables
from providers.spec import Face, ProviderSpec

NAMES = {"openai": "openai_chat", "responses": "openai_responses"}  # keyturn.toml's words, and what most people say


def with_face(spec: ProviderSpec, layers: Layers, report: Report) -> ProviderSpec:
    """The row with the face that an operator chose, by name or by its address; one that it has not is reported."""
    chosen = layers.first(variables(spec, "DIALECT"))
    if chosen is None:
        return _by_address(spec, layers, report)
    text = chosen.text.strip().lower()
    dialect = NAMES.get(text, text)
    if dialect == spec.dialect:
        return spec
    face = face_of(spec, dialect)
    if face is None:
        spoken = " or ".join((spec.dialect, *(face.dialect for face in spec.faces)))
        chosen.reject(report, f"{spec.title} does not speak {text!r}", f"Write {spoken}, or remove it.")
        return spec
    return spec.with_face(face)


def face_of(spec: ProviderSpec, dialect: str) -> Face | None:
    """The row's face of this dialect."""
    return next((face for face in spec.faces if face.dialect == dialect), None)


def _by_address(spec: ProviderSpec, layers: Layers, report: Report) -> ProviderSpec:
    url = layers.first(variables(spec, BASE_URL))
    if url and spec.site and (face := face_of(spec, spec.site.dialect(url.text.strip()))):
        return spec.with_face(face)
    given = [(face, value) for face in spec.faces if (value := layers.first(_own_variables(face)))]
    if not given:
        return spec
    face, value = given[0]
    if url or layers.first(_parts(spec)):
        _warn(spec, face, value, report)
        return spec
    return spec.with_face(face)


def _own_variables(face: Face) -> tuple[str, ...]:
    """Those that say where this face is, and no other."""
    return (*(face.base_variables or ()), *_parts(face))


def _parts(row: ProviderSpec | Face) -> tuple[str, ...]:
    return tuple(name for part in row.parts or () for name in part.variables)


def _warn(spec: ProviderSpec, face: Face, value: Value, report: Report) -> None:
    value.warn(
        report,
        f"this is not used: {spec.id} has another address too, where it is asked in {spec.dialect}. "
        f"{spec.prefixes[0]}_DIALECT={face.dialect} chooses this one.",
    )
