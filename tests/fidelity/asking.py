"""A feature of a request: sent with it and without it, and judged by what stands upstream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from providers.call import Call, Hints, Operation
from providers.errors import Fault
from providers.json_object import JsonObject
from tests.fidelity import answering
from tests.fidelity.cases import EVERYWHERE, RequestCase
from tests.fidelity.match import differing, holds, leaves
from tests.fidelity.verdict import Fate, Verdict
from tests.fidelity.ways import DIALECTS, FACES, MODEL, Way

Json = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """What the upstream is told, the headers under ``headers``, and what is named as lost."""

    told: Json
    lost: tuple[str, ...]
    answered: Json | None = None


def judge(case: RequestCase, way: Way) -> Verdict:
    """What becomes of the case's feature on this way."""
    without = sent(way, case.without, answer=case.answer)
    try:
        full = sent(way, case.full, case.headers, case.answer)
    except Fault as fault:
        return Verdict(Fate.REFUSED if fault.status == 400 and fault.param else Fate.SILENT, names=(fault.param or "",))
    members = tuple(differing(without.told, full.told))
    names = tuple(name for name in full.lost if name not in without.lost)
    if full.answered != without.answered:
        members = (*members, "the answer")
    return decided(case, way, full.told, members, names)


def decided(case: RequestCase, way: Way, told: Json, members: tuple[str, ...], names: tuple[str, ...]) -> Verdict:
    if members and not names and case.stands_whole(way, told):
        return Verdict(Fate.CARRIED)
    if members and (names or _stands_near(case, way, told, members)):
        return Verdict(Fate.ADAPTED, members, names, case.form_there(way))
    if names:
        return Verdict(Fate.LOST, names=names)
    why = case.reason(way)
    return Verdict(Fate.NEEDLESS, why=why) if why and not members else Verdict(Fate.SILENT, members)


def _stands_near(case: RequestCase, way: Way, told: Json, members: tuple[str, ...]) -> bool:
    """Whether a change upstream is the feature's: it has the near form, all of the marks, or shows in the answer."""
    near = case.near.get(way.upstream, case.near.get(EVERYWHERE))
    if near is not None and holds(told, near):
        return True
    said = "\n".join(leaves(told))
    return bool(case.marks and all(mark in said for mark in case.marks)) or "the answer" in members


def sent(way: Way, body: Json, headers: Mapping[str, str] = MappingProxyType({}), answer: str = "") -> Sent:
    """What the upstream is told of a body. Raises Fault where the client's dialect refuses it."""
    client, upstream = FACES[way.client], DIALECTS[way.upstream]
    parsed = JsonObject(json.dumps(body).encode())
    client.check(parsed)
    call = Call("req_1", way.client, Operation.MESSAGES, parsed, body["model"], False, tuple(headers.items()))
    if way.straight:
        assert upstream.straight is not None
        passed = upstream.straight.request(call, MODEL, True, way.config, "")
        return Sent(_told(passed.body, passed.headers), passed.lost)
    asked = client.read_request(parsed, MODEL, True)
    made = upstream.write_request(asked, way.config, "", Hints("0123abcd", 5))
    answered = answering.whole(made.reader, client.writer(call), way.upstream, answer) if answer else None
    return Sent(_told(made.request.body, made.request.headers), made.lost, answered)


def _told(body: bytes, headers: tuple[tuple[str, str], ...]) -> Json:
    told: Json = json.loads(body)
    return {**told, "headers": dict(headers)}
