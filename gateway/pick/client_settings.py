"""Claude Code's own settings files: what they say of the environment wins over the environment itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

# What decides where a request goes, and with which token (client 2.1.197, tried 2026-11-20).
DECISIVE = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
)


def files(environ: Mapping[str, str], home: Path, cwd: Path) -> tuple[Path, ...]:
    """Where the client looks, in a folder ``cwd``."""
    own = environ.get("CLAUDE_CONFIG_DIR", "").strip()
    user = Path(own) if own else home / ".claude"
    project = cwd / ".claude"
    return user / "settings.json", project / "settings.json", project / "settings.local.json"


def overruling(paths: Iterable[Path], wanted: Mapping[str, str]) -> tuple[Path, str] | None:
    """The first file, and the variable in it, that would send the client elsewhere than ``wanted`` does."""
    for path in paths:
        env = _env(path)
        for name in DECISIVE:
            if env.get(name) and env[name] != wanted.get(name):
                return path, name
    return None


def _env(path: Path) -> Mapping[str, object]:
    """Nothing where the file is absent or the client could not read it either."""
    with suppress(OSError, ValueError):
        match json.loads(path.read_text(encoding="utf-8")):
            case {"env": dict(env)}:
                return env
    return {}
