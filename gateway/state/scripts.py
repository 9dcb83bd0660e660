"""The Lua scripts, one for each verb, put together from the files beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

_RESTS = ("base", "gcra", "rests", "places", "ladder")
_PARTS = {
    "admit": ("base", "gcra", "rests", "places"),
    "settle": _RESTS,
    "rest": ("base", "rests", "ladder"),
    "wake": ("base", "rests", "ladder"),
    "snapshot": ("base",),
    "beat": ("base",),
    "merge": ("base", "rests"),
    "alive": (),
    "remember": (),
    "recall": (),
    "exchange": (),
    "clients": (),
    "tally": (),
    "tallies": (),
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which a server remembers it."""

    name: str
    text: str
    sha: str


def _script(name: str) -> Script:
    folder = files("gateway.state") / "lua"
    parts = (*_PARTS[name], name)
    text = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


ADMIT = _script("admit")
SETTLE = _script("settle")
REST = _script("rest")
WAKE = _script("wake")
SNAPSHOT = _script("snapshot")
BEAT = _script("beat")
MERGE = _script("merge")
ALIVE = _script("alive")
REMEMBER = _script("remember")
RECALL = _script("recall")
EXCHANGE = _script("exchange")
CLIENTS = _script("clients")
TALLY = _script("tally")
TALLIES = _script("tallies")
