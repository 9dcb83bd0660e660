"""What a probe found, what it means, and how to mend it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.doctor.plan import Duty
from gateway.routing import Ref
from gateway.settings.row_settings import KEYS, variables
from gateway.words import words
from providers.errors import ErrorKind
from providers.spec import ProviderConfig


class State(StrEnum):
    """What a key is good for with one model."""

    OK = "ok"
    LIMITED = "limited"  # good, but for a limit that passes
    FAILED = "failed"


LIMITS = (ErrorKind.RATE_LIMITED, ErrorKind.KEY_WINDOW, ErrorKind.ACCOUNT_QUOTA)
_ELSEWHERE = "Choose another model: GET /v1/models of a running gateway lists them."
FIXES: Mapping[ErrorKind, str] = {
    ErrorKind.KEY_REFUSED: "Put a valid key into {key}{made}.",
    ErrorKind.KEY_UNPAID: "Pay in credit for the account of {key}{at}, or take that key out.",
    ErrorKind.KEY_FORBIDDEN: "Give the key in {key} the right to use {model}{at}, or choose another model.",
    ErrorKind.NO_KEY: "Put a key into {key}{made}.",
    ErrorKind.MODEL_NOT_FOUND: f"{{provider}} has no {{model}} for this key. {_ELSEWHERE}",
    ErrorKind.NOT_FOUND: "Correct {base}: nothing serves models under {url}.",
    ErrorKind.UNSUPPORTED: f"{{model}} cannot do what Claude Code asks for. {_ELSEWHERE}",
    ErrorKind.RATE_LIMITED: "Wait, or add keys to {keys}: Keyturn takes them in turn.",
    ErrorKind.KEY_WINDOW: "Wait for its reset, or add keys to {keys}: Keyturn takes them in turn.",
    ErrorKind.ACCOUNT_QUOTA: "Wait for its reset, or add a key of another account to {keys}.",
    ErrorKind.FIRST_TOKEN_TIMEOUT: "Try again later, or name a fallback in MODEL_FALLBACKS.",
    ErrorKind.STALLED: "Try again later, or name a fallback in MODEL_FALLBACKS.",
    ErrorKind.MALFORMED: "Correct {base} or {dialect}: what answers under {url} is no model.",
}
_HERE = "Start {title} on this machine, or say in {base} where it is."
_THERE = "Look at this machine's network, at {base} and at {proxy}."
_OTHERWISE = "Try again later; what the provider says is above."

_QUOTA = re.compile(
    r"^(?:anthropic-|x-)?ratelimit-"
    r"(?:(?P<what>limit|remaining)-(?P<of>requests|tokens)|(?P<of2>requests|tokens)-(?P<what2>limit|remaining))$"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One key asked for one model. ``None`` is what was not asked, or not to be known."""

    provider: str
    model: str
    key: str  # its label
    state: State = State.OK
    kind: ErrorKind | None = None
    says: str = ""  # the provider's words, or ours
    fix: str = ""
    first_content: float | None = None  # seconds
    streams: bool | None = None
    tools: bool | None = None
    thinking: bool | None = None
    quota: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.provider, self.model)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a name that requests come under can be served now."""

    name: str
    target: Ref
    state: State
    answered_by: Ref | None = None


def verdicts(duties: Sequence[Duty], findings: Iterable[Finding]) -> tuple[Verdict, ...]:
    """One for each duty. It works where a key of one of its targets does."""
    best: dict[Ref, State] = {}
    for finding in findings:
        best[finding.ref] = min(best.get(finding.ref, State.FAILED), finding.state, key=list(State).index)
    return tuple(_verdict(duty, best) for duty in duties)


def _verdict(duty: Duty, best: Mapping[Ref, State]) -> Verdict:
    for state in (State.OK, State.LIMITED):
        if answering := next((ref for ref in duty.targets if best.get(ref) is state), None):
            return Verdict(duty.name, duty.primary, state, answering)
    return Verdict(duty.name, duty.primary, State.FAILED)


def state_of(kind: ErrorKind) -> State:
    return State.LIMITED if kind in LIMITS else State.FAILED


def fix(kind: ErrorKind, config: ProviderConfig, model: str, variable: str) -> str:
    """What to do about a failure, with the names of the settings that it takes. ``variable`` holds the key."""
    where = config.spec.key_url
    text = _HERE if config.spec.local else _THERE
    if kind is not ErrorKind.UNREACHABLE:
        text = FIXES.get(kind, _OTHERWISE)
    return text.format(
        provider=config.id,
        title=config.spec.title,
        model=model,
        url=config.base_url,
        key=variable,
        keys=variables(config.spec, KEYS)[0],
        base=variables(config.spec, "BASE_URL")[0],
        proxy=variables(config.spec, "PROXY")[0],
        dialect=variables(config.spec, "DIALECT")[0],
        made=f"; one is made at {where}" if where else "",
        at=f" at {where}" if where else "",
    )


def keyless(config: ProviderConfig, model: str) -> Finding:
    """Of a provider that is named in the settings and has no key: there is nothing to ask with."""
    variable = config.spec.key_variable
    return Finding(
        config.id,
        model,
        "",
        State.FAILED,
        ErrorKind.NO_KEY,
        words(ErrorKind.NO_KEY),
        fix(ErrorKind.NO_KEY, config, model, variable),
    )


def quota(headers: Mapping[str, str]) -> str:
    """What rate limit headers say is left: ``29 of 30 requests, 5900 of 6000 tokens``; "" where they say nothing.

    Names as Anthropic, OpenAI, Groq and most others write them (protocols seen in 2026-11).
    """
    figures: dict[tuple[str, str], str] = {}
    for name, value in headers.items():
        if (found := _QUOTA.match(name.lower())) and value.strip().isdigit():
            figures[found["of"] or found["of2"], found["what"] or found["what2"]] = value.strip()
    return ", ".join(_left(figures, of) for of in ("requests", "tokens") if (of, "remaining") in figures)


def _left(figures: Mapping[tuple[str, str], str], of: str) -> str:
    limit = figures.get((of, "limit"))
    return f"{figures[of, 'remaining']}{f' of {limit}' if limit else ''} {of}"
