"""Google's servers for tests: credentials with a key of their own, and the server that gives tokens for them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.call import UpstreamRequest
from providers.transport import AiohttpTransport, UpstreamReply
from tests.upstream import Reply, Request, ScriptedServer, json_reply

EMAIL = "keyturn@my-project.iam.gserviceaccount.com"
USER = {"client_id": "an-id", "client_secret": "a-client-secret", "refresh_token": "a-refresh-token"}
Json = dict[str, Any]


@cache
def private_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Made once for all tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(token_uri: str, number: int = 0) -> Json:
    """The content of a service account's file."""
    pem = private_key(number).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": f"key-{number}",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "token_uri": token_uri,
    }


def user(**more: str) -> Json:
    """The content of gcloud's file. google-auth asks Google itself for its tokens, whatever the file says."""
    return {"type": "authorized_user", **USER, **more}


def written(path: Path, info: Json) -> Path:
    path.write_text(json.dumps(info), encoding="utf-8")
    return path


class Rerouted(AiohttpTransport):
    """The real transport, on which every host is one server on loopback."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__()
        self._server = server
        self.hosts: list[str] = []

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        parts = urlsplit(request.url)
        self.hosts.append(parts.netloc)
        return await super().send(replace(request, url=f"{self._server.url}{parts.path}"))


class TokenServer(ScriptedServer):
    """Gives ``ya29.token-1`` and so on for an assertion that the key of ``number`` signed, or for the user."""

    def __init__(self, lifetime: int = 3600) -> None:
        super().__init__()
        self.lifetime = lifetime
        self.number = 0
        self._given = count(1)
        self.on("/token", self.answer)

    @property
    def token_uri(self) -> str:
        return f"{self.url}/token"

    @property
    def asked(self) -> list[Request]:
        return self.posts("/token")

    def answer(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if not (signed_by(form.get("assertion", ""), self.number) or USER.items() <= form.items()):
            return refusal("invalid_grant", f"Invalid JWT Signature: {form.get('assertion')}")
        token = f"ya29.token-{next(self._given)}"
        return json_reply({"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})


def refusal(error: str, description: str, status: int = 400) -> Reply:
    """What a token server says no with."""
    return json_reply({"error": error, "error_description": description}, status)


def signed_by(assertion: str, number: int) -> bool:
    """Whether the service account's key of this number signed it."""
    head, _, signature = assertion.rpartition(".")
    if not head:
        return False
    try:
        key = private_key(number).public_key()
        key.verify(_decoded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def claims(request: Request) -> Json:
    """What the assertion in a request for a token says."""
    assertion = parse_qs(request.body.decode())["assertion"][0]
    found: Json = json.loads(_decoded(assertion.split(".")[1]))
    return found


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
