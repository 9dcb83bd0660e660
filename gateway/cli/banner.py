"""What an operator reads when the gateway starts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path

from gateway.cli import limits
from gateway.cli.local_runtimes import Offer
from gateway.routing import Ref, RoutingTable
from gateway.settings import Settings
from providers.spec import KeySource, Lack, ProviderConfig, ProviderSpec
from providers.version import VERSION

TAIL = 4  # characters of a key that may be shown
LONG_ENOUGH = 16  # for its tail to give nothing away
KEYS_SHOWN = 4
BY_COMMAND = "`keyturn token create`,"
EXAMPLE = "open_router"  # whose variable a newcomer is shown
STYLES = {
    r"(?m)^\w+": "bold cyan",
    r"(?m)^warning(.*(\n {8,}.*)*)": "yellow",
    r"PROTECTED MODE|\bOPEN(?=:)": "bold yellow",
    r"\bno (key|base URL)(?=:)": "red",
    r"(?m)(?<= )ANTHROPIC_BASE_URL=.* claude$": "bold green",
}
TO_UNPROTECT = ("ANTHROPIC_AUTH_TOKEN=<a token you choose>", "KEYTURN_ALLOW_OPEN=true")


def banner(settings: Settings, port: int, offers: Sequence[Offer] = ()) -> str:
    """``port`` is the one that was bound, which PORT=0 leaves to the system."""
    return sections(
        [
            ("Keyturn", [f"{VERSION} on {url(settings, port)}"]),
            ("token", token_state(settings)),
            ("providers", columns(provider_rows(settings)) or no_provider(settings)),
            ("models", columns(model_rows(settings))),
            ("note", columns(notes(settings))),
            ("state", state_place(settings)),
            ("moved", settings.moved),
            ("warning", list(settings.warnings)),
            ("found", [_offer(offer) for offer in offers]),
            ("start", [start_line(settings, port)]),
        ]
    )


def sections(parts: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Headings on the left, their lines on the right; an empty part is left out."""
    rows = [("" if index else heading, line) for heading, lines in parts for index, line in enumerate(lines)]
    return "\n".join(columns(rows))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned text; the last column is as long as it likes."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def url(settings: Settings, port: int) -> str:
    """Where a program on this machine reaches the gateway."""
    return f"{'https' if settings.certificate else 'http'}://{_reachable(settings.host)}:{port}"


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host


def token_state(settings: Settings) -> list[str]:
    place = f"in Redis, {settings.redis}" if settings.redis else f"in {settings.state_file}"
    made = f"{BY_COMMAND} kept {place}" if settings.redis or settings.state_file else ""
    if settings.tokens:
        names = ", ".join(token.name for token in settings.tokens)
        return [f"required; clients: {names}", *([f"and those of {made}"] if made else [])]
    return [*_without_token(settings), *([f"unless there are tokens of {made}: then required"] if made else [])]


def _without_token(settings: Settings) -> list[str]:
    if settings.loopback:
        return ["open: only programs on this machine reach this address, and any token will do"]
    if settings.allow_open:
        return ["OPEN: whoever reaches this address is served (KEYTURN_ALLOW_OPEN=true)"]
    return [
        f"PROTECTED MODE: {settings.host} is reachable from other machines and no token is set,",
        "so only this machine is served. Add one of these two lines to .env:",
        *(f"    {line}" for line in TO_UNPROTECT),
    ]


def state_place(settings: Settings) -> list[str]:
    """Where rests and counts are kept; nothing to say where they end with the process."""
    if settings.redis:
        alone = f"each of {settings.processes} processes keeps" if settings.processes > 1 else "this process keeps"
        limits = "a part of the limits" if settings.processes > 1 else "all limits by itself (KEYTURN_PROCESSES=1)"
        return [f"in Redis, {settings.redis}, under {settings.redis_prefix}*; while it is away, {alone} to {limits}"]
    return [f"in this process, and in {settings.state_file}"] if settings.state_file else []


def provider_rows(settings: Settings) -> list[tuple[str, str]]:
    return [(provider.id, _state(provider)) for provider in settings.providers if provider.chosen]


def notes(settings: Settings, every: bool = False) -> list[tuple[str, str]]:
    """What a person must know of a provider before using it: of those that cannot be used yet, or of ``every`` one."""
    chosen = [provider for provider in settings.providers if provider.chosen and provider.spec.note]
    return [(provider.id, provider.spec.note) for provider in chosen if every or provider.lacks]


