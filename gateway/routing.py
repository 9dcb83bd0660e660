"""Which provider and model serve a request. Pure: a frozen table and two strings in, ordered targets out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from providers.catalog import names
from providers.errors import Fault
from providers.spec import Lack, ProviderSpec

ALIAS = "claude-"  # before provider/model in a list of models: Claude Code's picker keeps only such names
TIERS = ("opus", "haiku", "sonnet")  # the order in which a model name is searched for them


@dataclass(frozen=True, slots=True)
class Ref:
    """A model at a provider."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Route:
    """A rule of keyturn.toml: requested names that equal, begin with or fit ``match`` go to ``provider``."""

    match: str
    provider: str
    model: str = ""  # "" keeps the requested name
    exact: bool = False
    fallbacks: tuple[Ref, ...] = ()  # likewise without a model
    glob: bool = False  # ``match`` is a pattern: * is any letters, ? is one, [ab] one of these
    clients: frozenset[str] = frozenset()  # names of tokens; none: it is for everybody

    def takes(self, requested: str, client: str) -> bool:
        if self.clients and client not in self.clients:
            return False
        if self.exact:
            return requested == self.match
        if self.glob:
            return fnmatchcase(requested, self.match)
        return self.match == "*" or requested.startswith(self.match)

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        """How near it is to a name that it takes: the client's own, the name itself, the most letters of it."""
        letters = len(self.match) - (self.match.count("*") + self.match.count("?") if self.glob else 0)
        return bool(self.clients), self.exact, self.match != "*", letters

    @property
    def shown(self) -> str:
        """The names that it takes, for people."""
        plain = self.exact or self.glob or self.match == "*"
        return f"{self.match}{'' if plain else '*'}{f' of {self._who}' if self.clients else ''}"

    @property
    def _who(self) -> str:
        return ", ".join(sorted(self.clients))


@dataclass(frozen=True, slots=True)
class Target:
    """One place to send a call. ``thinking`` False asks for the model's thinking to be switched off."""

    provider: str
    model: str
    thinking: bool = True
    why: str = field(default="", compare=False)  # for people


