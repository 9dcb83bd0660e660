"""A running gateway, asked over HTTP: its live pool, and the models that it serves."""

from __future__ import annotations

import json
import ssl
from typing import Any, cast

import httpx

from gateway.cli.admin_token import stored_tokens
from gateway.cli.banner import url as own_url
from gateway.settings import Settings
from middleware.loopback import is_loopback
from providers.secret import Secret

WITHIN = 10.0  # seconds
PORTS = {"http": 80, "https": 443}

Json = dict[str, Any]


class NoAnswer(Exception):
    """One plain sentence: why there is nothing to show, and what to do."""


class NoGateway(NoAnswer):
    """Nobody listens there."""


def pool(settings: Settings, url: str | None = None) -> tuple[str, Any]:
    """What GET /admin/pool says, as it came and read. Raises NoAnswer."""
    address = _address(settings, url)
    tokens = _tokens(settings, address)
    reply = _answer(settings, address, "/admin/pool", tokens)
    if reply.status_code == 401:
        raise NoAnswer(_refused(address, bool(tokens)))
    return reply.text, _read(reply, address)


def answered(settings: Settings, url: str, method: str, path: str, body: Json | None = None) -> Json:
    """What a path of /admin answers. Raises NoAnswer."""
    address = _address(settings, url)
    tokens = _tokens(settings, address)
    reply = _answer(settings, address, path, tokens, method, body)
    if reply.status_code == 401:
        raise NoAnswer(_refused(address, bool(tokens)))
    return _found(reply, address, path)


def status_page(settings: Settings, url: str | None = None) -> str:
    """Where /ui is, and the password that opens it. Raises NoAnswer."""
    address = _address(settings, url)
    for token in _tokens(settings, address):
        if _answer(settings, address, "/admin/pool", [token]).status_code == 200:
            return f"{address.join('/ui')}  (any name; the password is {token.reveal()})"
    pool(settings, url)  # says why
    raise NoAnswer(_refused(address, False))


def served(settings: Settings, url: str | None = None) -> list[Any]:
    """The items of GET /v1/models. Raises NoAnswer."""
    address = _address(settings, url)
    reply = _answer(settings, address, "/v1/models?limit=1000", _clients(settings), place="CLAUDE_PICK_PORT")
    if reply.status_code == 401:
        raise NoAnswer(
            f"The gateway at {address} wants a client's token: set ANTHROPIC_AUTH_TOKEN to the one that it was "
            "started with."
        )
    try:
        body = json.loads(reply.text)
    except ValueError:
        body = None
    match body:
        case {"data": [*items]} if reply.status_code == 200:
            return items
    raise NoAnswer(f"What answers at {address} is no Keyturn that knows /v1/models (HTTP {reply.status_code}).")


def _answer(
    settings: Settings,
    address: httpx.URL,
    path: str,
    tokens: list[Secret],
    method: str = "GET",
    body: Json | None = None,
    place: str = "--url",
) -> httpx.Response:
    """``place`` is what says where the gateway is."""
    try:
        return _ask(httpx.Request(method, address.join(path), json=body), tokens, _trust(settings, address))
    except httpx.TimeoutException as error:
        raise NoAnswer(f"The gateway at {address} does not answer within {WITHIN:g} seconds.") from error
    except httpx.TransportError as error:
        raise NoGateway(
            f"No gateway answers at {address}. Start one with `keyturn serve`, or say with {place} where it is."
        ) from error


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


def _clients(settings: Settings) -> list[Secret]:
    """The first token that may ask for models."""
    return [token.secret for token in settings.tokens if token.secret][:1]


def _trust(settings: Settings, address: httpx.URL) -> ssl.SSLContext | bool:
    """The gateway of this machine proves itself by the certificate in its settings, whoever signed it for what name."""
    if settings.certificate is None or address.scheme != "https" or not is_loopback(address.host):
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(settings.certificate.chain)
    return context


def _ask(request: httpx.Request, tokens: list[Secret], trust: ssl.SSLContext | bool) -> httpx.Response:
    """The first answer that is no refusal of the token, else the last refusal."""
    with httpx.Client(timeout=WITHIN, trust_env=False, verify=trust) as client:
        for token in tokens[:-1]:
            reply = _send(client, request, token)
            if reply.status_code != 401:
                return reply
        return _send(client, request, tokens[-1] if tokens else None)


def _send(client: httpx.Client, request: httpx.Request, token: Secret | None) -> httpx.Response:
    if token:
        request.headers["authorization"] = f"Bearer {token.reveal()}"
    return client.send(request)


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
    body = _found(reply, address, "/admin/pool")
    match body:
        case {"providers": [*_]}:
            return body
    raise NoAnswer(_stranger(reply, address, "/admin/pool"))


def _found(reply: httpx.Response, address: httpx.URL, path: str) -> Json:
    try:
        body = json.loads(reply.text)
    except ValueError:
        body = None
    match body:
        case {"type": "error", "error": {"message": str(words)}}:
            raise NoAnswer(f"The gateway at {address} says: {words}")
        case dict() if reply.status_code in (200, 201):
            return cast(Json, body)
    raise NoAnswer(_stranger(reply, address, path))


def _stranger(reply: httpx.Response, address: httpx.URL, path: str) -> str:
    return f"What answers at {address} is no Keyturn that knows {path} (HTTP {reply.status_code})."
