"""Any dialect's requests for any upstream: nothing lost in silence, nothing foreign sent on, nothing raised."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.call import Hints
from providers.chat.request import ChatRequest
from providers.errors import Fault
from providers.json_object import JsonObject
from providers.quirks import Quirks
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.conformance.samples import NAMES, REQUESTS, SPOKEN, Sample, samples, sources

property_test = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
Json = dict[str, Any]

PAIRED = list(product(REQUESTS, NAMES))
each_request = pytest.mark.parametrize(("sample", "upstream"), PAIRED, ids=[f"{one}-{two}" for one, two in PAIRED])
SPOKEN_PAIRS = list(product(REQUESTS, SPOKEN))
each_spoken = pytest.mark.parametrize(
    ("sample", "upstream"), SPOKEN_PAIRS, ids=[f"{one}-{two}" for one, two in SPOKEN_PAIRS]
)


def asked(dialect: str, body: Json, thinking: bool = True) -> ChatRequest:
    """The body checked and read. Raises Fault."""
    parsed = JsonObject(json.dumps(body).encode())
    kit.FACES[dialect].check(parsed)
    return kit.FACES[dialect].read_request(parsed, "target-model", thinking)


def sent(sample: Sample, upstream: str, body: Json | None = None, quirks: Quirks = kit.QUIRKS) -> tuple[Json, set[str]]:
    """What goes out, and what is named as lost."""
    made = kit.written(upstream, asked(sample.dialect, json.loads(sample.raw) if body is None else body), quirks)
    return json.loads(made.request.body), set(made.lost)


def refused(sample: Sample, body: Json, upstream: str) -> Fault | None:
    """The words in which this body is refused, None where it is taken."""
    try:
        sent(sample, upstream, body)
    except Fault as fault:
        return fault
    return None


def in_vain(sample: Sample, name: str, value: Any) -> bool:
    """Is this field said to change nothing?"""
    form = sources(sample.dialect)["format"]
    return name in form["no_effect"] or form.get("no_effect_values", {}).get(name) == value


def fields() -> Iterator[tuple[Sample, str, str]]:
    for sample, upstream in PAIRED:
        for name, value in json.loads(sample.raw).items():
            twice = sources(upstream)["format"].get("lost_with_another", ())
            if name not in ("model", "messages", "input", *twice) and not in_vain(sample, name, value):
                yield sample, name, upstream


FIELDS = list(fields())


@each_request
def test_a_request_goes_out_streamed_for_the_target(sample: Sample, upstream: str) -> None:
    made = kit.written(upstream, asked(sample.dialect, json.loads(sample.raw)))
    body = json.loads(made.request.body)
    if "model" in body:
        assert (body["model"], body["stream"]) == ("target-model", True)
    else:
        assert made.request.url.endswith(sources(upstream)["format"]["path"])
    assert body.get("messages") or body.get("input") or body["contents"]
    assert all(made.lost)


@pytest.mark.parametrize(
    ("sample", "name", "upstream"), FIELDS, ids=[f"{sample}:{name}-{upstream}" for sample, name, upstream in FIELDS]
)
def test_a_field_is_visible_or_named_as_lost(sample: Sample, name: str, upstream: str) -> None:
    body = json.loads(sample.raw)
    without = {key: value for key, value in body.items() if key != name}
    assert sent(sample, upstream) != sent(sample, upstream, without)


@pytest.mark.parametrize(("dialect", "upstream"), list(product(SPOKEN, NAMES)))
def test_a_field_of_next_year_is_lost_by_name_and_never_sent(dialect: str, upstream: str) -> None:
    for sample in samples(dialect, "requests/*.json"):
        body, lost = sent(sample, upstream, {**json.loads(sample.raw), "field_of_next_year": {"secret_word": 1}})
        assert "field_of_next_year" in lost
        assert "field_of_next_year" not in json.dumps(body)
        assert "secret_word" not in json.dumps(body)


@each_request
def test_only_fields_of_the_upstreams_own_dialect_are_sent(sample: Sample, upstream: str) -> None:
    own = {name for each in samples(upstream, "requests/*.json") for name in json.loads(each.raw)} | {"max_tokens"}
    body, _ = sent(sample, upstream)
    assert set(body) <= own


@each_spoken
def test_a_written_request_is_one_of_its_dialect(sample: Sample, upstream: str) -> None:
    """What a writer makes, its own dialect's checks take; to read and write it again changes nothing in silence."""
    body, _ = sent(sample, upstream)
    again, lost = sent(Sample(upstream, "written", json.dumps(body).encode()), upstream)
    assert again == body or lost


@each_request
def test_the_key_is_sent_as_the_row_says_and_only_as_a_header(sample: Sample, upstream: str) -> None:
    request = asked(sample.dialect, json.loads(sample.raw))
    hints = Hints(kit.TOKEN, kit.ESTIMATE)
    made = kit.DIALECTS[upstream].write_request(request, kit.config(upstream), "sk-upstream-secret", hints).request
    assert ("authorization", "Bearer sk-upstream-secret") in made.headers
    assert b"sk-upstream-secret" not in made.body
    assert made.url.startswith("https://acme.test/v1/")
    assert ("content-type", "application/json") in made.headers


@each_request
def test_the_same_request_is_the_same_bytes(sample: Sample, upstream: str) -> None:
    """An upstream's prompt cache sees the same prefix each time."""
    request = asked(sample.dialect, json.loads(sample.raw))
    assert kit.written(upstream, request).request.body == kit.written(upstream, request).request.body


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*path, key)
        yield from paths(child, (*path, key))


def changed(body: Json, path: tuple[Any, ...], value: Any) -> Json:
    made = copy.deepcopy(body)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return made


PLACES = {
    name: [(sample, path) for sample in samples(name, "requests/*.json") for path in paths(json.loads(sample.raw))]
    for name in SPOKEN
}
WRONG: list[Any] = [None, True, False, 0, -1, 1.5, "", "x", [], {}, [1], ["x"], [[]], [{}], {"type": "x"}, {"type": 1}]
WRONG += [[{"type": kind}] for kind in ("text", "image", "document", "tool_use", "tool_result", "image_url", "file")]


CRASHES = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@pytest.mark.parametrize("dialect", SPOKEN)
def test_any_value_anywhere_is_refused_in_words_or_taken(dialect: str) -> None:
    """Each value of each sample is replaced by each wrong one: a Fault is a 400, anything else raised is a 500."""
    raised: set[str] = set()
    for sample, path in PLACES[dialect]:
        for wrong in WRONG:
            body = changed(json.loads(sample.raw), path, wrong)
            try:
                refusals = [refused(sample, body, upstream) for upstream in NAMES]
                assert all(each is None or (each.status == 400 and ": " in each.message) for each in refusals)
            except CRASHES as error:
                raised.add(f"{type(error).__name__} for {wrong!r} at {'.'.join(map(str, path))} of {sample.name}")
    assert not raised


@pytest.mark.parametrize("dialect", SPOKEN)
@property_test
@given(data=st.data())
def test_any_body_is_refused_in_words_or_taken(dialect: str, data: st.DataObject) -> None:
    leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
    values = st.recursive(leaves | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2), max_leaves=3)
    sample, path = data.draw(st.sampled_from(PLACES[dialect]))
    body = changed(json.loads(sample.raw), path, data.draw(values))
    fault = refused(sample, body, data.draw(st.sampled_from(NAMES)))
    assert fault is None or fault.status == 400
