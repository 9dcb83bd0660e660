"""Takes keys, tokens and long encoded data out of text before it is logged. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

BLOT = "***"
SHORTEST = 4  # characters; whatever is shorter hides nothing and would blot out half of every text
LONG = 256  # characters of base64 from which on it is an image, a document or a signature

_BASE64 = re.compile(rf"(?:[A-Za-z0-9+/_=-]|\\/){{{LONG},}}")
_SCHEME = re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=:-]{6,}", re.IGNORECASE)
_FIELD = re.compile(
    r"""((?:proxy-|x-goog-|x-)?(?:authorization|api[-_]?key|(?:access|auth|refresh|client)[-_]?(?:token|secret)
    |password|set-cookie|cookie)(?:\\*["'])?\s*[:=]\s*(?:\\*["'])?)[^\s"'\\,;&}]+""",
    re.IGNORECASE | re.VERBOSE,
)
_LOGIN = re.compile(r"://[^/\s:@\"']*:[^/\s@\"']+@")
_QUERY = re.compile(r"([?&](?:key|sig|signature|token)=)[^&\s\"'\\]+", re.IGNORECASE)
_SHAPES = re.compile(
    r"\b(?:(?:kt|sk|pk|rk|gsk|csk|nvapi|xai|hf|fw|ghp|gho|ghs|ghu|github_pat|glpat|xox[abpr])[-_][A-Za-z0-9_-]{12,}"
    r"|AIza[A-Za-z0-9_-]{20,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|ya29\.[A-Za-z0-9._-]{12,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)"
)


def without_keys(text: str) -> str:
    """``text`` with a blot for all that has the shape of a provider's key."""
    return _SHAPES.sub(BLOT, text)


class Redactor:
    """``redact(text)``: known secrets, then what looks like one, then long base64.

    >>> Redactor(["tea-for-two"])("x-api-key: abcdef, tea-for-two")
    'x-api-key: ***, ***'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        written = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        longest_first = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if written else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(BLOT, text)
        text = _BASE64.sub(lambda found: f"<{len(found.group())} characters>", text)
        text = _SHAPES.sub(BLOT, text)
        text = _SCHEME.sub(rf"\1\2{BLOT}", text)
        text = _LOGIN.sub(f"://{BLOT}@", text)
        text = _QUERY.sub(rf"\1{BLOT}", text)
        return _FIELD.sub(rf"\1{BLOT}", text)


def _forms(secret: str) -> Iterator[str]:
    """As it is, in JSON, in JSON inside JSON, and in a URL."""
    inside = json.dumps(secret)[1:-1]
    yield from (secret, inside, json.dumps(inside)[1:-1], secret.replace("/", r"\/"))
    yield from (quote(secret), quote(secret, safe=""))
