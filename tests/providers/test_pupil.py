"""Which of two dialects a live provider is asked in, as its answers teach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.classify import status_failure
from providers.learning.pupil import Pupil
from providers.spec import ProviderConfig
from tests.providers.support import SPEC, config

FIRST, SECOND = "anthropic", "openai_chat"
NO_PATH, NO_MODEL = b'{"detail":"Not Found"}', b'{"error":{"message":"The model x does not exist"}}'


def two_faced() -> ProviderConfig:
    first = config("http://127.0.0.1:9/v1")
    return replace(first, second=replace(first, spec=replace(SPEC, dialect=SECOND)))


@pytest.fixture
def pupil() -> Pupil:
    return Pupil(two_faced())


def asked(pupil: Pupil) -> str:
    return pupil.config("m").spec.dialect


def refused(pupil: Pupil, dialect: str, status: int = 404, body: bytes = NO_PATH) -> bool:
    """A request in this dialect was refused; whether it is worth to be put otherwise."""
    failure = status_failure(status, {}, body)
    pupil.learn(failure, "m", status, body, dialect)
    return failure.mendable


def test_a_404_leads_to_the_other_dialect_and_an_answer_keeps_it_there(pupil: Pupil) -> None:
    assert asked(pupil) == FIRST
    assert refused(pupil, FIRST)
    assert asked(pupil) == SECOND
    pupil.answered(SECOND)
    assert not refused(pupil, SECOND)
    assert asked(pupil) == SECOND


def test_a_call_that_was_under_way_follows(pupil: Pupil) -> None:
    refused(pupil, FIRST)
    assert refused(pupil, FIRST)
    pupil.answered(SECOND)
    assert refused(pupil, FIRST)
    assert asked(pupil) == SECOND


def test_a_404_in_both_leads_back(pupil: Pupil) -> None:
    refused(pupil, FIRST)
    assert not refused(pupil, SECOND)
    assert asked(pupil) == FIRST
    assert refused(pupil, FIRST)


def test_what_was_answered_once_is_never_left(pupil: Pupil) -> None:
    pupil.answered(FIRST)
    assert not refused(pupil, FIRST)
    assert asked(pupil) == FIRST


@pytest.mark.parametrize(("status", "body"), [(404, NO_MODEL), (400, NO_PATH), (405, NO_PATH), (500, NO_PATH)])
def test_no_other_refusal_says_anything_of_the_dialect(pupil: Pupil, status: int, body: bytes) -> None:
    assert not refused(pupil, FIRST, status, body)
    assert asked(pupil) == FIRST


def test_without_a_second_dialect_there_is_nothing_to_turn_to() -> None:
    pupil = Pupil(config("http://127.0.0.1:9/v1"))
    assert not refused(pupil, FIRST)
    assert asked(pupil) == FIRST


def test_what_a_model_refuses_is_known_in_both(pupil: Pupil) -> None:
    body = b'{"error":{"message":"Unsupported parameter: \'temperature\' is not supported with this model."}}'
    assert refused(pupil, FIRST, 400, body)
    refused(pupil, FIRST)
    assert pupil.config("m").quirks.of("m").learned == ("temperature",)
