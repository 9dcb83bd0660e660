"""What the rows of the catalog mean to those who write a model's name."""

from __future__ import annotations

import pytest

from gateway.routing import Ref, parse_ref
from providers.catalog import CATALOG, names
from providers.spec import ProviderSpec

SPECS = {row.id: row for row in CATALOG}
NETWORKED = [row for row in CATALOG if row.id != "demo"]
each_row = pytest.mark.parametrize("row", NETWORKED, ids=[row.id for row in NETWORKED])


def models(row: ProviderSpec) -> list[str]:
    return [row.default_model, *row.examples, *dict(row.retired).values()]


@each_row
def test_behind_its_id_every_model_is_its_own_whoever_is_the_default(row: ProviderSpec) -> None:
    for default in SPECS:
        for model in models(row):
            assert parse_ref(f"{row.id}/{model}", SPECS, frozenset({row.id}), default) == Ref(row.id, model)


@each_row
def test_where_it_is_the_default_its_models_need_no_provider_before_them(row: ProviderSpec) -> None:
    for model in models(row):
        assert parse_ref(model, SPECS, frozenset({row.id}), row.id) == Ref(row.id, model)
        assert parse_ref(model, SPECS, frozenset(), row.id) == Ref(row.id, model)


@each_row
def test_a_vendor_of_the_default_provider_is_no_slip_of_the_hand(row: ProviderSpec) -> None:
    for vendor in row.namespaces:
        assert parse_ref(f"{vendor}/m", SPECS, frozenset({row.id}), row.id) == Ref(row.id, f"{vendor}/m")


@each_row
def test_behind_an_alias_too_but_where_the_default_provider_has_a_vendor_of_that_name(row: ProviderSpec) -> None:
    for alias in row.aliases:
        for default in SPECS.values():
            meant = parse_ref(f"{alias}/m", SPECS, frozenset({row.id, default.id}), default.id)
            shadowed = alias in default.namespaces
            assert meant == (Ref(default.id, f"{alias}/m") if shadowed else Ref(row.id, "m"))


def test_no_models_name_is_a_providers() -> None:
    assert set(names(CATALOG)).isdisjoint(model for row in NETWORKED for model in models(row))
