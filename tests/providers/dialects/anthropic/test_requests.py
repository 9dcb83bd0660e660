"""A call goes out as the client's own bytes, with as few edits as its row and route ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.call import Operation, UpstreamRequest
from providers.dialects.anthropic import DIALECT
from providers.errors import Fault
from providers.json_object import JsonObject
from providers.quirks import Quirks
from providers.secret import Secret
from providers.spec import Auth, KeySource, Timeouts
from providers.version import VERSION
from tests.providers.bodies import spoilt
from tests.providers.support import SPEC, call, config, property_test

BASE = "https://api.example.com"
PLAIN = b'{"model":"asked","max_tokens":64000,"messages":[{"role":"user","content":"Hi"}],"stream":true}'
ODD = (
    b'\n { "messages":[ {"role":"user","content":"say \\"model\\": \\"asked\\"" } ] ,\r\n\t"model" : "asked" ,'
    b'"brand_new":{"model":"asked","x":1.0e+2},  "tools":[{"name":"model","input_schema":{"properties":{"model":{}}}}],'
    b'"system":"\\u00e9 \xc3\xa9 \\/ \xf0\x9f\x99\x82","stream":true,"big":12345678901234567890.5 }\n'
)


def build(
    body: bytes | dict[str, Any] = PLAIN,
    model: str = "sent",
    thinking: bool = True,
    client: tuple[tuple[str, str], ...] = (),
    key: str = "",
    operation: Operation = Operation.MESSAGES,
    base: str = BASE,
    **settings: Any,
) -> UpstreamRequest:
    """What goes out for a client's body and headers; ``settings`` are members of ProviderConfig."""
    asked = call(body, headers=client, operation=operation)
    assert DIALECT.straight is not None
    return DIALECT.straight.request(asked, model, thinking, config(base, **settings), key)


# The body


@pytest.mark.parametrize("body", [PLAIN, ODD])
def test_the_same_model_changes_no_byte(body: bytes) -> None:
    assert build(body, "asked").body == body


@pytest.mark.parametrize("body", [b'{"model":"old","model":"asked","messages":[]}', b'{"model":"asked","x":1,"x":2}'])
def test_the_same_model_changes_no_byte_even_where_a_name_stands_twice(body: bytes) -> None:
    assert build(body, "asked").body == body


@pytest.mark.parametrize("model", ["sent", 'with "quotes" and \\', "日本/語:free"])
def test_another_model_changes_its_value_only(model: str) -> None:
    written = json.dumps(model, ensure_ascii=False).encode()
    assert build(PLAIN, model).body == PLAIN.replace(b'"asked"', written)
    at = ODD.index(b'"model" : "asked"')
    assert build(ODD, model).body == ODD[:at] + b'"model" : ' + written + ODD[at + len(b'"model" : "asked"') :]


def test_an_upstream_sees_one_model_where_the_client_wrote_two() -> None:
    sent = build(b'{"model":"cheap","max_tokens":1,"model":"asked"}').body
    assert sent == b'{"model":"sent","max_tokens":1}'


def test_thinking_off_edits_what_asks_for_thinking_only() -> None:
    body = b'{"model": "asked",  "thinking": {"type": "adaptive"},  "x": [1, 2]}'
    off = body.replace(b'{"type": "adaptive"}', b'{"type":"disabled"}')
    assert build(body, "asked", thinking=False).body == off
    assert build(body, "asked", thinking=True).body == body


def test_thinking_off_adds_nothing_where_nothing_asks_for_it() -> None:
    assert build(PLAIN, "asked", thinking=False).body == PLAIN


@pytest.mark.parametrize(
    ("edits", "kept"),
    [
        ([{"type": "clear_thinking_20251015", "keep": "all"}], None),
        (
            [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}],
            [{"type": "clear_tool_uses_20250919"}],
        ),
        ([{"type": "clear_tool_uses_20250919"}], [{"type": "clear_tool_uses_20250919"}]),
        ([{}, 7, {"type": None}], [{}, 7, {"type": None}]),
        ([], []),
    ],
)
def test_thinking_off_takes_the_edits_that_need_thinking(edits: list[Any], kept: list[Any] | None) -> None:
    body = {"model": "asked", "context_management": {"edits": edits, "x": 1}, "last": True}
    expected = {**body, "context_management": {"edits": kept, "x": 1}}
    if kept is None:
        del expected["context_management"]
    sent = json.loads(build(body, "asked", thinking=False).body)
    assert sent == expected
    assert list(sent) == list(expected)
    assert json.loads(build(body, "asked", thinking=True).body) == body


