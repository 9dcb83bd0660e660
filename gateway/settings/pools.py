"""A provider's keys: the primary one, the list, and those that keyturn.toml says more about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import KEY, KEYS, KeyEntry, variables
from gateway.settings.values import is_placeholder, secret_problem, split_keys
from providers.secret import Secret
from providers.spec import KeySource, ProviderSpec

NOT_A_KEY = "this is a placeholder, not a key: it is not used. Put the key there or remove the line."


@dataclass(slots=True)
class PoolReader:
    """Reads the keys of one provider after the other, and remembers whose key is whose."""

    layers: Layers
    report: Report
    _owners: dict[Secret, tuple[ProviderSpec, Value]] = field(default_factory=dict)

    def read(self, spec: ProviderSpec, entries: Iterable[KeyEntry]) -> tuple[KeySource, ...]:
        """Each key once, where it stands first; what a table says of it holds."""
        found: dict[Secret, KeySource] = {}
        for value, text in self._written(spec):
            if secret := self._secret(text, value, spec):
                found.setdefault(secret, KeySource(secret, value.name))
        for secret, entry in self._tables(spec, entries):
            label = entry.label.text if entry.label else ""
            found[secret] = KeySource(secret, entry.value.name, label, entry.weight, entry.account, entry.limits)
        return tuple(found.values())

    def _written(self, spec: ProviderSpec) -> Iterator[tuple[Value, str]]:
        """The texts of the primary key and of the list."""
        if value := self.layers.first(variables(spec, KEY)):
            yield value, value.text.strip()
        if value := self.layers.first(variables(spec, KEYS)):
            texts = [value.text.strip()] if is_placeholder(value.text) else split_keys(value.text)
            if not texts:
                value.reject(self.report, "holds no key", "Write the keys there, between commas, or remove the line.")
            yield from ((value, text) for text in texts)

    def _tables(self, spec: ProviderSpec, entries: Iterable[KeyEntry]) -> Iterator[tuple[Secret, KeyEntry]]:
        places: dict[Secret, str] = {}
        for entry in entries:
            secret = self._secret(entry.value.text.strip(), entry.value, spec)
            if secret is None:
                continue
            if (first := places.setdefault(secret, entry.where)) != entry.where:
                problem = f"it is the same key as that of {first}"
                self.report.problem(entry.where, problem, "Remove one of the two.", entry.origin, entry.value.line)
            yield secret, entry

    def _secret(self, text: str, value: Value, spec: ProviderSpec) -> Secret | None:
        if is_placeholder(text):
            value.warn(self.report, NOT_A_KEY)
            return None
        if refused := next((words for start, words in spec.not_keys if text.startswith(start)), ""):
            value.warn(self.report, f"{refused} It is not used.")
            return None
        if problem := secret_problem(text):
            value.reject(self.report, f"the key {problem}", "Copy it again, without quotes or line breaks.")
            return None
        self._claim(Secret(text), value, spec)
        return Secret(text)

    def _claim(self, secret: Secret, value: Value, spec: ProviderSpec) -> None:
        """Two providers with one key are a slip of the hand. Local runtimes take any word, so theirs may be alike,
        and a provider may be there once more.
        """
        if spec.instance_of or not spec.needs_key:
            return
        owner, first = self._owners.setdefault(secret, (spec, value))
        if owner.id != spec.id:
            value.reject(
                self.report,
                f"provider {spec.id} gets the key that provider {owner.id} has from {first.name}",
                "A key belongs to one provider: remove it from the other.",
            )
