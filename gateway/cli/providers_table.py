"""Makes docs/providers.md from the catalog: ``python -m gateway.cli.providers_table > docs/providers.md``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.cli.markdown import Line, code, codes, section
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


def text(rows: Iterable[ProviderSpec] = CATALOG) -> str:
    """The whole file."""
    rows = [row for row in rows if takes_settings(row)]
    parts = [
        HEAD,
        section(
            "Names and keys", NAMES, ("in MODEL", "provider", "also", "variable", "keys are made at"), map(_key, rows)
        ),
        section(
            "Addresses", ADDRESSES, ("", "dialect", "base URL", "key sent as", "other dialects"), map(_address, rows)
        ),
        section("Parts of addresses", PARTS, ("", "part", "variable"), (line for row in rows for line in _parts(row))),
        section(
            "Clouds known by their addresses",
            SITES,
            ("", "host", "or in the path", "its version"),
            (_site(row, row.site) for row in rows if row.site),
        ),
        section(
            "Limits",
            LIMITS,
            ("", "requests", "open at once", "quotas begin again", "several keys"),
            (_limits(row) for row in rows if row.rate or row.concurrency or row.reset or row.pooling),
        ),
        section("Models", MODELS, ("", "default", "others", "read"), map(_models, rows)),
        section(
            "Retired models", RETIRED, ("", "name", "use instead"), (line for row in rows for line in _retired(row))
        ),
        section("Notes", NOTES, ("", ""), ((code(row.id), row.note) for row in rows if row.note)),
    ]
    return "\n\n".join(parts) + "\n"


def _key(row: ProviderSpec) -> Line:
    where = f"<{row.key_url}>" if row.key_url else "your machine: none needed"
    return code(row.id), row.title, codes(row.aliases), codes(variables(row, KEY)), where


def _address(row: ProviderSpec) -> Line:
    others = "; ".join(_face(face, row) for face in row.faces)
    return code(row.id), code(row.dialect), code(row.base_url), SENT_AS[row.auth], others


def _face(face: Face, row: ProviderSpec) -> str:
    where = f"{code(face.dialect)} at {code(row.with_face(face).base_url)}"
    where += f", always for {codes([f'{name}*' for name in face.serves])}" if face.serves else ""
    sent = "" if face.auth is row.auth else f", {SENT_AS[face.auth]}"
    return f"{where}{sent}{', from the first 404 on' if face.dialect == row.falls_back else ''}"


def _parts(row: ProviderSpec) -> Iterator[Line]:
    spoken: Sequence[ProviderSpec | Face] = (row, *row.faces)
    for each in spoken:
        if each.base_variables:
            yield code(row.id), f"the base URL ({code(each.dialect)})", codes(each.base_variables)
        for part in each.parts or ():
            names = codes((*part.variables, *part.shared))
            yield code(row.id), f"{code(part.text)} ({code(each.dialect)})", names


def _site(row: ProviderSpec, site: Site) -> Line:
    return code(row.id), ", ".join(code(f"*{host}") for host in site.hosts), code(site.dated), code(site.version)


def _limits(row: ProviderSpec) -> Line:
    requests = f"{row.rate} in {row.window:g} s" if row.rate else ""
    at_once = str(row.concurrency or "")
    return code(row.id), requests, at_once, BEGINS[row.reset] if row.reset else "", row.pooling


def _models(row: ProviderSpec) -> Line:
    return code(row.id), code(row.default_model), codes(row.examples), row.as_of


def _retired(row: ProviderSpec) -> Iterator[Line]:
    for name, instead in row.retired:
        yield code(row.id), code(name), code(instead)


if __name__ == "__main__":
    print(text(), end="")
