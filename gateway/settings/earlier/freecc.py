"""chachako/freecc: a provider, a model, a key and an address for each of two tiers, by LiteLLM. Pure.

Its names are those of its README. What LiteLLM calls a provider is mostly what Keyturn calls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.settings.earlier.reading import DEFAULT, Reading, System, all_given, given, model_at, unset
from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.row_settings import BASE_URL, KEY, Row, variables
from gateway.settings.toml_table import nearest
from gateway.settings.values import points_here
from providers.catalog import names
from providers.spec import ProviderSpec

NAME = "chachako/freecc"
TIERS = ("BIG", "SMALL")
OWN = ("PROVIDER", "API_KEY", "API_BASE")  # behind BIG_MODEL_ and SMALL_MODEL_; NAME others have too
BASES = {
    "OPENAI_API_BASE": "OPENAI_BASE_URL",
    "GEMINI_API_BASE": "GEMINI_BASE_URL",
    "XAI_API_BASE": "XAI_BASE_URL",
    "ANTHROPIC_API_BASE": "ANTHROPIC_UPSTREAM_BASE_URL",
}
CLIENT_KEY = "ANTHROPIC_API_KEY"
ALIASES = {
    **BASES,
    "CONSOLE_LOG_LEVEL": "LOG_LEVEL",
    "FILE_LOG_LEVEL": "LOG_FILE_LEVEL",
    "LOG_REQUEST_BODY": "LOG_RAW_API_PAYLOADS",
    "LOG_RESPONSE_BODY": "LOG_RAW_SSE_EVENTS",
}
LOG_FILE = "claude-proxy.log"
DEFAULTS = {"CONSOLE_LOG_LEVEL": "INFO", "FILE_LOG_LEVEL": f"no file (there {LOG_FILE})"}
PROVIDER, MODEL = "openai", "gpt-4.1"
# At an address of an operator's LiteLLM asks these in their own dialects, and all others in Chat Completions.
OWN_DIALECT = ("anthropic", "bedrock", "ollama", "vertex")


def told(layers: Layers, _: Sequence[Row]) -> list[Value]:
    own = [f"{tier}_MODEL_{name}" for tier in TIERS for name in OWN]
    return all_given(layers, (*own, *BASES))


def read(layers: Layers, rows: Sequence[Row], report: Report) -> Reading:
    tiers = Tiers(layers, rows, report)
    named = all_given(layers, [f"{tier}_MODEL_{name}" for tier in TIERS for name in (*OWN, "NAME")])
    models = tiers.models() if named else {}
    values = {"ANTHROPIC_UPSTREAM_API_KEY": given(layers, CLIENT_KEY), **tiers.values}
    if given(layers, "FILE_LOG_LEVEL"):
        values["LOG_FILE"] = Value("LOG_FILE", LOG_FILE, DEFAULT)
    return Reading(
        models=models,
        values={name: value for name, value in values.items() if value},
        rows=tuple(tiers.rows.values()),
        notes=tuple(_notes(layers)),
    )


@dataclass(frozen=True, slots=True)
class Tier:
    """BIG or SMALL, with what it has from the other one."""

    name: str
    provider: Value
    model: Value
    key: Value | None
    base: Value | None

    @property
    def prefix(self) -> str:
        return f"{self.name}_MODEL"

    @property
    def place(self) -> tuple[str, Value | None, Value | None]:
        return self.provider.text.strip().lower(), self.key, self.base


@dataclass(slots=True)
class Tiers:
    """Reads both. A tier with a key or an address of its own is a provider of its own."""

    layers: Layers
    known: Sequence[Row]
    report: Report
    values: dict[str, Value] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)  # by id

    def models(self) -> dict[str, Value]:
        """Everything is big but haiku."""
        big = self._tier("BIG", Tier("", Value("", PROVIDER, DEFAULT), Value("", MODEL, DEFAULT), None, None))
        small = self._tier("SMALL", big)
        of_big = self._provider(big)
        of_small = of_big if small.place == big.place else self._provider(small)
        served = {"MODEL": (of_big, big), "MODEL_HAIKU": (of_small, small)}
        return {name: model_at(provider, tier.model) for name, (provider, tier) in served.items() if provider}

    def _tier(self, name: str, above: Tier) -> Tier:
        """Key and address come from the tier above only where both are at one provider."""
        own = {setting: given(self.layers, f"{name}_MODEL_{setting}") for setting in (*OWN, "NAME")}
        provider = own["PROVIDER"] or _as_default(above.provider, f"{name}_MODEL_PROVIDER")
        same = provider.text.strip().lower() == above.provider.text.strip().lower()
        return Tier(
            name,
            provider,
            own["NAME"] or _as_default(above.model, f"{name}_MODEL_NAME"),
            own["API_KEY"] or (above.key if same else None),
            own["API_BASE"] or (above.base if same else None),
        )

    def _provider(self, tier: Tier) -> str:
        """The id of the tier's provider; "" and a problem where nothing says what or where it is."""
        text = tier.provider.text.strip().lower()
        known = names(row.spec for row in self.known)
        if text in known:
            row = next(row for row in self.known if row.spec.id == known[text])
            return self._instance(tier, row) if tier.key or tier.base else row.spec.id
        if tier.base and re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", text):
            return self._foreign(tier, text)
        hint = nearest(text, sorted(known), "providers")
        fix = f"{hint} Or set {tier.prefix}_API_BASE to the URL of an API shaped like OpenAI's."
        tier.provider.reject(self.report, f"{text!r} is not a provider that Keyturn knows", fix)
        return ""

    def _instance(self, tier: Tier, row: Row) -> str:
        """A row once more, with this tier's key and address."""
        base = tier.base or self.layers.first((*variables(row.spec, BASE_URL), *_globals_of(row.spec)))
        key = tier.key or self._key_of(row.spec)
        spec = _in_chat(row.spec) if base else row.spec
        own = replace(
            spec,
            id=f"{spec.id}-{tier.name.lower()}",
            title=f"{spec.title} for {tier.prefix}",
            prefixes=_prefixes(tier, f"{spec.id}-{tier.name}"),
            aliases=(),
            key_variables=(),
            base_variables=(f"{tier.prefix}_API_BASE",),
            faces=tuple(replace(face, key_variables=None, base_variables=None, parts=None) for face in spec.faces),
            local=spec.local or bool(base and points_here(base.text.strip())),
            note="",
            instance_of=spec.family,
        )
        self._add(Row(own, listed=True, added=row.added), tier, key, base)
        return own.id

    def _foreign(self, tier: Tier, name: str) -> str:
        """A provider that Keyturn does not know, at an address."""
        own = name if name not in self.rows else f"{name}-{tier.name.lower()}"
        base = (f"{tier.prefix}_API_BASE",)
        spec = ProviderSpec(own, own, _prefixes(tier, own), "openai_chat", "", base_variables=base, instance_of=name)
        self._add(Row(spec, listed=True, added=True), tier, tier.key, tier.base)
        return own

    def _add(self, row: Row, tier: Tier, key: Value | None, base: Value | None) -> None:
        """The row, and what this tier has not said itself, as if it had."""
        self.rows[row.spec.id] = row
        for setting, value in (("API_KEY", key), ("API_BASE", base)):
            name = f"{tier.prefix}_{setting}"
            if value and value.name != name:
                self.values[name] = value
        stray = key and base and base.name == f"{tier.prefix}_API_BASE" and key.name != f"{tier.prefix}_API_KEY"
        if key and base and stray and not points_here(base.text.strip()):
            key.warn(
                self.report,
                f"this key goes to {base.name} too, as in {NAME}: there is no {tier.prefix}_API_KEY. "
                "Set that one where the two are not one company's.",
            )

    def _key_of(self, spec: ProviderSpec) -> Value | None:
        """The provider's own key, for all its tiers."""
        names_of = (*variables(spec, KEY), *((CLIENT_KEY,) if spec.id == "anthropic" else ()))
        return self.layers.first(names_of)


def _as_default(value: Value, name: str) -> Value:
    return replace(value, name=name, origin=value.origin)


def _prefixes(tier: Tier, own: str) -> tuple[str, str]:
    return tier.prefix, re.sub(r"[^A-Z0-9]", "_", own.upper())


def _globals_of(spec: ProviderSpec) -> list[str]:
    return [name for name, ours in BASES.items() if ours in variables(spec, BASE_URL)]


def _in_chat(spec: ProviderSpec) -> ProviderSpec:
    face = next((face for face in spec.faces if face.dialect == "openai_chat"), None)
    return spec.with_face(face) if face and spec.id not in OWN_DIALECT else spec


def _notes(layers: Layers) -> Iterator[str]:
    if given(layers, CLIENT_KEY):
        yield f"{CLIENT_KEY} is Anthropic's key, and no token of clients"
    yield from unset(layers, DEFAULTS)


NAMES = (*(f"{tier}_MODEL_{name}" for tier in TIERS for name in (*OWN, "NAME")), *ALIASES)
FREECC = System(NAME, "docs/moving/freecc.md", told, read, ("BIG_MODEL_NAME", "SMALL_MODEL_NAME"), tuple(BASES), NAMES)
