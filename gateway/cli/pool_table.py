"""The live pool as a table. Pure: the JSON of GET /admin/pool in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.cli.banner import columns
from gateway.settings.model import SHARED
from gateway.words import limits_in_words, spell

Json = Any
Row = tuple[str, str, str, str, str]
Aside = tuple[str, str]  # a model under a key, and why the key rests for it

HEAD: Row = ("provider", "key", "state", "in flight", "used")
STYLES = {
    r"\A.*": "bold",
    r"\bready\b": "green",
    r"\b(limited|rested|spent)(?=:)": "yellow",
    r"\brefused(?=:)": "red",
}
LONGEST = 80  # characters of a name that clients may have chosen
DEMO = "demo"
CLIENTS = ("client", "token", "open", "requests", "failed", "refused", "input", "output", "cost", "limits")


def table(pool: Json) -> str:
    """Every key of the providers that are configured or were used, with the models that it rests for; after them,
    what holds for all of a provider.
    """
    rows = [row for provider in _shown(pool["providers"]) for row in _rows(provider)]
    return "\n".join([*_aligned(rows), *_clients(pool.get("clients", [])), *_whereabouts(pool.get("state", {}))])


def _aligned(rows: Sequence[Row | Aside]) -> Iterator[str]:
    """The keys' columns do not grow with the names of models, so that they fit a terminal."""
    whole: list[Row | Aside] = [HEAD, *(row for row in rows if len(row) == len(HEAD))]
    left, middle = (max(len(row[column]) for row in whole) for column in (0, 1))
    lines = iter(columns(whole))
    yield next(lines)
    for row in rows:
        yield next(lines) if len(row) == len(HEAD) else f"{'':{left}}  {row[0]:{middle}}  {row[1]}"


def _whereabouts(state: Json) -> Iterator[str]:
    """Nothing where the state is in the process alone."""
    if state.get("place") == "redis":
        away = f": away ({state['away'].replace('_', ' ')}), this process goes by itself" if state["away"] else ""
        yield f"state in Redis, {state['at']}{away}"
    elif state.get("place") == "file":
        yield f"state kept in {state['at']}"


def _clients(clients: list[Json]) -> list[str]:
    """Nothing where there is at most the one token that all share."""
    if all(client["name"] in ("", SHARED) for client in clients):
        return []
    return ["", *columns([CLIENTS, *map(_client, clients)])]


def _client(client: Json) -> tuple[str, ...]:
    used = client["used"]
    read = used["input_tokens"] + used["cache_read_tokens"] + used["cache_write_tokens"]
    numbers = (client["open"], used["requests"], used["failed"], used["refused"], read, used["output_tokens"])
    known = f"${used['cost_usd']:.4f}{' and more' if used['unpriced_tokens'] else ''}"
    name = _plain(client["name"]) or "(no token)"
    return name, client["state"], *(f"{number:,}" for number in numbers), known, limits_in_words(client) or "none"


def _rows(provider: Json) -> Iterator[Row | Aside]:
    for number, key in enumerate(provider["keys"]):
        name = "" if number else provider["provider"]
        yield name, key["label"], _state(key), str(key["in_flight"]), _used(key)
        yield from ((f"  {_plain(rest['model'])}", _why(rest)) for rest in key["rests"] if rest["model"])
    yield from (_beside(_whose(rest), _why(rest)) for rest in provider["rests"])
    queue, limits = provider["queue"], provider["limits"]
    if queue["waiting"]:
        slots = f"; {queue['free_slots']} of {limits['concurrency']} slots free" if limits["concurrency"] else ""
        yield _beside("queue", f"{queue['waiting']} of at most {queue['limit']}{slots}")
    if provider["retry_budget"] < 1:
        yield _beside("repeats", f"{provider['retry_budget']:.0%} left")
    yield from ((f"  {_plain(each['model'])}", _learned(each)) for each in provider["learned"])


def _beside(name: str, words: str) -> Row:
    return "", name, words, "", ""


def _shown(providers: list[Json]) -> list[Json]:
    shown = [each for each in providers if each["configured"] or _used_at_all(each)]
    return shown or [each for each in providers if each["provider"] == DEMO]


def _used_at_all(provider: Json) -> bool:
    return bool(provider["rests"]) or any(key["turns"] or key["rests"] for key in provider["keys"])


def _state(key: Json) -> str:
    return f"{key['state']}: {_why(key)}" if key["why"] else str(key["state"])


def _why(rest: Json) -> str:
    if rest["half_open"]:
        return f"{rest['why']}, the next request finds out"
    return rest["why"] if rest["seconds"] is None else f"{rest['why']}, {spell(rest['seconds'])}"


def _learned(model: Json) -> str:
    parts = [f"without {', '.join(map(_plain, model['left_out']))}"] if model["left_out"] else []
    parts += [f"at most {model['max_output_tokens']} tokens"] if model["max_output_tokens"] else []
    parts += [f"its limit is called {_plain(model['limit_member'])}"] if model["limit_member"] else []
    parts += ["tools with effort none"] if model["tools_without_effort"] else []
    parts += ["no images"] if model["no_images"] else []
    return f"learned: {'; '.join(parts)}"


def _used(key: Json) -> str:
    return f"{key['used']} of {key['usage_limit']}" if key["usage_limit"] else str(key["used"])


def _whose(rest: Json) -> str:
    if rest["model"]:
        return f"model {_plain(rest['model'])}"
    return f"account {_plain(rest['account'])}" if rest["account"] else "all keys"


def _plain(name: str) -> str:
    """What a client may have chosen, fit for a terminal."""
    return "".join(each if each.isprintable() else "?" for each in name[:LONGEST])
