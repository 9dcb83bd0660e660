"""Every client as the pages show it: tokens, what is open, what was used."""

from __future__ import annotations

from gateway.cli.pool_table import table
from gateway.clients.overview import MOST, overview
from gateway.usage import Row, Tally, Who
from middleware.grant import Grant
from providers.ports import Usage
from providers.spec import Limits

NOW = 1795176000.0
USED = Tally(3, 1, 2, Usage(1000, 200, 30, 4), 0.5, 0, NOW - 60)


def test_of_tokens_with_one_name_the_good_one_is_shown() -> None:
    again = Grant("ada", limits=Limits(5), created=2.0)
    tokens = [(again, False), (Grant("ada", revoked=NOW - 1, created=1.0), False)]
    for order in (tokens, tokens[::-1]):
        (ada,) = overview(order, [], [], NOW)["clients"]
        assert (ada["state"], ada["requests_per_minute"]) == ("good", 5)


def test_what_ended_is_shown_where_it_was_used() -> None:
    tokens = [(Grant("old", revoked=NOW - 1), False), (Grant("late", expires=NOW), True), (Grant("ada"), True)]
    found = overview(tokens, [Row(Who("late", "s", "a"), USED), Row(Who("late", "t"), USED)], ["ada", "", "ada"], NOW)
    shown = {each["name"]: (each["state"], each["open"], each["used"]["requests"]) for each in found["clients"]}
    assert shown == {"late": ("expired", 0, 6), "ada": ("good", 2, 0), "": ("no token", 1, 0)}


def test_what_was_used_under_a_name_that_is_gone_is_not_lost() -> None:
    (gone,) = overview([], [Row(Who("gone"), USED)], [], NOW)["clients"]
    assert (gone["state"], gone["from"], gone["used"]["cost_usd"]) == ("gone", None, 0.5)


def test_there_is_an_end_to_it() -> None:
    found = overview([(Grant(f"c{number:04}"), False) for number in range(MOST + 7)], [], [], NOW)
    assert (len(found["clients"]), found["further_clients"]) == (MOST, 7)


def test_the_status_command_has_a_table_of_them() -> None:
    tokens = [(Grant("ada", limits=Limits(60, 1000, 2), web_tools=False), False), (Grant("shared"), True)]
    pool = {"providers": [], "state": {}, **overview(tokens, [Row(Who("ada"), USED)], ["ada"], NOW)}
    *_, head, ada, shared = table(pool).splitlines()
    assert head.split() == [
        *("client", "token", "open", "requests", "failed", "refused", "input", "output", "cost", "limits")
    ]
    assert ada.split()[:9] == ["ada", "good", "1", "3", "1", "2", "1,034", "200", "$0.5000"]
    assert ada.endswith("60 requests/min, 1,000 tokens/min, 2 at once, no web tools")
    assert shared.split()[0] == "shared"
    alone = {"providers": [], "state": {}, **overview([(Grant("shared"), True)], [], [], NOW)}
    assert "shared" not in table(alone), "one token for all needs no table"