def no_provider(settings: Settings) -> list[str]:
    """Nothing is configured: who answers, and the one line that changes it."""
    spec = settings.routing.specs[EXAMPLE]
    return [
        "none is configured: the built-in demo answers.",
        f"Add a key to .env, for example {spec.key_variable}=<your key>; make one at {spec.key_url}",
    ]


def model_rows(settings: Settings, every: bool = False) -> list[tuple[str, str]]:
    """The default and the tiers; ``every`` lists those too that have nothing of their own."""
    table = settings.routing
    default = _named(table.default) + _kept(settings) + _thinking(table.thinking, every)
    rows = [("default", default + then(table, table.default))]
    for tier in ("opus", "sonnet", "haiku"):
        thinks = table.tier_thinking.get(tier, table.thinking)
        if every or tier in table.tiers or tier in table.tier_fallbacks or thinks != table.thinking:
            target = _named(table.tiers[tier]) if tier in table.tiers else "as default"
            rows.append((tier, target + _thinking(thinks, every) + _then_of_tier(table, tier)))
    return rows


def then(table: RoutingTable, primary: Ref, own: Sequence[Ref] = ()) -> str:
    """Who takes over from a target, "" where nobody does."""
    others = [str(ref) for ref in table.in_order(primary, own) if ref != primary]
    return f", then {', '.join(others)}" if others else ""


def start_line(settings: Settings, port: int) -> str:
    token = "<your token>" if settings.tokens else "any"
    return f"ANTHROPIC_BASE_URL={url(settings, port)} ANTHROPIC_AUTH_TOKEN={token} claude"


def masked(provider: str, number: int, key: KeySource) -> str:
    """A key's label, and its end where the key is long enough to lose nothing by it."""
    if key.login is not None:
        return f"{limits.label(provider, number, key)} by {key.login.title}"
    text = key.secret.reveal()
    return limits.label(provider, number, key) + (f" ...{text[-TAIL:]}" if len(text) >= LONG_ENOUGH else "")


def _state(provider: ProviderConfig) -> str:
    if provider.lacks:
        return "; ".join(f"no {lack.what}: {_fix(provider.spec, lack)}" for lack in provider.lacks)
    parts = [_keys(provider)] if provider.keys else []
    if not provider.keys or provider.base_url != provider.spec.base_url:
        parts.append(provider.base_url)
    if words := limits.of_provider(provider):
        parts.append(f"({words})")
    return "  ".join(parts)


def _fix(spec: ProviderSpec, lack: Lack) -> str:
    if lack.how:
        return lack.how
    hint = f" (make one at {spec.key_url})" if spec.key_url and lack.what == "key" else ""
    return f"set {lack.variable}{f', such as {spec.base_url}' if lack.what == 'base URL' else hint}"


def _keys(provider: ProviderConfig) -> str:
    count = len(provider.keys)
    labels = [masked(provider.id, number, key) for number, key in enumerate(provider.keys[:KEYS_SHOWN], 1)]
    more = f" and {count - KEYS_SHOWN} more" if count > KEYS_SHOWN else ""
    return f"{count} key{'s' if count > 1 else ''}: {', '.join(labels)}{more}"


def _named(ref: Ref) -> str:
    return str(ref) if ref.model else f"{ref.provider}, with the model that is asked for"


def _kept(settings: Settings) -> str:
    table = settings.routing
    kept = [f"{name}*" for name in table.specs[table.default.provider].keeps if name]
    return f"; {', '.join(kept)} as asked for" if kept and not table.explicit else ""


def _then_of_tier(table: RoutingTable, tier: str) -> str:
    """Nothing where it is as for the default."""
    own = table.tier_fallbacks.get(tier, ())
    return then(table, table.tiers.get(tier, table.default), own) if own or tier in table.tiers else ""


def _thinking(on: bool, always: bool) -> str:
    return f", thinking {'on' if on else 'off'}" if always or not on else ""


def _offer(offer: Offer) -> str:
    found = f"{offer.title} answers on {offer.address}"
    # From a checkout make starts it, from an installed package the command does.
    start = "make run" if (Path(__file__).parents[2] / "Makefile").is_file() else "keyturn"
    return f"{found}: MODEL={offer.provider}/{offer.model} {start}" if offer.model else f"{found}, without a model yet"
