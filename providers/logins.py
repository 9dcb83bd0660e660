"""Credentials of a cloud, which this machine has in place of a key: where they are. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class GoogleLogin:
    """Google's Application Default Credentials: a file, or the metadata server of a machine of Google's."""

    title: str  # what people see of it
    file: Path | None = None
    metadata_host: str = ""  # asked where there is no file
    proxy: Secret | None = None  # a URL, on the way to the server that gives tokens


Login = GoogleLogin
