"""The cases: data in tests/wire/fidelity/cases, one file for each client dialect."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.fidelity.match import holds
from tests.fidelity.ways import Way

FOLDER = Path(__file__).parents[1] / "wire" / "fidelity"
EVERYWHERE = "all"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """``marks`` are words of the feature that must stand somewhere.

    ``needless`` says why somebody is not told of it, ``how`` in what other form; both by the upstream's dialect.
    """

    client: str
    group: str = "Answers"
    feature: str
    marks: tuple[str, ...] = ()
    needless: Mapping[str, str] = field(default_factory=dict)
    how: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.client}: {self.feature}"

    def reason(self, way: Way) -> str:
        """Why nothing is lost where nothing is told."""
        return self.needless.get(way.upstream) or self.needless.get(EVERYWHERE, "")

    def form_there(self, way: Way) -> str:
        return self.how.get(way.upstream) or self.how.get(EVERYWHERE, "")


@dataclass(frozen=True, kw_only=True)
class RequestCase(Case):
    """``set`` is the feature, laid over the client's base request and over what it ``needs``.

    ``forms`` is what stands upstream where a dialect has the same thing, ``near`` what stands there in its stead;
    ``answer`` names an answer to which the request makes a difference.
    """

    set: Json = field(default_factory=dict)
    needs: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Json] = field(default_factory=dict)
    near: Mapping[str, Json] = field(default_factory=dict)
    answer: str = ""

    @property
    def without(self) -> Json:
        return {**base(self.client), **self.needs}

    @property
    def full(self) -> Json:
        return {**self.without, **self.set}

    def stands_whole(self, way: Way, told: Json) -> bool:
        """Whether the upstream is told it as its dialect has it: as the client said it, or in a form of its own."""
        return any(holds(told, form) for form in self._forms(way))

    def _forms(self, way: Way) -> Iterator[Json]:
        if way.upstream == self.client:
            yield {**self.set, **({"headers": dict(self.headers)} if self.headers else {})}
        if way.upstream in self.forms:
            yield self.forms[way.upstream]


@dataclass(frozen=True, kw_only=True)
class AnswerCase(Case):
    """``given`` names what an upstream says; the client should have ``form``, or at least ``near``."""

    given: str
    form: Json
    near: Json | None = None


@cache
def _file(client: str) -> Json:
    return tomllib.loads((FOLDER / "cases" / f"{client}.toml").read_text())


def base(client: str) -> Json:
    """The request that every case of this client begins with."""
    found: Json = _file(client)["base"]
    return found


def request_cases(client: str) -> list[RequestCase]:
    return [RequestCase(client=client, **_members(each, "forms")) for each in _file(client)["request"]]


def answer_cases(client: str) -> list[AnswerCase]:
    return [AnswerCase(client=client, **_members(each, "form")) for each in _file(client)["answer"]]


def _members(given: Json, form: str) -> Json:
    """A case's members by Python's names for them."""
    named = {(form if name == "as" else name): value for name, value in given.items()}
    return {**named, "marks": tuple(named.get("marks", ()))}
