"""Model servers on this machine that nobody has configured yet: they are looked for once, when the gateway starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from gateway.settings.values import points_here
from providers.spec import ProviderConfig

PATIENCE = 0.3  # seconds for all of them
LARGEST = 1_000_000  # bytes of an answer


@dataclass(frozen=True, slots=True)
class Offer:
    """A runtime that answered. ``model`` is one that it lists, "" where it lists none."""

    provider: str
    title: str
    address: str
    model: str


async def find(providers: Iterable[ProviderConfig], own_port: int) -> list[Offer]:
    """Ask the usual ports, all at once. Never fails, and takes no longer than PATIENCE."""
    asked = [provider for provider in providers if _worth_asking(provider, own_port)]
    answers = await asyncio.gather(*(_models(provider) for provider in asked))
    return [
        Offer(provider.id, provider.spec.title, urlsplit(provider.base_url).netloc, _best(models))
        for provider, models in zip(asked, answers, strict=True)
        if models is not None
    ]


def _worth_asking(provider: ProviderConfig, own_port: int) -> bool:
    if provider.chosen or not (provider.spec.local and points_here(provider.base_url)):
        return False
    # Keyturn on a runtime's usual port would find itself.
    return provider.base_url.startswith("http://") and urlsplit(provider.base_url).port != own_port


async def _models(provider: ProviderConfig) -> list[str] | None:
    """The names of the models there; None where nobody answers as a runtime does."""
    try:
        async with asyncio.timeout(PATIENCE):
            return _names(await _get(urlsplit(provider.base_url)))
    except (OSError, TimeoutError, ValueError, RecursionError):
        return None


async def _get(base: SplitResult) -> bytes:
    reader, writer = await asyncio.open_connection(base.hostname, base.port or 80)
    try:
        path = base.path.removesuffix("/v1") + "/v1/models"
        # HTTP/1.0 keeps the answer in one piece that ends with the connection.
        writer.write(f"GET {path} HTTP/1.0\r\nhost: {base.netloc}\r\naccept: application/json\r\n\r\n".encode())
        return await _read(reader)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) < LARGEST and (piece := await reader.read(LARGEST)):
        answer += piece
    return answer


def _names(answer: bytes) -> list[str] | None:
    """Raises ValueError for what is no JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        return None
    match json.loads(body):
        case {"data": list(models)}:
            return [model["id"] for model in models if isinstance(model, dict) and _showable(model.get("id"))]
    return None


def _showable(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and " " not in name and 0 < len(name) <= 200


def _best(models: list[str]) -> str:
    return next((model for model in models if "embed" not in model.lower()), "")
