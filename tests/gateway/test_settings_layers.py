"""Which source wins."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import load_from_process
from gateway.settings.layers import Layer, Layers, Value
from providers.secret import Secret
from tests.gateway.place import Place, only

HOME = "~/.config/keyturn/.env"
HOME_002 = "~/.config/claude-code-proxy/.env"
HOME_ANCESTOR = "~/.config/free-claude-code/.env"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_with_nothing_written_there_are_defaults(place: Place) -> None:
    settings = place.load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8082)
    assert (settings.token, settings.tokens, settings.metrics_token) == (None, (), None)
    assert settings.body_limit == 32 * 1024 * 1024
    assert (settings.body_read_timeout, settings.drain_timeout) == (30.0, 120.0)
    assert (settings.log_level, settings.log_format) == ("INFO", "json")
    assert (settings.warnings, settings.files) == ((), ())


def test_each_source_wins_over_those_below_it(place: Place) -> None:
    ports = [place.load().port]
    place.write(HOME, "PORT=9001")
    ports.append(place.load().port)
    place.write(".env", "PORT=9002")
    ports.append(place.load().port)
    place.write("named.env", "PORT=9003")
    environ = {"FCC_ENV_FILE": "named.env"}
    ports.append(place.load(environ).port)
    place.write("keyturn.toml", "port = 9004")
    ports.append(place.load(environ).port)
    environ["PORT"] = "9005"
    ports.append(place.load(environ).port)
    ports.append(place.load(environ, flags={"PORT": "9006"}).port)
    assert ports == [8082, 9001, 9002, 9003, 9004, 9005, 9006]


def test_sources_that_were_read_are_listed_lowest_first(place: Place) -> None:
    place.write(HOME, "")
    place.write(".env", "")
    place.write("named.env", "")
    place.write("keyturn.toml", "")
    settings = place.load({"FCC_ENV_FILE": "named.env"})
    assert settings.files == ("~/.config/keyturn/.env", "./.env", "named.env", "./keyturn.toml")


def test_earlier_homes_count_only_where_ours_is_absent(place: Place) -> None:
    place.write(HOME_ANCESTOR, "PORT=9001")
    assert place.load().port == 9001
    place.write(HOME_002, "BODY_LIMIT_MB=1")
    assert (place.load().port, place.load().body_limit) == (8082, 1024 * 1024)
    place.write(HOME, "")
    assert place.load().body_limit == 32 * 1024 * 1024


@pytest.mark.parametrize(
    ("files", "environ", "config", "port"),
    [
        ({"~/.config/keyturn/keyturn.toml": "port = 1"}, {}, None, 1),
        ({"~/.config/keyturn/keyturn.toml": "port = 1", "keyturn.toml": "port = 2"}, {}, None, 2),
        ({"keyturn.toml": "port = 2", "other.toml": "port = 3"}, {"KEYTURN_CONFIG": "other.toml"}, None, 3),
        ({"keyturn.toml": "port = 2", ".env": "KEYTURN_CONFIG=o.toml", "o.toml": "port = 3"}, {}, None, 3),
        ({"other.toml": "port = 3", "flag.toml": "port = 4"}, {"KEYTURN_CONFIG": "other.toml"}, "flag.toml", 4),
        ({"~/mine.toml": "port = 5"}, {"KEYTURN_CONFIG": "~/mine.toml"}, None, 5),
        ({"keyturn.toml": "port = 2"}, {"KEYTURN_CONFIG": " "}, None, 2),
    ],
)
def test_one_keyturn_toml_is_read(
    place: Place, files: dict[str, str], environ: dict[str, str], config: str | None, port: int
) -> None:
    for name, text in files.items():
        place.write(name, text)
    assert place.load(environ, config).port == port


@pytest.mark.parametrize(
    ("environ", "config", "name", "origin"),
    [
        ({"FCC_ENV_FILE": "gone"}, None, "FCC_ENV_FILE", "the environment"),
        ({"KEYTURN_CONFIG": "gone"}, None, "KEYTURN_CONFIG", "the environment"),
        ({}, "gone", "--config", "the command line"),
    ],
)
def test_a_named_file_must_be_there(
    place: Place, environ: dict[str, str], config: str | None, name: str, origin: str
) -> None:
    problem = only(place.problems(environ, config))
    assert (problem.name, problem.origin, problem.problem) == (name, origin, "there is no file gone")
    assert problem.fix.startswith("Correct the path")


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("export PORT=9001", 9001),
        ('PORT="9001" # here', 9001),
        ("# PORT=1\nPORT=9001 # here", 9001),
        ("\ufeffPORT=9001", 9001),
        ("PORT=9001\r\nHOST=127.0.0.1\r\n", 9001),
        ("PORT", 8082),
        ("PORT=", 8082),
        ("PORT= \t", 8082),
        ("PORT=1\nPORT=9001", 9001),
    ],
)
def test_a_dotenv_file_is_read_as_people_write_it(place: Place, text: str, port: int) -> None:
    place.write(".env", text)
    assert place.load().port == port


def test_nothing_is_interpolated(place: Place) -> None:
    place.write(".env", "GROQ_API_KEY=gsk-$HOME-${PATH}")
    settings = place.load({"HOME": "/root", "PATH": "/bin"})
    assert Secret("gsk-$HOME-${PATH}") in [key.secret for each in settings.providers for key in each.keys]


def test_a_line_that_is_no_assignment_is_a_warning_without_its_text(place: Place) -> None:
    place.write(".env", "PORT=9001\nsk-live-1234 is my key\n")
    settings = place.load()
    assert settings.port == 9001
    assert settings.warnings == ("./.env: line 2 is not NAME=value and is ignored",)


@pytest.mark.parametrize("name", [".env", "keyturn.toml"])
def test_a_file_that_is_not_utf8_is_a_problem(place: Place, name: str) -> None:
    place.write(name, "").write_bytes(b"# one\nPORT=\xff\xfe")
    problem = only(place.problems())
    assert str(problem) == f"./{name}, line 2: the file is not UTF-8 text. Save it as UTF-8."


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="needs a file that even root cannot read")
def test_a_file_that_cannot_be_read_is_a_problem(place: Place) -> None:
    problem = only(place.problems({"FCC_ENV_FILE": "/proc/self/mem"}))
    assert problem.name == "/proc/self/mem"
    assert problem.problem.startswith("the file cannot be read: ")


@pytest.mark.parametrize(
    ("files", "environ", "token", "warned"),
    [
        ({}, {"ANTHROPIC_AUTH_TOKEN": "from-environment"}, "from-environment", True),
        ({".env": "ANTHROPIC_AUTH_TOKEN=from-file"}, {"ANTHROPIC_AUTH_TOKEN": "from-environment"}, "from-file", False),
        ({HOME: "ANTHROPIC_AUTH_TOKEN=from-home"}, {"ANTHROPIC_AUTH_TOKEN": "from-environment"}, "from-home", False),
        ({".env": "ANTHROPIC_AUTH_TOKEN="}, {"ANTHROPIC_AUTH_TOKEN": "from-environment"}, None, False),
        ({"keyturn.toml": "anthropic_auth_token = ''"}, {"ANTHROPIC_AUTH_TOKEN": "from-environment"}, None, False),
        (
            {".env": "ANTHROPIC_AUTH_TOKEN=from-file", "keyturn.toml": "anthropic_auth_token = 'from-toml'"},
            {"ANTHROPIC_AUTH_TOKEN": "from-environment"},
            "from-toml",
            False,
        ),
        ({}, {"ANTHROPIC_AUTH_TOKEN": ""}, None, False),
    ],
)
def test_the_clients_token_in_a_file_beats_the_environment(
    place: Place, files: dict[str, str], environ: dict[str, str], token: str | None, warned: bool
) -> None:
    for name, text in files.items():
        place.write(name, text)
    settings = place.load(environ)
    assert settings.token == (Secret(token) if token else None)
    assert [each.name for each in settings.tokens] == (["shared"] if token else [])
    assert [text.split(":")[0] for text in settings.warnings] == (
        ["ANTHROPIC_AUTH_TOKEN (from the environment)"] if warned else []
    )


def test_the_clients_base_url_is_never_read(place: Place) -> None:
    place.write(".env", "ANTHROPIC_BASE_URL=http://127.0.0.1:1")
    with_it = place.load({"ANTHROPIC_BASE_URL": "ftp://nowhere"})
    assert with_it.providers == place.load().providers
    assert not [each for each in with_it.providers if each.chosen]


def test_values_hide_their_text() -> None:
    assert "sk-live" not in repr(Value("GROQ_API_KEY", "sk-live-1234", "./.env"))


NAMES = ("A", "B", "C")
TEXTS = st.sampled_from(["", " ", "1", "2"])


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), TEXTS), max_size=4))
def test_of_several_names_the_highest_that_says_something_counts(written: list[dict[str, str]]) -> None:
    layers = Layers(
        tuple(
            Layer(str(rank), {name: Value(name, text, str(rank)) for name, text in each.items()})
            for rank, each in enumerate(written)
        )
    )
    merged = {name: (rank, text) for rank, each in enumerate(written) for name, text in each.items()}
    ranked = [(rank, -NAMES.index(name), name, text) for name, (rank, text) in merged.items() if text.strip()]
    found = layers.first(NAMES)
    if not ranked:
        assert found is None
        return
    rank, _, name, text = max(ranked)
    assert found == Value(name, text, str(rank))


def test_this_process_is_read_in_one_place(place: Place) -> None:
    settings = load_from_process(flags={"PORT": "9001"})
    assert settings.port == 9001
