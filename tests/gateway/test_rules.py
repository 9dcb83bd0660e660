"""[[routes]]: patterns, and rules that are for one client alone."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from gateway.cli.check import report
from gateway.routing import Route
from tests.gateway.place import Place
from tests.serving import ask, serving
from tests.upstream import Upstream, message, text

RULES = """
[[tokens]]
name = "ada"
token = "kt-ada-0123456789"
[[tokens]]
name = "ci"
token = "kt-ci-0123456789"
[[routes]]
match = "claude-*-4-?"
match_type = "glob"
provider = "demo"
rewrite_model = "four"
[[routes]]
match = "claude-"
provider = "demo"
rewrite_model = "any"
[[routes]]
match = "claude-opus-[45]*"
match_type = "glob"
provider = "demo"
rewrite_model = "big"
[[routes]]
match = "claude-opus-4-8"
match_type = "exact"
provider = "demo"
rewrite_model = "exactly"
[[routes]]
match = "*"
tokens = ["ci"]
provider = "demo"
rewrite_model = "cheap"
[[routes]]
match = "review"
tokens = ["ada", "ci"]
provider = "demo"
rewrite_model = "reviewer"
"""


@pytest.mark.parametrize(
    ("requested", "client", "model"),
    [
        ("claude-opus-4-8", "", "exactly"),
        ("claude-sonnet-4-5", "", "four"),
        ("claude-sonnet-4-50", "", "any"),
        ("claude-opus-5", "ada", "big"),
        ("claude-opus-3", "ada", "any"),
        ("claude-opus-4-8", "ci", "cheap"),
        ("review", "ci", "reviewer"),
        ("review", "ada", "reviewer"),
        ("review", "", "demo"),
        ("Claude-opus-5", "", "demo"),
    ],
)
def test_the_clients_own_rule_then_the_name_then_the_most_letters(
    requested: str, client: str, model: str, tmp_path: Path
) -> None:
    routing = Place(tmp_path).toml('model = "demo/demo"' + RULES).routing
    assert routing.resolve(requested, client=client).model == model
    assert [target.model for target in routing.targets(requested, client=client)] == [model]


def test_a_model_that_is_named_with_its_provider_goes_before_a_clients_rule_for_all(tmp_path: Path) -> None:
    routing = Place(tmp_path).toml('model = "demo/demo"' + RULES).routing
    assert routing.resolve("demo/own", client="ci").model == "own"
    assert routing.resolve("claude-demo/own", client="ci").model == "own"


def test_check_and_the_story_of_a_request_name_the_rule(tmp_path: Path) -> None:
    settings = Place(tmp_path).toml('model = "demo/demo"' + RULES)
    shown = [route.shown for route in settings.routing.routes]
    assert shown[:4] == ["claude-*-4-?", "claude-*", "claude-opus-[45]*", "claude-opus-4-8"]
    assert shown[4:] == ["* of ci", "review* of ada, ci"]
    assert all(each in report(settings) for each in shown)
    [target] = settings.routing.targets("x", client="ci")
    assert target.why == "the rule for * of ci"


def test_a_rule_for_a_client_that_is_none_warns(tmp_path: Path) -> None:
    text = RULES.replace('tokens = ["ci"]', 'tokens = ["adda", "shared"]').replace('["ada", "ci"]', '["zoe"]')
    settings = Place(tmp_path).toml('model = "demo/demo"' + text)
    assert settings.warnings == (
        "routes.*.tokens (from ./keyturn.toml, line 29): no token of the settings has the name 'adda': the rule is for "
        "one that is made. Did you mean ada?",
        "routes.review.tokens (from ./keyturn.toml, line 34): no token of the settings has the name 'zoe': the rule is "
        "for one that is made. Known: ada, ci, shared.",
    )
    assert Route("x", "demo", clients=frozenset({"adda"})).takes("x", "adda")


async def test_each_client_gets_its_own_model(tmp_path: Path) -> None:
    async with Upstream() as upstream:
        upstream.always(message(text("Hello")))
        mine = f'[[providers]]\nname = "mine"\ntype = "anthropic"\nbase_url = "{upstream.url}"\napi_key = "k"\n'
        (tmp_path / "keyturn.toml").write_text(mine + RULES.replace('"demo"', '"mine"'))
        async with serving(tmp_path, {}) as gateway:
            for token in ("kt-ada-0123456789", "kt-ci-0123456789"):
                async with gateway.client(token) as client:
                    reply = await client.post("/v1/messages", json=ask(model="claude-opus-4-8"))
                    assert reply.status_code == httpx.codes.OK
                    assert (await client.post("/v1/messages/count_tokens", json=_counted())).status_code == 200
    models = [request.model for request in upstream.posts("/v1/messages")]
    assert models == ["exactly", "cheap"]


def _counted() -> dict[str, object]:
    return {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "hi"}]}
