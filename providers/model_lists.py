"""A provider's own list of its models, asked for with one of its keys and without any effect on them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from providers import classify, listings
from providers.answer import error_body
from providers.call import UpstreamRequest
from providers.errors import KeyturnError, UpstreamFailure
from providers.headers import Pairs, own_headers
from providers.keys import Key, NoneFits, Wish
from providers.listings import Listed
from providers.provider import Provider
from providers.spec import ProviderConfig
from providers.state import WHOLE
from providers.transport import Transport

PATIENCE = 30.0  # seconds for a whole list
PAGES = 20
LARGEST = 16 * 1024 * 1024  # bytes of a page
_VERSION = ("anthropic-version", "2023-06-01")  # without which Anthropic serves nothing; others pay no heed


class NoList(KeyturnError):
    """The list could not be had; the message says why, without key material."""


async def fetched(provider: Provider) -> tuple[Listed, ...]:
    """All models that the provider lists. Raises NoList.

    The key is leased, so that its limits hold, and given back as if it had not been used: what a list says of a key
    is not what a call would say. One that an attempt has yet to prove is left to that attempt.
    """
    try:
        async with asyncio.timeout(PATIENCE), provider.pool.lease(Wish(WHOLE)) as lease:
            lease.idle = True
            if lease.probing:
                raise NoList("its key is being tried out")
            return await _all(provider.config, provider.transport, lease.key)
    except NoneFits as error:
        raise NoList(f"no key can be used ({error.admission.reason})") from error
    except TimeoutError as error:
        raise NoList(f"it did not come within {PATIENCE:g} seconds") from error


async def _all(config: ProviderConfig, transport: Transport, key: Key) -> tuple[Listed, ...]:
    """Every page; of a list that goes on for ever, the first ones."""
    url = config.spec.models_url(config.base_url)
    headers = _headers(config, key)
    found: dict[str, Listed] = {}
    query, asked = "", set[str]()
    while len(asked) < PAGES and query not in asked:
        asked.add(query)
        request = UpstreamRequest(_with(url, query), headers, b"", config.timeouts, method="GET")
        page = await _page(request, transport, key)
        found |= {model.id: model for model in page.models}
        query = page.more
        if not query:
            break
    return tuple(found.values())[: listings.MOST]


async def _page(request: UpstreamRequest, transport: Transport, key: Key) -> listings.Page:
    try:
        async with AsyncExitStack() as stack:
            if key.credential is not None:
                request = await key.credential.authorized(request)
            reply = await transport.send(request)
            stack.push_async_callback(reply.aclose)
            if reply.status != 200:
                raise NoList(_told(reply.status, await error_body(reply), key))
            body = bytearray()
            while len(body) < LARGEST and (data := await reply.read()):
                body += data
        return listings.read(bytes(body))
    except UpstreamFailure as error:
        raise NoList(error.words) from error
    except listings.Unreadable as error:
        raise NoList(str(error)) from error


def _told(status: int, body: bytes, key: Key) -> str:
    """An upstream may echo the key that it refuses."""
    words = classify.words(body)
    said = (key.secret.scrub(words) if key.secret else words)[:200]
    return f"HTTP {status}: {said}" if said else f"HTTP {status}"


def _headers(config: ProviderConfig, key: Key) -> Pairs:
    own = own_headers(config, key.secret.reveal() if key.secret else "", "application/json")
    kept = tuple(pair for pair in own if pair[0] != "content-type")
    speaks = config.spec.dialect == "anthropic" and not any(name == _VERSION[0] for name, _ in kept)
    return (*kept, _VERSION) if speaks else kept


def _with(url: str, query: str) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
