"""What an operator has done to every request: marks for prompt caches, and a rule for efforts. Pure.

Both read a body once more, and only where they are configured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from providers.call import Call, Operation, UpstreamRequest
from providers.json_object import JsonObject, encode
from providers.quirks import Quirks
from providers.spec import EFFORTS, PromptCache, ProviderConfig, ReasoningPolicy

# Thinking tokens below which a budget is of an effort (ferryllm's scale, read 2026-11).
BUDGETS = ((512, "minimal"), (2048, "low"), (8192, "medium"), (16384, "high"), (32768, "xhigh"), (65536, "max"))
LEAST_BUDGET = 1024  # Anthropic takes no smaller one
MARK = {"type": "ephemeral"}
MOST_MARKS = 4  # in one request (docs.claude.com, prompt caching, read 2026-11)
LONGEST_KEY = 64  # of prompt_cache_key (OpenAI's API reference, read 2026-11)
# Where a client's dialect has the effort: a member, or a member of an object.
_PLACES = {
    "anthropic": ("output_config", "effort"),
    "openai_chat": ("", "reasoning_effort"),
    "openai_responses": ("reasoning", "effort"),
}


def governed(call: Call, policy: ReasoningPolicy) -> Call:
    """The call as if its client had asked for the effort that the policy wants."""
    place = _PLACES.get(call.dialect)
    if place is None or call.operation is not Operation.MESSAGES:
        return call
    asked = _asked(call.body, place)
    wanted = _wanted(asked, policy)
    if wanted == asked:
        return call
    return replace(call, body=JsonObject(call.body.edited(_effort_edits(call, place, wanted))))


def telling(config: ProviderConfig, model: str) -> ProviderConfig:
    """The config as that of a model that takes efforts, where the policy says to find that out."""
    quirks = config.quirks.of(model)
    if config.reasoning is None or not config.reasoning.tells or quirks.efforts:
        return config
    return replace(config, quirks=replace(quirks, efforts=EFFORTS[:-1], models=()))


def _asked(body: JsonObject, place: tuple[str, str]) -> str:
    """The effort of a request, "" where it names none."""
    outer, name = place
    holder = body.get(outer) if outer else {name: body.get(name)}
    effort = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(effort, str) and effort:
        return effort
    thinking = body.get("thinking")
    if not isinstance(thinking, dict):
        return ""
    budget = thinking.get("budget_tokens")
    if isinstance(budget, int):
        return next((effort for limit, effort in BUDGETS if budget < limit), EFFORTS[-1])
    return "none" if thinking.get("type") == "disabled" else ""


def _wanted(asked: str, policy: ReasoningPolicy) -> str:
    match policy.policy:
        case "fill_missing":
            return asked or policy.default
        case "force":
            return policy.default
        case "cap" if asked in EFFORTS and EFFORTS.index(asked) > EFFORTS.index(policy.most):
            return policy.most
    return asked


def _effort_edits(call: Call, place: tuple[str, str], wanted: str) -> dict[str, bytes | None]:
    outer, name = place
    effort = "max" if wanted == "ultracode" else wanted
    if call.dialect != "anthropic":
        holder = {**(call.body.get(outer) or {}), name: effort} if outer else effort
        return {outer or name: encode(holder)}
    if effort == "none":
        return {"thinking": encode({"type": "disabled"})}
    # Messages has no minimal effort.
    edits: dict[str, bytes | None] = {
        outer: encode({**(call.body.get(outer) or {}), name: "low" if effort == "minimal" else effort})
    }
    thinking = call.body.get("thinking")
    limit = next((limit for limit, each in BUDGETS if each == effort), 0)
    if isinstance(thinking, dict) and limit and thinking.get("budget_tokens", 0) >= limit:
        edits["thinking"] = encode({**thinking, "budget_tokens": max(LEAST_BUDGET, limit - 1)})
    return edits


def cached(request: UpstreamRequest, dialect: str, cache: PromptCache, quirks: Quirks) -> UpstreamRequest:
    """The request with what makes its upstream cache the prompt; what the client has of it stays.

    A member that the upstream is known to refuse is not added.
    """
    body = JsonObject(request.body)
    found = _marks(body, cache) if dialect == "anthropic" else _key(body, cache)
    edits = {name: value for name, value in found.items() if _taken(name, quirks)}
    return replace(request, body=body.edited(edits)) if edits else request


def _taken(name: str, quirks: Quirks) -> bool:
    if name in ("system", "tools", "messages"):
        return "cache_control" not in quirks.learned
    refused = (*quirks.learned, *quirks.refused)
    return name not in refused and (not quirks.accepted or name in quirks.accepted)


def _key(body: JsonObject, cache: PromptCache) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    if cache.key and "prompt_cache_key" not in body:
        model = str(body.get("model"))
        system = body.view("instructions") or _first(body.get("messages"))
        digests = "-".join(hashlib.sha256(part).hexdigest()[:8] for part in (bytes(body.view("tools")), bytes(system)))
        found["prompt_cache_key"] = encode(f"{cache.key}-{model}"[: LONGEST_KEY - len(digests) - 1] + f"-{digests}")
    if cache.retention and "prompt_cache_retention" not in body:
        found["prompt_cache_retention"] = encode(cache.retention)
    return found


def _first(messages: Any) -> bytes:
    """The system's words at the beginning of a chat."""
    first = messages[0] if isinstance(messages, list) and messages else {}
    return encode(first.get("content")) if first.get("role") in ("system", "developer") else b""


def _marks(body: JsonObject, cache: PromptCache) -> dict[str, bytes | None]:
    left = MOST_MARKS - body.raw.count(b'"cache_control"')
    edits: dict[str, bytes | None] = {}
    for name, wanted, mark in (
        ("tools", cache.tools, _marked_last),
        ("system", cache.system, _marked_system),
        ("messages", cache.last_message, _marked_message),
    ):
        if not wanted or left <= 0 or b'"cache_control"' in bytes(body.view(name)):
            continue
        marked = mark(body.get(name))
        if marked is not None:
            edits[name] = encode(marked)
            left -= 1
    return edits


def _marked_last(items: Any) -> Any:
    """A list with its last object marked; None where there is none."""
    if not isinstance(items, list) or not items or not isinstance(items[-1], Mapping):
        return None
    return [*items[:-1], {**items[-1], "cache_control": MARK}]


def _marked_system(system: Any) -> Any:
    if isinstance(system, str):
        return [{"type": "text", "text": system, "cache_control": MARK}] if system else None
    return _marked_last(system)


def _marked_message(messages: Any) -> Any:
    """The last message of the user's; thoughts cannot be marked, and empty text must not be."""
    last = messages[-1] if isinstance(messages, list) and messages else {}
    content = last.get("content") if last.get("role") == "user" else None
    if isinstance(content, str):
        marked = _marked_system(content)
    elif isinstance(content, list) and content and _markable(content[-1]):
        marked = _marked_last(content)
    else:
        return None
    return [*messages[:-1], {**last, "content": marked}] if marked else None


def _markable(block: Any) -> bool:
    return isinstance(block, Mapping) and (block.get("type") != "text" or bool(block.get("text")))
