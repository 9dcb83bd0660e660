"""Providers with two faces, and names of models that a provider serves no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from providers.catalog import CATALOG
from providers.places import filled
from providers.spec import ProviderSpec
from tests.gateway.place import Place, provider

TWO_FACED = [row for row in CATALOG if row.faces]
KEY = {"DEEPSEEK_API_KEY": "sk-deepseek-0123456789"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def at(spec: ProviderSpec) -> str:
    """Its base URL where nobody says more."""
    return filled(spec.base_url, spec.places, {place.name: place.default for place in spec.places})


@pytest.mark.parametrize("row", TWO_FACED, ids=lambda row: row.id)
def test_every_row_with_two_faces_can_show_either(place: Place, row: ProviderSpec) -> None:
    [face, *_] = row.faces
    prefix = row.prefixes[0]
    config = provider(place.load({f"{prefix}_DIALECT": face.dialect}), row.id)
    assert (config.spec.dialect, config.base_url, config.spec.auth) == (face.dialect, at(row.turned(face)), face.auth)
    same = provider(place.load({f"{prefix}_DIALECT": row.dialect}), row.id)
    assert (replace(same.spec, lacks=""), same.base_url) == (row, at(row))


@pytest.mark.parametrize("written", ["openai", "openai_chat", " OpenAI "])
def test_the_chat_face_has_two_names(place: Place, written: str) -> None:
    config = provider(place.load({**KEY, "DEEPSEEK_DIALECT": written}), "deepseek")
    assert (config.spec.dialect, config.base_url) == ("openai_chat", "https://api.deepseek.com/v1")


def test_a_base_url_of_ones_own_stays(place: Place) -> None:
    environ = {**KEY, "DEEPSEEK_DIALECT": "openai", "DEEPSEEK_BASE_URL": "http://127.0.0.1:9/v1"}
    assert provider(place.load(environ), "deepseek").base_url == "http://127.0.0.1:9/v1"


def test_the_file_can_say_it_too(place: Place) -> None:
    settings = place.toml("[[providers]]\nname = 'deepseek'\napi_key = 'sk-1'\ndialect = 'openai'\n")
    assert provider(settings, "deepseek").spec.dialect == "openai_chat"


@pytest.mark.parametrize("name", ["GROQ_DIALECT", "DEEPSEEK_DIALECT"])
def test_a_face_that_is_none_is_refused(place: Place, name: str) -> None:
    [problem] = place.problems({name: "gemini"})
    assert problem.name == name
    assert "does not speak 'gemini'" in problem.problem
    assert "openai_chat" in problem.fix


@pytest.mark.parametrize("name", ["MODEL", "MODEL_OPUS", "MODEL_FALLBACKS"])
def test_a_retired_name_is_a_warning_with_its_successor(place: Place, name: str) -> None:
    environ = {**KEY, "MODEL": "demo/demo", name: "deepseek/deepseek-chat"}
    [warning] = place.load(environ).warnings
    assert name in warning
    assert "no longer serves deepseek-chat. Use deepseek/deepseek-flash." in warning
    assert place.load({**environ, name: "deepseek/deepseek-flash"}).warnings == ()
