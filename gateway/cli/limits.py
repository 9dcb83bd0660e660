"""The limits of providers, keys and models, in words."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.settings import Settings
from providers.keys import key_label
from providers.spec import KeySource, Limits, ProviderConfig, UsageWindow

PER_WINDOW = {UsageWindow.ROUND: "a turn", UsageWindow.DAY: "a day", UsageWindow.MONTH: "a month"}


def of_provider(provider: ProviderConfig) -> str:
    """What all its keys together may be asked, and each of them; "" where nothing is set."""
    traffic, rotation = provider.traffic, provider.rotation
    parts = [
        f"{_counted(traffic.rate, 'call')} in {traffic.window:g} s" if traffic.rate else "",
        f"{traffic.concurrency} at once" if traffic.concurrency else "",
        f"{_counted(rotation.usage_limit, 'call')} a key {PER_WINDOW[rotation.usage_window]}"
        if rotation.usage_limit
        else "",
    ]
    return ", ".join(part for part in parts if part)


def rows(settings: Settings) -> list[tuple[str, str]]:
    """Every key and every model that has limits of its own."""
    return [row for provider in settings.providers if provider.chosen for row in _rows(provider)]


def label(provider: str, number: int, key: KeySource) -> str:
    """What people see of a provider's n-th key, counted from 1."""
    return key.label or key_label(provider, number)


def _rows(provider: ProviderConfig) -> Iterator[tuple[str, str]]:
    for number, key in enumerate(provider.keys, 1):
        if words := _in_words(key.limits):
            yield label(provider.id, number, key), words
    for model, limits in provider.models:
        if words := _in_words(limits):
            yield f"{provider.id}/{model}", words


def _in_words(limits: Limits) -> str:
    parts = [
        f"{_counted(limits.requests, 'request')} a minute" if limits.requests else "",
        f"{_counted(limits.tokens, 'token')} a minute" if limits.tokens else "",
        f"{limits.concurrency} at once" if limits.concurrency else "",
    ]
    return ", ".join(part for part in parts if part)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
