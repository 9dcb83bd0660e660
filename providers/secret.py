"""A string that must not be seen."""

from __future__ import annotations

import hashlib
import hmac


class Secret:
    """Key or token material: printing, formatting, comparing and pickling it show or leak nothing.

    >>> Secret("sk-live-1234")
    Secret('***')
    """

    __slots__ = ("_digest", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._digest = hashlib.sha256(value.encode()).digest()

    def reveal(self) -> str:
        """The value itself; for the wire only."""
        return self._value

    def matches(self, offered: str) -> bool:
        """Compare in constant time, whatever the two lengths."""
        return hmac.compare_digest(self._digest, hashlib.sha256(offered.encode()).digest())

    def fingerprint(self) -> str:
        """The same for the same value in every process, and nothing is to be learned from it."""
        return hashlib.blake2b(self._digest, digest_size=16, key=b"keyturn").hexdigest()

    def scrub(self, text: str) -> str:
        """``text`` with every occurrence of the secret blotted out."""
        return text.replace(self._value, "***") if self._value else text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._digest, other._digest)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")
