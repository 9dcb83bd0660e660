"""``keyturn init``: a file that only its owner reads, with what earlier files held."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.env_example import text as template
from gateway.cli.init import EARLIER, OWN, NotWritten, Questions, init, legacy, told, write
from gateway.cli.template import filled, values
from gateway.settings import load


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put(home: Path, name: str, text: str) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def asked(*answers: str) -> Questions:
    """Somebody who types ``answers`` in turn, and then closes the input."""
    left = list(answers)

    def answer(_: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return Questions(answer, answer)


def test_the_file_is_the_template_and_only_its_owner_reads_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(force=False) == 0
    path = home / OWN
    assert path.read_text(encoding="utf-8") == template()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert str(path) in capsys.readouterr().out
    assert os.listdir(path.parent) == [".env"]


def test_a_file_that_is_there_stays_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(home, OWN, "PORT=9000\n")
    assert init(force=False) == 0
    assert path.read_text(encoding="utf-8") == "PORT=9000\n"
    assert "--force" in capsys.readouterr().out


def test_force_takes_the_values_over_and_keeps_the_old_file(home: Path) -> None:
    path = put(home, OWN, "PORT=9000\nGROQ_API_KEY=gsk-one\n")
    first, second = write(home, force=True), write(home, force=True)
    assert load({}, home, home).port == 9000
    assert [done.aside and done.aside.name for done in (first, second)] == [".env.old1", ".env.old2"]
    assert (path.parent / ".env.old1").read_text(encoding="utf-8") == "PORT=9000\nGROQ_API_KEY=gsk-one\n"


@pytest.mark.parametrize("earlier", EARLIER)
def test_values_of_an_earlier_system_are_copied_and_named_but_not_shown(home: Path, earlier: str) -> None:
    put(home, earlier, "# mine\nexport NVIDIA_NIM_API_KEY='nvapi-1'\nMODEL=nvidia_nim/z-ai/glm4.7\nODD=a b#c\nEMPTY=\n")
    done = write(home)
    settings = load({}, home, home)
    assert str(settings.routing.default) == "nvidia_nim/z-ai/glm4.7"
    assert values((home / OWN).read_text(encoding="utf-8")) == {
        "NVIDIA_NIM_API_KEY": "nvapi-1",
        "MODEL": "nvidia_nim/z-ai/glm4.7",
        "ODD": "a b#c",
    }
    lines = "\n".join(told(done, home))
    assert "NVIDIA_NIM_API_KEY, MODEL, ODD" in lines
    assert str(home / earlier) in lines
    assert "nvapi-1" not in lines


def test_the_old_commands_write_where_they_did_and_say_which_file_counts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home, OWN, "PORT=9000\n")
    assert legacy() == 0
    assert (home / ".config/claude-code-proxy/.env").read_text(encoding="utf-8") == template()
    assert f"It is not read while {home / OWN} is there" in capsys.readouterr().out


def test_keys_that_a_person_pastes_stand_in_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = write(home, questions=asked("grok", "groq", "gsk-2", "nim", "nvapi-3", ""))
    assert values((home / OWN).read_text(encoding="utf-8")) == {
        "GROQ_API_KEY": "gsk-2",
        "NVIDIA_NIM_API_KEY": "nvapi-3",
    }
    shown = capsys.readouterr().out
    assert "Did you mean groq?" in shown
    assert "gsk-2" not in shown + "\n".join(told(done, home))


def test_an_input_that_ends_is_an_answer(home: Path) -> None:
    assert write(home, questions=asked("groq")).given == []
    assert (home / OWN).is_file()


def test_a_place_that_cannot_be_written_is_one_plain_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(home, ".config/keyturn", "a file where the folder should be")
    assert init(force=False) == 1
    error = capsys.readouterr().err
    assert str(home / ".config/keyturn") in error
    assert len(error.splitlines()) == 1


def test_an_earlier_file_in_another_encoding_is_named(home: Path) -> None:
    path = put(home, EARLIER[0], "")
    path.write_bytes(b"MODEL=\xff\xfe")
    with pytest.raises(NotWritten, match="not UTF-8"):
        write(home)
    assert not (home / OWN).exists()


@given(
    st.dictionaries(
        st.sampled_from(("PORT", "MODEL", "GROQ_API_KEY", "SOMETHING_ELSE", "X")),
        st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(str.strip),
    )
)
def test_what_is_filled_in_is_what_is_read(given: dict[str, str]) -> None:
    assert values(filled(template(), given)) == given
