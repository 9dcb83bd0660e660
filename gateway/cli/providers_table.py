"""Makes docs/providers.md from the catalog: ``python -m gateway.cli.providers_table > docs/providers.md``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.settings.row_settings import KEY, takes_settings, variables
from providers.addresses import Site
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
    "Which dialect each is asked in, and the others that it speaks with the same keys: a variable such as "
    "`DEEPSEEK_DIALECT=openai_chat` chooses one."
)
PARTS = (
    "What else says where a provider is. Without `RESOURCE` in its base URL, or a base URL of your own, there is no "
    "provider; a region has a default."
)
SITES = (
    "A base URL that is one of these is asked in the cloud's way, whichever provider it is given to: the key goes into "
    "the cloud's own header, and where the path has it, the version of the API behind the path. `AZURE_API_VERSION` "
    "names another one."
)
LIMITS = "What a key of the usual plan may do, and what is published on having several. No line: nothing known."
MODELS = "The default answers where `MODEL` names none. The others are examples of the month in the last column."
RETIRED = "Names that are served no more."
NOTES = "Worth knowing before the first request."

SENT_AS = {
    Auth.X_API_KEY: "`x-api-key`",
    Auth.BEARER: "`Authorization: Bearer`",
    Auth.API_KEY: "`api-key`",
    Auth.X_GOOG_API_KEY: "`x-goog-api-key`",
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
            "Addresses", ADDRESSES, ("", "dialect", "base URL", "key sent as", "other dialects"), map(_address, rows)
        ),
        _table("Parts of addresses", PARTS, ("", "part", "variable"), (line for row in rows for line in _parts(row))),
        _table(
            "Clouds known by their addresses",
            SITES,
            ("", "host", "or in the path", "its version"),
            (_site(row, row.site) for row in rows if row.site),
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
    where = f"{_code(face.dialect)} at {_code(row.with_face(face).base_url)}"
    where += f", always for {_codes([f'{name}*' for name in face.serves])}" if face.serves else ""
    sent = "" if face.auth is row.auth else f", {SENT_AS[face.auth]}"
    return f"{where}{sent}{', from the first 404 on' if face.dialect == row.falls_back else ''}"


def _parts(row: ProviderSpec) -> Iterator[Line]:
    spoken: Sequence[ProviderSpec | Face] = (row, *row.faces)
    for each in spoken:
        if each.base_variables:
            yield _code(row.id), f"the base URL ({_code(each.dialect)})", _codes(each.base_variables)
        for part in each.parts or ():
            names = _codes((*part.variables, *part.shared))
            yield _code(row.id), f"{_code(part.text)} ({_code(each.dialect)})", names


def _site(row: ProviderSpec, site: Site) -> Line:
    return _code(row.id), ", ".join(_code(f"*{host}") for host in site.hosts), _code(site.dated), _code(site.version)


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
