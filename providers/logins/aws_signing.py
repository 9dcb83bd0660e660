"""AWS credentials, and requests that they sign (Signature Version 4): the only file that knows botocore.

It blocks, for credentials may have to be had from a server, so it runs in a thread. botocore 1.44.5 (read 2026-11).
"""

from __future__ import annotations

import logging
from typing import Any

from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]

from providers.errors import ErrorKind, UpstreamFailure
from providers.logins.kinds import AwsLogin

SAID = 200  # characters of botocore's words that are passed on
Headers = tuple[tuple[str, str], ...]

# At DEBUG it logs what it signs, a session's token included.
logging.getLogger("botocore").setLevel(logging.WARNING)


def found(login: AwsLogin) -> Any:
    """Credentials that renew themselves, where theirs is a kind that ends. Raises UpstreamFailure."""
    if login.secret_key is not None:
        token = login.session_token.reveal() if login.session_token else None
        return Credentials(login.access_key, login.secret_key.reveal(), token)
    session = Session(profile=login.profile or None)
    for name, path in (("credentials_file", login.credentials_file), ("config_file", login.config_file)):
        if path is not None:
            session.set_config_variable(name, str(path))
    try:
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise _failure(error) from None
    if credentials is None:
        words = "nothing there gives AWS credentials; run `aws configure`, or set AWS_ACCESS_KEY_ID"
        raise UpstreamFailure(ErrorKind.CREDENTIAL, words)
    return credentials


def frozen(credentials: Any) -> Any:
    """As they are now: renewed where they are about to end. Raises UpstreamFailure."""
    try:
        return credentials.get_frozen_credentials()
    except BotoCoreError as error:
        raise _failure(error) from None


def signature(credentials: Any, url: str, body: bytes, content_type: str, service: str, region: str) -> Headers:
    """The headers that authorise a POST with this content type; no other header is signed but the host."""
    request = AWSRequest("POST", url, {"content-type": content_type}, body)
    SigV4Auth(credentials, service, region).add_auth(request)
    return tuple((name.lower(), value) for name, value in request.headers.items() if name.lower() != "content-type")


def _failure(error: Exception) -> UpstreamFailure:
    return UpstreamFailure(ErrorKind.CREDENTIAL, " ".join(str(error).split())[:SAID])
