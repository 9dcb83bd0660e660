"""Why each target was chosen, in words that an operator can find in the settings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.routing import Ref, Route, RoutingTable, Target
from providers.catalog import CATALOG

SPARE = Ref("ollama", "spare")
EVERY: dict[str, Any] = {
    "tiers": {"opus": Ref("groq", "large")},
    "tier_fallbacks": {"opus": (Ref("openai", "o"),), "haiku": (Ref("openai", "h"),)},
    "routes": (
        Route("gpt-", "openai", fallbacks=(Ref("groq", "g"),)),
        Route("exactly", "openai", "m", exact=True),
        Route("*", "groq", "any"),
    ),
    "fallbacks": (SPARE,),
}


def table(**more: Any) -> RoutingTable:
    return RoutingTable(
        {row.id: row for row in CATALOG}, frozenset({"groq", "openai", "ollama"}), Ref("openai", "m"), **more
    )


@pytest.mark.parametrize(
    ("requested", "pin", "whys"),
    [
        ("claude-opus-4-8", "groq/x", ["the suffix of the client's token", "MODEL_FALLBACKS"]),
        ("groq/x", "", ["named in the model field", "MODEL_FALLBACKS"]),
        ("gpt-5", "", ["the rule for gpt-*", "a fallback of the rule for gpt-*", "MODEL_FALLBACKS"]),
        ("exactly", "", ["the rule for exactly", "MODEL_FALLBACKS"]),
        ("whatever", "", ["the rule for *", "MODEL_FALLBACKS"]),
    ],
)
def test_what_led_to_a_target(requested: str, pin: str, whys: list[str]) -> None:
    assert [target.why for target in table(**EVERY).targets(requested, pin)] == whys


@pytest.mark.parametrize(
    ("requested", "whys"),
    [
        ("claude-opus-4-8", ["MODEL_OPUS", "MODEL_OPUS_FALLBACKS", "MODEL_FALLBACKS"]),
        ("claude-haiku-4-5", ["MODEL", "MODEL_HAIKU_FALLBACKS", "MODEL_FALLBACKS"]),
        ("claude-sonnet-5", ["MODEL", "MODEL_FALLBACKS"]),
    ],
)
def test_what_led_to_a_tier(requested: str, whys: list[str]) -> None:
    assert [target.why for target in table(**{**EVERY, "routes": ()}).targets(requested)] == whys


def test_what_led_to_the_default_where_nothing_was_set() -> None:
    (target,) = table(explicit=False).targets("something")
    assert target.why == "the first provider that can be used"


def test_it_is_no_part_of_what_a_target_is() -> None:
    assert Target("groq", "m", why="MODEL") == Target("groq", "m", why="MODEL_OPUS")
