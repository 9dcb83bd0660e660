"""What can be picked, and what is told of it. Pure: the JSON of /v1/models and /admin/pool in, lines of text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.pick.launch import Room
from gateway.routing import ALIAS
from gateway.words import spell

Json = Any
MILLION = 1_000_000
REFUSED = "refused"  # a key that serves nothing, whatever is left of it
WIDEST = 52  # characters of the first column
_PRICES = {"input": "in", "output": "out", "cache_read": "cached"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One model at one provider. ``prices`` are US dollars for a million tokens, by kind."""

    ref: str  # provider/model
    room: Room
    prices: Mapping[str, float]

    @property
    def provider(self) -> str:
        return self.ref.partition("/")[0]


def offers(items: Iterable[Json]) -> list[Offer]:
    """Of the items of /v1/models those that name a provider, each once; their aliases are the same models."""
    found = (_offer(item) for item in items if isinstance(item, dict))
    return list({offer.ref: offer for offer in found if offer}.values())


def _offer(item: Mapping[str, Json]) -> Offer | None:
    ref = item.get("id")
    if not isinstance(ref, str) or "/" not in ref or ref.startswith(ALIAS) or not _showable(ref):
        return None
    room = Room(_count(item.get("max_input_tokens")), _count(item.get("max_tokens")))
    prices = item.get("pricing")
    known = prices.items() if isinstance(prices, dict) else ()
    return Offer(ref, room, {kind: float(price) for kind, price in known if _price(price)})


def _showable(ref: str) -> bool:
    return ref.isprintable() and " " not in ref and len(ref) <= 300


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _price(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def lines(found: Sequence[Offer], pool: Mapping[str, Json]) -> list[str]:
    """The rows of the list: each reference, its window, and how many of its keys are ready."""
    width = min(WIDEST, max((len(offer.ref) for offer in found), default=0))
    return [_line(offer, width, pool) for offer in found]


def _line(offer: Offer, width: int, pool: Mapping[str, Json]) -> str:
    window = _thousands(offer.room.window) if offer.room.window else ""
    return f"{offer.ref:{width}} {window:>6}  {_ready(pool.get(offer.provider))}".rstrip()


def preview(offer: Offer, pool: Mapping[str, Json]) -> str:
    """All that is known of it, for the window beside the list."""
    return "\n".join([offer.ref, *_facts(offer), *_health(offer, pool.get(offer.provider))])


def _facts(offer: Offer) -> Iterator[str]:
    room = offer.room
    yield f"context   {f'{room.window:,} tokens' if room.window else 'not known'}"
    yield f"answer    {f'up to {room.output:,} tokens' if room.output else 'not known'}"
    parts = [f"{_PRICES[kind]} ${price:g}" for kind, price in offer.prices.items() if kind in _PRICES]
    yield f"price     {', '.join(parts)} a million tokens" if parts else "price     not known"


def _health(offer: Offer, provider: Json) -> Iterator[str]:
    if provider is None:
        yield "keys      not known: the gateway's admin token is not to be had here"
        return
    model = offer.ref.partition("/")[2]
    width = max((len(key["label"]) for key in provider["keys"]), default=0)
    yield f"keys      {_ready(provider)}"
    for key in provider["keys"]:
        yield f"  {key['label']:{width}}  {_state(key, model)}{_left(key)}"
    for rest in provider["rests"]:
        if rest["model"] in (None, model):
            yield f"  all of them: {rest['why']}{_until(rest)}"


def _ready(provider: Json) -> str:
    if provider is None:
        return ""
    states = [key["state"] for key in provider["keys"]]
    return f"{states.count('ready')} of {len(states)} ready" if states else ""


def _state(key: Json, model: str) -> str:
    resting = next((rest for rest in key["rests"] if rest["model"] == model), None)
    if resting:
        return f"{resting['why']}{_until(resting)}"
    why = f": {key['why']}" if key["why"] else ""
    return f"{key['state']}{why}{_until(key)}"


def _left(key: Json) -> str:
    if not key["usage_limit"] or key["state"] == REFUSED:
        return ""
    return f", {key['usage_limit'] - key['used']} of {key['usage_limit']} calls left"


def _until(rest: Json) -> str:
    return f", {spell(rest['seconds'])}" if rest["seconds"] else ""


def _thousands(tokens: int) -> str:
    return f"{tokens / MILLION:g}M" if tokens >= MILLION else f"{tokens // 1000}k"
