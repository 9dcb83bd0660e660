"""What the image's health check runs. Status 0 where the gateway beside it answers.

It reads HOST, PORT and SSL_CERTFILE as the gateway does, and imports nothing of it: it is run every few seconds.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from collections.abc import Mapping

WITHIN = 2.0  # seconds
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not listened on


def addresses(environ: Mapping[str, str]) -> list[str]:
    """Where to ask, in order. Without SSL_CERTFILE keyturn.toml may still name a certificate."""
    host, port, certificate = (_plain(environ.get(name, "")) for name in ("HOST", "PORT", "SSL_CERTFILE"))
    host = EVERYWHERE.get(host, host)
    place = f"{f'[{host}]' if ':' in host else host}:{port or 8082}/healthz"
    return [f"{scheme}://{place}" for scheme in (("https",) if certificate else ("http", "https"))]


def _plain(value: str) -> str:
    """Without the pair of quotes that ``docker run --env-file`` leaves around a value."""
    text = value.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def main() -> int:
    problem = ""
    for address in addresses(os.environ):
        try:
            with _opener().open(address, timeout=WITHIN):
                return 0
        except (OSError, ValueError) as error:
            problem = problem or f"{address}: {error}"
    print(problem, file=sys.stderr)
    return 1


def _opener() -> urllib.request.OpenerDirector:
    """No proxy, and no look at the certificate, which has the names that clients use. Nothing secret is sent."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))


if __name__ == "__main__":
    sys.exit(main())
