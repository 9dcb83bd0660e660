"""A token that expires is had once for all who wait, before its end, and again where it is refused."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from providers.call import UpstreamRequest
from providers.errors import ErrorKind, UpstreamFailure
from providers.logins.bearer import EARLY, LATE, PAUSE, Bearer, Token
from providers.secret import Secret
from providers.spec import Timeouts
from tests.virtual import VirtualMoments, now, turns, virtual

REQUEST = UpstreamRequest("http://127.0.0.1:9/x", (("accept", "application/json"),), b"{}", Timeouts())
AN_HOUR = 3600.0


@dataclass
class Server:
    """Gives token-1, token-2, ..., each after ``takes`` seconds; or fails, where it was told to."""

    lifetime: float = AN_HOUR
    takes: float = 1.0
    failures: list[UpstreamFailure | None] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    cancelled: int = 0
    closed: bool = False

    async def token(self) -> Token:
        self.asked.append(now())
        number = len(self.asked)
        try:
            await asyncio.sleep(self.takes)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        return Token(Secret(f"token-{number}"), self.lifetime, (("x-goog-user-project", "p"),))

    async def aclose(self) -> None:
        self.closed = True


def bearer(**settings: object) -> tuple[Bearer, Server]:
    server = Server(**settings)  # type: ignore[arg-type]
    return Bearer(server, VirtualMoments().time()), server


async def sent(credential: Bearer) -> str:
    """What authorises a request now."""
    return dict((await credential.authorized(REQUEST)).headers)["authorization"]


@virtual
async def test_the_request_gets_the_token_and_what_goes_with_it() -> None:
    credential, _ = bearer()
    request = await credential.authorized(REQUEST)
    assert request.headers == (
        ("accept", "application/json"),
        ("authorization", "Bearer token-1"),
        ("x-goog-user-project", "p"),
    )
    assert (request.url, request.body) == (REQUEST.url, REQUEST.body)


@virtual
async def test_a_hundred_calls_at_once_have_one_token() -> None:
    credential, server = bearer()
    assert await asyncio.gather(*(sent(credential) for _ in range(100))) == ["Bearer token-1"] * 100
    assert server.asked == [0.0]
    assert now() == 1.0


@virtual
async def test_a_token_serves_until_shortly_before_its_end_and_the_next_is_had_meanwhile() -> None:
    credential, server = bearer()
    await sent(credential)
    await asyncio.sleep(AN_HOUR - EARLY - 2)
    assert await sent(credential) == "Bearer token-1"
    assert server.asked == [0.0]
    await asyncio.sleep(2)
    began = now()
    assert await asyncio.gather(*(sent(credential) for _ in range(10))) == ["Bearer token-1"] * 10
    assert now() == began, "nobody waits while the old one serves"
    await asyncio.sleep(2)
    assert await sent(credential) == "Bearer token-2"
    assert len(server.asked) == 2


@virtual
async def test_calls_wait_for_the_next_token_where_the_old_one_is_about_to_end() -> None:
    credential, server = bearer()
    await sent(credential)
    await asyncio.sleep(AN_HOUR - LATE)
    assert await asyncio.gather(*(sent(credential) for _ in range(10))) == ["Bearer token-2"] * 10
    assert len(server.asked) == 2


@virtual
async def test_a_token_without_an_end_is_had_once() -> None:
    credential, server = bearer(lifetime=math.inf)
    await sent(credential)
    await asyncio.sleep(1e6)
    assert await sent(credential) == "Bearer token-1"
    assert server.asked == [0.0]


@virtual
async def test_while_the_next_cannot_be_had_the_old_one_serves_and_the_server_is_not_flooded() -> None:
    no = UpstreamFailure(ErrorKind.UNREACHABLE, "no")
    credential, server = bearer(takes=0.0, failures=[None, *[no] * 50])
    await sent(credential)
    await asyncio.sleep(AN_HOUR - EARLY + 1)
    for _ in range(int(EARLY - LATE) - 2):
        assert await sent(credential) == "Bearer token-1"
        await asyncio.sleep(1)
    assert 2 < len(server.asked) <= 1 + (EARLY - LATE) / PAUSE + 1
    await asyncio.sleep(LATE)
    with pytest.raises(UpstreamFailure, match="no"):
        await sent(credential)


@virtual
async def test_each_call_that_waited_gets_a_failure_of_its_own() -> None:
    credential, server = bearer(failures=[UpstreamFailure(ErrorKind.CREDENTIAL, "refused")])
    failures = await asyncio.gather(*(sent(credential) for _ in range(5)), return_exceptions=True)
    assert len({id(failure) for failure in failures}) == 5
    assert all(isinstance(each, UpstreamFailure) and each.kind is ErrorKind.CREDENTIAL for each in failures)
    assert server.asked == [0.0]
    assert await sent(credential) == "Bearer token-2", "the next call tries again"


@virtual
async def test_a_call_that_goes_away_takes_nothing_from_the_others() -> None:
    credential, server = bearer()
    first, second = asyncio.create_task(sent(credential)), asyncio.create_task(sent(credential))
    await turns()
    first.cancel()
    assert await second == "Bearer token-1"
    assert (server.asked, server.cancelled) == ([0.0], 0)


@virtual
async def test_a_token_that_is_refused_is_replaced_once_for_all_who_held_it() -> None:
    credential, server = bearer()
    requests = await asyncio.gather(*(credential.authorized(REQUEST) for _ in range(5)))
    assert [credential.outdated(request, 401) for request in requests[:3]] == [True] * 3
    assert await asyncio.gather(*(sent(credential) for _ in range(3))) == ["Bearer token-2"] * 3
    assert credential.outdated(requests[4], 401), "the refused one is not the one that it would get now"
    assert await sent(credential) == "Bearer token-2"
    assert len(server.asked) == 2


@virtual
async def test_only_a_401_is_the_tokens() -> None:
    credential, server = bearer()
    request = await credential.authorized(REQUEST)
    assert not any(credential.outdated(request, status) for status in (200, 400, 403, 404, 429, 500))
    assert await sent(credential) == "Bearer token-1"
    assert len(server.asked) == 1


@virtual
async def test_a_token_is_never_shown_nor_the_one_before_it() -> None:
    credential, _ = bearer()
    first = await credential.authorized(REQUEST)
    credential.outdated(first, 401)
    await sent(credential)
    assert credential.scrub("you sent token-1, then token-2") == "you sent ***, then ***"
    assert "token" not in repr(credential.__dict__["_secrets"])


@virtual
async def test_closing_ends_what_is_under_way() -> None:
    credential, server = bearer()
    asking = asyncio.create_task(sent(credential))
    await turns()
    await credential.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (server.cancelled, server.closed) == (1, True)
