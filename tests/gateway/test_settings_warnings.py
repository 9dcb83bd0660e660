"""What is said without stopping the start, and who may use the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.secret import Secret
from tests.gateway.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("name", ["NIM_ENABLE_THINKING", "ENABLE_THINKING"])
@pytest.mark.parametrize("text", ["true", "false", ""])
def test_removed_names_are_refused_wherever_they_are(place: Place, name: str, text: str) -> None:
    place.write("~/.config/claude-code-proxy/.env", f"{name}={text}")
    place.write(".env", f"{name}={text}")
    place.write("keyturn.toml", f"{name.lower()} = true")
    found = place.problems({name: text})
    assert [(each.name, each.origin) for each in found] == [
        (name, "~/.config/claude-code-proxy/.env"),
        (name, "./.env"),
        (name.lower(), "./keyturn.toml"),
        (name, "the environment"),
    ]
    for each in found:
        assert "ENABLE_MODEL_THINKING" in each.fix
        assert all(f"ENABLE_{tier}_THINKING" in each.fix for tier in ("OPUS", "SONNET", "HAIKU"))


def test_anthropics_client_key_alone_is_ignored_with_a_warning(place: Place) -> None:
    settings = place.load({"ANTHROPIC_API_KEY": "sk-ant-hidden"})
    assert not any(each.keys for each in settings.providers)
    assert settings.tokens == ()
    assert settings.warnings == (
        "ANTHROPIC_API_KEY (from the environment): this is ignored: the name belongs to clients. "
        "Anthropic's key for Keyturn goes into ANTHROPIC_UPSTREAM_API_KEY.",
    )


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_API_KEY": ""},
        {"ANTHROPIC_API_KEY": "<your key>"},
        {"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_UPSTREAM_API_KEY": "sk-2"},
        {"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_UPSTREAM_API_KEYS": "sk-1"},
    ],
)
def test_it_is_ignored_silently_where_nothing_is_missing(place: Place, environ: dict[str, str]) -> None:
    assert place.load(environ).warnings == ()


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "METRICS_TOKEN", "KEYTURN_ADMIN_TOKEN"])
@pytest.mark.parametrize("text", ["***", "<a token you choose>"])
def test_a_placeholder_is_no_token(place: Place, name: str, text: str) -> None:
    place.write(".env", f"{name}={text}")
    settings = place.load()
    assert (settings.token, settings.metrics_token, settings.admin_token, settings.tokens) == (None, None, None, ())
    assert settings.warnings == (
        f"{name} (from ./.env, line 1): this is a placeholder, not a token: it is not used. Put the token there.",
    )


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "METRICS_TOKEN", "KEYTURN_ADMIN_TOKEN"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [("top secret", "holds whitespace"), ("secrét", "holds a character that is not ASCII"), ("top\x07", "control")],
)
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(
    place: Place, name: str, text: str, problem: str
) -> None:
    place.write(".env", f"{name}={text}")
    (found,) = place.problems()
    assert (found.name, found.origin) == (name, "./.env")
    assert problem in found.problem
    assert "top" not in str(found).replace("Copy it again, without quotes or line breaks", "")
    assert text not in str(found)


def test_colons_belong_to_a_token(place: Place) -> None:
    place.write(".env", "ANTHROPIC_AUTH_TOKEN=a:b:c-long-enough")
    assert place.load().token == Secret("a:b:c-long-enough")


@pytest.mark.parametrize("token", ["short", "test", "dummy", "any", "freecc", "FREECC", "password", "changeme"])
def test_a_weak_token_warns_where_others_reach_the_address(place: Place, token: str) -> None:
    place.write(".env", f"ANTHROPIC_AUTH_TOKEN={token}")
    assert place.load({"HOST": "127.0.0.1"}).warnings == ()
    warning = (
        "ANTHROPIC_AUTH_TOKEN (from ./.env, line 1): this token is easy to guess. Use at least 8 random characters."
    )
    assert place.load({"HOST": "0.0.0.0"}).warnings == (warning,)


def test_a_weak_token_warns_with_the_name_it_was_written_under(place: Place) -> None:
    place.write(".env", "OPENAI_API_KEY=sk-1\nBIG_MODEL=m\nANTHROPIC_API_KEY=exact-matching-key\n")
    (warning,) = place.load({"HOST": "0.0.0.0"}).warnings
    assert warning.startswith("ANTHROPIC_API_KEY (from ./.env, line 3): this token is easy to guess")


def test_a_weak_token_of_a_client_warns_with_its_name(place: Place) -> None:
    place.write("keyturn.toml", "[[tokens]]\nname = 'bob'\ntoken = 'bob'\n")
    (warning,) = place.load({"HOST": "0.0.0.0"}).warnings
    assert warning.startswith("tokens.bob: this token is easy to guess")


def test_a_weak_admins_token_warns_where_others_reach_the_address(place: Place) -> None:
    place.write(".env", "KEYTURN_ADMIN_TOKEN=secret\nANTHROPIC_AUTH_TOKEN=kt-4f0c9a71")
    assert place.load({"HOST": "127.0.0.1"}).warnings == ()
    assert place.load({"HOST": "0.0.0.0"}).warnings == (
        "KEYTURN_ADMIN_TOKEN (from ./.env, line 1): this token is easy to guess. Use at least 8 random characters.",
    )


def test_an_admins_token_that_a_client_has_too_warns(place: Place) -> None:
    place.write(".env", "KEYTURN_ADMIN_TOKEN=kt-4f0c9a71\nANTHROPIC_AUTH_TOKEN=kt-other-1")
    place.write("keyturn.toml", "[[tokens]]\nname = 'bob'\ntoken = 'kt-4f0c9a71'\n")
    assert place.load().warnings == (
        "KEYTURN_ADMIN_TOKEN: tokens.bob is the same token, so who has that one may use /admin too.",
    )


def test_an_admins_token_alone_protects_nothing(place: Place) -> None:
    assert place.load({"HOST": "0.0.0.0", "KEYTURN_ADMIN_TOKEN": "kt-4f0c9a71"}).protected


def test_a_strong_token_does_not_warn(place: Place) -> None:
    place.write(".env", "ANTHROPIC_AUTH_TOKEN=kt-4f0c9a71\nHOST=0.0.0.0")
    assert place.load().warnings == ()


@pytest.mark.parametrize(
    ("environ", "protected"),
    [
        ({}, False),
        ({"HOST": "localhost"}, False),
        ({"HOST": "0.0.0.0"}, True),
        ({"HOST": "::"}, True),
        ({"HOST": "gateway.example.com"}, True),
        ({"HOST": "0.0.0.0", "KEYTURN_ALLOW_OPEN": "true"}, False),
        ({"HOST": "0.0.0.0", "KEYTURN_ALLOW_OPEN": "false"}, True),
        ({"HOST": "0.0.0.0", "ANTHROPIC_AUTH_TOKEN": "kt-4f0c9a71"}, False),
        ({"HOST": "0.0.0.0", "ANTHROPIC_AUTH_TOKEN": "***"}, True),
    ],
)
def test_protected_mode(place: Place, environ: dict[str, str], protected: bool) -> None:
    assert place.load(environ).protected is protected


def test_a_named_token_is_a_token(place: Place) -> None:
    place.write("keyturn.toml", "[[tokens]]\nname = 'bob'\ntoken = 'kt-4f0c9a71'\n")
    assert place.load({"HOST": "0.0.0.0"}).protected is False
