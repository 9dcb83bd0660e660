"""Where a value comes from: files, environment and flags, one laid over the other."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from gateway.settings.report import Report

CLIENT_TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - a variable's name
ENVIRONMENT = "the environment"
SECRET = re.compile(r"^[^#\n]*(?:api_keys?|token)[\"']?\s*=\s*[\"'\[]*[^\s\"'\[\]#<*]", re.IGNORECASE | re.MULTILINE)
COMMAND_LINE = "the command line"
HOME_FILES = (
    ".config/keyturn/.env",
    ".config/claude-code-proxy/.env",
    ".config/free-claude-code/.env",
)


@dataclass(frozen=True, slots=True)
class Value:
    """What an operator wrote. The text may be a key, so it is never shown."""

    name: str  # as spelled there: GROQ_API_KEY, providers.groq.api_key, --port
    text: str = field(repr=False)
    origin: str
    line: int = field(default=0, compare=False)  # of a file, from 1; 0 = not known

    def assignment(self, text: str) -> str:
        """How ``text`` would be written in this place."""
        if self.name.startswith("-"):
            return f"{self.name} {text}"
        if self.name.islower():
            return f"{self.name} = {_toml(text)}"
        return f"{self.name}={text}"

    def reject(self, report: Report, problem: str, fix: str) -> None:
        report.problem(self.name, problem, fix, self.origin, self.line)

    def warn(self, report: Report, text: str) -> None:
        report.warn(self.name, text, self.origin, self.line)


@dataclass(frozen=True, slots=True)
class Layer:
    """One source, by the names of variables (a TOML key ``port`` is there as ``PORT``)."""

    origin: str
    values: Mapping[str, Value]
    is_file: bool = True


@dataclass(frozen=True, slots=True)
class Layers:
    """All sources, lowest first."""

    layers: tuple[Layer, ...]

    def find(self, name: str) -> Value | None:
        """The value that counts, blank or not.

        The client's token is looked for in files first: in the environment that name belongs to the client.
        """
        layers = self.layers
        if name == CLIENT_TOKEN:
            layers = tuple(sorted(layers, key=lambda layer: layer.is_file))
        return next((layer.values[name] for layer in reversed(layers) if name in layer.values), None)

    def first(self, names: Iterable[str]) -> Value | None:
        """The value of a setting with several names: the highest that is not blank; of one layer, the first name's."""
        counting = {name: value for name in names if (value := self.find(name)) and value.text.strip()}
        return next(
            (
                value
                for layer in reversed(self.layers)
                for name, value in counting.items()
                if layer.values.get(name) is value
            ),
            None,
        )

    def every(self, name: str) -> list[Value]:
        return [layer.values[name] for layer in self.layers if name in layer.values]

    def without(self, names: Iterable[str]) -> Layers:
        """These sources, as if nobody had set ``names``."""
        dropped = frozenset(names)
        return Layers(
            tuple(
                Layer(layer.origin, {n: v for n, v in layer.values.items() if n not in dropped}, layer.is_file)
                for layer in self.layers
            )
        )


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """``docker run --env-file`` hands quotes on as they stand in the file: one pair around a value is none of it."""
    values = {name: Value(name, _unquoted(text), ENVIRONMENT) for name, text in environ.items()}
    return Layer(ENVIRONMENT, values, is_file=False)


def _unquoted(text: str) -> str:
    bare = text.strip()
    return bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" else text


def flag_layer(flags: Mapping[str, str]) -> Layer:
    """``flags`` by the variable they set, such as ``{"PORT": "9000"}``."""
    values = {name: Value(f"--{name.lower().replace('_', '-')}", text, COMMAND_LINE) for name, text in flags.items()}
    return Layer(COMMAND_LINE, values, is_file=False)


def dotenv_layers(environ: Mapping[str, str], cwd: Path, home: Path, report: Report) -> tuple[Layer, ...]:
    """The .env files that are there, lowest first."""
    candidates = [(home / name, f"~/{name}") for name in HOME_FILES]
    files = [found for found in candidates if os.path.isfile(found[0])][:1]
    if os.path.isfile(cwd / ".env"):
        files.append((cwd / ".env", "./.env"))
    if named := environ.get("FCC_ENV_FILE", "").strip():
        path = resolve(named, cwd, home)
        if os.path.isfile(path):
            files.append((path, named))
        else:
            report.problem(
                "FCC_ENV_FILE", f"there is no file {named}", "Correct the path or unset FCC_ENV_FILE.", ENVIRONMENT
            )
    return tuple(_dotenv_layer(path, origin, report) for path, origin in files)


def resolve(named: str, cwd: Path, home: Path) -> Path:
    """The path that an operator wrote, ``~`` and relative ones included."""
    if named == "~" or named.startswith(("~/", "~\\")):
        return home / named[2:]
    return cwd / named


def read_text(path: Path, name: str, origin: str, report: Report, line: int = 0) -> str | None:
    """A file as UTF-8, or a problem named ``name``."""
    report.read.append(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if origin or SECRET.search(text):  # what a key names is a key's file
            report.secrets.append((path, str(path) if origin else name))
        return text
    except UnicodeDecodeError as error:
        there = line if origin else error.object.count(b"\n", 0, error.start) + 1
        report.problem(name, "the file is not UTF-8 text", "Save it as UTF-8.", origin, there)
    except OSError as error:
        report.problem(
            name, f"the file cannot be read: {error.strerror}", "Correct its path or its rights.", origin, line
        )
    return None


def _dotenv_layer(path: Path, origin: str, report: Report) -> Layer:
    values: dict[str, Value] = {}
    # Nothing is interpolated: a "$" in a key is a "$".
    for binding in parse_stream(StringIO(read_text(path, origin, "", report) or "")):
        written = binding.original.string
        line = binding.original.line + _blank_lines(written)
        if binding.error or (binding.key and binding.value is None):
            report.warn(origin, f"line {line} is not NAME=value and is ignored")
        elif binding.key and binding.value is not None:
            value = Value(binding.key, binding.value, origin, line)
            _warn_of_second(values.get(binding.key), value, report)
            values[binding.key] = value
    return Layer(origin, values)


def _warn_of_second(first: Value | None, second: Value, report: Report) -> None:
    if first and first.text.strip() and first.text.strip() != second.text.strip():
        first.warn(report, f"this is not used: line {second.line} sets {second.name} again. Remove one of the two.")


def _blank_lines(written: str) -> int:
    """Those before a setting, which the parser takes for a part of it."""
    return len(re.findall(r"\r\n|\n|\r", written[: len(written) - len(written.lstrip())]))


def _toml(text: str) -> str:
    plain = text in ("true", "false") or text.replace(".", "", 1).isdigit()
    return text if plain else json.dumps(text)
