"""The README's picture is what Keyturn and Claude Code show today."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest

from scripts.picture import TARGET, picture


def words(drawing: str) -> list[str]:
    """What is written in each window, without blanks and without the version, which no picture waits for."""
    shown = "".join(html.unescape(each) for each in re.findall(r"<text[^>]*>([^<]*)</text>", drawing))
    return re.sub(r"(?<=Keyturn)\d[\w.]*?(?=onhttp)", "", re.sub(r"\s", "", shown)).split("$")


def test_the_picture_is_made_of_what_shows(program: Path) -> None:
    terminal = shutil.which("tmux")
    if terminal is None:
        pytest.skip("no tmux here: apt install tmux")
    assert words(picture(program, terminal)) == words(TARGET.read_text(encoding="utf-8")), "make picture"
