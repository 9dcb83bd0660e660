"""The live pool as people see it: every provider's keys, rests, queue and limits, as JSON. No key material.

Moments are RFC 3339 in UTC, times are seconds. A rest that is ``half_open`` has no ``until``: its time is up, and
the next attempt finds out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.words import words
from providers import reset
from providers.errors import Calendar
from providers.keys import Key, KeyPool
from providers.learning.lessons import Learned
from providers.learning.measures import Measured
from providers.ports import Clock
from providers.queue.gate import Gate
from providers.registry import Registry
from providers.spec import ProviderConfig, UsageWindow
from providers.standing import Standing, current, half_open
from providers.state import WHOLE, KeyState, RestState, Snapshot
from providers.version import VERSION

Json = dict[str, Any]
_CALENDARS: Mapping[UsageWindow, Calendar] = {
    UsageWindow.DAY: Calendar.UTC_DAY,
    UsageWindow.MONTH: Calendar.UTC_MONTH,
}


class PoolView:
    """Reads; changes nothing and opens no provider."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        wall: Clock,
        state: Callable[[], Json] = lambda: {"place": "process"},
        clients: Callable[[], Awaitable[Json]] | None = None,
    ) -> None:
        """``state`` says where the state is, and why not, where it is away; ``clients`` are as in clients/overview."""
        self._clients = clients
        self._state = state
        self._registry = registry
        self._clock = clock
        self._wall = wall

    async def whole(self) -> Json:
        """All providers that can be used, the configured ones first."""
        return {
            "version": VERSION,
            "time": moment(self._wall()),
            "state": {"place": "", "at": None, "away": None, **self._state()},
            "providers": [await self._provider(config) for config in _in_order(self._registry)],
            **(await self._clients() if self._clients else {"clients": [], "further_clients": 0}),
        }

    async def key(self, provider: str, label: str) -> Json:
        """One key's entry."""
        pool = self._registry.pools[provider]
        config = next(config for config in self._registry.configs if config.id == provider)
        seen = await pool.snapshot()
        return next(_key(each, config, pool, seen, self._wall()) for each in seen.keys if each.label == label)

    async def _provider(self, config: ProviderConfig) -> Json:
        pool = self._registry.pools[config.id]
        live = self._registry.live.get(config.id)
        seen, now = await pool.snapshot(), self._wall()
        return {
            "provider": config.id,
            "configured": config.chosen,
            "keys": [_key(each, config, pool, seen, now) for each in seen.keys],
            "rests": [_rest(rest, "provider", rest.account, now) for rest in _shared_rests(pool, seen)],
            "queue": _queue(config, live.gate if live else None, _open(pool, seen, live.gate if live else None)),
            "limits": {
                "requests": config.traffic.rate,
                "window": config.traffic.window,
                "concurrency": config.traffic.concurrency,
            },
            "retry_budget": round(live.budget.left(self._clock()), 3) if live else 1.0,
            "learned": [_learned(model, found) for model, found in live.pupil.known.items()] if live else [],
            "measured": [_measured(model, found) for model, found in self._registry.measures[config.id].known.items()],
        }


def moment(seconds: float) -> str:
    """RFC 3339 of a time since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _key(seen: KeyState, config: ProviderConfig, pool: KeyPool, snapshot: Snapshot, now: float) -> Json:
    standing, key = pool.standing(seen, snapshot), pool.named(seen.label)
    rotation = config.rotation
    return {
        "label": seen.label,
        "state": standing.state,
        **_why(standing, rotation.usage_window, now),
        "in_flight": seen.in_flight,
        "used": seen.used,
        "usage_limit": rotation.usage_limit or None,
        "turns": seen.turns,
        "account": key.account or None,
        "rests": [_rest(rest, "key", key.account, now) for rest in standing.rests],
    }


def _why(standing: Standing, window: UsageWindow, now: float) -> Json:
    """What made the state, in the same words as a rest."""
    if rest := standing.decisive:
        return _timing(rest.reason, rest.seconds, half_open(rest), now)
    calendar = _CALENDARS.get(window) if standing.state == "spent" else None
    return _timing(standing.reason, reset.until(calendar, now) if calendar else None, False, now)


def _learned(model: str, found: Learned) -> Json:
    """What a model's refusals taught."""
    return {
        "model": model,
        "left_out": sorted(found.members),
        "max_output_tokens": found.cap,
        "limit_member": found.limit or None,
        "tools_without_effort": found.quiet_tools,
        "no_images": found.blind,
    }


def _measured(model: str, found: Measured) -> Json:
    """What a model's answers and refusals told of its counts and its window."""
    calibration = found.calibration
    return {
        "model": model,
        "tokens_per_estimate": round(calibration.ratio, 3),
        "error": round(calibration.error, 3),
        "prompts": round(calibration.seen, 1),
        "max_input_tokens": found.window,
    }


def _rest(rest: RestState, whole: str, account: str, now: float) -> Json:
    """``whole`` is what a rest is of that is for no model and no account."""
    scope = "account" if rest.account else whole if rest.model == WHOLE else "model"
    own = {"scope": scope, "model": rest.model or None, "account": account if rest.account and account else None}
    return own | _timing(rest.reason, rest.seconds, half_open(rest), now)


def _timing(reason: str, seconds: float | None, waits: bool, now: float) -> Json:
    left = None if waits else seconds
    return {
        "reason": reason or None,
        "why": words(reason) or None,
        "until": None if left is None else moment(now + left),
        "seconds": None if left is None else round(left, 1),
        "half_open": waits,
    }


def _shared_rests(pool: KeyPool, seen: Snapshot) -> Iterator[RestState]:
    """Those of the provider, its models and its named accounts; an unnamed account is its key's own."""
    named = {key.account for key in pool.keys if key.account}
    return (rest for rest in current(seen.rests) if not rest.account or rest.account in named)


def _open(pool: KeyPool, seen: Snapshot, gate: Gate | None) -> int:
    """Slots that are taken, by whichever process."""
    if pool.keeps_traffic:
        return sum(key.in_flight for key in seen.keys)
    return gate.held if gate else 0


def _queue(config: ProviderConfig, gate: Gate | None, held: int) -> Json:
    traffic = config.traffic
    return {
        "waiting": gate.waiting if gate else 0,
        "limit": traffic.queue_limit,
        "longest_wait": traffic.queue_wait,
        "free_slots": max(0, traffic.concurrency - held) if traffic.concurrency else None,
    }


def labels(registry: Registry) -> Mapping[str, tuple[str, Key]]:
    """Every key by its label, with its provider."""
    pools = [registry.pools[config.id] for config in _in_order(registry)]
    return {key.label: (pool.provider, key) for pool in pools for key in pool.keys}


def _in_order(registry: Registry) -> list[ProviderConfig]:
    return sorted(registry.configs, key=lambda config: not config.chosen)
