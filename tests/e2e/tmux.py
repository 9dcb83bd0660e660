"""Programs on screens of tmux, whose pictures can be taken with all their colours."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.eventually import eventually

WITHIN = 30.0  # seconds for a command of tmux itself


@dataclass(frozen=True)
class Screen:
    """A session of its own; what ran there last may be over."""

    server: tuple[str, ...]
    name: str

    def press(self, *keys: str) -> None:
        """Texts, or the names of keys that tmux knows."""
        self._tell("send-keys", *keys)

    def shown(self, colours: bool = False) -> str:
        """The lines on it, with ANSI sequences for their colours."""
        return self._tell("capture-pane", "-p", *(["-e"] if colours else []))

    def wait_for(self, words: str) -> None:
        async def there() -> bool:
            return words in self.shown()

        try:
            asyncio.run(eventually(there))
        except AssertionError as error:
            raise AssertionError(f"{words!r} never showed on:\n{self.shown()}") from error

    def end(self) -> None:
        """As a person ends it who closes the window, but kindly."""
        os.kill(int(self._tell("display-message", "-p", "#{pane_pid}")), signal.SIGTERM)

    def _tell(self, command: str, *arguments: str) -> str:
        return _run([*self.server, command, "-t", self.name, *arguments])


@dataclass(frozen=True)
class Tmux:
    server: tuple[str, ...]

    def screen(
        self, name: str, typed: str, command: Sequence[str], env: Mapping[str, str], size: tuple[int, int], folder: Path
    ) -> Screen:
        """``command`` on a screen of ``size`` (columns, rows), which inherits nothing; above it stands ``typed``."""
        clean = ["env", "-i", *(f"{key}={value}" for key, value in env.items())]
        script = (
            f"printf '\\033[1;32m$\\033[0m %s\\n' {shlex.quote(typed)}; {shlex.join([*clean, *command])}; read -r _"
        )
        columns, rows = map(str, size)
        new = ["new-session", "-d", "-s", name, "-x", columns, "-y", rows, "-c", str(folder), script]
        _run([*self.server, *new])
        return Screen(self.server, name)


@contextmanager
def tmux(program: str, folder: Path) -> Iterator[Tmux]:
    """A server of its own; it and what runs in it end here."""
    (folder / "tmux.conf").write_text(
        'set -g status off\nset -g default-terminal "tmux-256color"\nset -ga terminal-overrides ",*:Tc"\n'
        "set -g exit-empty off\n"
    )
    server = (program, "-S", str(folder / "tmux"), "-f", str(folder / "tmux.conf"))
    _run([*server, "start-server"])
    try:
        yield Tmux(server)
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, timeout=WITHIN)


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stderr
    return done.stdout
