"""The certificate of a gateway that speaks HTTPS itself."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.settings.layers import Layers, Value, resolve
from gateway.settings.model import Certificate
from gateway.settings.report import Report

CHAIN, KEY = "SSL_CERTFILE", "SSL_KEYFILE"


def read_certificate(layers: Layers, cwd: Path, home: Path, report: Report) -> Certificate | None:
    """Tried before anything listens. What is wrong with the files is reported."""
    chain, key = (_set(layers.find(name)) for name in (CHAIN, KEY))
    if chain is None:
        if key is not None:
            key.reject(report, "a key alone serves nothing", f"Set {CHAIN} too, or unset this.")
        return None
    found = Certificate(*(resolve((value or chain).text.strip(), cwd, home) for value in (chain, key)))
    return found if _works(found, chain, key or chain, report) else None


def _set(value: Value | None) -> Value | None:
    return value if value and value.text.strip() else None


def _works(files: Certificate, chain: Value, key: Value, report: Report) -> bool:
    for value, path in ((chain, files.chain), (key, files.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            value.reject(report, f"the file {path} cannot be read: {error.strerror}", "Correct its path or its rights.")
            return False
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(files.chain, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "it is no PEM file of a certificate or key"
        chain.reject(
            report,
            f"certificate and key cannot be used: {reason}",
            "Give a PEM certificate and its key, without passphrase.",
        )
        return False
    return True
