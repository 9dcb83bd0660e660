"""``keyturn status``: asks a running gateway for its live pool."""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx

from gateway.cli.admin_token import stored_tokens
from gateway.cli.banner import url as own_url
from gateway.cli.out import say
from gateway.cli.pool_table import table
from gateway.settings import Settings
from middleware.loopback import is_loopback
from providers.secret import Secret

WITHIN = 10.0  # seconds
PORTS = {"http": 80, "https": 443}


class NoAnswer(Exception):
    """One plain sentence: why there is nothing to show, and what to do."""


def status(settings: Settings, url: str | None = None, as_json: bool = False) -> int:
    """Prints the pool as a table, or as the gateway sent it; returns the exit status, 1 where none was to be had."""
    try:
        text, pool = _pool(settings, url)
        say(text if as_json else table(pool))
    except NoAnswer as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _pool(settings: Settings, url: str | None) -> tuple[str, Any]:
    address = _address(settings, url)
    tokens = _tokens(settings, address)
    try:
        reply = _ask(address, tokens)
    except httpx.TimeoutException as error:
        raise NoAnswer(f"The gateway at {address} does not answer within {WITHIN:g} seconds.") from error
    except httpx.TransportError as error:
        raise NoAnswer(
            f"No gateway answers at {address}. Start one with `keyturn serve`, or say with --url where it is."
        ) from error
    if reply.status_code == 401:
        raise NoAnswer(_refused(address, bool(tokens)))
    return reply.text, _read(reply, address)


def _address(settings: Settings, url: str | None) -> httpx.URL:
    text = url or own_url(settings, settings.port)
    try:
        address = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise NoAnswer(f"--url: {text!r} is no address; write for example http://127.0.0.1:8082.") from error
    if address.scheme not in PORTS or not address.host or (address.port or 0) > 65535:
        raise NoAnswer(f"--url: {text!r} is no address; write for example http://127.0.0.1:8082.")
    if address.port == 0:
        raise NoAnswer("PORT=0 does not say where the gateway is: say it with --url.")
    return address.copy_with(path="", query=None, fragment=None, username="", password="")


def _tokens(settings: Settings, address: httpx.URL) -> list[Secret]:
    """Those that may be right, the best first. What a gateway of this machine wrote is shown to this machine only."""
    set_here = [settings.admin_token] if settings.admin_token else []
    if not is_loopback(address.host):
        return set_here
    return [*set_here, *stored_tokens(settings, address.port or PORTS[address.scheme])]


def _ask(address: httpx.URL, tokens: list[Secret]) -> httpx.Response:
    """The first answer that is no refusal of the token, else the last refusal."""
    with httpx.Client(timeout=WITHIN, trust_env=False) as client:
        for token in tokens[:-1]:
            reply = _get(client, address, token)
            if reply.status_code != 401:
                return reply
        return _get(client, address, tokens[-1] if tokens else None)


def _get(client: httpx.Client, address: httpx.URL, token: Secret | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token.reveal()}"} if token else {}
    return client.get(address.join("/admin/pool"), headers=headers)


def _refused(address: httpx.URL, tried: bool) -> str:
    if tried:
        return (
            f"The gateway at {address} refuses the admin token that is known here: "
            "set KEYTURN_ADMIN_TOKEN to the one that it was started with."
        )
    return (
        f"The gateway at {address} wants an admin token, and none is known here: "
        "set KEYTURN_ADMIN_TOKEN to the one that it was started with."
    )


def _read(reply: httpx.Response, address: httpx.URL) -> Any:
    try:
        body = json.loads(reply.text)
    except ValueError:
        body = None
    match body:
        case {"providers": [*_]} if reply.status_code == 200:
            return body
        case {"type": "error", "error": {"message": str(words)}}:
            raise NoAnswer(f"The gateway at {address} says: {words}")
    raise NoAnswer(f"What answers at {address} is no Keyturn that knows /admin/pool (HTTP {reply.status_code}).")
