"""A key of a pool that is a login: what authorises an attempt is made when the attempt is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from providers import policy
from providers.errors import ErrorKind, UpstreamFailure
from providers.logins.bearer import Bearer, Token
from providers.logins.kinds import GoogleLogin
from providers.secret import Secret
from providers.spec import KeySource, ProviderConfig
from tests.providers.support import SPEC, Rig, call, config, quick, rig
from tests.upstream import Upstream, error, message, text
from tests.virtual import turns

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
LOGIN = KeySource(Secret(""), VARIABLE, login=GoogleLogin("a service account"))
SPARE = KeySource(Secret("sk-spare"), "ACME_API_KEY")


@dataclass
class Tokens:
    """Gives token-1 and so on; fails while ``failure`` is set."""

    failure: UpstreamFailure | None = None
    given: int = 0
    closed: bool = False
    logins: list[object] = field(default_factory=list)

    async def token(self) -> Token:
        await turns()
        if self.failure is not None:
            raise self.failure
        self.given += 1
        return Token(Secret(f"token-{self.given}"), 3600.0)

    async def aclose(self) -> None:
        self.closed = True


def configured(upstream: Upstream, *keys: KeySource) -> ProviderConfig:
    return config(upstream.url, keys=keys or (LOGIN,), timeouts=quick())


@asynccontextmanager
async def logged_in(upstream: Upstream, tokens: Tokens, *keys: KeySource) -> AsyncIterator[Rig]:
    def made(login: GoogleLogin, _: object, time: Any) -> Bearer:
        tokens.logins.append(login)
        return Bearer(tokens, time)

    async with rig(configured(upstream, *keys), logins={GoogleLogin: made}) as live:
        yield live
    assert tokens.closed


def carried(upstream: Upstream) -> list[str | None]:
    return [request.header("authorization") for request in upstream.requests]


async def test_the_token_goes_out_and_nothing_else_that_is_a_key() -> None:
    tokens = Tokens()
    async with Upstream() as upstream, logged_in(upstream, tokens) as live:
        upstream.always(message(text("Hello")))
        await live.ask()
        await live.ask(call(stream=False))
        assert (live.record.key, live.record.outcome) == ("acme-01", "ok")
    assert carried(upstream) == ["Bearer token-1"] * 2
    assert not any(request.header("x-api-key") for request in upstream.requests)
    assert tokens.logins == [LOGIN.login]


async def test_a_token_that_was_revoked_is_replaced_within_the_attempt() -> None:
    tokens = Tokens()
    async with Upstream() as upstream, logged_in(upstream, tokens) as live:
        upstream.script(message(text("Hello")), error(401, "authentication_error", "no"), message(text("Again")))
        await live.ask()
        assert b"message_stop" in await live.ask()
        assert [attempt.outcome for attempt in live.trail.attempts] == ["ok", "ok"]
        assert await live.pool.states() == {"acme-01": "ready"}
        assert upstream.accepted <= 2
    assert carried(upstream) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_what_refuses_two_tokens_refuses_the_login() -> None:
    tokens = Tokens()
    async with Upstream() as upstream, logged_in(upstream, tokens) as live:
        upstream.always(error(401, "authentication_error", "token-1 and token-2 are no good"))
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask()
        assert await live.pool.states() == {"acme-01": "refused"}
    failure = raised.value
    assert (failure.kind, failure.status, failure.key_variable) == (ErrorKind.KEY_REFUSED, 401, VARIABLE)
    assert failure.words == "*** and *** are no good"
    assert b"token-" not in (failure.body or b"")
    assert len(upstream.requests) == 2


async def test_no_token_is_a_failure_of_the_credentials_that_says_where_they_are() -> None:
    tokens = Tokens(failure=UpstreamFailure(ErrorKind.CREDENTIAL, "it was refused (invalid_grant)"))
    async with Upstream() as upstream, logged_in(upstream, tokens) as live:
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(once=False)
        assert await live.pool.states() == {"acme-01": "refused"}
        live.moments.ahead += 61
        tokens.failure = None
        upstream.script(message(text("Hello")))
        assert b"message_stop" in await live.ask()
        assert await live.pool.states() == {"acme-01": "ready"}
    fault = policy.fault(raised.value)
    assert (fault.status, fault.type, fault.retry) == (502, "api_error", False)
    assert f"cannot log in to provider acme with acme-01 ({VARIABLE}): it was refused (invalid_grant)" in fault.message


async def test_another_key_serves_where_the_login_fails() -> None:
    tokens = Tokens(failure=UpstreamFailure(ErrorKind.CREDENTIAL, "no"))
    async with Upstream() as upstream, logged_in(upstream, tokens, LOGIN, SPARE) as live:
        upstream.script(message(text("Hello")))
        assert b"message_stop" in await live.ask(once=False)
        assert [attempt.reason for attempt in live.trail.attempts] == ["credential", ""]
    assert [request.header("x-api-key") for request in upstream.requests] == ["sk-spare"]


async def test_a_server_of_tokens_that_fails_is_asked_again_and_the_login_does_not_rest() -> None:
    tokens = Tokens(failure=UpstreamFailure(ErrorKind.SERVER_ERROR, "it answered with HTTP 503"))
    async with Upstream() as upstream, logged_in(upstream, tokens) as live:
        with pytest.raises(UpstreamFailure) as raised:
            await live.ask(once=False, last=False)
        assert await live.pool.states() == {"acme-01": "ready"}
        assert len(live.trail.attempts) == 2
    assert raised.value.kind is ErrorKind.SERVER_ERROR
    assert upstream.requests == []


async def test_the_login_is_not_seen() -> None:
    source = replace(LOGIN, login=GoogleLogin("a service account", proxy=Secret("http://u:p@127.0.0.1:1")))
    assert "u:p" not in repr(source)
    assert SPEC.login is None
