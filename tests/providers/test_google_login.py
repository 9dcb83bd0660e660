"""Application Default Credentials: what becomes of each kind, and of all that can be wrong with them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from providers.errors import ErrorKind, UpstreamFailure
from providers.logins import google as google_login
from providers.logins.bearer import Token
from providers.logins.google import GoogleTokens
from providers.logins.kinds import GoogleLogin
from providers.spec import Timeouts
from providers.transport import AiohttpTransport
from tests.providers.google import EMAIL, Rerouted, TokenServer, claims, refusal, service_account, user, written
from tests.providers.support import BOUND
from tests.upstream import Hang, Head, Pause, Reply, ScriptedServer, Send, Signal, json_reply, refusing
from tests.virtual_http import in_virtual_time

SECRETS = ("ya29", "a-client-secret", "a-refresh-token", "PRIVATE KEY", "eyJ")


@asynccontextmanager
async def tokens(login: GoogleLogin) -> AsyncIterator[GoogleTokens]:
    made = GoogleTokens(login, AiohttpTransport(login.proxy.reveal() if login.proxy else None), Timeouts())
    try:
        async with asyncio.timeout(BOUND):
            yield made
    finally:
        await made.aclose()


async def token(path: Path) -> Token:
    async with tokens(GoogleLogin("", path)) as given:
        return await given.token()


async def failure(path: Path) -> UpstreamFailure:
    """Why no token can be had; nothing secret is in it."""
    with pytest.raises(UpstreamFailure) as raised:
        await token(path)
    told = f"{raised.value!r} {raised.value}"
    assert not any(secret in told for secret in SECRETS), told
    return raised.value


async def test_a_service_account(tmp_path: Path) -> None:
    async with TokenServer() as server:
        given = await token(written(tmp_path / "sa.json", service_account(server.token_uri)))
    assert given.secret.reveal() == "ya29.token-1"
    assert 3590 < given.lifetime <= 3600
    assert given.headers == ()
    [asked] = server.asked
    said = claims(asked)
    assert said["iss"] == EMAIL
    assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert abs(said["iat"] - time.time()) < 60


async def test_the_user_of_gcloud_brings_the_project_that_pays(tmp_path: Path) -> None:
    async with TokenServer() as server:
        way = Rerouted(server)
        path = written(tmp_path / "adc.json", user(quota_project_id="paying"))
        given = await GoogleTokens(GoogleLogin("", path), way, Timeouts()).token()
        await way.aclose()
    assert way.hosts == ["oauth2.googleapis.com"]
    assert (given.secret.reveal(), given.headers) == ("ya29.token-1", (("x-goog-user-project", "paying"),))


async def test_an_impersonated_service_account(tmp_path: Path) -> None:
    path = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    info = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"https://iamcredentials.googleapis.com{path}",
        "source_credentials": user(),
    }
    async with TokenServer() as server:
        server.on(path, json_reply({"accessToken": "ya29.other", "expireTime": "2099-01-01T00:00:00Z"}))
        way = Rerouted(server)
        login = GoogleLogin("", written(tmp_path / "adc.json", info))
        given = await GoogleTokens(login, way, Timeouts()).token()
        await way.aclose()
    assert way.hosts == ["oauth2.googleapis.com", "iamcredentials.googleapis.com"]
    assert given.secret.reveal() == "ya29.other"


async def test_workload_identity_federation_by_a_file(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("a-subject-token")
    async with ScriptedServer() as server:
        given_by_sts = {
            "access_token": "ya29.federated",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 900,
        }
        server.on("/sts", json_reply(given_by_sts))
        info = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{server.url}/sts",
            "credential_source": {"file": str(subject)},
        }
        given = await token(written(tmp_path / "adc.json", info))
    assert given.secret.reveal() == "ya29.federated"
    assert given.lifetime <= 900
    assert b"a-subject-token" in server.requests[0].body


async def test_this_machines_own_service_account() -> None:
    async with ScriptedServer() as server:
        server.script(json_reply({"access_token": "ya29.metadata", "expires_in": 1799, "token_type": "Bearer"}))
        async with tokens(GoogleLogin("", metadata_host=f"127.0.0.1:{server.port}")) as machine:
            given = await machine.token()
    [asked] = server.requests
    assert (asked.method, asked.target) == ("GET", google_login.METADATA)
    assert (asked.header("metadata-flavor"), asked.body) == ("Google", b"")
    assert (given.secret.reveal(), given.lifetime) == ("ya29.metadata", 1799)


@in_virtual_time
async def test_a_server_that_never_answers_is_waited_for_so_long_and_no_longer() -> None:
    async with ScriptedServer() as server:
        server.script(Reply((Head(200), Hang())))
        machine = GoogleTokens(
            GoogleLogin("", metadata_host=f"127.0.0.1:{server.port}"), AiohttpTransport(), Timeouts()
        )
        with pytest.raises(UpstreamFailure, match="did not answer in 20 seconds") as raised:
            await machine.token()
        await machine.aclose()
    assert raised.value.kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize(
    "reply", [json_reply({"error": "no account"}, 404), json_reply([]), Reply((Head(200), Send(b"<html>")))]
)
async def test_a_machine_without_a_service_account(reply: Reply) -> None:
    async with ScriptedServer() as server:
        server.script(reply)
        async with tokens(GoogleLogin("", metadata_host=f"127.0.0.1:{server.port}")) as machine:
            with pytest.raises(UpstreamFailure, match="give this machine a service account") as raised:
                await machine.token()
    assert raised.value.kind is ErrorKind.CREDENTIAL


async def test_a_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    async with TokenServer() as server:
        path = written(tmp_path / "sa.json", service_account(server.token_uri, 0))
        async with tokens(GoogleLogin("", path)) as given:
            await given.token()
            server.number = 1  # the first key was revoked
            with pytest.raises(UpstreamFailure, match="invalid_grant"):
                await given.token()
            written(path, service_account(server.token_uri, 1))
            assert (await given.token()).secret.reveal() == "ya29.token-2"


async def test_a_revoked_key_is_told_in_googles_words_without_what_was_sent(tmp_path: Path) -> None:
    async with TokenServer() as server:
        server.number = 1
        found = await failure(written(tmp_path / "sa.json", service_account(server.token_uri, 0)))
    assert found.kind is ErrorKind.CREDENTIAL
    assert "invalid_grant: Invalid JWT Signature: ***" in found.words
    assert "make new credentials" in found.words


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not JSON"),
        ("[1]", "is not JSON, or no object"),
        ("{}", "of no known type; known are service_account"),
        ('{"type": "gdch_service_account"}', "of no known type"),
        ('{"type": "service_account"}', "no sound service_account"),
        ('{"type": "authorized_user", "client_id": 1}', "no sound authorized_user"),
        ('{"type": "external_account"}', "no sound external_account"),
        ('{"type": "external_account", "credential_source": 7}', "no sound external_account"),
        ('{"type": "impersonated_service_account"}', "no sound impersonated_service_account"),
    ],
)
async def test_a_file_that_is_no_credentials(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "adc.json"
    if content is not None:
        path.write_text(content)
    found = await failure(path)
    assert found.kind is ErrorKind.CREDENTIAL
    assert told in found.words
    assert str(tmp_path) not in found.words


async def test_a_key_that_is_none(tmp_path: Path) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n"  # guard: not a secret
    info = service_account("http://127.0.0.1:9") | {"private_key": broken}
    assert "no sound service_account" in (await failure(written(tmp_path / "sa.json", info))).words


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_server_that_fails_is_not_the_credentials_fault(tmp_path: Path, status: int) -> None:
    async with ScriptedServer() as server:
        server.always(refusal("internal_failure", "try again", status))
        found = await failure(written(tmp_path / "sa.json", service_account(f"{server.url}/token")))
        assert len(server.requests) == 1, "google-auth's own repeats would sleep in a thread"
    assert (found.kind, found.status) == (ErrorKind.SERVER_ERROR, None)
    assert f"(127.0.0.1) answered with HTTP {status}" in found.words


@pytest.mark.parametrize("body", [b"<html>Sign in to this wifi</html>", b"[]", b'{"token_type": "Bearer"}', b'"x"'])
async def test_an_answer_without_a_token(tmp_path: Path, body: bytes) -> None:
    async with ScriptedServer() as server:
        server.always(Reply((Head(200), Send(body))))
        found = await failure(written(tmp_path / "sa.json", service_account(f"{server.url}/token")))
    assert found.kind in (ErrorKind.SERVER_ERROR, ErrorKind.CREDENTIAL)
    assert "token" in found.words


async def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    with refusing() as url:
        found = await failure(written(tmp_path / "sa.json", service_account(f"{url}/token")))
    assert found.kind is ErrorKind.UNREACHABLE
    assert "the server that gives its tokens (127.0.0.1): the connection was refused" in found.words


async def test_the_event_loop_goes_on_while_a_token_is_had(tmp_path: Path) -> None:
    go = Signal()
    async with ScriptedServer() as server:
        body = json.dumps({"access_token": "ya29.late", "expires_in": 3600}).encode()
        server.always(Reply((Head(200), Pause(go), Send(body))))
        path = written(tmp_path / "sa.json", service_account(f"{server.url}/token"))
        async with tokens(GoogleLogin("", path)) as given:
            asking = asyncio.create_task(given.token())
            await server.arrival(1).wait()  # this loop serves the request that the thread waits for
            assert not asking.done()
            go.set()
            assert (await asking).secret.reveal() == "ya29.late"


async def test_closing_frees_the_thread_that_waits_for_an_answer(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        server.always(Reply((Head(200), Hang())))
        path = written(tmp_path / "sa.json", service_account(f"{server.url}/token"))
        made = GoogleTokens(GoogleLogin("", path), AiohttpTransport(), Timeouts())
        asking = asyncio.create_task(made.token())
        await server.arrival(1).wait()
        await made.aclose()
        async with asyncio.timeout(BOUND):
            (found,) = await asyncio.gather(asking, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_default_executor()
    assert isinstance(found, BaseException)


def test_no_credentials_are_shown(tmp_path: Path) -> None:
    info: dict[str, Any] = service_account("http://127.0.0.1:9")
    assert "PRIVATE KEY" not in repr(GoogleLogin("service account x", written(tmp_path / "sa.json", info)))
