"""The interactive CLI on a pseudo-terminal: type keys, wait for what shows."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.claude import Claude, end_group

SHOWN_WITHIN = 30.0
AGAIN = 5.0  # seconds
_ROWS_COLUMNS = (50, 160)
_ESCAPES = re.compile(rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\[>=<?][0-9;?<>=]*[ -/]*[@-~]?|\x1b[()][A-Z0-9]|\x1b.")
_TITLE = re.compile(rb"\x1b\][02];([^\x07\x1b]*)(?:\x07|\x1b\\)")


class Terminal:
    """All that a program wrote to its terminal so far, read by a thread."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._written = b""
        self._more = threading.Condition()
        self._over = threading.Event()

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    @property
    def text(self) -> str:
        """The printed characters without blanks: a terminal moves the cursor where a line has spaces."""
        return re.sub(r"\s+", "", _ESCAPES.sub(b"", self._written).decode(errors="replace"))

    @property
    def titles(self) -> list[str]:
        """The window titles that were set, in order."""
        return [title.decode(errors="replace") for title in _TITLE.findall(self._written)]

    def enter_until(self, seen: Callable[[Terminal], bool]) -> None:
        """Presses Enter, and again where nothing comes of it: what was typed just before may not be taken in yet."""
        for _ in range(round(SHOWN_WITHIN / AGAIN)):
            self.press("\r")
            with self._more:
                if self._more.wait_for(lambda: seen(self), AGAIN):
                    return
        raise AssertionError(self.text[-2000:])

    def wait_until(self, seen: Callable[[Terminal], bool]) -> None:
        with self._more:
            assert self._more.wait_for(lambda: seen(self), SHOWN_WITHIN), self.text[-2000:]

    def wait_for(self, words: str) -> None:
        """Wait until these words show; blanks do not count."""
        self.wait_until(lambda terminal: re.sub(r"\s+", "", words) in terminal.text)

    @property
    def written(self) -> bytes:
        """All of it, as it came."""
        return self._written

    def wait_until_over(self) -> None:
        """Wait until the last program on it has ended."""
        assert self._over.wait(SHOWN_WITHIN), self.text[-2000:]

    def read_all(self) -> None:
        try:
            while piece := os.read(self._master, 65536):
                with self._more:
                    self._written += piece
                    self._more.notify_all()
        except OSError:  # EIO: the last program on the other end is gone
            pass
        self._over.set()


@contextmanager
def interactive(claude: Claude, token: str = "freecc") -> Iterator[Terminal]:
    """The CLI at its prompt, past the first-run screens; killed at the end."""
    skip_first_run(claude)
    with on_terminal([claude.program], claude.work, claude.environment(token)) as terminal:
        yield terminal


@contextmanager
def on_terminal(command: Sequence[str | Path], folder: Path, environ: Mapping[str, str]) -> Iterator[Terminal]:
    """A program on a terminal of its own; killed at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *_ROWS_COLUMNS, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environ, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_own_terminal,
    )
    os.close(slave)
    terminal = Terminal(master)
    reader = threading.Thread(target=terminal.read_all, daemon=True)
    reader.start()
    try:
        yield terminal
    finally:
        end_group(process)
        reader.join(SHOWN_WITHIN)
        os.close(master)


def _own_terminal() -> None:
    """In the new process: its input is its session's terminal, which is what /dev/tty then means."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def skip_first_run(claude: Claude) -> None:
    project = {str(claude.work): {"hasTrustDialogAccepted": True, "allowedTools": []}}
    seed = {"hasCompletedOnboarding": True, "theme": "dark", "projects": project}
    (claude.home / ".claude.json").write_text(json.dumps(seed))
