"""Makes the README's picture: ``python -m scripts.picture [FILE]``, by default docs/picture.svg.

The gateway with three keys, of which the provider refuses one and limits another; the real Claude Code CLI, which is
asked to mend a file; and ``keyturn status`` behind it. All of it is real but the provider, a scripted one on loopback.
Needs tmux and Claude Code, which KEYTURN_TEST_CLAUDE names.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.e2e.claude import QUIET, VERSION, Claude, find_claude
from tests.e2e.terminal import skip_first_run
from tests.e2e.tmux import Screen, Tmux, tmux
from tests.gateway_process import ROOT
from tests.upstream import ChatUpstream, Reply, Request, free_port
from tests.upstream.openai_chat import call, completion, error, text

TARGET = ROOT / "docs" / "picture.svg"
COLUMNS = 100
WIDE = 180  # columns of a screen from which something is taken out
# What changes from one run to the next, and what many fonts lack.
STEADY = (
    (r"[A-Z]\w+ for \d+s", "Worked for 1s"),
    (r"\b4\d s\b", "45 s"),
    (r"\b3\d min\b", "30 min"),
    ("⎿", "└"),
    ("⏵", "▶"),
)
PORT = 8082  # what the picture shows; what is used is any free one
REFUSED, LIMITED, GOOD = "gsk-made-up-key-00a7c1", "gsk-made-up-key-005e92", "gsk-made-up-key-00f4d8"
BROKEN = 'def total(prices: list[float]) -> str:\n    """What the customer pays."""\n    return str(sum(prices))\n'
MENDED = '    return f"{sum(prices):.2f}"'
ASKED = "The total of 0.1 and 0.2 shows as 0.30000000000000004. Fix cart.py."
SAID = "Fixed: `total` now rounds to cents, so 0.1 and 0.2 come to 0.30."
THEME = TerminalTheme(
    (22, 24, 29),
    (208, 211, 217),
    [
        (60, 64, 72),
        (232, 104, 104),
        (120, 200, 130),
        (226, 180, 90),
        (110, 160, 240),
        (196, 130, 220),
        (90, 190, 200),
        (208, 211, 217),
    ],
)
# One window: its height, then what is drawn. Rich fills in the braces.
WINDOW = """{width} {height}
<style>.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px }} {styles}</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}
<g class="{unique_id}-matrix matrix">{matrix}</g></g>
"""
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
GAP = 14  # between two windows


@dataclass(frozen=True)
class Window:
    """What was on a screen, in ANSI, and what stands above it."""

    title: str
    lines: str


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    program, terminal = find_claude(), shutil.which("tmux")
    if program is None or terminal is None:
        sys.exit(f"The picture needs tmux (apt install tmux) and Claude Code {VERSION} (make e2e installs it).")
    target.write_text(picture(program, terminal), encoding="utf-8")
    print(f"{target}: {target.stat().st_size} bytes")


def picture(program: Path, terminal: str) -> str:
    """The SVG: what Claude Code, ``program``, and the gateway of this checkout show. ``terminal`` is tmux."""
    # What tmux ends may still write while the folder goes.
    with TemporaryDirectory(ignore_cleanup_errors=True) as name, ChatUpstream() as upstream:
        upstream.always(_provider)
        with tmux(terminal, Path(name)) as server:
            return drawn(list(_windows(server, upstream, program, Path(name))))


def _provider(request: Request) -> Reply:
    """Refuses one key and limits another; with the third it reads the file, edits it, and says so."""
    key = (request.header("authorization") or "").removeprefix("Bearer ")
    if key == REFUSED:
        return error(401, "Invalid API Key")
    if key == LIMITED:
        return error(429, "Rate limit reached", headers=[("retry-after", "45")])
    done = sum(message["role"] == "tool" for message in request.json["messages"])
    path = "cart.py"
    turns = (
        completion(text("I'll read the file first."), call("Read", {"file_path": path})),
        completion(
            call("Edit", {"file_path": path, "old_string": "    return str(sum(prices))", "new_string": MENDED})
        ),
        completion(text(SAID)),
    )
    return turns[min(done, 2)](request)


def _windows(server: Tmux, upstream: ChatUpstream, program: Path, folder: Path) -> Iterator[Window]:
    home, port = folder / "home", free_port()
    (home / "shop").mkdir(parents=True)
    (home / "shop" / "cart.py").write_text(BROKEN)
    with _gateway(server, upstream, home, port) as gateway:
        yield _taken("make run", gateway, upstream, port)
        yield _taken("claude, in another terminal", _claude(server, program, home, port), upstream, port)
        yield _taken("keyturn status", _status(server, home, port), upstream, port)


@contextmanager
def _gateway(server: Tmux, upstream: ChatUpstream, home: Path, port: int) -> Iterator[Screen]:
    env = _environment(home) | {
        "GROQ_API_KEYS": f"{REFUSED},{LIMITED},{GOOD}",
        "GROQ_BASE_URL": upstream.base_url,
        "MODEL": "groq/openai/gpt-oss-120b",
        "CATALOG_REFRESH": "off",
        "LOG_LEVEL": "CRITICAL",
    }
    serve = [sys.executable, "-m", "gateway.cli", "serve", "--port", str(port)]
    screen = server.screen("gateway", "make run", serve, env, (WIDE, 8), home)
    screen.wait_for("start ")
    yield screen


def _claude(server: Tmux, program: Path, home: Path, port: int) -> Screen:
    client = Claude(program, f"http://127.0.0.1:{port}", home, home / "shop")
    skip_first_run(client)
    env = {**client.environment("any"), **_environment(home), **QUIET, "COLORTERM": "truecolor"}
    typed = f"ANTHROPIC_BASE_URL=http://127.0.0.1:{PORT} ANTHROPIC_AUTH_TOKEN=any claude"
    command = [str(program), "--permission-mode", "acceptEdits"]
    screen = server.screen("claude", typed, command, env, (COLUMNS, 40), home / "shop")
    screen.wait_for("accept edits on")
    screen.press(ASKED)
    screen.wait_for("Fix cart.py.")
    screen.press("Enter")
    screen.wait_for("so 0.1 and 0.2 come to 0.30")
    return screen


def _status(server: Tmux, home: Path, port: int) -> Screen:
    env = _environment(home) | {"PORT": str(port)}
    status = [sys.executable, "-m", "gateway.cli", "status"]
    screen = server.screen("status", "keyturn status", status, env, (WIDE, 8), home)
    screen.wait_for("groq-03")
    return screen


def _environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TERM": "tmux-256color",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }


def _taken(title: str, screen: Screen, upstream: ChatUpstream, port: int) -> Window:
    """What is only here so is taken out: the port, and the address of the scripted provider."""
    lines = screen.shown(colours=True).replace(f"  {upstream.base_url}", "").replace(f":{port}", f":{PORT}")
    for pattern, instead in STEADY:
        lines = re.sub(pattern, instead, lines)
    return Window(title, lines.rstrip())


def drawn(windows: Sequence[Window]) -> str:
    """One SVG with the windows one above the other."""
    parts, top, wide = list[str](), 0.0, 0.0
    for number, window in enumerate(windows, 1):
        sizes, _, fragment = _drawn(window, f"w{number}").partition("\n")
        width, height = map(float, sizes.split())
        parts.append(f'<g transform="translate(0, {top:g})">\n{fragment}</g>')
        top, wide = top + height + GAP, max(wide, width)
    fonts = f"<style>.matrix, .title {{ font-family: {FONT} }}</style>"
    space = f'<svg viewBox="0 0 {wide:g} {top - GAP:g}" xmlns="http://www.w3.org/2000/svg">'
    return "\n".join([space, fonts, *parts, "</svg>\n"])


def _drawn(window: Window, name: str) -> str:
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(window.lines), no_wrap=True, crop=True, overflow="crop")
    drawing = console.export_svg(title=window.title, theme=THEME, code_format=WINDOW, unique_id=name)
    # Nothing is longer than its window, so that no line needs an edge of its own.
    bare = re.sub(r' clip-path="url\(#\w+-line-\d+\)"', "", drawing)
    return bare.replace(f'class="{name}-title"', 'class="title" font-size="17"')


if __name__ == "__main__":
    main()
