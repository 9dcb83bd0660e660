"""THE TABLE: one row per provider. A new provider is one row in a file of this folder and nothing else.

Facts that a provider publishes carry where they come from; ``as_of`` is when they were read. The order counts: where no
MODEL is set, the first row that is configured answers.

A row with ``quirks.guarded()`` serves models of open weights, and those write a tool call as text now and then, whoever
serves them: docs/tool-calls.md has the reports.
"""

from __future__ import annotations

from collections.abc import Iterable

from providers.catalog.chat_apis import CHAT_APIS, NVIDIA_NIM
from providers.catalog.clouds import CLOUDS
from providers.catalog.local import DEMO, LOCAL
from providers.catalog.message_apis import MESSAGE_APIS
from providers.spec import ProviderSpec

CATALOG: tuple[ProviderSpec, ...] = (DEMO, NVIDIA_NIM, *MESSAGE_APIS, *LOCAL, *CHAT_APIS, *CLOUDS)


def names(rows: Iterable[ProviderSpec]) -> dict[str, str]:
    """Every name a row answers to (its id and its aliases), to its id."""
    return {name: row.id for row in rows for name in (row.id, *row.aliases)}
