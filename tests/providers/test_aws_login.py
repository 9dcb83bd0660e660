"""Requests that an AWS identity signs in place of a key, and an upstream that knows the signature's rules."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.logins.aws import PAUSE, AwsSigner, aws_credential
from providers.logins.kinds import AwsLogin
from providers.secret import Secret
from providers.spec import KeySource, Timeouts
from tests.moments import Moments
from tests.providers.aws import verified
from tests.providers.support import Rig, call, config, rig
from tests.upstream import Upstream, error, message, text

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session-token"
LOGIN = AwsLogin("an AWS key", KEY, Secret(SECRET), region="eu-west-1")
BODY = json.dumps({"model": "m", "text": "wörld"}).encode()
REQUEST = UpstreamRequest(
    "https://bedrock-mantle.us-west-2.api.aws/anthropic/v1/messages",
    (("content-type", "application/json"), ("anthropic-version", "2023-06-01"), ("user-agent", "keyturn/0")),
    BODY,
    Timeouts(),
)


@asynccontextmanager
async def signing(upstream: Upstream, login: AwsLogin = LOGIN) -> AsyncIterator[Rig]:
    keys = (KeySource(Secret(""), "AWS_ACCESS_KEY_ID", login=login),)
    async with rig(config(upstream.url, keys=keys), logins={AwsLogin: aws_credential}) as live:
        yield live


def profile(tmp_path: Path, secret: str = SECRET, name: str = "default") -> AwsLogin:
    path = tmp_path / "credentials"
    path.write_text(f"[{name}]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n")
    return AwsLogin("a profile", credentials_file=path, config_file=tmp_path / "config")


async def headers(login: AwsLogin = LOGIN, **changes: Any) -> dict[str, str]:
    return dict((await AwsSigner(login, Moments().time()).authorized(replace(REQUEST, **changes))).headers)


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_call_is_signed_and_carries_no_key(streamed: bool) -> None:
    async with Upstream() as upstream, signing(upstream) as live:
        upstream.script(message(text("Hello")))
        await live.ask(call(stream=streamed))
        assert live.record.outcome == "ok"
    [request] = upstream.requests
    signed = verified(request, SECRET)
    assert (signed.key, signed.region, signed.service) == (KEY, "eu-west-1", "bedrock-mantle")
    assert signed.headers == ("content-type", "host", "x-amz-date"), "what a proxy may change is not signed"
    assert request.header("x-api-key") is None
    with pytest.raises(AssertionError, match="does not hold"):
        verified(request, "another secret")
    with pytest.raises(AssertionError, match="does not hold"):
        verified(replace(request, body=request.body + b" "), SECRET)


async def test_a_sessions_token_goes_with_it_and_is_signed() -> None:
    async with Upstream() as upstream, signing(upstream, replace(LOGIN, session_token=Secret(TOKEN))) as live:
        upstream.script(message(text("Hello")))
        await live.ask()
    [request] = upstream.requests
    assert request.header("x-amz-security-token") == TOKEN
    assert "x-amz-security-token" in verified(request, SECRET).headers


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        (REQUEST.url, "us-west-2/bedrock-mantle"),
        ("https://bedrock-runtime.ap-south-1.amazonaws.com/anthropic/v1/messages", "ap-south-1/bedrock"),
        ("https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com/x", "eu-central-1/bedrock"),
        ("https://llm.example.com/anthropic/v1/messages", "eu-west-1/bedrock-mantle"),
        ("http://127.0.0.1:9/bedrock-runtime.us-east-1.amazonaws.com", "eu-west-1/bedrock-mantle"),
    ],
)
async def test_the_address_says_what_the_signature_is_for(url: str, scope: str) -> None:
    assert f"/{scope}/aws4_request, " in (await headers(url=url))["authorization"]


async def test_a_profiles_file_is_read_and_read_again_where_it_was_replaced(tmp_path: Path) -> None:
    async with Upstream() as upstream, signing(upstream, profile(tmp_path)) as live:
        upstream.script(message(text("Hello")), error(403, "permission_error", "no"), message(text("Hello")))
        await live.ask()
        profile(tmp_path, "another")
        live.moments.ahead += PAUSE + 1
        await live.ask()
        assert [attempt.outcome for attempt in live.trail.attempts] == ["ok", "ok"]
    first, second, third = upstream.requests
    assert verified(first, SECRET).key == verified(second, SECRET).key == KEY
    assert verified(third, "another").key == KEY


async def test_a_refusal_that_is_not_the_files_costs_one_look_a_minute(tmp_path: Path) -> None:
    signer = AwsSigner(profile(tmp_path), (moments := Moments(frozen=True)).time())
    asked = await signer.authorized(REQUEST)
    assert not signer.outdated(asked, 403), "it has just been read"
    moments.ahead += PAUSE
    assert [signer.outdated(asked, status) for status in (200, 400, 429, 403, 403, 401)] == [False] * 3 + [
        True,
        False,
        False,
    ]
    moments.ahead += PAUSE
    assert not AwsSigner(LOGIN, moments.time()).outdated(asked, 403), "a variable says what it said"


async def test_what_the_upstream_echoes_of_it_is_blotted_out() -> None:
    echo = f"the canonical string should have been x-amz-security-token:{TOKEN}"
    async with Upstream() as upstream, signing(upstream, replace(LOGIN, session_token=Secret(TOKEN))) as live:
        upstream.script(error(403, "permission_error", echo))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask()
    failure = raised.value
    assert (failure.kind, failure.key_variable) == (ErrorKind.KEY_FORBIDDEN, "AWS_ACCESS_KEY_ID")
    assert failure.words.endswith("x-amz-security-token:***")
    assert TOKEN.encode() not in (failure.body or b"")


async def test_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await headers(replace(LOGIN, session_token=Secret(TOKEN)))
    assert TOKEN not in caplog.text
    assert SECRET not in repr(LOGIN)


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (AwsLogin("", profile="absent", credentials_file=Path("/none"), config_file=Path("/none")), "absent"),
        (AwsLogin("", credentials_file=Path("/none"), config_file=Path("/none")), "aws configure"),
    ],
)
async def test_credentials_that_are_not_there(login: AwsLogin, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UpstreamFailure, match=told) as raised:
        await headers(login)
    assert raised.value.kind is ErrorKind.CREDENTIAL


async def test_many_at_once() -> None:
    signer = AwsSigner(LOGIN, Moments().time())
    bodies = [BODY + bytes([65 + number]) for number in range(20)]
    signed = await asyncio.gather(*(signer.authorized(replace(REQUEST, body=body)) for body in bodies))
    assert len({dict(each.headers)["authorization"] for each in signed}) == 20
    await signer.aclose()
