"""Lists of models in every shape: tests/wire/listings has them as providers write them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.facts import Price
from providers.listings import MOST, Unreadable, read
from providers.listings.model import LONGEST

LISTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parents[1] / "wire/listings/lists.toml").read_text())[
    "case"
]


@pytest.mark.parametrize("case", LISTS, ids=[case["name"] for case in LISTS])
def test_what_is_read_of_a_list(case: dict[str, Any]) -> None:
    assert case["source"]
    page = read(case["body"].encode())
    assert {each.id: [each.window or 0, each.output or 0] for each in page.models} == case["models"]
    assert page.more == case.get("more", "")
    for name, seconds in case.get("created", {}).items():
        assert [each.created for each in page.models if each.id == name] == [seconds]
    for name, title in case.get("titles", {}).items():
        assert [each.title for each in page.models if each.id == name] == [title]
    prices = {each.id: each.price for each in page.models if each.price}
    assert prices == {name: Price(*paid) for name, paid in case.get("prices", {}).items()}


def listed(*items: Any, **more: Any) -> list[str]:
    return [each.id for each in read(json.dumps({"data": items, **more}).encode()).models]


def test_names_that_nobody_could_ask_for_are_left_out() -> None:
    names = ["fine", "", "with space", "tab\t", "new\nline", "caf\u00e9", "x" * (LONGEST + 1), 7, None, {}]
    assert listed(*({"id": name} for name in names), "no object", None) == ["fine"]


def test_each_model_is_listed_once() -> None:
    assert listed({"id": "a"}, {"id": "b"}, {"id": "a", "context_length": 9000}) == ["a", "b"]


def test_a_list_without_an_end_is_cut() -> None:
    assert len(listed(*({"id": f"m{number}"} for number in range(MOST + 10)))) == MOST


@pytest.mark.parametrize(
    "name", ["gpt-4o", "claude-guardian", "imagine-1", "qwen-vl-max", "embedded-coder", "ttsx", "clipper", "command-r"]
)
def test_names_that_only_look_like_other_kinds_stay(name: str) -> None:
    assert listed({"id": name}) == [name]


@pytest.mark.parametrize("window", [True, "131072", -1, 0, 10, 1e30, None, [], 10**12])
def test_sizes_that_are_none_are_not_believed(window: Any) -> None:
    [model] = read(
        json.dumps({"data": [{"id": "m", "context_length": window, "max_output_tokens": window}]}).encode()
    ).models
    assert (model.window, model.output) == (None, None)


@pytest.mark.parametrize(
    "paid", [{"prompt": "free", "completion": "1"}, {"prompt": "-1", "completion": "-1"}, {"input": 1}, 7]
)
def test_prices_that_are_none_are_not_believed(paid: Any) -> None:
    [model] = read(json.dumps({"data": [{"id": "m", "pricing": paid}]}).encode()).models
    assert model.price is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"7", b'"x"', b"null", b"{}", b'{"data":{}}', b'{"models":"x"}', b'{"error":{}}']
)
def test_what_is_no_list_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


@pytest.mark.parametrize(
    "links", [None, 7, {"next": None}, {"next": 7}, {"next": "http://[bad"}, {"next": "/v1/models"}]
)
def test_a_next_part_that_is_none(links: Any) -> None:
    assert read(json.dumps({"data": [{"id": "m"}], "links": links}).encode()).more == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["data", "models", "id", "name", "type", "has_more", "last_id", "pricing", "limits", "created", "links"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(value=JSON)
def test_no_json_is_too_odd_to_be_read_or_refused(value: Any) -> None:
    try:
        page = read(json.dumps(value).encode())
    except Unreadable:
        return
    assert all(model.id and model.usable for model in page.models)
