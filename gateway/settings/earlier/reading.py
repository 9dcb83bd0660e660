"""What a configuration of an earlier system comes to in Keyturn's own names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import Row
from gateway.settings.toml_providers import OUR_HEADERS

DEFAULT = "the earlier system's default"  # the origin of what nobody wrote
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Answers are read as they come; and what has no name is no header.
UNSENDABLE = (*OUR_HEADERS, "accept-encoding", "")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Extra:
    """What a provider is given that no variable of Keyturn's says. Bounds are on max_tokens."""

    headers: Pairs = ()
    most: int | None = None
    least: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """``models`` and ``values`` are by our variables; ours win where both are set."""

    models: Mapping[str, Value] = field(default_factory=dict)  # MODEL and MODEL_*: our MODEL beats all of them
    values: Mapping[str, Value] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()  # variables that mean something else to the rest of Keyturn
    rows: tuple[Row, ...] = ()  # providers of its own
    extras: Mapping[str, Extra] = field(default_factory=dict)  # by provider
    notes: tuple[str, ...] = ()  # what a person should know of the names' meaning


@dataclass(frozen=True, slots=True)
class System:
    """One earlier system. ``told`` finds the names that only its configurations have."""

    name: str
    page: str
    told: Callable[[Layers, Sequence[Row]], list[Value]]
    read: Callable[[Layers, Sequence[Row], Report], Reading]
    shares: tuple[str, ...] = ()  # names of its own that tell another system where they stand alone
    beside: tuple[str, ...] = ()  # names that mean something beside another system's too
    names: tuple[str, ...] = ()  # all of its own, where Keyturn has no such


def given(layers: Layers, name: str) -> Value | None:
    """What an operator wrote, where it is not blank."""
    value = layers.find(name)
    return value if value and value.text.strip() else None


def spelled(layers: Layers, name: str) -> Value | None:
    """The same among variables: what keyturn.toml says of a provider is said in Keyturn's words."""
    found = [value for value in layers.every(name) if value.name == name]
    return found[-1] if found and found[-1].text.strip() else None


def all_given(layers: Layers, names: Iterable[str]) -> list[Value]:
    return [value for name in names if (value := given(layers, name))]


def unset(layers: Layers, names: Mapping[str, str]) -> list[str]:
    """A line on defaults that are Keyturn's own; each name's text says what the default is here and was there."""
    told = [f"{name} {text}" for name, text in names.items() if not given(layers, name)]
    return [f"not set, so as in Keyturn: {', '.join(told)}"] if told else []


def model_at(provider: str, value: Value) -> Value:
    """An upstream's name for a model, which is never split."""
    return replace(value, text=f"{provider}/{value.text.strip()}")


def header(name: str, value: Value, report: Report) -> Pairs:
    """A header for every call; what cannot be sent is reported."""
    text = value.text.strip()
    if not HEADER.fullmatch(name) or name.lower() in UNSENDABLE:
        value.reject(report, "this header cannot be set", "Remove it.")
    elif not (text.isascii() and text.isprintable()):
        value.reject(report, "the value is not plain ASCII text", "Write it again by hand.")
    else:
        return ((name, text),)
    return ()


def whole(value: Value | None, report: Report) -> int | None:
    """A whole number above 0; None, and a problem, where it is none."""
    text = value.text.strip() if value else ""
    if value is None or (text.isascii() and text.isdecimal() and int(text) > 0):
        return int(text) if text else None
    value.reject(
        report, f"{text[:16]!r} is not a whole number above 0", f"Write for example {value.assignment('4096')}."
    )
    return None
