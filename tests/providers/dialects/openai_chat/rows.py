"""The catalog's rows, asked in Chat Completions, with the quirks and the body members that they bring."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from providers.call import Hints
from providers.catalog import CATALOG
from providers.dialects import discover, of_clients
from providers.dialects.openai_chat import DIALECT
from providers.json_object import JsonObject
from providers.spec import ProviderConfig

Json = dict[str, Any]
FACES = of_clients(discover())
ROWS = {row.id: row for row in CATALOG}
BASES = {
    row.id: base
    for row in CATALOG
    for dialect, base in ((row.dialect, row.base_url), *((face.dialect, face.base_url) for face in row.faces))
    if dialect == "openai_chat"
}


def config(row: str, **settings: Any) -> ProviderConfig:
    """A live provider as the row has it, in its Chat Completions face."""
    spec = replace(ROWS[row], dialect="openai_chat", base_url=BASES[row])
    return ProviderConfig(spec, spec.base_url, **{"quirks": spec.quirks, **settings})


def sent(
    row: str, model: str, asked: Json, client: str = "anthropic", think: bool = True, **settings: Any
) -> tuple[Json, list[str]]:
    """What goes out for a client's body, and what was lost."""
    body = JsonObject(json.dumps(asked).encode())
    FACES[client].check(body)
    neutral = FACES[client].read_request(body, model, think)
    made = DIALECT.write_request(neutral, config(row, **settings), "", Hints("tok", 1))
    return json.loads(made.request.body), list(made.lost)