@pytest.mark.parametrize("management", [None, {}, {"edits": None}, {"edits": "all"}])
def test_thinking_off_leaves_context_management_of_other_shapes(management: Any) -> None:
    body = json.dumps({"model": "asked", "context_management": management}).encode()
    assert build(body, "asked", thinking=False).body == body


@pytest.mark.parametrize(("cap", "sent"), [(None, 64000), (64000, 64000), (64001, 64000), (8192, 8192)])
def test_a_cap_cuts_what_is_larger(cap: int | None, sent: int) -> None:
    request = build(PLAIN, "asked", quirks=Quirks(max_output_tokens=cap))
    assert request.body == PLAIN.replace(b"64000", b"%d" % sent)


def test_a_floor_raises_what_is_smaller() -> None:
    request = build(PLAIN, "asked", quirks=Quirks(min_output_tokens=70000))
    assert request.body == PLAIN.replace(b"64000", b"70000")


def test_a_cap_adds_no_limit_of_its_own() -> None:
    assert build(b'{"model":"asked"}', "asked", quirks=Quirks(max_output_tokens=5)).body == b'{"model":"asked"}'


def test_untyped_tools_lose_their_type_where_the_row_says_so() -> None:
    tools = [{"type": "custom", "name": "a"}, {"name": "b", "type": None}, {"type": "memory_20250818", "name": "c"}]
    body = {"model": "asked", "tools": tools, "x": 1}
    sent = json.loads(build(body, "asked", quirks=Quirks(untyped_tools=True)).body)
    assert sent == {**body, "tools": [{"name": "a"}, *tools[1:]]}
    assert list(sent) == list(body)
    assert json.loads(build(body, "asked").body) == body


@pytest.mark.parametrize("tools", [b"[]", b'[{"name":"a"}]', b'[ {"type": "bash_20250124", "name": "a"} ]'])
def test_tools_without_that_type_keep_their_bytes(tools: bytes) -> None:
    body = b'{"model":"asked","tools": ' + tools + b"}"
    assert build(body, "asked", quirks=Quirks(untyped_tools=True)).body == body


def test_edits_come_together() -> None:
    body = b'{"max_tokens": 99, "model": "asked", "thinking": {"type":"on"}, "tools": [{"type":"custom"}], "z": 0}'
    request = build(body, "sent", thinking=False, quirks=Quirks(max_output_tokens=9, untyped_tools=True))
    assert request.body == b'{"max_tokens": 9, "model": "sent", "thinking": {"type":"disabled"}, "tools": [{}], "z": 0}'
    assert request.lost == ("max_tokens",)


@property_test
@given(spoilt(), st.booleans(), st.sampled_from([Quirks(), Quirks(1, untyped_tools=True)]))
def test_every_checked_body_can_be_sent(body: dict[str, Any], thinking: bool, quirks: Quirks) -> None:
    raw = JsonObject(json.dumps(body).encode())
    try:
        DIALECT.check(raw)
    except Fault:
        return
    sent = build(raw.raw, "sent", thinking, quirks=quirks)
    edited = {"model", "thinking", "max_tokens", "tools", "tool_choice", "messages", "context_management"}
    kept = {name: value for name, value in body.items() if name not in edited}
    assert json.loads(sent.body) | kept == json.loads(sent.body)
    assert json.loads(sent.body)["model"] == "sent"


# Headers

