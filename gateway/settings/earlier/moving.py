"""Whose configuration it is, by the company that its names keep, and what it comes to in Keyturn's names. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.settings.earlier import freecc, fuergaosi, preferred, ujisati
from gateway.settings.earlier.reading import DEFAULT, Extra, Reading, System, given
from gateway.settings.earlier.suparious import WITHOUT_EFFECT, warn_of_what_has_no_effect
from gateway.settings.layers import CLIENT_TOKEN, Layer, Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import Row

# Who is asked first: of names that two of them have, the first one's meaning holds.
SYSTEMS = (freecc.FREECC, preferred.PREFERRED_PROVIDER, ujisati.UJISATI, fuergaosi.FUERGAOSI)
# Names with one meaning, whoever else's stand beside them.
ALIASES = freecc.ALIASES | preferred.ALIASES | ujisati.ALIASES
# Every variable that Keyturn itself has not.
NAMES = frozenset(name for system in SYSTEMS for name in system.names) | WITHOUT_EFFECT.keys()
BLANK_COUNTS = ("HTTP_READ_TIMEOUT",)  # wait for ever
CLIENT_KEY = "ANTHROPIC_API_KEY"


@dataclass(frozen=True, slots=True)
class Moved:
    """The sources and the providers as if all had been written for Keyturn, and what to tell of it."""

    layers: Layers
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def move(layers: Layers, rows: Sequence[Row], report: Report) -> Moved:
    """What an earlier system's names mean here. Those that lose to others are reported as warnings."""
    told = {system.name: system.told(layers, rows) for system in SYSTEMS}
    system = next((each for each in SYSTEMS if told[each.name]), None)
    reading = system.read(layers, rows, report) if system else Reading()
    if system:
        _warn_of_others(system, told, report)
    token = _client_key(layers, told)
    values = _not_ours(layers, _with_aliases(layers, reading, token), report) | _models(layers, reading.models, report)
    hidden = {*reading.hidden, *((CLIENT_KEY,) if token else ())}
    below = _without(layers, hidden, values)
    moved = Layers((*below, Layer("an earlier system's names", values, is_file=False)))
    warn_of_what_has_no_effect(moved, report)
    notes = _notes(system, told, reading, token)
    return Moved(moved, (*_with_extras(rows, reading.extras), *reading.rows), tuple(notes))


def _warn_of_others(system: System, told: Mapping[str, Sequence[Value]], report: Report) -> None:
    """Names that only another earlier system's configurations have."""
    mine = told[system.name][0]
    for other in SYSTEMS:
        for value in told[other.name]:
            if other is not system and value.name not in (*system.shares, *other.beside):
                value.warn(
                    report,
                    f"this is not used: it is a name of {other.name}, and {mine.name} (from {mine.origin}) makes this "
                    f"a configuration of {system.name}. Remove one of the two.",
                )


def _client_key(layers: Layers, told: Mapping[str, Sequence[Value]]) -> Value | None:
    """ANTHROPIC_API_KEY as the token of clients: not where it is the key for Anthropic."""
    for_upstream = told[freecc.NAME] or told[preferred.NAME]
    return None if for_upstream else fuergaosi.client_key(layers)


def _with_aliases(layers: Layers, reading: Reading, token: Value | None) -> dict[str, Value]:
    aliases = {ours: value for name, ours in ALIASES.items() if (value := given(layers, name))}
    return {**aliases, **reading.values, **({CLIENT_TOKEN: token} if token else {})}


def _not_ours(layers: Layers, values: Mapping[str, Value], report: Report) -> dict[str, Value]:
    """Those that nobody said in Keyturn's names; the others lose, and are reported."""
    kept: dict[str, Value] = {}
    for name, value in values.items():
        own = layers.find(name) if name in BLANK_COUNTS else given(layers, name)
        if own is None or own is value:
            kept[name] = value
        elif value.origin != DEFAULT and own.text.strip() != value.text.strip():
            value.warn(report, f"this is not used: {own.name} (from {own.origin}) is set.")
    return kept


def _models(layers: Layers, models: Mapping[str, Value], report: Report) -> dict[str, Value]:
    """MODEL beats them all, MODEL_OPUS and its kin the one that they are for."""
    kept: dict[str, Value] = {}
    default = given(layers, "MODEL")
    for name, value in models.items():
        own = given(layers, name) or default
        if own is None:
            kept[name] = value
        elif value.origin != DEFAULT:
            tier = name.partition("_")[2].lower()
            where = f" for {tier}" if tier and own.name != "MODEL" else ""
            value.warn(report, f"this is not used{where}: {own.name} (from {own.origin}) is set.")
    return kept


def _with_extras(rows: Sequence[Row], extras: Mapping[str, Extra]) -> Iterator[Row]:
    for row in rows:
        extra = extras.get(row.spec.id, Extra())
        yield replace(
            row,
            headers=(*extra.headers, *row.headers),
            max_output_tokens=row.max_output_tokens or extra.most,
            min_output_tokens=row.min_output_tokens or extra.least,
        )


def _without(layers: Layers, variables: Container[str], settings: Container[str]) -> Iterator[Layer]:
    for layer in layers.layers:
        kept = {n: v for n, v in layer.values.items() if v.name not in variables and n not in settings}
        yield Layer(layer.origin, kept, layer.is_file)


def _notes(
    system: System | None, told: Mapping[str, Sequence[Value]], reading: Reading, token: Value | None
) -> Iterator[str]:
    if system:
        first = told[system.name][0]
        yield f"this is read as a configuration of {system.name}, told by {first.name}: {system.page}"
    yield from reading.notes
    if token:
        yield f"{CLIENT_KEY} is the token that clients must send"
