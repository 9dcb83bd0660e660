"""One recorded request."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.upstream.signals import Signal


@dataclass(eq=False)
class Request:
    """One request as it arrived, and what became of its connection.

    ``headers`` keep order and case. ``answered`` is set when the reply's last step is done, ``gone`` when the client
    closed the connection while this was its latest request (``gone_at`` says when, on the monotonic clock);
    ``release`` ends a ``Hang``. ``connection`` numbers the TCP connections from 0.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    arrived_at: float = field(default_factory=time.monotonic)
    answered: Signal = field(default_factory=Signal)
    gone: Signal = field(default_factory=Signal)
    gone_at: float | None = None
    release: Signal = field(default_factory=Signal)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        """The body, parsed anew at each call."""
        return json.loads(self.body)

    @property
    def model(self) -> str:
        """As the body names it, or the path, which is Gemini's way."""
        named = re.search(r"/models/([^/:]+):", self.path)
        return unquote(named.group(1)) if named else str(self.json["model"])

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)
