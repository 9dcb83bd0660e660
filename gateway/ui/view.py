"""What the status page shows, as plain values. Pure: the pool's JSON and the contexts of requests in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.words import BARRED, allowed_in_words, limits_in_words, words
from middleware.context import RequestContext

Json = Any
SHOWN = 20  # requests of each list


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key. ``seconds`` until its state may change, None where nobody knows."""

    label: str
    state: str
    why: str
    seconds: float | None
    in_flight: int
    used: str
    rests: tuple[tuple[str, str, float | None], ...]  # model, why, seconds


@dataclass(frozen=True, slots=True)
class ProviderBox:
    """A provider with its keys."""

    name: str
    keys: tuple[KeyRow, ...]
    rests: tuple[tuple[str, str, float | None], ...]  # whose, why, seconds
    waiting: int
    limits: str

    @property
    def ready(self) -> int:
        return sum(key.state == "ready" for key in self.keys)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request that is under way, or one that failed."""

    request_id: str
    client: str
    requested: str
    target: str
    key: str
    seconds: float
    what: str  # what it does now, or why it failed
    status: int


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client, what its token allows and what it used. ``used`` is as in clients/overview."""

    name: str
    state: str  # good, expired, revoked, gone, or no token
    may: str
    limits: str
    running: int
    used: Json


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    version: str
    time: str
    draining: bool
    providers: tuple[ProviderBox, ...]
    running: tuple[RequestRow, ...]
    running_count: int
    failed: tuple[RequestRow, ...]
    clients: tuple[ClientRow, ...]
    further_clients: int

    @property
    def ready(self) -> int:
        return sum(box.ready for box in self.providers)

    @property
    def keys(self) -> int:
        return sum(len(box.keys) for box in self.providers)


def page(
    pool: Json,
    running: Sequence[RequestContext],
    over: Iterable[RequestContext],
    now: float,
    draining: bool,
) -> Page:
    """``now`` is on the clock of the contexts' times; ``over`` has the latest first."""
    failed = (each for each in over if each.outcome in ("error", "cut"))
    return Page(
        version=pool["version"],
        time=pool["time"],
        draining=draining,
        providers=tuple(_box(each) for each in _shown(pool["providers"])),
        running=tuple(_running(each, now) for each in running[:SHOWN]),
        running_count=len(running),
        failed=tuple(_failed(each, now) for each, _ in zip(failed, range(SHOWN), strict=False)),
        clients=tuple(_client(each) for each in pool["clients"]),
        further_clients=pool["further_clients"],
    )


def _shown(providers: Sequence[Json]) -> list[Json]:
    """The configured ones, and those that were used all the same."""
    shown = [each for each in providers if each["configured"] or any(key["turns"] for key in each["keys"])]
    return shown or list(providers[:1])


def _box(provider: Json) -> ProviderBox:
    return ProviderBox(
        provider["provider"],
        tuple(_key(key) for key in provider["keys"]),
        tuple((_whose(rest), rest["why"] or "", rest["seconds"]) for rest in provider["rests"]),
        provider["queue"]["waiting"],
        ", ".join(_limits(provider["limits"])),
    )


def _key(key: Json) -> KeyRow:
    of = f" of {key['usage_limit']}" if key["usage_limit"] else ""
    rests = tuple((rest["model"], rest["why"] or "", rest["seconds"]) for rest in key["rests"] if rest["model"])
    why = key["why"] or ""
    if len(rests) == 1 and rests[0][1:] == (why, key["seconds"]):  # one line says it all
        why, rests = f"{rests[0][0]}: {why}", ()
    if key["half_open"]:
        why += ", the next request finds out"
    return KeyRow(key["label"], key["state"], why, key["seconds"], key["in_flight"], f"{key['used']}{of}", rests)


def _whose(rest: Json) -> str:
    return rest["model"] or rest["account"] or "all keys"


def _limits(limits: Json) -> Iterator[str]:
    if limits["requests"]:
        yield f"{limits['requests']} requests in {limits['window']:g} s"
    if limits["concurrency"]:
        yield f"{limits['concurrency']} at once"


def _client(client: Json) -> ClientRow:
    ends = f"until {client['expires'][:10]}" if client["expires"] and client["state"] == "good" else ""
    limits = ", ".join(each for each in (limits_in_words(client), ends) if each)
    return ClientRow(client["name"], client["state"], allowed_in_words(client), limits, client["open"], client["used"])


def _running(context: RequestContext, now: float) -> RequestRow:
    doing = "answering" if context.status else "waiting for content" if context.attempts else "in the queue"
    return _row(context, now - context.started, doing)


def _failed(context: RequestContext, now: float) -> RequestRow:
    attempt = context.attempt
    why = words(attempt.reason) if attempt and attempt.reason else BARRED.get(context.barred, "refused by the gateway")
    return _row(context, (context.ended or now) - context.started, why)


def _row(context: RequestContext, seconds: float, what: str) -> RequestRow:
    provider, model = context.target
    return RequestRow(
        context.request_id,
        context.principal,
        context.requested[:100],
        f"{provider}/{model}" if provider else "",
        context.attempt.key if context.attempt else "",
        seconds,
        what,
        context.status,
    )
