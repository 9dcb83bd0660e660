"""[[tokens]]: hashes, and what a token allows; what is said at the start of tokens and of having none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.banner import token_state
from middleware.grant import Grant, digest
from providers.spec import Limits
from tests.gateway.place import Place

HASH = digest("kt_a-long-token-4f0c9a71")
ADA = f"[[tokens]]\nname = 'ada'\nhash = '{HASH}'\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_token_with_all_it_may_have(place: Place) -> None:
    place.write(
        "keyturn.toml",
        f"{ADA}models = ['groq/*', '*haiku*']\nproviders = ['groq']\nrequests_per_minute = 60\n"
        "tokens_per_minute = 100_000\nmax_concurrency = 4\nexpires = 2027-01-31\nweb_tools = false\n",
    )
    (ada,) = place.load().tokens
    limits = Limits(60, 100_000, 4)
    assert ada.grant == Grant("ada", ("groq/*", "*haiku*"), ("groq",), limits, False, 1801440000.0)
    assert (ada.digest, ada.secret.reveal()) == (HASH, "")
    assert HASH not in repr(ada)


def test_what_is_left_out_is_not_limited(place: Place) -> None:
    place.write("keyturn.toml", ADA)
    assert place.load().tokens[0].grant == Grant("ada")


@pytest.mark.parametrize("form", [HASH, HASH.upper(), f"sha256:{HASH}"])
def test_a_hash_is_one_in_any_of_its_forms(place: Place, form: str) -> None:
    place.write("keyturn.toml", f"[[tokens]]\nname = 'ada'\nhash = '{form}'\n")
    assert place.load().tokens[0].digest == HASH


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        ("2027-01-31", 1801440000.0),
        ("'2027-01-31'", 1801440000.0),
        ("2027-01-31T18:00:00Z", 1801418400.0),
        ("2027-01-31T19:00:00+01:00", 1801418400.0),
        ("2027-01-31T18:00:00", 1801418400.0),
    ],
)
def test_a_day_lasts_to_its_end_and_a_moment_is_one(place: Place, when: str, seconds: float) -> None:
    place.write("keyturn.toml", f"{ADA}expires = {when}\n")
    assert place.load().tokens[0].grant.expires == seconds


@pytest.mark.parametrize(
    ("lines", "name", "words"),
    [
        ("hash = 'abc'", "tokens.ada.hash", "is not a SHA-256 in hexadecimal"),
        (f"hash = '{HASH}'\ntoken = 'kt-4f0c9a71'", "tokens.ada.hash", ""),
        (f"hash = '{HASH}'\nexpires = 'soon'", "tokens.ada.expires", "is not a date"),
        (f"hash = '{HASH}'\nexpires = '90d'", "tokens.ada.expires", "is not a date"),
        (f"hash = '{HASH}'\nexpires = 5", "tokens.ada.expires", "is not a date"),
        (f"hash = '{HASH}'\nweb_tools = 'no'", "tokens.ada.web_tools", "is not true or false"),
        (f"hash = '{HASH}'\nmodels = [5]", "tokens.ada.models", "is not a list of strings"),
        (f"hash = '{HASH}'\nmodels = []", "tokens.ada.models", "is empty"),
        (f"hash = '{HASH}'\nrequests_per_minute = 0", "tokens.ada.requests_per_minute", ""),
        (f"hash = '{HASH}'\nspeed = 5", "tokens.ada.speed", ""),
    ],
)
def test_what_is_wrong_stops_the_start_and_is_named(place: Place, lines: str, name: str, words: str) -> None:
    place.write("keyturn.toml", f"[[tokens]]\nname = 'ada'\n{lines}\n")
    found = place.problems()
    assert name in [each.name for each in found]
    assert any(words in each.problem for each in found)


def test_two_clients_with_one_token_are_refused_though_one_is_a_hash(place: Place) -> None:
    place.write("keyturn.toml", f"{ADA}[[tokens]]\nname = 'bob'\ntoken = 'kt_a-long-token-4f0c9a71'\n")
    (problem,) = place.problems()
    assert problem.name == "tokens.bob"
    assert "the same token as that of ada" in problem.problem


@pytest.mark.parametrize("weak", ["password", "12345678", "aaaaaaaaaaaa", "abab", "your-api-key"])
def test_a_weak_token_warns_where_others_reach_it(place: Place, weak: str) -> None:
    place.write("keyturn.toml", f"[[tokens]]\nname = 'bob'\ntoken = '{weak}'\n")
    assert place.load({"HOST": "127.0.0.1"}).warnings == ()
    (warning,) = place.load({"HOST": "0.0.0.0"}).warnings
    assert warning.startswith("tokens.bob: this token is easy to guess")


def test_the_hash_of_a_weak_token_warns_too(place: Place) -> None:
    place.write("keyturn.toml", f"[[tokens]]\nname = 'bob'\nhash = '{digest('password')}'\n")
    (warning,) = place.load({"HOST": "0.0.0.0"}).warnings
    assert warning.startswith("tokens.bob: this token is easy to guess")
    assert digest("password") not in warning


def test_where_tokens_may_have_been_made_the_start_says_so(place: Place) -> None:
    store = {"KEYTURN_STATE_FILE": "state.json"}
    (opened, unless) = token_state(place.load(store))
    assert opened.startswith("open: only programs on this machine")
    assert unless.startswith("unless there are tokens of `keyturn token create`, kept in ")
    assert unless.endswith("state.json: then required")
    assert token_state(place.load({**store, "HOST": "0.0.0.0"}))[0].startswith("PROTECTED MODE")
    place.write("keyturn.toml", ADA)
    required, further = token_state(place.load(store))
    assert required == "required; clients: ada"
    assert further.startswith("and those of `keyturn token create`, kept in ")
    assert token_state(place.load()) == ["required; clients: ada"]
