"""The story of one request, as JSON. Never a prompt, a header or a key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.words import BARRED, words
from middleware.context import Chosen, RequestContext
from providers.ports import Attempt, Step, Usage
from providers.state import Passed

Json = dict[str, Any]
LONGEST_NAME = 200  # characters of the model that a client named


def story(context: RequestContext, now: float) -> Json:
    """``now`` is on the clock of the context's times. What is not known, or not yet, is null."""
    attempt = context.attempt
    return {
        "request_id": context.request_id,
        "running": context.ended is None,
        "route": context.route,
        "principal": context.principal or None,
        "requested": context.requested[:LONGEST_NAME] or None,
        "pinned": bool(context.pin),
        "session": context.session,
        "local": context.local or None,
        "targets": [_target(each) for each in context.targets],
        "steps": list(_steps(context)),
        "provider": context.target[0] or None,
        "model": context.target[1] or None,
        "key": attempt.key if attempt else None,
        "status": context.status or None,
        "outcome": context.outcome or None,
        "refused": BARRED.get(context.barred),
        "seconds": _rounded((context.ended or now) - context.started),
    }


def _target(chosen: Chosen) -> Json:
    return {"provider": chosen.provider, "model": chosen.model, "why": chosen.why}


def _steps(context: RequestContext) -> Iterator[Json]:
    """Attempts and what was between them, in the order in which they began."""
    told = [(each.started, _attempt(each)) for each in context.trail.attempts]
    told += [(each.at, _step(each)) for each in context.trail.steps]
    for at, step in sorted(told, key=lambda pair: pair[0]):
        yield {"ms": round((at - context.started) * 1000, 1), **step}


def _attempt(attempt: Attempt) -> Json:
    return {
        "what": "attempt",
        "provider": attempt.provider,
        "model": attempt.model,
        "key": attempt.key or None,
        "passed": _passed(attempt.passed),
        "upstream_status": attempt.status,
        "outcome": attempt.outcome,
        "reason": attempt.reason or None,
        "why": words(attempt.reason) or None,
        "first_content_seconds": _since(attempt.started, attempt.first_content),
        "seconds": _since(attempt.started, attempt.ended),
        "tokens": _tokens(attempt.usage),
        "lost": [*attempt.lost, *attempt.untold],
        "repairs": dict(attempt.repairs),
    }


def _step(step: Step) -> Json:
    told: Json = {"what": step.what, "provider": step.provider, "model": step.model}
    if step.reason:
        told |= {"reason": step.reason, "why": words(step.reason)}
    if step.what in ("moved", "given_up", "skipped"):
        return told | ({"to": step.to, "stage": step.stage} if step.to else {})
    told |= {"seconds": _rounded(step.seconds), "times": step.times}
    return told | ({"passed": _passed(step.passed)} if step.what == "refused" else {})


def _passed(passed: Sequence[Passed]) -> list[Json]:
    """Keys that could not serve; the provider itself where none could."""
    return [
        {"label": each.label, "reason": each.reason, "why": words(each.reason), "wait": _rounded(each.wait)}
        for each in passed
    ]


def _tokens(usage: Usage) -> Json:
    return {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }


def _since(began: float, at: float | None) -> float | None:
    return None if at is None else _rounded(at - began)


def _rounded(seconds: float) -> float:
    return round(seconds, 4)
