"""Makes docs/configuration.md: ``python -m gateway.cli.configuration_page > docs/configuration.md``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic.fields import FieldInfo

from gateway.cli.configuration_words import ABOUT, OUTSIDE, REMOVED_WORDS, TABLES
from gateway.cli.env_example import BLANK, KEY_HELP, SECTIONS
from gateway.cli.markdown import Line, code, codes, section
from gateway.settings.row_settings import KEY, RowSettings, takes_settings, variables
from gateway.settings.values import expects
from gateway.settings.variables import EARLIER_NAMES, SECRETS, Globals
from providers.catalog import CATALOG
from providers.spec import Face, ProviderSpec

HEAD = """\
# Configuration

Every setting, its type, its unit, its default, and its place in keyturn.toml. This page is made from the settings
themselves, by `python -m gateway.cli.configuration_page > docs/configuration.md`. `keyturn check` says what yours
amount to, `keyturn init` writes a `.env` to fill in.

## Where settings come from

From lowest to highest:

1. the defaults
2. `~/.config/keyturn/.env`; where there is none, that of an earlier proxy ([moving.md](moving.md))
3. `./.env`
4. the file that `FCC_ENV_FILE` names
5. keyturn.toml: `--config`, else `KEYTURN_CONFIG`, else `./keyturn.toml`, else `~/.config/keyturn/keyturn.toml`
6. the environment
7. flags

`ANTHROPIC_AUTH_TOKEN` is the exception: in a file, even empty, it beats the environment, where the client has the same
name. An unknown key in keyturn.toml is an error; an unknown variable is a warning where it looks like one of these. A
blank value is the default, where nothing else is said. keyturn.toml has the same settings in lower case at its top
level, before its first `[[...]]`."""
UNITS = {"seconds": "seconds", "megabytes": "MB", "bytes a second": "bytes a second"}
OF_PROVIDERS = """\
Each provider has these, behind a prefix of its own: `_RATE_LIMIT` is `GROQ_RATE_LIMIT` for Groq, and `rate_limit` in
its `[[providers]]` in keyturn.toml. What `for all` names holds where a provider's own is not set."""
PREFIXES = """\
The first prefix is the one that is written here; the others mean the same. The further variables are of that provider
alone. Base URLs, limits and models of each: [providers.md](providers.md). A provider of your own, in keyturn.toml, has
its name in upper case as its prefix."""
EARLIER = (
    "They mean the same as the settings beside them, which win. Those of whole other proxies: [moving.md](moving.md)."
)


def text() -> str:
    """The whole file."""
    parts = [HEAD]
    parts += [_section(heading, names) for heading, names in SECTIONS.items()]
    parts += [
        section("Settings of a provider", OF_PROVIDERS, _SETTING_HEAD, _settings()),
        section("Prefixes", PREFIXES, ("provider", "prefixes", "further variables"), map(_prefix, _rows())),
    ]
    parts += [section(f"[[{name}]]", ABOUT[name], _TOML_HEAD, map(_entry, TABLES[name])) for name in TABLES]
    parts += [
        section(
            "Variables outside keyturn.toml", "", ("variable", "meaning"), ((code(n), w) for n, w in OUTSIDE.items())
        ),
        section(
            "Earlier names",
            EARLIER,
            ("name", "now"),
            ((code(old), code(new.upper())) for new, old in EARLIER_NAMES.items()),
        ),
        REMOVED_WORDS,
    ]
    return "\n\n".join(parts) + "\n"


_GLOBAL_HEAD = ("variable", "in keyturn.toml", "type", "unit", "default", "meaning")
_SETTING_HEAD = ("behind the prefix", "type", "unit", "for all", "meaning", "in `[[providers]]`")
_TOML_HEAD = ("key", "type", "default", "meaning")


def _section(heading: str, names: Iterable[str]) -> str:
    return section(heading, "", _GLOBAL_HEAD, (_global(name, Globals.model_fields[name]) for name in names))


def _global(name: str, field: FieldInfo) -> Line:
    kind, unit = _kind(field)
    return code(name.upper()), code(name), kind, unit, _default(name, field), field.description or ""


def _kind(field: FieldInfo) -> tuple[str, str]:
    """The type in words, and the unit of its numbers."""
    words = expects(field).what
    unit = next((unit for sign, unit in UNITS.items() if sign in words), "")
    return re.sub(r"^an? |,? such as .*| of (seconds|megabytes|bytes a second)", "", words), unit


def _default(name: str, field: FieldInfo) -> str:
    default = field.get_default()
    if name in BLANK or name in SECRETS or default in (None, "", ()):
        return "unset"
    return code(str(default).lower() if isinstance(default, bool) else _plain(default))


def _plain(default: object) -> str:
    if isinstance(default, frozenset):
        return ",".join(sorted(default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _settings() -> Iterator[Line]:
    for name, meaning in KEY_HELP.items():
        yield code(f"_{name}"), "text", "", "", meaning, code(name.lower())
    for name, field in RowSettings.model_fields.items():
        kind, unit = _kind(field)
        meaning = field.description or ""
        for_all = re.match(r"As ([A-Z_]+)", meaning)
        yield code(f"_{name.upper()}"), kind, unit, code(for_all[1]) if for_all else "", meaning, code(name)


def _rows() -> Iterator[ProviderSpec]:
    return (row for row in CATALOG if takes_settings(row))


def _prefix(row: ProviderSpec) -> Line:
    return code(row.id), codes(row.prefixes), codes(dict.fromkeys(_further(row)))


def _further(row: ProviderSpec) -> Iterator[str]:
    yield from variables(row, KEY)[len(row.prefixes) :]
    spoken: Sequence[ProviderSpec | Face] = (row, *row.faces)
    for each in spoken:
        yield from each.base_variables or ()
        for part in each.parts or ():
            yield from (*part.variables, *part.shared)


def _entry(entry: tuple[str, str, str, str]) -> Line:
    key, kind, default, meaning = entry
    return code(key), kind, default, meaning


if __name__ == "__main__":
    print(text(), end="")
