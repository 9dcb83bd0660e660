"""A file of Application Default Credentials to an access token: the only file that knows google-auth.

It blocks, so it runs in a thread; and it takes a fifth of a second to import, so that is where it is imported.
Kinds of files: cloud.google.com/docs/authentication/application-default-credentials, google-auth 2.62.2 (read 2026-11).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from google.auth import (
    aws,
    external_account_authorized_user,
    identity_pool,
    impersonated_credentials,
    pluggable,
)
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.oauth2 import credentials, service_account

from providers.errors import ErrorKind, UpstreamFailure
from providers.logins.bearer import Token
from providers.logins.google_transport import Ask
from providers.secret import Secret

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
AWS_SUBJECT = "urn:ietf:params:aws:token-type:aws4_request"
SAID = 200  # characters of a server's words that are passed on
_TELLING = re.compile(r"[\w.~+/=-]{40,}")  # what may be a token, a key or an assertion

Info = Mapping[str, Any]


def token_of(path: Path, ask: Ask) -> Token:
    """A new token. What ``ask`` raises passes. Raises UpstreamFailure."""
    login = _login(_read(path))
    try:
        login.refresh(ask)
    except RefreshError as error:
        _refuse(f"it was refused ({_plain(error)}); make new credentials and put them there")
    except (GoogleAuthError, KeyError, TypeError, ValueError):
        raise UpstreamFailure(ErrorKind.SERVER_ERROR, "no token came from the server that gives them") from None
    project = login.quota_project_id
    headers = (("x-goog-user-project", project),) if project else ()
    return Token(Secret(login.token), _lifetime(login.expiry), headers)


def _read(path: Path) -> Info:
    try:
        info = json.loads(path.read_bytes())
    except OSError as error:
        _refuse(f"the file {path.name} cannot be read: {error.strerror}")
    except ValueError:
        info = None
    return info if isinstance(info, dict) else _refuse(f"the file {path.name} is not JSON, or no object")


def _login(info: Info) -> Any:
    """By the file's own word for its kind: google-auth's loader of any kind is deprecated."""
    make = _KINDS.get(str(info.get("type")))
    if make is None:
        _refuse(f"the file is of no known type; known are {', '.join(_KINDS)}")
    try:
        return make(info)
    except (GoogleAuthError, AttributeError, KeyError, TypeError, ValueError):
        _refuse(f"the file is no sound {info['type']}; download it again")


def _service_account(info: Info) -> Any:
    return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]


def _authorized_user(info: Info) -> Any:
    return credentials.Credentials.from_authorized_user_info(info)  # type: ignore[no-untyped-call]


def _impersonated(info: Info) -> Any:
    kind = impersonated_credentials.Credentials
    return kind.from_impersonated_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]


def _federated_user(info: Info) -> Any:
    return external_account_authorized_user.Credentials.from_info(info)  # type: ignore[no-untyped-call]


def _federated(info: Info) -> Any:
    """Workload identity federation: from AWS, by a program that is run, or by a file or a URL."""
    kind: Any = pluggable if "executable" in (info.get("credential_source") or {}) else identity_pool
    kind = aws if info.get("subject_token_type") == AWS_SUBJECT else kind
    return kind.Credentials.from_info(info, scopes=SCOPES)


_KINDS: Mapping[str, Callable[[Info], Any]] = {
    "service_account": _service_account,
    "authorized_user": _authorized_user,
    "impersonated_service_account": _impersonated,
    "external_account": _federated,
    "external_account_authorized_user": _federated_user,
}


def _lifetime(expiry: datetime | None) -> float:
    """``expiry`` is UTC without saying so."""
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if expiry else float("inf")


def _plain(error: Exception) -> str:
    """The server's own words, without what may be secret in them."""
    said = str(error.args[0]) if error.args else ""
    return _TELLING.sub("***", " ".join(said.split()))[:SAID] or "without a word"


def _refuse(words: str) -> NoReturn:
    raise UpstreamFailure(ErrorKind.CREDENTIAL, words) from None
