"""One wire format per file or folder, found by looking: a new dialect is a new file with a ``DIALECT`` in it."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from providers.call import ClientDialect, Dialect


def discover() -> Mapping[str, Dialect]:
    """Every dialect in this folder, by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    dialects: list[Dialect] = [module.DIALECT for module in modules]
    return {dialect.name: dialect for dialect in dialects}


def of_clients(dialects: Mapping[str, Dialect]) -> Mapping[str, ClientDialect]:
    """Those that clients speak too."""
    return {name: dialect for name, dialect in dialects.items() if isinstance(dialect, ClientDialect)}
