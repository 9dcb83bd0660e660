"""What an entry of [[providers]] says of its provider's ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.routing import Ref
from providers.spec import UnseenImages
from tests.gateway.place import Place, provider

GROQ = "[[providers]]\nname = 'groq'\napi_key = 'gsk-1'\n"
HOUSE = "[[providers]]\nname = 'house'\ntype = 'openai'\nbase_url = 'http://127.0.0.1:9/v1'\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_members_for_every_body(place: Place) -> None:
    settings = place.toml(GROQ + "extra_body = { top_k = 20, provider = { sort = 'price' } }\n")
    assert provider(settings, "groq").extra_body == {"top_k": 20, "provider": {"sort": "price"}}
    assert provider(place.toml(GROQ), "groq").extra_body == {}


@pytest.mark.parametrize("written", ["note", "refuse"])
def test_images_that_a_model_cannot_see(place: Place, written: str) -> None:
    settings = place.toml(GROQ + f"images = '{written}'\n")
    assert provider(settings, "groq").images is UnseenImages(written)


def test_vendors_of_a_providers_models(place: Place) -> None:
    settings = place.toml("model = 'house/m'\n" + HOUSE + "namespaces = ['openai', 'qwen']\n")
    assert settings.routing.parse("qwen/qwen3-coder") == Ref("house", "qwen/qwen3-coder")
    assert settings.routing.parse("openai/gpt-oss-120b") == Ref("house", "openai/gpt-oss-120b")


@pytest.mark.parametrize(
    ("line", "name", "problem"),
    [
        ("extra_body = 1", "extra_body", "is not a table"),
        ("extra_body = { messages = [] }", "extra_body.messages", "Keyturn itself writes this member"),
        ("extra_body = { stream = false }", "extra_body.stream", "Keyturn itself writes this member"),
        ("extra_body = { since = 2026-11-20 }", "extra_body.since", "holds a date or a time"),
        ("extra_body = { a = { b = [12:00:00] } }", "extra_body.a", "holds a date or a time"),
        ("images = 'drop'", "images", "'drop' is not note or refuse"),
        ("namespaces = 3", "namespaces", "is not a list of strings"),
        ("extra_bodies = {}", "extra_bodies", "this key is unknown"),
    ],
)
def test_what_cannot_be_is_named(place: Place, line: str, name: str, problem: str) -> None:
    [found] = place.toml_problems(GROQ + line + "\n")
    assert found.name == f"providers.groq.{name}"
    assert problem in found.problem
