"""The story of a call stays short, however long the call waits in small pieces."""

from __future__ import annotations

from dataclasses import replace

from providers.ports import Attempt, Step, Trail
from providers.state import Passed

REFUSED = Step(1.0, "refused", "groq", "m", "concurrency", 0.25, (Passed("groq-01", "concurrency", 0.25),))
WAITED = Step(1.0, "waited", "groq", "m", "limit", 0.25)
MOVED = Step(9.0, "moved", "groq", "m", "rate_limited", to="openai")


def attempt(at: float) -> Attempt:
    return Attempt("req_1", "groq", "m", "groq-01", at)


def noted(*steps: Step) -> list[Step]:
    trail = Trail()
    for step in steps:
        trail.note(step)
    return trail.steps


def test_the_same_again_is_counted() -> None:
    later = replace(REFUSED, at=2.0, seconds=0.5, passed=())
    refused, waited = noted(REFUSED, WAITED, later, WAITED, later, WAITED)
    assert (refused.at, refused.times, refused.seconds, refused.passed) == (1.0, 3, 0.5, ())
    assert (waited.at, waited.times, waited.seconds) == (1.0, 3, 0.75)


def test_what_differs_is_a_step_of_its_own() -> None:
    for change in ({"reason": "usage"}, {"model": "n"}, {"provider": "openai"}, {"what": "waited"}):
        assert len(noted(REFUSED, replace(REFUSED, **change))) == 2  # type: ignore[arg-type]


def test_an_attempt_between_begins_anew() -> None:
    trail = Trail()
    trail.note(REFUSED)
    trail.attempts.append(attempt(1.5))
    trail.note(replace(REFUSED, at=2.0))
    trail.note(replace(REFUSED, at=3.0))
    assert [(step.at, step.times) for step in trail.steps] == [(1.0, 1), (2.0, 2)]


def test_it_has_an_end_and_decisions_are_always_told() -> None:
    steps = [replace(REFUSED, reason=f"r{number}") for number in range(500)]
    told = noted(*steps, MOVED)
    assert len(told) <= 101
    assert told[-1] == MOVED


def test_how_far_the_reply_had_come() -> None:
    assert (MOVED.stage, replace(MOVED, answering=True).stage) == ("before_headers", "before_content")
