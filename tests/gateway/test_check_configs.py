"""`keyturn check` on configurations as people break them: each names its cause and its line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.cli import main
from tests.gateway.place import Place
from tests.users import no_root, open_folder

MINE = '[[providers]]\nname = "mine"\ntype = "openai"\nbase_url = "https://a"\napi_key = "k"\n'


@dataclass(frozen=True)
class Case:
    """A file, and what the words about it must hold; ``line`` 0 = they can name none."""

    text: str
    words: tuple[str, ...]
    line: int = 0
    env: tuple[tuple[str, str], ...] = ()


BROKEN = {
    "no TOML": Case("model = \n", ("is not TOML", "line 1"), 1),
    "a string without its end": Case('model = "demo/demo\n', ("is not TOML", "line 1"), 1),
    "a key twice": Case("port = 1\nport = 2\n", ("is not TOML", "line 2"), 2),
    "a table that does not end": Case("port = 1\n[[routes", ("is not TOML",), 2),
    "misspelt at the top": Case('\nmodle = "demo/demo"\n', ("modle", "Did you mean model?"), 2),
    "a setting in capitals": Case("PORT = 9000\n", ("Did you mean port?",), 1),
    "a wrong header": Case('[[provider]]\nname = "x"\n', ("Did you mean providers?",), 1),
    "a table that is no list": Case('[providers]\nname = "x"\n', ("is not a list of tables", "[[providers]]"), 1),
    "a provider's setting at the top": Case('groq_api_key = "k"\n', ("no key of the top level",), 1),
    "a port in words": Case('port = "eight"\n', ("'eight' is not a whole number",), 1),
    "a port too large": Case("# a comment\nport = 70000\n", ("'70000' is not a whole number from 0",), 2),
    "a host with a scheme": Case('host = "http://a"\n', ("without scheme or port",), 1),
    "a level that is none": Case('log_level = "loud"\n', ("DEBUG, INFO",), 1),
    "a list where a text stands": Case('model = [\n  "a/b",\n]\n', ("is not a string",), 1),
    "a date": Case("model = 2026-01-01\n", ("is not a string",), 1),
    "thinking's old switch": Case("enable_thinking = true\n", ("was removed", "ENABLE_MODEL_THINKING"), 1),
    "a model without a provider": Case('model = "glm-4.7"\n', ("names no provider",), 1),
    "a provider one letter off": Case(MINE + 'api_key_env = "X"\n', ("there is also api_key",), 6),
    "a model at a misspelt provider": Case('model = "gorq/x"\n' + MINE, ("Did you mean groq",), 1),
    "a provider without a name": Case('[[providers]]\ntype = "openai"\n', ("name", "is missing"), 1),
    "a provider without a type": Case('[[providers]]\nname = "mine"\nbase_url = "https://a"\n', ("type", "missing"), 1),
    "a provider without a key": Case(MINE.replace('api_key = "k"\n', ""), ("the provider needs a key",), 1),
    "a type that is none": Case(MINE.replace('"openai"', '"opnai"'), ("'opnai' is not a type",), 3),
    "a setting of a provider misspelt": Case(MINE + "read_timout = 5\n", ("Did you mean read_timeout?",), 6),
    "a base URL without a scheme": Case(MINE.replace("https://a", "a.example"), ("base_url",), 4),
    "two entries of one provider": Case(MINE + MINE, ("has an entry already",), 7),
    "one key in two providers": Case(
        MINE + MINE.replace("mine", "other"), ("gets the key that provider mine has",), 10
    ),
    "a key file that is not there": Case(MINE.replace("api_key =", "api_key_file ="), ("there is no file k",), 5),
    "a variable that is not set": Case(MINE.replace("api_key =", "api_key_env ="), ("variable k is not set",), 5),
    "a header that cannot be": Case(MINE + 'headers = { "Host" = "x" }\n', ("header cannot be set",), 6),
    "a key's label with a blank": Case(
        MINE + '[[providers.keys]]\nlabel = "a b"\napi_key = "k2"\n', ("letters, digits",), 7
    ),
    "a limit of nothing": Case(MINE + '[[providers.models]]\nname = "m"\nmax_concurrency = 0\n', ("above 0",), 8),
    "a route without its provider": Case('[[routes]]\nmatch = "x"\n', ("provider", "is missing"), 1),
    "a route to nobody": Case(MINE + '[[routes]]\nmatch = "x"\nprovider = "mein"\n', ("Did you mean mine?",), 8),
    "a way of matching that is none": Case(
        MINE + '[[routes]]\nmatch = "x"\nmatch_type = "regex"\nprovider = "mine"\n', ("not prefix, exact or glob",), 8
    ),
    "a fallback of itself": Case('model = "mine/a"\nmodel_fallbacks = "mine/a"\n' + MINE, ("is a cycle",), 2),
    "two tokens alike": Case(
        '[[tokens]]\nname = "a"\ntoken = "kt-0123456"\n[[tokens]]\nname = "b"\ntoken = "kt-0123456"\n',
        ("the same token as that of a",),
        5,
    ),
    "two clients of one name": Case(
        '[[tokens]]\nname = "a"\ntoken = "kt-01234567"\n[[tokens]]\nname = "a"\ntoken = "kt-76543210"\n', ("taken",), 5
    ),
    "ferryllm's address misspelt": Case('[server]\nlisen = "x"\n' + MINE, ("Did you mean listen?",), 2),
    "ferryllm's port too large": Case(
        '[server]\nlisten = "0.0.0.0:70000"\n' + MINE, ("no address with a port", 'listen = "127.0.0.1:3000"'), 2
    ),
    "a type one letter off": Case(MINE.replace('"openai"', '"opneai"'), ("Did you mean openai?",), 3),
    "a way of matching misspelt": Case(
        MINE + '[[routes]]\nmatch = "x"\nmatch_type = "exakt"\nprovider = "mine"\n', ('match_type = "exact"',), 8
    ),
    "a route to a stranger": Case(MINE + '[[routes]]\nmatch = "x"\nprovider = "q"\n', ("Known providers: ",), 8),
    "a variable in capitals": Case('\nGROQ_API_KEY = "k"\n', ("no key of the top level", "[[providers]]"), 2),
    "a number without an end": Case(f"port = {'9' * 5000}\n", ("thousands of digits",)),
    "keys within keys within keys": Case(f"a{'.a' * 3000} = 1\n", ("within thousands of others",)),
    "ferryllm's policy": Case('[server]\nreasoning_policy = "always"\n' + MINE, ("preserve",), 2),
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def checked(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str, **env: str
) -> tuple[int, str]:
    """The status of ``keyturn check`` and all that it prints."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(place.home))
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(place.cwd)
    status = main(["check", *arguments])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_names_its_cause_and_its_line(name: str, place: Place) -> None:
    case = BROKEN[name]
    found = place.toml_problems(case.text, dict(case.env))
    told = [str(each) for each in found]
    fitting = [each for each in found if all(word in str(each) for word in case.words)]
    assert fitting, told
    assert fitting[0].line == case.line, told
    assert not case.line or f"./keyturn.toml, line {case.line}" in str(fitting[0])


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 31


