"""Every error body under tests/wire/errors: what the rules make of it.

One file per provider. ``source`` is the section of the protocol and provider reference that the body's shape comes
from, or ``constructed``. ``status`` 200 is an error inside a 200. Without ``seconds`` and ``calendar`` the policy's
own rest is expected. The clock says NOW.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from providers import policy
from providers.classify import classify, matching
from providers.classify.evidence import gather
from providers.classify.rules import RULES
from providers.errors import Calendar, ErrorKind, Rest, Scope
from tests.gateway_process import ROOT

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
FOLDER = ROOT / "tests" / "wire" / "errors"


@dataclass(frozen=True)
class Case:
    provider: str
    name: str
    source: str
    status: int
    body: str
    kind: str
    scope: str
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    calendar: str | None = None

    @property
    def sent(self) -> int | None:
        return None if self.status == 200 else self.status

    @property
    def rest(self) -> Rest | None:
        calendar = Calendar(self.calendar) if self.calendar else None
        if self.seconds is None and calendar is None:
            return policy.default_rest(ErrorKind(self.kind), Scope(self.scope))
        return Rest(self.seconds, calendar, honest=self.seconds is not None)


def _cases(path: Path) -> Iterator[Case]:
    for each in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
        yield Case(provider=path.stem, **each)


CASES = [case for path in sorted(FOLDER.glob("*.toml")) for case in _cases(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.provider}: {case.name}")
def test_a_body_means(case: Case) -> None:
    failure = classify(case.provider, case.sent, case.headers, case.body.encode(), NOW)
    assert (failure.kind, failure.scope) == (case.kind, case.scope)
    assert failure.rest == case.rest
    assert failure.status == case.sent
    assert 400 <= policy.fault(failure).status <= 599


def test_there_are_enough_bodies() -> None:
    sourced = [case for case in CASES if case.source != "constructed"]
    assert len(sourced) >= 80
    assert len({case.provider for case in sourced}) >= 20
    assert all(case.source[0].isdecimal() for case in sourced)


def test_no_body_stands_twice() -> None:
    seen = [(case.provider, case.status, case.body, tuple(case.headers.items())) for case in CASES]
    assert len(set(seen)) == len(seen)
    named = [(case.provider, case.name) for case in CASES]
    assert len(set(named)) == len(named)


def test_every_rule_has_a_body() -> None:
    used = {id(matching(gather(case.provider, case.sent, case.headers, case.body.encode()))) for case in CASES}
    assert [rule for rule in RULES if id(rule) not in used] == []


def test_every_kind_that_an_answer_can_be_has_a_body() -> None:
    assert {case.kind for case in CASES} == {rule.kind for rule in RULES}
