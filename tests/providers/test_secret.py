"""A secret shows and leaks nothing, and can still be compared and sent."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.secret import Secret
from tests.providers.support import property_test

VALUE = "sk-très-secret"


@dataclass
class Holder:
    key: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(VALUE)),
        str(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE):>40}",
        f"{Secret(VALUE)!r:.5}",
        "%s" % Secret(VALUE),  # noqa: UP031 - loggers format this way
        repr([Secret(VALUE)]),
        repr(Holder(Secret(VALUE))),
    ],
)
def test_every_way_of_printing_is_masked(shown: str) -> None:
    assert "secret" not in shown.replace("Secret", "")


def test_reveals_on_demand_only() -> None:
    assert Secret(VALUE).reveal() == VALUE
    assert not hasattr(Secret(VALUE), "__dict__")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_is_not_serialised(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError) as raised:
        leak(Secret(VALUE))
    assert VALUE not in "".join(traceback.format_exception(raised.value))


def test_equality_and_hash_are_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(("value", "truth"), [("", False), ("x", True)])
def test_truth_is_having_a_value(value: str, truth: bool) -> None:
    assert bool(Secret(value)) is truth


@property_test
@given(st.text(), st.text())
def test_matches_exactly_the_same_text(value: str, offered: str) -> None:
    assert Secret(value).matches(offered) is (value == offered)
    assert Secret(value).matches(value)


def test_scrubs_every_occurrence() -> None:
    assert Secret("key-1").scrub("key-1 and xkey-1x, not key-2") == "*** and x***x, not key-2"
    assert Secret("").scrub("as it was") == "as it was"
