"""The straight line with members that operators and clients add, or that a model was found to refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.call import Operation
from providers.quirks import Quirks
from tests.providers.dialects.anthropic.test_requests import ODD, PLAIN, build

RAW = b'{"model":"sent", "max_tokens":9, "messages":[ ], "thinking":{"type":"adaptive","x":1.0e+2}}'


def sent(body: bytes | dict[str, Any], **settings: Any) -> Any:
    return json.loads(build(body, **settings).body)


@pytest.mark.parametrize("raw", [PLAIN, ODD, RAW])
def test_a_request_keeps_its_bytes_where_nothing_is_added_or_learned(raw: bytes) -> None:
    asked = raw.replace(b'"asked"', b'"sent"') if raw is PLAIN else raw
    every: list[dict[str, Any]] = [{}, {"quirks": Quirks(learned=("top_k", "output_config.effort")), "extra_body": {}}]
    for settings in every:
        made = build(asked, model=json.loads(asked)["model"], **settings)
        assert made.body == asked


def test_the_operators_and_the_clients_members_are_laid_over_the_body() -> None:
    asked = {**json.loads(RAW), "extra_body": {"speed": "fast", "thinking": {"type": "enabled"}}}
    made = sent(asked, extra_body={"speed": "slow", "container": "c"})
    assert (made["speed"], made["container"], "extra_body" in made) == ("fast", "c", False)
    assert made["thinking"] == {"type": "enabled", "x": 100.0}


@pytest.mark.parametrize("name", ["model", "messages", "tools", "stream"])
def test_what_the_gateway_answers_for_stays(name: str) -> None:
    made = sent({**json.loads(RAW), "extra_body": {name: "theirs"}}, extra_body={name: "theirs"})
    assert made.get(name) != "theirs"


def test_other_bytes_stay() -> None:
    made = build(RAW, extra_body={"max_tokens": 7}).body
    assert made == RAW.replace(b'"max_tokens":9', b'"max_tokens":7')


def test_a_route_and_a_cap_win() -> None:
    asked = {**json.loads(RAW), "extra_body": {"max_tokens": 900, "thinking": {"type": "enabled"}}}
    made = sent(asked, thinking=False, quirks=Quirks(max_output_tokens=50))
    assert made["thinking"] == {"type": "disabled"}
    capped = sent({**asked, "max_tokens": 99}, quirks=Quirks(max_output_tokens=50))
    assert capped["max_tokens"] == 50


def test_a_count_is_asked_without_them() -> None:
    asked = {**json.loads(RAW), "extra_body": {"speed": "fast"}}
    made = sent(asked, extra_body={"container": "c"}, operation=Operation.COUNT_TOKENS)
    assert set(made) == {"model", "max_tokens", "messages", "thinking"}


def test_what_a_model_refused_is_left_out() -> None:
    asked = {**json.loads(RAW), "output_config": {"effort": "low", "format": {}}}
    made = sent(asked, quirks=Quirks(learned=("thinking", "output_config.effort", "messages.reasoning")))
    assert "thinking" not in made
    assert made["output_config"] == {"format": {}}
    assert made["messages"] == []


def test_a_cap_of_single_models() -> None:
    quirks = Quirks(models=((("sent",), Quirks(max_output_tokens=5)),))
    assert sent(RAW, quirks=quirks)["max_tokens"] == 5
    assert sent(RAW, model="other", quirks=quirks)["max_tokens"] == 9
