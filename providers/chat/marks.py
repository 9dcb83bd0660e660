"""What Keyturn writes into a client's history so that an upstream gets back what it sent, and no other does. Pure.

Clients send two things back as they got them: the signature of a thought and the id of a call. A thought of an upstream
that signs none carries ``keyturn:<provider>:<field>``, and behind a ``#`` what else has to go back with it. A call
that an upstream signed carries the signature in its id, in letters that every API takes in an id.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from providers.chat.request import OURS

ID_MARK = "-keyturn-"  # in a call's id, between the upstream's own id and the signature
SERVED = "srvtoolu_keyturn_"  # begins the id of a call that the gateway itself answered

_SPACES: Mapping[str, str] = {"g": "google", "v": "vertex"}  # where Google's two APIs have the signature


def thought_signature(provider: str, field: str, payload: str = "") -> str:
    """The signature of a thought that came in this field of this provider's answer."""
    return f"{OURS}{provider}:{field}#{payload}" if payload else f"{OURS}{provider}:{field}"


def thought_origin(signature: str, provider: str) -> tuple[str, str]:
    """The field and the payload of a thought of this provider's, ("", "") where another made it."""
    mark = f"{OURS}{provider}:"
    if not signature.startswith(mark):
        return "", ""
    field, _, payload = signature.removeprefix(mark).partition("#")
    return field, payload


def is_bare(signature: str) -> bool:
    """Whether a signature says only whose a thought is and in which field it came."""
    return signature.startswith(OURS) and signature.count(":") == 2 and "#" not in signature


def signed_id(identity: str, provider: str, space: str, signature: str) -> str:
    """The id of a call that the provider signed; ``space`` is one of google and vertex."""
    return f"{identity}{ID_MARK}{_digest(provider)}{space[:1]}{_packed(signature)}"


def served_id(token: str, number: int, identity: str) -> str:
    """The id of a call that the gateway answers itself; a signature in the upstream's own ``identity`` is kept."""
    _, mark, signature = identity.partition(ID_MARK)
    return f"{SERVED}{token[:18]}{number:02d}{mark}{signature}"


def plain_id(identity: str) -> str:
    """The id as the upstream gave it."""
    return identity.partition(ID_MARK)[0]


def call_signature(identity: str, provider: str) -> tuple[str, str]:
    """The space and the signature that this provider gave a call, ("", "") where it gave none."""
    _, mark, rest = identity.partition(ID_MARK)
    digest = _digest(provider) if mark else ""
    if not mark or not rest.startswith(digest):
        return "", ""
    space = _SPACES.get(rest[len(digest) : len(digest) + 1], "")
    signature = _unpacked(rest[len(digest) + 1 :])
    return (space, signature) if space and signature else ("", "")


def _digest(provider: str) -> str:
    return hashlib.sha256(provider.encode()).hexdigest()[:8]


def _packed(signature: str) -> str:
    """Base64, which signatures nearly always are, grows by nothing; any other text by a third."""
    try:
        raw = binascii.a2b_base64(signature, strict_mode=True)
    except ValueError:
        raw = b""
    if raw and b64encode(raw).decode() == signature:
        return "b" + _base64(raw)
    return "t" + _base64(signature.encode("utf-8", "replace"))


def _unpacked(packed: str) -> str:
    """ "" where it is nothing that was packed here."""
    try:
        raw = urlsafe_b64decode(packed[1:] + "=" * (-len(packed[1:]) % 4))
        return b64encode(raw).decode() if packed.startswith("b") else raw.decode()
    except ValueError:
        return ""


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
