"""Providers with two faces, and names of models that a provider serves no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.catalog import CATALOG, gemini_quirks, quirks
from providers.spec import Auth, Face, ProviderSpec
from tests.gateway.place import Place, provider

TWO_FACED = [row for row in CATALOG if row.faces]
FACES = [(row, face) for row in CATALOG for face in row.faces]
KEY = {"DEEPSEEK_API_KEY": "sk-deepseek-0123456789"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(("row", "face"), FACES, ids=[f"{row.id}-{face.dialect}" for row, face in FACES])
def test_every_face_of_every_row_can_be_chosen(place: Place, row: ProviderSpec, face: Face) -> None:
    config = provider(place.load({f"{row.prefixes[0]}_DIALECT": face.dialect}), row.id)
    shown = row.with_face(face)
    assert (config.spec.dialect, config.spec.base_url, config.spec.auth) == (face.dialect, shown.base_url, face.auth)
    assert config.base_url == ("" if row.placeless else shown.base_url)
    assert config.quirks == (face.quirks or row.quirks)
    assert config.spec.default_model == (face.default_model or row.default_model)


@pytest.mark.parametrize("row", TWO_FACED, ids=lambda row: row.id)
def test_the_dialect_of_the_row_can_be_chosen_too(place: Place, row: ProviderSpec) -> None:
    same = provider(place.load({f"{row.prefixes[0]}_DIALECT": row.dialect}), row.id)
    assert (same.spec, same.base_url) == (row, "" if row.placeless else row.base_url)


@pytest.mark.parametrize("written", ["responses", "openai_responses", "Responses"])
def test_responses_has_two_names(place: Place, written: str) -> None:
    config = provider(place.load({"OPENAI_API_KEY": "sk-1", "OPENAI_DIALECT": written}), "openai")
    assert (config.spec.dialect, config.base_url) == ("openai_responses", "https://api.openai.com/v1")


@pytest.mark.parametrize("written", ["openai", "openai_chat", " OpenAI "])
def test_the_chat_face_has_two_names(place: Place, written: str) -> None:
    config = provider(place.load({**KEY, "DEEPSEEK_DIALECT": written}), "deepseek")
    assert (config.spec.dialect, config.base_url) == ("openai_chat", "https://api.deepseek.com/v1")


def test_a_face_brings_its_own_quirks(place: Place) -> None:
    """Google's two faces are told of thinking in two ways."""
    key = {"GEMINI_API_KEY": "AIza-0123456789"}
    chat = provider(place.load(key), "gemini")
    own = provider(place.load({**key, "GEMINI_DIALECT": "gemini"}), "gemini")
    assert (own.spec.dialect, own.spec.auth) == ("gemini", Auth.X_GOOG_API_KEY)
    assert (own.quirks, chat.quirks) == (gemini_quirks.GEMINI, quirks.GEMINI)
    assert own.quirks.of("gemini-2.5-flash").thought_budgets == (0, 24576)


def test_a_face_can_be_named_as_the_type_of_an_entry(place: Place) -> None:
    settings = place.toml("[[providers]]\nname = 'gemini'\ntype = 'gemini'\napi_key = 'AIza-1'\n")
    config = provider(settings, "gemini")
    assert config.spec.dialect == "gemini"
    assert config.base_url == "https://generativelanguage.googleapis.com/v1beta"
    assert config.quirks == gemini_quirks.GEMINI


def test_a_gemini_provider_of_ones_own(place: Place) -> None:
    text = "[[providers]]\nname = 'mine'\ntype = 'gemini'\nbase_url = 'https://g.test'\napi_key = 'k'\n"
    config = provider(place.toml(text + "max_output_tokens = 8192\n"), "mine")
    assert (config.spec.dialect, config.spec.auth) == ("gemini", Auth.X_GOOG_API_KEY)
    assert config.quirks == gemini_quirks.GEMINI.capped(8192)


def test_a_base_url_of_ones_own_stays(place: Place) -> None:
    environ = {**KEY, "DEEPSEEK_DIALECT": "openai", "DEEPSEEK_BASE_URL": "http://127.0.0.1:9/v1"}
    assert provider(place.load(environ), "deepseek").base_url == "http://127.0.0.1:9/v1"


def test_the_file_can_say_it_too(place: Place) -> None:
    settings = place.toml("[[providers]]\nname = 'deepseek'\napi_key = 'sk-1'\ndialect = 'openai'\n")
    assert provider(settings, "deepseek").spec.dialect == "openai_chat"


@pytest.mark.parametrize("name", ["MISTRAL_DIALECT", "GROQ_DIALECT", "DEEPSEEK_DIALECT"])
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