def test_every_problem_is_told_at_once_with_status_2(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("keyturn.toml", "modle = 1\nport = 'x'\n")
    status, told = checked(place, capsys, monkeypatch)
    assert status == 2
    assert "has 2 problems" in told
    assert "line 1" in told
    assert "line 2" in told


IN_ENV = {
    "a port in words": Case("# mine\nPORT=eight\n", ("PORT", "'eight' is not a whole number"), 2),
    "a level that is none": Case("\ufeffLOG_LEVEL=loud\r\n", ("LOG_LEVEL", "DEBUG, INFO"), 1),
    "a proxy without a scheme": Case("GROQ_PROXY=proxy:3128x\n", ("GROQ_PROXY", "such as http://127.0.0.1:3128"), 1),
    "a removed name": Case("PORT=1\nexport ENABLE_THINKING=1\n", ("was removed", "ENABLE_MODEL_THINKING"), 2),
    "a model without a provider": Case("MODEL=glm-4.7\n", ("names no provider",), 1),
    "a provider one letter off": Case("GROQ_API_KEY=gsk-1\nMODEL=gorq/x\n", ("Did you mean groq",), 2),
    "a base URL without a scheme": Case("OLLAMA_BASE_URL = localhost:11434\n", ("OLLAMA_BASE_URL",), 1),
    "a key with a blank": Case('\n\t\n  GROQ_API_KEY="gsk 1"\n', ("GROQ_API_KEY", "whitespace"), 3),
    "a line behind blank ones": Case("PORT=1\r\n\r\n  MODEL=gorq/x\r\n", ("Did you mean groq",), 3),
    "one key at two providers": Case("GROQ_API_KEY=k-1\nCEREBRAS_API_KEY=k-1\n", ("gets the key that",), 2),
    "freecc's unknown provider": Case("BIG_MODEL_PROVIDER=acme\nBIG_MODEL_NAME=x\n", ("BIG_MODEL_PROVIDER", "acme"), 1),
    "1rgs' unknown provider": Case("PREFERRED_PROVIDER=acme\n", ("openai, google or anthropic",), 1),
    "fuergaosi's limit in words": Case("BIG_MODEL=x\nMAX_TOKENS_LIMIT=many\n", ("not a whole number above 0",), 2),
    "a header that cannot be": Case(
        "BIG_MODEL=x\nOPENAI_API_KEY=sk-1\nCUSTOM_HEADER_HOST=x\n", ("header cannot be set",), 3
    ),
}


SLIPPED = "sk-ant-a0b1c2d3e4f5a0b1c2d3"  # guard: not a secret


@pytest.mark.parametrize(
    "text",
    [
        f"MODEL={SLIPPED}\n",
        f"GROQ_API_KEY=gsk-1\nMODEL_OPUS={SLIPPED}\n",
        f"GROQ_API_KEY=gsk-1\nMODEL=groq/{SLIPPED}\n",
        f"MODEL=demo/demo\nMODEL_FALLBACKS={SLIPPED}\n",
        f"BIG_MODEL_PROVIDER={SLIPPED}\nBIG_MODEL_NAME=x\n",
        f"BIG_MODEL={SLIPPED}\nOPENAI_API_KEY=k-1\n",
    ],
)
def test_a_key_in_another_ones_place_is_not_shown(
    text: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(".env", text)
    status, told = checked(place, capsys, monkeypatch)
    assert status == 2, told
    assert f"(from ./.env, line {1 + text.split(SLIPPED)[0].count(chr(10))})" in told
    assert SLIPPED not in told


@pytest.mark.parametrize("name", IN_ENV)
def test_so_does_a_broken_env_file(
    name: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = IN_ENV[name]
    (place.cwd / ".env").write_text(case.text, encoding="utf-8", newline="")
    status, told = checked(place, capsys, monkeypatch)
    fitting = [line for line in told.splitlines() if all(word in line for word in case.words)]
    assert (status, len(fitting)) == (2, 1), told
    assert f"(from ./.env, line {case.line})" in fitting[0]


UNREADABLE = "/proc/self/mem"  # a file, of which nobody can read the beginning


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--config", "gone.toml"], {}, "--config (from the command line): there is no file gone.toml"),
        ([], {"KEYTURN_CONFIG": "gone.toml"}, "KEYTURN_CONFIG (from the environment): there is no file gone.toml"),
        ([], {"FCC_ENV_FILE": "gone.env"}, "FCC_ENV_FILE (from the environment): there is no file gone.env"),
        (["--config", "."], {}, "--config (from the command line): there is no file ."),
        (["--config", UNREADABLE], {}, f"{UNREADABLE}: the file cannot be read: "),
        ([], {"FCC_ENV_FILE": UNREADABLE}, f"{UNREADABLE}: the file cannot be read: "),
        (["--config", "latin"], {}, "latin, line 1: the file is not UTF-8 text"),
        ([], {"FCC_ENV_FILE": "latin"}, "latin, line 1: the file is not UTF-8 text"),
    ],
)
def test_a_file_that_is_named_and_cannot_be_read_is_told(
    arguments: list[str],
    env: dict[str, str],
    words: str,
    place: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if UNREADABLE in words and not os.path.isfile(UNREADABLE):
        pytest.skip(f"there is no {UNREADABLE} here")
    (place.cwd / "latin").write_bytes("MODEL=caf\u00e9\n".encode("latin-1"))
    status, told = checked(place, capsys, monkeypatch, *arguments, **env)
    assert status == 2
    assert words in told


ODD = {
    "a BOM": (b"\xef\xbb\xbfGROQ_API_KEY=gsk-1\n", ""),
    "CRLF": (b"GROQ_API_KEY=gsk-1\r\nPORT=9000\r\n", ""),
    "export": (b"export GROQ_API_KEY=gsk-1\n", ""),
    "double quotes": (b'GROQ_API_KEY="gsk-1"\n', ""),
    "single quotes": (b"GROQ_API_KEY='gsk-1'\n", ""),
    "blanks around": (b"\tGROQ_API_KEY = gsk-1 \t\n", ""),
    "a comment behind": (b"GROQ_API_KEY=gsk-1 # mine\n", ""),
    "an empty value": (b"GROQ_API_KEY=gsk-1\nMODEL_OPUS=\n", ""),
    "a line that is none": (b"GROQ_API_KEY=gsk-1\n=\n", "line 2 is not NAME=value"),
    "a name twice": (
        b"PORT=1\nGROQ_API_KEY=gsk-1\nPORT=2\n",
        "PORT (from ./.env, line 1): this is not used: line 3 sets PORT again",
    ),
    "a name twice with one value": (b"PORT=1\nGROQ_API_KEY=gsk-1\nPORT=1\n", ""),
    "a blank name that is filled in below": (b"GROQ_API_KEY=\nGROQ_API_KEY=gsk-1\n", ""),
    "a name alone": (b"GROQ_API_KEY=gsk-1\nMODEL\n", "line 2 is not NAME=value"),
    "a misspelt name": (b"GROQ_API_KEY=gsk-1\nMODLE=groq/x\n", "MODLE (from ./.env, line 2): nobody reads this"),
    "a key's name misspelt": (b"GROQ_API_KEY=gsk-1\nGROQ_API_KYE=gsk-2\n", "Did you mean GROQ_API_KEY?"),
    "a placeholder": (b"GROQ_API_KEY=gsk-1\nOPENAI_API_KEY=<your key>\n", "OPENAI_API_KEY (from ./.env, line 2)"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_env_file_is_read_and_a_warning_never_fails(
    name: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, warning = ODD[name]
    (place.cwd / ".env").write_bytes(content)
    status, told = checked(place, capsys, monkeypatch)
    assert status == 0, told
    assert "1 key: groq-01" in told
    assert warning in told
    assert bool(warning) == ("warning" in told)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_toml_with_a_bom_tabs_and_any_ending_has_its_lines(ending: str, place: Place) -> None:
    text = ending.join(["# first", "\tport = 9000", "list_of = [", "\t1,", "]", '"quoted" = """', "x = 1", '"""'])
    (place.cwd / "keyturn.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = {each.name: each.line for each in place.problems()}
    assert found == {"list_of": 3, "quoted": 6}


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_a_file_with_secrets_that_all_may_read_warns(place: Place) -> None:
    secret = place.write(".env", "GROQ_API_KEY=gsk-1\n")
    secret.chmod(0o644)
    assert place.load().warnings == (), "nobody else may enter the folders of a test"
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _warned(Place(Path(folder)))


def _warned(place: Place) -> None:
    secret = place.write(".env", "GROQ_API_KEY=gsk-1\n")
    secret.chmod(0o644)
    [warning] = place.load().warnings
    assert warning == ("./.env: it holds secrets, and every user of this machine may read it. Run: chmod 600 ./.env")
    secret.chmod(0o600)
    assert place.load().warnings == ()
    secret.write_text("PORT=9000\n# GROQ_API_KEY=gsk\nOPENAI_API_KEY=<key>\n")
    secret.chmod(0o644)
    assert not [each for each in place.load().warnings if "every user" in each]


def test_a_file_that_cannot_be_read_is_named() -> None:
    with open_folder() as folder:
        place = Place(folder)
        place.load()
        place.write("keyturn.toml", MINE).chmod(0)
        with no_root():
            assert "cannot be read" in str(place.problems()[0])


def test_names_of_others_are_no_slips(place: Place) -> None:
    names = ("PATH", "LANG", "HOSTNAME", "GITHUB_TOKEN", "HTTP_PROXY", "SSL_CERT_FILE", "PORT_1", "OPENAI_API_KEY_2")
    others = dict.fromkeys((*names, "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL"), "http://127.0.0.1:9")
    assert not [each for each in place.load(others).warnings if "nobody reads" in each]
