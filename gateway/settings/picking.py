"""What claude-pick goes by: the gateway's own settings, and the environment that claude is started in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.load import load
from gateway.settings.model import Settings

PROVIDER, ENV_FILE, PORT = "CLAUDE_PICK_PROVIDER", "CLAUDE_PICK_ENV_FILE", "CLAUDE_PICK_PORT"
CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Picking:
    """``provider`` "" shows the models of all of them; ``recent`` is the file of the last picks."""

    settings: Settings
    provider: str
    recent: Path
    environ: Mapping[str, str]


def load_for_pick(config: Path | None = None) -> Picking:
    """Wherever claude-pick is called from: in a checkout its .env counts, for that of a project is not the gateway's.

    CLAUDE_PICK_* are the names that an earlier proxy's script had. Raises ConfigError.
    """
    environ, home = dict(os.environ), Path(os.path.expanduser("~"))
    named = environ.get(ENV_FILE, "").strip()
    read = {**environ, "FCC_ENV_FILE": str(Path(named).absolute())} if named else environ
    here = CHECKOUT if (CHECKOUT / "Makefile").is_file() else Path.cwd()
    flags = {"PORT": environ[PORT]} if environ.get(PORT, "").strip() else {}
    settings = load(read, here, home, config and config.absolute(), flags)
    state = environ.get("XDG_STATE_HOME", "").strip()
    recent = (Path(state) if state else home / ".local" / "state") / "keyturn" / "picked.json"
    return Picking(settings, environ.get(PROVIDER, "").strip(), recent, environ)
