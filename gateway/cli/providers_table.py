"""Makes docs/providers.md from the catalog: ``python -m gateway.cli.providers_table > docs/providers.md``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.settings.row_settings import KEY, takes_settings, variables
from providers.catalog import CATALOG
from providers.errors import Calendar
from providers.spec import Auth, Face, ProviderSpec

HEAD = """\
# Providers

What Keyturn knows of each, as `providers/catalog/` has it; this page is made by
`python -m gateway.cli.providers_table > docs/providers.md`. Providers change these facts at any time: each row says
when it was read. A base URL, a model or a limit of your own always wins, and keyturn.toml can add any other provider
with an API of the same kind."""

NAMES = "What to write before the slash in `MODEL`, and where its key goes."
ADDRESSES = (
    "Which dialect each is asked in, and the other one that it speaks with the same keys: a variable such as "
    "`DEEPSEEK_DIALECT=openai_chat` chooses it."
)
LIMITS = "What a key of the usual plan may do, and what is published on having several. No line: nothing known."
MODELS = "The default answers where `MODEL` names none. The others are examples of the month in the last column."
RETIRED = "Names that are served no more."
NOTES = "Worth knowing before the first request."

SENT_AS = {
    Auth.X_API_KEY: "`x-api-key`",
    Auth.BEARER: "`Authorization: Bearer`",
    Auth.API_KEY: "`api-key`",
    Auth.NONE: "not at all",
}
BEGINS = {
    Calendar.UTC_DAY: "midnight UTC",
    Calendar.PACIFIC_DAY: "midnight in California",
    Calendar.CHINA_DAY: "midnight in China (UTC+8)",
    Calendar.UTC_MONTH: "the first of the month, UTC",
}

Line = Sequence[str]


def text(rows: Iterable[ProviderSpec] = CATALOG) -> str:
    """The whole file."""
    rows = [row for row in rows if takes_settings(row)]
    parts = [
        HEAD,
        _table(
            "Names and keys", NAMES, ("in MODEL", "provider", "also", "variable", "keys are made at"), map(_key, rows)
        ),
        _table(
            "Addresses", ADDRESSES, ("", "dialect", "base URL", "key sent as", "other dialect"), map(_address, rows)
        ),
        _table(
            "Limits",
            LIMITS,
            ("", "requests", "open at once", "quotas begin again", "several keys"),
            (_limits(row) for row in rows if row.rate or row.concurrency or row.reset or row.pooling),
        ),
        _table("Models", MODELS, ("", "default", "others", "read"), map(_models, rows)),
        _table(
            "Retired models", RETIRED, ("", "name", "use instead"), (line for row in rows for line in _retired(row))
        ),
        _table("Notes", NOTES, ("", ""), ((_code(row.id), row.note) for row in rows if row.note)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(heading: str, about: str, columns: Line, lines: Iterable[Line]) -> str:
    return "\n".join([f"## {heading}\n\n{about}\n", _line(columns), _line(["---"] * len(columns)), *map(_line, lines)])


def _line(cells: Line) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _key(row: ProviderSpec) -> Line:
    where = f"<{row.key_url}>" if row.key_url else "your machine: none needed"
    return _code(row.id), row.title, _codes(row.aliases), _codes(variables(row, KEY)), where


def _address(row: ProviderSpec) -> Line:
    others = "; ".join(_face(face, row) for face in row.faces)
    return _code(row.id), _code(row.dialect), _code(row.base_url), SENT_AS[row.auth], others


def _face(face: Face, row: ProviderSpec) -> str:
    where = f"{_code(face.dialect)} at {_code(row.turned(face).base_url)}"
    served = f", always for {_codes([f'{name}*' for name in face.serves])}" if face.serves else ""
    return f"{where}{served}" if face.auth is row.auth else f"{where}{served}, {SENT_AS[face.auth]}"


def _limits(row: ProviderSpec) -> Line:
    requests = f"{row.rate} in {row.window:g} s" if row.rate else ""
    at_once = str(row.concurrency or "")
    return _code(row.id), requests, at_once, BEGINS[row.reset] if row.reset else "", row.pooling


def _models(row: ProviderSpec) -> Line:
    return _code(row.id), _code(row.default_model), _codes(row.examples), row.as_of


def _retired(row: ProviderSpec) -> Iterator[Line]:
    for name, instead in row.retired:
        yield _code(row.id), _code(name), _code(instead)


def _code(word: str) -> str:
    return f"`{word}`"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(map(_code, words))


if __name__ == "__main__":
    print(text(), end="")
