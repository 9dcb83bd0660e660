"""The command line: ``keyturn serve``, ``init``, ``check``, ``doctor``, ``status``, ``token`` and ``version``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from gateway.cli.completion import SHELLS, complete, models, script
from gateway.cli.token_options import add_token, wanted_token
from gateway.settings import load_from_process
from gateway.settings.report import not_started
from providers.errors import ConfigError
from providers.version import VERSION

FLAGS = ("host", "port", "ssl_certfile", "ssl_keyfile")  # of serve, each a variable too
INTERRUPTED = 130  # what a shell reports for a program that Ctrl+C ended
UNHEARD = 141  # and for one whose reader left, as `head` does


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 1 where it failed, 2 where it was called or configured wrongly."""
    options = _options(_with_command(sys.argv[1:] if argv is None else argv))
    try:
        status = _run(options)
        sys.stdout.flush()
        return status
    except ConfigError as error:
        print(not_started(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed at the exit
        return UNHEARD


def pick_main() -> int:
    """``claude-pick``: what it does not know itself is for claude."""
    complete(_with_pick(argparse.ArgumentParser(prog="claude-pick", allow_abbrev=False)))
    return main(["pick", *sys.argv[1:]])


def _run(options: argparse.Namespace) -> int:
    if options.command == "version":
        print(f"keyturn {VERSION}")
        return 0
    if options.command == "completion":
        print(script(options.shell), end="")
        return 0
    # Each command imports what it needs: `check` starts in a third of the time without the web framework.
    if options.command == "init":
        from gateway.cli.init import init

        return init(options.force)
    if options.command in ("serve", "worker"):
        return _serve(options)
    if options.command == "status":
        from gateway.cli.status import status

        return status(load_from_process(options.config), options.url, options.json, options.ui)
    if options.command == "token":
        from gateway.cli.token import token

        return token(load_from_process(options.config), wanted_token(options))
    if options.command == "pick":
        from gateway.cli.pick import Wanted, pick

        wanted = Wanted(options.model, options.list, options.print_env, tuple(options.arguments))
        return pick(wanted, options.config)
    if options.command == "doctor":
        from gateway.cli.doctor import doctor

        return doctor(load_from_process(options.config), options.json)
    from gateway.cli.banner import STYLES
    from gateway.cli.check import report, schema_text
    from gateway.cli.out import show

    if options.schema:
        print(schema_text())
        return 0
    show(report(load_from_process(options.config)), STYLES)
    return 0


def _serve(options: argparse.Namespace) -> int:
    again = partial(load_from_process, options.config, _flags(options))
    if options.command == "serve":
        from gateway.cli.serve import serve

        return serve(again(), options.workers, _given(options), again)
    from gateway.cli.worker import Post, work

    listeners = [int(each) for each in options.listeners.split(",")]
    return work(again, Post(listeners, options.says, options.watched, options.workers))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    complete(parser)
    options, further = parser.parse_known_args(argv)
    if options.command == "pick":
        options.arguments = further[1:] if further[:1] == ["--"] else further
    elif further:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    return options


def _with_command(argv: Sequence[str]) -> list[str]:
    """``keyturn --port 9000`` is ``keyturn serve --port 9000``."""
    if argv and (not argv[0].startswith("-") or argv[0] in ("-h", "--help", "--version")):
        return list(argv)
    return ["serve", *argv]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keyturn", description="One endpoint, many keys: an LLM gateway.")
    parser.add_argument("--version", action="version", version=f"keyturn {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    serve = commands.add_parser("serve", help="start the gateway (what keyturn alone does)")
    serve.add_argument("--host", help="address to listen on (HOST)")
    serve.add_argument("--port", help="port to listen on (PORT)")
    serve.add_argument("--ssl-certfile", metavar="FILE", help="PEM certificate, to speak HTTPS (SSL_CERTFILE)")
    serve.add_argument("--ssl-keyfile", metavar="FILE", help="PEM file of its key (SSL_KEYFILE)")
    init = commands.add_parser("init", help="write a .env file of your own under ~/.config/keyturn")
    init.add_argument("--force", action="store_true", help="anew where one is there; its values are taken over")
    serve.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="processes that serve; several need REDIS_URL"
    )
    worker = commands.add_parser("worker")  # without help it is not listed: only serve starts it
    for name in ("--host", "--port", "--ssl-certfile", "--ssl-keyfile", "--listeners"):
        worker.add_argument(name)
    for name in ("--says", "--watched", "--workers"):
        worker.add_argument(name, type=int)
    check = commands.add_parser(
        "check", aliases=["check-config"], help="check the configuration and show what it amounts to"
    )
    check.add_argument("--schema", action="store_true", help="print the JSON Schema of keyturn.toml, for editors")
    _with_pick(
        commands.add_parser(
            "pick",
            help="choose a model and start claude with it; further arguments are claude's",
            allow_abbrev=False,  # --print is claude's own
        )
    )
    doctor = commands.add_parser("doctor", help="ask each key for each model, and say what to mend")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    status = commands.add_parser("status", help="show the keys of a running gateway: which are ready, which rest, why")
    status.add_argument("--json", action="store_true", help="as JSON, the way GET /admin/pool sends it")
    status.add_argument("--ui", action="store_true", help="print where the status page is, and its password")
    status.add_argument("--url", help="where the gateway is; without it, HOST and PORT say so")
    completion = commands.add_parser("completion", help="print what makes a shell complete these commands")
    completion.add_argument("shell", choices=SHELLS)
    for command in (serve, worker, check, doctor, status, *add_token(commands)):
        _with_config(command)
    commands.add_parser("version", help="print the version")
    return parser


def _with_pick(pick: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options of ``pick``, which ``claude-pick`` has too."""
    pick.epilog = "All other arguments are claude's; -- ends those of pick."
    pick.add_argument("--list", action="store_true", help="print the models, one a line")
    model = pick.add_argument("--model", default="", metavar="REF", help="provider/model, instead of choosing in fzf")
    model.completer = models  # type: ignore[attr-defined]  # argcomplete's own way
    pick.add_argument(
        "--print-env",
        choices=("shell", "vscode", "jetbrains", "cc-switch"),
        default="",
        help="print the variables for a client instead of starting one",
    )
    _with_config(pick)
    return pick


def _with_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="the keyturn.toml to read (KEYTURN_CONFIG)")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _given(options: argparse.Namespace) -> list[str]:
    """What was written, for a process that is to read the same settings."""
    given = {f"--{name.replace('_', '-')}": getattr(options, name) for name in (*FLAGS, "config")}
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]


def _flags(options: argparse.Namespace) -> dict[str, str]:
    return {name.upper(): text for name in FLAGS if (text := getattr(options, name)) is not None}
