"""Labels of keys are seen in headers, metrics and logs: each means one key, and none gives one away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gateway.settings.layers import Value
from gateway.settings.report import Report
from gateway.settings.row_settings import Row
from providers.keys import key_label
from providers.spec import ProviderConfig

TELLING = 8  # characters that a label and a key may not have in common


def refuse_labels(rows: Sequence[Row], providers: Sequence[ProviderConfig], report: Report) -> None:
    """Report the labels that are taken, that look like those Keyturn makes, or that are a key or a part of one."""
    secrets = [key.secret.reveal().lower() for provider in providers for key in provider.keys]
    made = re.compile(f"(?:{'|'.join(re.escape(provider.id) for provider in providers)})(?:-[0-9]+)?")
    taken: dict[str, Value] = {}
    for row, provider in zip(rows, providers, strict=True):
        own = {key.label: key_label(provider.id, number) for number, key in enumerate(provider.keys, 1)}
        for label in (entry.label for entry in row.keys if entry.label):
            text = label.text.lower()
            first = taken.setdefault(text, label)
            if _is_telling(text, secrets):
                label.reject(report, "is a key or a part of one", "Choose a name of your own: everybody sees it.")
            elif first is not label:
                label.reject(report, f"{label.text!r} is taken by {first.name}", "Choose another label.")
            elif made.fullmatch(text) and label.text != own.get(label.text):
                label.reject(report, f"{label.text!r} looks like a label that Keyturn makes", "Choose another label.")


def _is_telling(label: str, secrets: Iterable[str]) -> bool:
    long = len(label) >= TELLING
    return any(
        label == secret or (long and label in secret) or (len(secret) >= TELLING and secret in label)
        for secret in secrets
    )
