"""Calls that models write as text, in every form that was seen, become blocks."""

from __future__ import annotations

import itertools
import tomllib
from collections import Counter

import pytest

from providers.chat.events import Stop
from providers.chat.guardian import Repair
from providers.chat.guardian.forms import FORMS
from tests.providers.chat.guardian.kit import SAMPLES, Sample, guardian, read, samples

each_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)


@each_sample
def test_a_call_in_text_becomes_a_block(sample: Sample) -> None:
    outcome = read([sample.text])
    assert outcome.blocks == sample.blocks
    assert outcome.stop is Stop.TOOL_USE
    calls = sum(kind != "text" for kind, _ in sample.blocks)
    expected = Counter({sample.form: calls, Repair.STOP_REASON: 1}) + Counter(sample.repairs)
    assert +Counter(outcome.repairs) == expected


@each_sample
def test_however_the_text_is_cut(sample: Sample) -> None:
    whole = read([sample.text])
    assert read(sample.text) == whole
    for at in range(1, len(sample.text)):
        assert read([sample.text[:at], sample.text[at:]]) == whole, at


@each_sample
def test_no_name_that_was_not_declared_makes_a_call(sample: Sample) -> None:
    outcome = read([sample.text], machine=guardian(tools=()))
    assert outcome.blocks == [["text", sample.text]]
    assert (outcome.stop, outcome.repairs) == (Stop.END_TURN, {})


@each_sample
def test_text_is_text_where_calls_are_not_looked_for(sample: Sample) -> None:
    assert read(sample.text, machine=guardian(in_text=False)).blocks == [["text", sample.text]]


def test_every_sample_says_where_it_is_from_and_every_form_has_one() -> None:
    rows = tomllib.loads((SAMPLES / "calls.toml").read_text())["sample"]
    assert all(row["from"] for row in rows)
    assert {row["form"] for row in rows} == set(list(Repair)[: list(Repair).index(Repair.NAME)])
    assert len({row["name"] for row in rows}) == len(rows)


def test_no_mark_begins_another() -> None:
    marks = sorted(FORMS)
    assert not [pair for pair in itertools.pairwise(marks) if pair[1].startswith(pair[0])]
    assert all(len(mark) < 64 for mark in marks)