TRAVEL = (
    ("anthropic-version", "2099-01-01"),
    ("anthropic-beta", "context-1m-2025-08-07,effort-2025-11-24"),
    ("anthropic-beta", "brand-new-2030-01-01"),
    ("anthropic-brand-new", "x"),
    ("x-anthropic-additional-protection", "true"),
    ("x-claude-code-session-id", "5f"),
    ("x-claude-code-agent-id", "a1"),
    ("x-app", "cli"),
    ("traceparent", "00-a-b-01"),
)
STAY = (
    ("authorization", "Bearer client-token"),
    ("x-api-key", "client-token"),
    ("anthropic-auth-token", "client-token"),
    ("proxy-authorization", "Basic client-token"),
    ("cookie", "session=client-token"),
    ("origin", "http://client-token.example"),
    ("referer", "http://client-token.example"),
    ("host", "client-token.example"),
    ("content-length", "7777"),
    ("content-type", "text/client-token"),
    ("transfer-encoding", "chunked"),
    ("connection", "keep-alive"),
    ("user-agent", "claude-cli/2.1.197 client-token"),
    ("accept-encoding", "gzip, br, client-token"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("x-stainless-timeout", "600"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-request-id", "client-token"),
)


def test_headers_that_travel_do_in_order_and_each_time() -> None:
    sent = build(client=(*STAY, *TRAVEL)).headers
    assert tuple(pair for pair in sent if pair in TRAVEL) == TRAVEL


@pytest.mark.parametrize(("name", "value"), STAY)
def test_headers_that_must_not_travel_do_not(name: str, value: str) -> None:
    sent = build(client=((name, value),), key="our-key").headers
    assert value not in [each for _, each in sent]
    assert not any("client-token" in each for _, each in sent)


def test_our_own_headers() -> None:
    assert build().headers == (
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", f"keyturn/{VERSION}"),
        ("anthropic-version", "2023-06-01"),
    )


@pytest.mark.parametrize("where", ["client", "headers"])
def test_a_version_is_sent_once(where: str) -> None:
    version: dict[str, Any] = {where: (("anthropic-version", "2099-01-01"),)}
    assert [value for name, value in build(**version).headers if name == "anthropic-version"] == ["2099-01-01"]


def test_configured_headers_go_with_every_call() -> None:
    assert ("x-title", "Keyturn") in build(headers=(("x-title", "Keyturn"),)).headers


@pytest.mark.parametrize(
    ("auth", "key", "expected"),
    [
        (Auth.X_API_KEY, "k", [("x-api-key", "k")]),
        (Auth.BEARER, "k", [("authorization", "Bearer k")]),
        (Auth.NONE, "k", []),
        (Auth.X_API_KEY, "", []),
        (Auth.BEARER, "", []),
    ],
)
def test_the_key_goes_where_the_row_says(auth: Auth, key: str, expected: list[tuple[str, str]]) -> None:
    request = build(client=STAY, key=key, spec=replace(SPEC, auth=auth), keys=(KeySource(Secret("other"), "V"),))
    assert [pair for pair in request.headers if pair[0] in ("x-api-key", "authorization")] == expected
    assert b"other" not in request.body


# The address


@pytest.mark.parametrize(
    ("base", "operation", "url"),
    [
        ("https://h", Operation.MESSAGES, "https://h/v1/messages"),
        ("https://h/", Operation.MESSAGES, "https://h/v1/messages"),
        ("http://h:1234/v1", Operation.MESSAGES, "http://h:1234/v1/messages"),
        ("http://h:1234/v1//", Operation.MESSAGES, "http://h:1234/v1/messages"),
        ("https://h/anthropic", Operation.MESSAGES, "https://h/anthropic/v1/messages"),
        ("https://h/api/v1", Operation.MESSAGES, "https://h/api/v1/messages"),
        ("https://h/xv1", Operation.MESSAGES, "https://h/xv1/v1/messages"),
        ("https://h/v1beta", Operation.MESSAGES, "https://h/v1beta/v1/messages"),
        ("https://h", Operation.COUNT_TOKENS, "https://h/v1/messages/count_tokens"),
        ("https://h/v1/", Operation.COUNT_TOKENS, "https://h/v1/messages/count_tokens"),
    ],
)
def test_the_path_follows_the_base(base: str, operation: Operation, url: str) -> None:
    assert build(base=base, operation=operation).url == url


def test_the_timeouts_are_the_providers() -> None:
    assert build(timeouts=Timeouts(1, 2, 3, 4)).timeouts == Timeouts(1, 2, 3, 4)


def test_a_text_that_only_quotes_our_mark_keeps_its_bytes() -> None:
    raw = b'{ "model":"asked", "messages": [ {"role":"user","content":[{"type":"text","text":"\\"keyturn:x"}]} ] }'
    assert build(raw).body == raw.replace(b'"asked"', b'"sent"')


def test_the_operators_headers_stand_in_for_the_gateways() -> None:
    said = (("User-Agent", "mine"), ("X-API-Key", "theirs"))
    sent = build(headers=said, key="ours").headers
    assert sorted(value for name, value in sent if name.lower() in ("user-agent", "x-api-key")) == ["mine", "theirs"]
