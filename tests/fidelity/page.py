"""docs/fidelity.md, out of the cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tests.fidelity import answering, asking
from tests.fidelity.cases import Case, answer_cases, request_cases
from tests.fidelity.verdict import Fate, Verdict
from tests.fidelity.ways import CLIENTS, Way, ways

HEAD = """\
# Fidelity

What becomes of every feature of a client's API at an upstream of every dialect. Each cell was found by trying it: a
small request is translated with the feature and without, a small answer on its way back, and what differs decides.
`tests/fidelity` does that in every run of the tests; this page is made by
`python -m tests.fidelity > docs/fidelity.md`, and the cases are in `tests/wire/fidelity`.

- **carried**: the other side is told the same, in its own words or in the client's.
- **adapted**: it is told something near: how, or in which members, the cell says.
- **lost**: it is told nothing, and the reply names what is missing in `x-keyturn-lost` (of a stream's answer, where the
  headers have gone: `keyturn_lost_total` and `/admin/explain`). A name can stand beside an adaptation too.
- **refused**: a 400 names the member.
- **not needed**: leaving it out changes nothing, for the reason in the cell.
- An empty cell: no upstream of this dialect answers so.

Nothing goes without a word: a test fails where it does, here and with the settings of every provider in the catalog.
The upstream of the tables takes all that its dialect has; where a provider takes less, that is named too. Where client
and upstream speak one dialect the bytes pass; **translated** is what becomes of them where a provider needs more than
that, such as the repair of tool calls.

`web_search` and `web_fetch` are shown as they are with `ENABLE_WEB_SERVER_TOOLS` off; on, Keyturn runs them itself for
upstreams that have none ([web-tools.md](web-tools.md))."""

FACES = {
    "anthropic": "Clients of Messages (`/v1/messages`)",
    "openai_chat": "Clients of Chat Completions (`/v1/chat/completions`)",
    "openai_responses": "Clients of Responses (`/v1/responses`)",
}
_COUNTED = (Fate.CARRIED, Fate.ADAPTED, Fate.LOST, Fate.NEEDLESS, Fate.REFUSED)
_COLUMNS = ("carried", "adapted", "lost, by name", "not needed", "refused")

Row = tuple[Case, list[Verdict]]


def text() -> str:
    """The whole file."""
    return "\n\n".join([HEAD, *(part for client in CLIENTS for part in _client(client))]) + "\n"


def rows(client: str) -> Iterator[Row]:
    """Every case of a client with its verdicts, one for each of its ways."""
    columns = ways(client)
    for asked in request_cases(client):
        yield asked, [asking.judge(asked, way) for way in columns]
    for answered in answer_cases(client):
        yield answered, [answering.judge(answered, way) for way in columns]


def _client(client: str) -> Iterator[str]:
    columns = ways(client)
    all_rows = list(rows(client))
    yield f"## {FACES[client]}"
    yield _table(("upstream", *_COLUMNS), _sums(columns, all_rows))
    for group, members in groupby(all_rows, lambda row: row[0].group):
        yield f"### {group}"
        heads = [f"to {way.title}" if group != "Answers" else f"from {way.title}" for way in columns]
        yield _table(("", *heads), ((case.feature, *map(str, verdicts)) for case, verdicts in members))


def _sums(columns: Sequence[Way], all_rows: Sequence[Row]) -> Iterator[Sequence[str]]:
    for number, way in enumerate(columns):
        counts = Counter(verdicts[number].fate for _, verdicts in all_rows)
        yield way.title, *(str(counts[fate]) for fate in _COUNTED)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *map(_line, lines)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
