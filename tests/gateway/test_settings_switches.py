"""The switches of the tool-call guardian, one per provider, and of the local answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.local_answers import Probe
from providers.catalog import CATALOG
from tests.gateway.place import Place, only, provider


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_unset_the_row_decides(place: Place) -> None:
    assert {each.guardian for each in place.load().providers} == {None}


@pytest.mark.parametrize(("text", "on"), [("true", True), ("on", True), ("1", True), ("false", False), ("off", False)])
def test_every_provider_has_its_guardians_switch(place: Place, text: str, on: bool) -> None:
    prefixes = {spec.id: spec.prefixes[0] for spec in CATALOG if spec.id != "demo"}
    settings = place.load({f"{prefix}_TOOL_GUARDIAN": text for prefix in prefixes.values()})
    assert {name: provider(settings, name).guardian for name in prefixes} == dict.fromkeys(prefixes, on)


def test_the_guardians_switch_in_keyturn_toml(place: Place) -> None:
    settings = place.toml(
        """
        [[providers]]
        name = "mine"
        type = "openai"
        base_url = "http://127.0.0.1:9/v1"
        tool_guardian = true

        [[providers]]
        name = "ollama"
        tool_guardian = false
        """,
        {"GROQ_TOOL_GUARDIAN": ""},
    )
    guardians = {name: provider(settings, name).guardian for name in ("mine", "ollama", "groq")}
    assert guardians == {"mine": True, "ollama": False, "groq": None}


def test_a_word_that_is_neither(place: Place) -> None:
    problem = only(place.problems({"GROQ_TOOL_GUARDIAN": "perhaps"}))
    assert str(problem) == (
        "GROQ_TOOL_GUARDIAN (from the environment): 'perhaps' is not true or false. "
        "Write for example GROQ_TOOL_GUARDIAN=true."
    )


def test_the_local_answers_are_on_by_default_and_have_the_earlier_systems_names(place: Place) -> None:
    assert place.load().local_answers == frozenset(Probe)
    assert set(Probe) == {
        "FAST_PREFIX_DETECTION",
        "ENABLE_NETWORK_PROBE_MOCK",
        "ENABLE_TITLE_GENERATION_SKIP",
        "ENABLE_SUGGESTION_MODE_SKIP",
        "ENABLE_FILEPATH_EXTRACTION_MOCK",
    }


@pytest.mark.parametrize("probe", Probe)
def test_each_local_answer_has_its_switch(place: Place, probe: Probe) -> None:
    others = frozenset(Probe) - {probe}
    assert place.load({probe.value: "false"}).local_answers == others
    assert place.load({probe.value: ""}).local_answers == frozenset(Probe)
    assert place.toml(f"{probe.value.lower()} = false").local_answers == others
