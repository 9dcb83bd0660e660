"""Credentials of a cloud, which this machine has in place of a key: where they are. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from providers.secret import Secret

USUAL_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class GoogleLogin:
    """Google's Application Default Credentials: a file, or the metadata server of a machine of Google's."""

    title: str  # what people see of it
    file: Path | None = None
    metadata_host: str = ""  # asked where there is no file
    proxy: Secret | None = None  # a URL, on the way to the server that gives tokens


@dataclass(frozen=True, slots=True)
class AwsLogin:
    """AWS's: a key with its secret, else a profile, else what the machine has."""

    title: str
    access_key: str = ""
    secret_key: Secret | None = None
    session_token: Secret | None = None
    profile: str = ""
    credentials_file: Path | None = None  # None = where AWS has it
    config_file: Path | None = None
    region: str = USUAL_REGION  # for an address that does not say


Login = GoogleLogin | AwsLogin
