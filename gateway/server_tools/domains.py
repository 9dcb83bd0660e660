"""The domains that a client allows or blocks for a tool. Pure.

As Anthropic has them (platform.claude.com, server tools, domain filtering, read 2026-11): without a scheme, subdomains
included, a path standing for all below it, ``*`` for any part of a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

import idna

from gateway.server_tools.urls import PATH_SAFE, Target

_RULE = re.compile(r"(?:https?://)?(?:\*\.)?([^/:?#*]+)(?::\d+)?(/[^?#]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Domain:
    host: str
    path: str  # "" = all

    def holds(self, place: Target) -> bool:
        if place.host != self.host and not place.host.endswith(f".{self.host}"):
            return False
        if not self.path:
            return True
        return fnmatchcase(place.path, self.path) or fnmatchcase(place.path, f"{self.path.rstrip('/')}/*")


def rule(allowed: Iterable[str], blocked: Iterable[str]) -> Callable[[Target], str]:
    """Why a place is outside of the domains, "" where it is inside; no ``allowed`` at all allows every one."""
    named = tuple(allowed)
    inside, outside = _domains(named), _domains(blocked)

    def words(place: Target) -> str:
        if named and not any(domain.holds(place) for domain in inside):
            return "it is of none of the domains that the client allows"
        return "it is of a domain that the client blocks" if any(domain.holds(place) for domain in outside) else ""

    return words


def _domains(texts: Iterable[str]) -> tuple[_Domain, ...]:
    found = (_RULE.fullmatch(text.strip()) for text in texts)
    return tuple(_Domain(_host(match[1]), _path(match[2] or "")) for match in found if match)


def _host(text: str) -> str:
    if text.isascii():
        return text.lower().rstrip(".")
    try:
        return idna.encode(text, uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        return text


def _path(text: str) -> str:
    """As a target has it, so that only ``*`` is left to mean anything but itself."""
    return "" if text == "/" else quote(text, safe=PATH_SAFE)
