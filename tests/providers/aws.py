"""AWS's side of Signature Version 4, from its documentation and without its code.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (read 2026-11)
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from tests.upstream import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Signed:
    """What a signature that holds is for."""

    key: str
    region: str
    service: str
    headers: tuple[str, ...]


def verified(request: Request, secret: str) -> Signed:
    """What the request's signature is for; AssertionError where it does not hold."""
    found = _AUTHORIZATION.fullmatch(request.header("authorization") or "")
    assert found, "there is no signature"
    moment = request.header("x-amz-date") or ""
    sent = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - sent) < SKEW
    assert moment.startswith(found["day"])
    names = found["names"].split(";")
    assert "host" in names
    assert names == sorted(names)
    scope = f"{found['day']}/{found['region']}/{found['service']}/aws4_request"
    digest = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
    signature = _mac(_key(secret, scope), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}").hex()
    assert hmac.compare_digest(signature, found["signature"]), "the signature does not hold"
    return Signed(found["key"], found["region"], found["service"], tuple(names))


def _canonical(request: Request, names: list[str]) -> str:
    parts = urlsplit(request.target)
    headers = "".join(f"{name}:{' '.join((request.header(name) or '').split())}\n" for name in names)
    body = hashlib.sha256(request.body).hexdigest()
    path = quote(parts.path, safe="/-_.~")
    return "\n".join([request.method, path, parts.query, headers, ";".join(names), body])


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
