"""Who may ask, which model their token pins, and who is told what to do about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients.roster import Roster
from middleware.auth import Access, Auth, credentials
from middleware.context import RequestContext, attach, context_of
from middleware.grant import Grant, digest
from middleware.loopback import is_loopback
from providers.errors import Fault
from providers.secret import Secret
from tests.serving import Json, Wire, http_scope

NOW = 1795176000.0  # noon of 2026-11-20


def clients(**tokens: str) -> Roster:
    """By name."""
    return Roster({digest(token): Grant(name) for name, token in tokens.items()}, None, lambda: NOW)


SHARED = Access(clients=clients(shared="freecc"))
NAMED = Access(clients=clients(shared="freecc", alice="al:ice", bob="al"))
OPEN = Access()
BEYOND = Access(beyond=True)


async def enter(access: Access, scope: Json) -> tuple[str, str]:
    """Principal and pin of a request that was let through. Raises what the middleware raises."""
    attach(scope, RequestContext("req_1", 0.0))
    reached = []

    async def app(scope: object, receive: object, send: object) -> None:
        reached.append(True)

    wire = Wire()
    await Auth(app, access)(scope, wire.receive, wire.send)
    assert reached == [True]
    context = context_of(scope)
    return context.principal, context.pin


async def refused(access: Access, scope: Json) -> Fault:
    with pytest.raises(Fault) as raised:
        await enter(access, scope)
    return raised.value


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": "freecc"},
        {"x_api_key": "  freecc "},
        {"authorization": "Bearer freecc"},
        {"authorization": "bearer freecc"},
        {"authorization": "BEARER   freecc "},
        {"authorization": "freecc"},
        {"anthropic_auth_token": "freecc"},
        {"anthropic_auth_token": "Bearer freecc"},
        {"x_api_key": "wrong", "authorization": "Bearer freecc"},
        {"x_api_key": "freecc", "authorization": "Bearer wrong"},
        {"x_api_key": "wrong", "authorization": "Bearer wrong", "anthropic_auth_token": "freecc"},
        {"x_api_key": "", "authorization": "Bearer freecc"},
        {"x_api_key": "wrong:freecc", "authorization": "Bearer freecc"},
    ],
)
async def test_any_header_with_the_token_counts(headers: dict[str, str]) -> None:
    assert await enter(SHARED, http_scope(**headers)) == ("shared", "")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": ""},
        {"x_api_key": "FREECC"},
        {"x_api_key": "freec"},
        {"x_api_key": "freeccc"},
        {"x_api_key": ":freecc"},
        {"x_api_key": "model:freecc"},
        {"authorization": "Basic freecc"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"anthropic_auth_token": "caf\u00e9"},
        {"cookie": "freecc"},
    ],
)
async def test_anything_else_is_401_and_not_worth_a_retry(headers: dict[str, str]) -> None:
    fault = await refused(SHARED, http_scope(**headers))
    assert (fault.status, fault.type, fault.retry) == (401, "authentication_error", False)
    assert "ANTHROPIC_AUTH_TOKEN" in fault.message
    # the client shows its login screen where it reads these words
    assert "x-api-key" not in fault.message.lower()
    assert "freecc" not in fault.message


@pytest.mark.parametrize(
    "suffix",
    [
        "anthropic/claude-x",
        "open_router/deepseek/deepseek-chat-v3:free",
        "open_router/deepseek/deepseek-chat-v3:free@west",
        "a:b:c",
        "claude-sonnet-4-5@20250929",
        "m[1m]",
    ],
)
@pytest.mark.parametrize("header", ["x_api_key", "authorization", "anthropic_auth_token"])
async def test_the_suffix_after_the_first_colon_is_the_pin(header: str, suffix: str) -> None:
    value = f"freecc:{suffix}"
    sent = f"Bearer {value}" if header == "authorization" else value
    assert await enter(SHARED, http_scope(**{header: sent})) == ("shared", suffix)


@pytest.mark.parametrize("value", ["freecc:", "freecc: ", "freecc :"])
async def test_an_empty_suffix_is_none(value: str) -> None:
    assert await enter(SHARED, http_scope(x_api_key=value)) == ("shared", "")


@pytest.mark.parametrize(
    ("value", "principal", "pin"),
    [("al:ice", "alice", ""), ("al:other", "bob", "other"), ("al", "bob", ""), ("freecc:al:ice", "shared", "al:ice")],
)
async def test_the_whole_value_is_tried_before_it_is_split(value: str, principal: str, pin: str) -> None:
    assert await enter(NAMED, http_scope(x_api_key=value)) == (principal, pin)


async def test_a_token_with_a_colon_takes_no_suffix_of_its_own() -> None:
    """The split is at the first colon, so what stands before it is another token."""
    assert await enter(NAMED, http_scope(x_api_key="al:ice:model")) == ("bob", "ice:model")


async def test_the_pin_is_that_of_the_header_that_matched() -> None:
    scope = http_scope(x_api_key="wrong:other/model", authorization="Bearer freecc:the/model")
    assert await enter(SHARED, scope) == ("shared", "the/model")


@pytest.mark.parametrize("access", [OPEN, Access(allow_open=True, beyond=True)], ids=["loopback", "allowed"])
@pytest.mark.parametrize(
    ("headers", "pin"),
    [
        ({}, ""),
        ({"x_api_key": "any"}, ""),
        ({"x_api_key": "any:p/m:free"}, "p/m:free"),
        ({"authorization": "Bearer any:p/m"}, "p/m"),
        ({"anthropic_auth_token": "any:p/m"}, "p/m"),
        ({"x_api_key": "any", "authorization": "Bearer any:p/m"}, "p/m"),
        ({"x_api_key": "any: ", "anthropic_auth_token": "any:p/m"}, "p/m"),
    ],
)
async def test_an_open_gateway_reads_the_pin_from_any_header(access: Access, headers: dict[str, str], pin: str) -> None:
    assert await enter(access, http_scope(**headers)) == ("", pin)


class Counted:
    """Clients, and what they were asked for."""

    required, complete = True, True

    def __init__(self, **grants: Grant) -> None:
        self.grants = grants
        self.asked: list[str] = []

    def find(self, offered: str) -> Grant | None:
        self.asked.append(offered)
        return self.grants.get(offered)

    def now(self) -> float:
        return NOW


@pytest.mark.parametrize("token", ["good", "expired", "revoked", "none"])
async def test_all_that_was_sent_is_looked_up_whatever_is_found(token: str) -> None:
    known = Counted(good=Grant("a"), expired=Grant("b", expires=NOW), revoked=Grant("c", revoked=NOW - 9))
    scope = http_scope(x_api_key=f"{token}:a/b", authorization="Bearer another")
    if token == "good":
        assert await enter(Access(clients=known), scope) == ("a", "a/b")
    else:
        assert (await refused(Access(clients=known), scope)).status == 401
    assert known.asked == [f"{token}:a/b", token, "another", "another"]


@pytest.mark.parametrize(
    ("token", "words"), [("old", "ada expired on 2026-11-20"), ("gone", "bob was revoked on 2026-11-20")]
)
async def test_who_holds_a_token_that_ended_is_told_so_and_nobody_else(token: str, words: str) -> None:
    known = Counted(old=Grant("ada", expires=NOW), gone=Grant("bob", revoked=NOW - 9), good=Grant("eve"))
    fault = await refused(Access(clients=known), http_scope(x_api_key=f"{token}:some/model"))
    assert (fault.status, fault.type, fault.retry) == (401, "authentication_error", False)
    assert words in fault.message
    assert "ANTHROPIC_AUTH_TOKEN" in fault.message
    assert "x-api-key" not in fault.message.lower()
    for other in (f"{token}x", "ada", "bob", "eve", token.upper()):
        outsider = await refused(Access(clients=known), http_scope(x_api_key=other))
        stranger = await refused(Access(clients=known), http_scope(x_api_key="never-seen"))
        assert (outsider.status, outsider.message, outsider.headers) == (401, stranger.message, stranger.headers)
        assert not [name for name in ("ada", "bob", "eve") if name in outsider.message]


async def test_a_good_token_beside_one_that_ended_is_good() -> None:
    known = Counted(old=Grant("ada", expires=NOW), good=Grant("eve"))
    scope = http_scope(x_api_key="old", authorization="Bearer good:a/b")
    assert await enter(Access(clients=known), scope) == ("eve", "a/b")


class Unread(Counted):
    """The store with the made ones could not be read yet."""

    complete = False


async def test_what_cannot_be_looked_up_is_no_fault_of_the_clients() -> None:
    known = Unread(good=Grant("eve"))
    assert await enter(Access(clients=known), http_scope(x_api_key="good")) == ("eve", "")
    fault = await refused(Access(clients=known), http_scope(x_api_key="made-elsewhere"))
    assert (fault.status, fault.retry_after) == (503, 2)
    assert (await refused(Access(clients=known), http_scope())).status == 401
    known.required = False
    assert (await refused(Access(clients=known), http_scope(client="10.0.0.9"))).status == 503
    assert await enter(Access(clients=known), http_scope()) == ("", "")
    assert await enter(Access(clients=known, allow_open=True), http_scope(client="10.0.0.9")) == ("", "")


@given(token=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), pin=st.text("ab/:@.", min_size=1))
async def test_no_token_but_the_right_one_opens(token: str, pin: str) -> None:
    scope = http_scope(x_api_key=f"{token}:{pin}")
    if token == "freecc" or token.startswith("freecc:"):
        assert (await enter(SHARED, scope))[0] == "shared"
    else:
        assert (await refused(SHARED, scope)).status == 401


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
@pytest.mark.parametrize("access", [SHARED, BEYOND])
async def test_health_needs_nothing(access: Access, path: str) -> None:
    assert await enter(access, http_scope(path, "GET", client="10.0.0.9")) == ("", "")


async def test_a_preconnect_needs_nothing_and_other_probes_do() -> None:
    assert await enter(SHARED, http_scope("/", "HEAD")) == ("", "")
    for method, path in (("GET", "/"), ("OPTIONS", "/"), ("HEAD", "/v1/messages"), ("OPTIONS", "/v1/messages")):
        assert (await refused(SHARED, http_scope(path, method))).status == 401


@pytest.mark.parametrize(
    ("client", "headers", "served"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.8.8", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("10.0.0.9", {}, False),
        ("::ffff:10.0.0.9", {}, False),
        ("fe80::1", {}, False),
        ("127.0.0.1.example.com", {}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, False),
        ("127.0.0.1", {"forwarded": "for=10.0.0.9"}, False),
        ("127.0.0.1", {"x_real_ip": "10.0.0.9"}, False),
        ("127.0.0.1", {"x_forwarded_host": "example.com"}, False),
        ("127.0.0.1", {"x_forwarded_proto": "https"}, False),
    ],
)
async def test_protected_mode_serves_this_machine_only(client: str, headers: dict[str, str], served: bool) -> None:
    scope = http_scope(client=client, x_api_key="any", **headers)
    if served:
        assert await enter(BEYOND, scope) == ("", "")
        return
    fault = await refused(BEYOND, scope)
    assert (fault.status, fault.type, fault.retry) == (403, "permission_error", False)
    assert "ANTHROPIC_AUTH_TOKEN=" in fault.message
    assert "KEYTURN_ALLOW_OPEN=true" in fault.message


async def test_a_token_ends_protected_mode() -> None:
    access = Access(clients=clients(shared="freecc"), beyond=True)
    scope = http_scope(client="10.0.0.9", x_api_key="freecc", x_forwarded_for="10.0.0.9")
    assert await enter(access, scope) == ("shared", "")


async def test_a_peer_beyond_is_refused_even_where_the_settings_say_loopback() -> None:
    """``uvicorn gateway.app:app --host 0.0.0.0`` listens wider than HOST says."""
    assert (await refused(OPEN, http_scope(client="10.0.0.9"))).status == 403


async def test_a_unix_socket_has_no_peer_and_is_this_machine() -> None:
    scope = http_scope()
    scope["client"] = None
    assert await enter(BEYOND, scope) == ("", "")


METRICS_TOKEN = Secret("scrape-me")


@pytest.mark.parametrize("access", [OPEN, SHARED, Access(metrics_token=METRICS_TOKEN)])
async def test_metrics_need_nothing_where_the_gateway_is_bound_to_loopback(access: Access) -> None:
    assert await enter(access, http_scope("/metrics", "GET")) == ("", "")


@pytest.mark.parametrize(
    "headers", [{}, {"x_api_key": "freecc"}, {"authorization": "Bearer freecc"}, {"authorization": "Bearer "}]
)
@pytest.mark.parametrize("token", [None, METRICS_TOKEN], ids=["unset", "set"])
async def test_metrics_beyond_loopback_need_their_own_token(headers: dict[str, str], token: Secret | None) -> None:
    access = Access(clients=clients(shared="freecc"), beyond=True, metrics_token=token)
    for client in ("127.0.0.1", "10.0.0.9"):
        fault = await refused(access, http_scope("/metrics", "GET", client=client, **headers))
        assert (fault.status, fault.type) == (401, "authentication_error")
        assert "METRICS_TOKEN" in fault.message


async def test_the_metrics_token_opens_the_metrics_and_nothing_else() -> None:
    access = Access(clients=clients(shared="freecc"), beyond=True, metrics_token=METRICS_TOKEN)
    headers = {"authorization": "Bearer scrape-me"}
    assert await enter(access, http_scope("/metrics", "GET", client="10.0.0.9", **headers)) == ("", "")
    assert (await refused(access, http_scope("/v1/messages", **headers))).status == 401


async def test_what_is_no_request_passes() -> None:
    scope: Json = {"type": "lifespan"}
    reached = []

    async def app(scope: Json, receive: object, send: object) -> None:
        reached.append(scope["type"])

    await Auth(app, SHARED)(scope, Wire().receive, Wire().send)  # type: ignore[arg-type]
    assert reached == ["lifespan"]


def test_every_credential_is_offered_once() -> None:
    scope = http_scope(x_api_key="one", authorization="Bearer two", anthropic_auth_token="three")
    assert list(credentials(scope)) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_addresses(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://192.168.1.1:3000", "http://[bad"])
async def test_a_page_of_another_site_may_not_use_an_open_gateway(origin: str) -> None:
    assert (await refused(OPEN, http_scope(origin=origin))).status == 403
    assert await enter(SHARED, http_scope(origin=origin, x_api_key="freecc")) == ("shared", "")
    assert await enter(Access(allow_open=True), http_scope(origin=origin)) == ("", "")


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8082", "vscode-webview://a1b2"]
)
async def test_a_page_of_this_machine_may(origin: str) -> None:
    assert await enter(OPEN, http_scope(origin=origin)) == ("", "")
