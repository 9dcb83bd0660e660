"""The options of ``keyturn token``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.cli.token import Wanted

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

NUMBERS = ("requests_per_minute", "tokens_per_minute", "max_concurrency", "web_tools_per_minute")
URL = "a running gateway, by its admin token; without it, the store of these settings"


def add_token(commands: Commands) -> list[argparse.ArgumentParser]:
    """The command, and those below it."""
    token = commands.add_parser("token", help="client tokens for a team: make, list and revoke them")
    verbs = token.add_subparsers(dest="verb", required=True, metavar="verb")
    create = verbs.add_parser("create", help="make one, which is shown this once")
    create.add_argument("name", help="whose it is: a person, or a machine")
    create.add_argument("--models", help="patterns, comma-separated, such as 'groq/*,*haiku*'; without it, all")
    create.add_argument("--providers", help="patterns, comma-separated; without it, all")
    create.add_argument("--requests-per-minute", "--rpm", type=int, metavar="N")
    create.add_argument("--tokens-per-minute", "--tpm", type=int, metavar="N")
    create.add_argument("--max-concurrency", "--concurrency", type=int, metavar="N", help="requests open at once")
    create.add_argument("--expires", metavar="WHEN", help="90d, 12h, 2027-01-31 or 2027-01-31T18:00:00Z")
    create.add_argument("--no-web-tools", action="store_true", help="requests with web_search or web_fetch are refused")
    create.add_argument("--web-tools-per-minute", type=int, metavar="N", help="uses of those that run here")
    create.add_argument("--toml", action="store_true", help="store nothing: print the lines for keyturn.toml")
    revoke = verbs.add_parser("revoke", help="end one, within a second and in every process")
    revoke.add_argument("name")
    listed = verbs.add_parser("list", help="show all, without what is secret")
    for verb in (create, listed):
        verb.add_argument("--json", action="store_true", help="as JSON")
    for verb in (create, revoke, listed):
        verb.add_argument("--url", help=URL)
    return [create, revoke, listed]


def wanted_token(options: argparse.Namespace) -> Wanted:
    """What was written, as the fields of POST /admin/tokens."""
    from gateway.cli.token import Wanted

    fields: dict[str, Any] = {"name": options.name} if options.verb != "list" else {}
    if options.verb == "create":
        for name in ("models", "providers"):
            fields[name] = [each.strip() for each in (getattr(options, name) or "").split(",") if each.strip()]
        fields |= {name: getattr(options, name) for name in (*NUMBERS, "expires")}
        fields["web_tools"] = not options.no_web_tools
    as_json, as_toml = getattr(options, "json", False), getattr(options, "toml", False)
    return Wanted(options.verb, fields, options.url, as_json, as_toml)