class Choice(NamedTuple):
    """What a request goes to, and what takes over, each with what led there, in words."""

    primary: Ref
    why: str
    spare: tuple[Ref, ...] = ()
    why_spare: str = ""

    def why_of(self, ref: Ref) -> str:
        if ref == self.primary:
            return self.why
        return self.why_spare if ref in self.spare else "MODEL_FALLBACKS"


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All that decides a route. ``explicit`` is False where no MODEL was set: then a default provider that
    serves the client's own model names keeps them.
    """

    specs: Mapping[str, ProviderSpec]  # every known provider by id
    usable: frozenset[str]  # ids that have what a call needs
    default: Ref
    explicit: bool = True
    tiers: Mapping[str, Ref] = field(default_factory=dict)
    thinking: bool = True
    tier_thinking: Mapping[str, bool] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    fallbacks: tuple[Ref, ...] = ()  # after those of the route or the tier
    tier_fallbacks: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)
    lacks: Mapping[str, tuple[Lack, ...]] = field(default_factory=dict)  # what the others need

    def targets(self, requested: str, pin: str = "", client: str = "") -> tuple[Target, ...]:
        """The targets of a call, best first, each once. Providers without a key are left out. ``client`` is the name of
        the token.

        Raises Fault: 400 for a misspelt provider, 503 where no target is left.
        """
        choice = self._choose(requested, pin, client)
        refs = self.in_order(choice.primary, choice.spare)
        if not refs:
            provider = choice.primary.provider
            raise not_configured(self.specs[provider], self.lacks.get(provider, ()))
        thinks = self._thinks(requested)
        return tuple(Target(ref.provider, ref.model, thinks, choice.why_of(ref)) for ref in refs)

    def in_order(self, primary: Ref, own: Iterable[Ref] = ()) -> tuple[Ref, ...]:
        """What can be asked of a primary, its own fallbacks and those for all, each once."""
        refs = dict.fromkeys((primary, *own, *self.fallbacks))
        return tuple(ref for ref in refs if ref.provider in self.usable)

    def parse(self, text: str) -> Ref:
        """What ``a/b/c`` means here: see ``parse_ref``."""
        return parse_ref(text, self.specs, self.usable, self.default.provider)

    def resolve(self, requested: str, pin: str = "", client: str = "") -> Ref:
        """pin, else rule, else ``provider/model`` in the name, else the rule "*", else tier, else default.

        Raises Fault (400).
        """
        return self._choose(requested, pin, client).primary

    def _choose(self, requested: str, pin: str, client: str) -> Choice:
        """The primary, and the fallbacks of the rule or the tier that led to it."""
        if pin:
            return Choice(self.parse(pin), "the suffix of the client's token")
        rule = self._rule(requested, client)
        bare = self._without_alias(requested)
        if "/" in bare and (rule is None or (rule.match == "*" and self._names_provider(bare))):
            return Choice(self.parse(bare), "named in the model field")
        if rule is not None:
            why = f"the rule for {rule.shown}"
            spare = tuple(Ref(ref.provider, ref.model or requested) for ref in rule.fallbacks)
            return Choice(Ref(rule.provider, rule.model or requested), why, spare, f"a fallback of {why}")
        return self._by_tier(requested)

    def _by_tier(self, requested: str) -> Choice:
        tier = _tier(requested, self.tiers)
        spare = tier or _tier(requested, self.tier_fallbacks)
        fallbacks = self.tier_fallbacks.get(spare, ())
        why = f"MODEL_{spare.upper()}_FALLBACKS" if fallbacks else ""
        if tier:
            return Choice(self.tiers[tier], f"MODEL_{tier.upper()}", fallbacks, why)
        default = self._default(requested)
        return Choice(default, self._why_default(default), fallbacks, why)

    def _why_default(self, default: Ref) -> str:
        if default is not self.default:
            return f"{default.provider} serves models of this name"
        return "MODEL" if self.explicit else "the first provider that can be used"

    def _default(self, requested: str) -> Ref:
        if not self.explicit and requested.startswith(self.specs[self.default.provider].keeps):
            return Ref(self.default.provider, requested)
        return self.default

    def _without_alias(self, requested: str) -> str:
        bare = requested.removeprefix(ALIAS)
        return bare if self._names_provider(bare) else requested

    def _names_provider(self, text: str) -> bool:
        first, slash, _ = text.partition("/")
        return bool(slash) and first in names(self.specs.values())

    def _rule(self, requested: str, client: str) -> Route | None:
        taking = [route for route in self.routes if route.takes(requested, client)]
        return max(taking, key=lambda route: route.rank, default=None)

    def _thinks(self, requested: str) -> bool:
        return self.tier_thinking.get(_tier(requested, TIERS), self.thinking)


def _tier(requested: str, among: Container[str]) -> str:
    """The tier that a name is of, "" for none."""
    lowered = requested.lower()
    return next((tier for tier in TIERS if tier in among and tier in lowered), "")


def parse_ref(
    text: str, specs: Mapping[str, ProviderSpec], usable: frozenset[str], default: str, strict: bool = False
) -> Ref:
    """What ``a/b/c`` in a token's suffix, a MODEL variable or a model field means. In this order: ``a`` is a provider
    that can be used; a vendor of the default provider's, so that the whole is its model; an alias, or a provider
    without a key (the call will say which to set); a slip of one or two letters, which is a 400. Otherwise, and
    where there is no slash, the whole is a model of ``default``; a provider's bare name is its default model.
    ``strict`` makes a 400 of every ``a`` that is neither a provider nor such a vendor.
    """
    first, slash, rest = text.partition("/")
    known = names(specs.values())
    if not slash:
        bare = known.get(text)
        return Ref(bare, _named(bare, specs[bare].default_model, text)) if bare else Ref(default, text)
    if first in specs and first in usable:
        return Ref(first, _named(first, rest, text))
    if default in specs and first in specs[default].namespaces:
        return Ref(default, text)
    if first in known:
        return Ref(known[first], _named(first, rest, text))
    near = _near(first, known)
    if near or strict:
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise Fault(
            400,
            "invalid_request_error",
            f"model: {text!r} names no provider that Keyturn knows. {meant}"
            f"Known providers: {', '.join(sorted(known))}.",
        )
    return Ref(default, text)


def not_configured(spec: ProviderSpec, lacks: Iterable[Lack] = ()) -> Fault:
    """The provider exists; its key, or what else it ``lacks``, does not."""
    what, how = missing(spec, lacks)
    where = f" A key is made at {spec.key_url}." if spec.key_url and "key" in what else ""
    return Fault(
        503,
        "api_error",
        f"Provider {spec.id} has {what}: {how} in .env or the environment and restart Keyturn.{where}",
        retry=False,
    )


def missing(spec: ProviderSpec, lacks: Iterable[Lack]) -> tuple[str, str]:
    """What a provider has not, such as ``no key``, and what to do. It is a key where nothing is known."""
    known = tuple(lacks) or (Lack("key", spec.key_variable),)
    variables = " and ".join(lack.variable for lack in known if not lack.how)
    fixes = [*(lack.how for lack in known if lack.how), *([f"set {variables}"] if variables else [])]
    return " and ".join(f"no {lack.what}" for lack in known), "; ".join(fixes)


def _named(provider: str, model: str, text: str) -> str:
    if model:
        return model
    raise Fault(400, "invalid_request_error", f"model: {text!r} names no model. Write {provider}/<model>.")


def _near(word: str, known: Iterable[str]) -> list[str]:
    """Names one or two letters off (one for names of three letters)."""
    return sorted(name for name in known if distance(word.lower(), name, cap=2) <= min(2, len(name) - 2))


def distance(a: str, b: str, cap: int) -> int:
    """How many letters to change, add or drop to make ``a`` into ``b``; ``cap + 1`` where it is more than ``cap``."""
    if abs(len(a) - len(b)) > cap:
        return cap + 1
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return min(row[-1], cap + 1)
