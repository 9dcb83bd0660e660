"""What a client's token allows of a request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.routing import Target
from middleware.context import RequestContext
from middleware.grant import Grant
from providers.errors import Fault
from providers.json_object import JsonObject

# In the types of such tools: Anthropic's are dated, OpenRouter's have a prefix; then one of Groq's and two of xAI's.
_WEB = ("web_search", "web_fetch", "browser_search", "live_search", "x_search")
_MEMBERS = ("web_search_options", "search_parameters")  # of Chat Completions: OpenAI's, xAI's
_ONLINE = ":online"  # behind a model's name, it lets OpenRouter's search
SHOWN = 5  # patterns of each kind


def permitted(targets: Sequence[Target], context: RequestContext) -> Sequence[Target]:
    """Those that the token may use, in their order. Raises Fault (403) where there is none."""
    grant = context.grant
    if grant is None or not (grant.models or grant.providers):
        return targets
    allowed = tuple(target for target in targets if grant.allows(target.provider, target.model))
    if allowed:
        return allowed
    context.barred = "model"
    first = targets[0]
    raise Fault(
        403,
        "permission_error",
        f"Your client token {grant.name} may not use {first.provider}/{first.model}. It may use {_allowed(grant)}; "
        "GET /v1/models lists them. Whoever runs this Keyturn can allow more.",
        retry=False,
    )


def refuse_web_tools(body: JsonObject, context: RequestContext) -> None:
    """Raises Fault (403) where the request has tools that reach out to the web, and the token may not."""
    grant = context.grant
    if grant is None or grant.web_tools:
        return
    if body.repeats:
        raise Fault(400, "invalid_request_error", "body: a member stands twice; send each one once.", retry=False)
    if not _wants_web(body, context.pin):
        return
    context.barred = "web_tools"
    raise Fault(
        403,
        "permission_error",
        f"Your client token {grant.name} may not use web_search and web_fetch. Leave these tools out; whoever runs "
        "this Keyturn can allow them (web_tools).",
        retry=False,
    )


def _wants_web(body: JsonObject, pin: str) -> bool:
    if any(body.get(name) is not None for name in _MEMBERS) or (pin or str(body.get("model"))).endswith(_ONLINE):
        return True
    return any(map(_is_web, _listed_in(body.get("tools")))) or any(map(_is_plugin, _listed_in(body.get("plugins"))))


def _listed_in(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | dict) else ()


def _is_web(tool: Any) -> bool:
    """A tool that an upstream runs, of any dialect; one of the client's own has another type, whatever its name."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    return isinstance(kind, str) and any(each in kind for each in _WEB)


def _is_plugin(plugin: Any) -> bool:
    """OpenRouter's, as a list of objects or as an object."""
    return (plugin.get("id") if isinstance(plugin, dict) else plugin) == "web"


def _allowed(grant: Grant) -> str:
    parts = [f"models {_listed(grant.models)}"] if grant.models else ["models"]
    return " ".join([*parts, *([f"of providers {_listed(grant.providers)}"] if grant.providers else [])])


def _listed(patterns: Sequence[str]) -> str:
    more = f" and {len(patterns) - SHOWN} more" if len(patterns) > SHOWN else ""
    return ", ".join(patterns[:SHOWN]) + more
