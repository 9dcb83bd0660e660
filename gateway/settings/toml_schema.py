"""The JSON Schema of keyturn.toml, for editors, made from the settings that read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from gateway.settings.earlier import ferryllm
from gateway.settings.key_watch import KNOWN as KEY_WATCH
from gateway.settings.row_settings import RowSettings
from gateway.settings.toml_extras import SERVER_TOOLS
from gateway.settings.toml_file import MATCHES, SCHEMA
from gateway.settings.toml_keys import LIMITS
from gateway.settings.toml_keys import SOURCES as KEY_SOURCES
from gateway.settings.toml_providers import SOURCES, TYPES
from gateway.settings.toml_tokens import SOURCES as TOKEN_SOURCES
from gateway.settings.variables import Globals
from providers.spec import EFFORTS, POLICIES, UnseenImages

Json = dict[str, Any]
TEXT: Json = {"type": "string", "minLength": 1}
TEXTS: Json = {"type": "array", "items": TEXT, "minItems": 1}
ONE_OR_MORE: Json = {"anyOf": [TEXT, TEXTS]}
WHOLE: Json = {"type": "integer", "minimum": 1}
SWITCH: Json = {"type": "boolean"}
# A file's value may be what a variable would hold: a number, a switch, or their texts.
SCALAR: Json = {"type": ["string", "integer", "number", "boolean"]}
IDENTITY = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Json:
    """Draft 2020-12."""
    members = {
        SCHEMA: {"type": "string", "description": "Where an editor finds this schema."},
        **_fields(Globals),
        "providers": _list(_provider(), "A provider: settings over a known one, or one of your own."),
        "routes": _list(_route(), "Which provider serves which requested model names."),
        "tokens": _list(_token(), "A client with a token of its own."),
        **_ferryllm(),
    }
    for name in members:
        if name.endswith("_fallbacks"):
            members[name] = {**members[name], **ONE_OR_MORE}
            members[name].pop("type", None)
    return {"$schema": IDENTITY, "title": "keyturn.toml", **_table(members)}


def _fields(model: type[BaseModel]) -> Json:
    return {name: {**SCALAR, "description": field.description} for name, field in model.model_fields.items()}


def _table(members: Mapping[str, Any], required: Iterable[str] = ()) -> Json:
    table: Json = {"type": "object", "additionalProperties": False, "properties": dict(members)}
    return {**table, "required": list(required)} if required else table


def _list(item: Json, description: str) -> Json:
    return {"type": "array", "items": item, "description": description}


def _one_of(words: Iterable[str], description: str) -> Json:
    return {"enum": list(words), "description": description}


def _provider() -> Json:
    sources: Json = dict.fromkeys(SOURCES, TEXT)
    watch = _table(dict.fromkeys(KEY_WATCH, TEXT), ("file", "path"))
    key = _table({"label": TEXT, "account": TEXT, "weight": {"type": "number"}, **_texts(KEY_SOURCES), **_limits()})
    members = {
        "name": {**TEXT, "description": "The id or an alias of a known provider, or a name of your own."},
        "type": _one_of(TYPES, "What it speaks; a provider of your own needs it."),
        **sources,
        "api_keys": ONE_OR_MORE,
        "key_watch": _list(watch, "A key in another program's file; it is read again when that changes."),
        **_fields(RowSettings),
        "max_output_tokens": WHOLE,
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "extra_body": {"type": "object"},
        "images": _one_of(UnseenImages, "What becomes of an image for a model that cannot see."),
        "namespaces": ONE_OR_MORE,
        "server_tools": {"type": "array", "items": {"enum": list(SERVER_TOOLS)}},
        "keys": _list(key, "A key, and what is known of it."),
        "models": _list(_table({"name": TEXT, **_limits()}, ("name",)), "The limits of a model, whatever the key."),
    }
    return _table(members, ("name",))


def _texts(names: Iterable[str]) -> Json:
    return dict.fromkeys(names, TEXT)


def _limits() -> Json:
    return dict.fromkeys(LIMITS, WHOLE)


def _route() -> Json:
    members = {
        "match": {**TEXT, "description": 'A beginning of model names; "*" is every name.'},
        "match_type": _one_of(MATCHES, "How match is compared. glob: * is any letters, ? is one."),
        "tokens": {**ONE_OR_MORE, "description": "Names of the clients' tokens that the rule is for. Unset: all."},
        "provider": TEXT,
        "rewrite_model": {**TEXT, "description": "The model to ask for; without it the requested name."},
        "fallbacks": ONE_OR_MORE,
        "fallback_providers": ONE_OR_MORE,
    }
    return _table(members, ("match", "provider"))


def _token() -> Json:
    members = {
        "name": TEXT,
        **_texts(TOKEN_SOURCES),
        **dict.fromkeys(("models", "providers"), TEXTS),
        **_limits(),
        "expires": {"description": "A day, to its end in UTC, or a time: 2027-01-31, 2027-01-31T18:00:00Z."},
        "web_tools": {**SWITCH, "description": "Whether requests may have web_search and web_fetch."},
        "web_tools_per_minute": {**WHOLE, "description": "Uses of those that run here, in any minute."},
    }
    return _table(members, ("name",))


def _ferryllm() -> Json:
    """The tables of its files."""
    efforts = {name: _one_of(EFFORTS, "An effort.") for name in ferryllm.REASONING[:2]}
    server = {
        "listen": TEXT,
        **{name: {"type": "number"} for name in (*ferryllm.SERVER, "retry_backoff_ms", *ferryllm.BREAKER)},
        **efforts,
        "reasoning_policy": _one_of(POLICIES, "What is done with the effort that a client asks for."),
    }
    cache = dict.fromkeys(ferryllm.CACHE_SWITCHES, SWITCH) | {name: {"type": "string"} for name in ferryllm.CACHE_TEXTS}
    others: Json = {"debug_log_request_shape": SWITCH, "log_relocated_system_text": SWITCH}
    others |= {"relocate_system_prefix_range": TEXT, ferryllm.STRIP: {"type": "array", "items": TEXT}}
    return {
        "server": _table(server),
        "logging": _table({"level": TEXT, "format": _one_of(("text", "json"), "The log's form."), "ansi": SWITCH}),
        "auth": _table({"enabled": SWITCH, "api_keys_env": TEXT, **dict.fromkeys(ferryllm.PER_KEY, WHOLE)}),
        "metrics": _table({"enabled": SWITCH}),
        "prompt_cache": _table(cache | others),
    }
