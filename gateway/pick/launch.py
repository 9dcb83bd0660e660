"""What a client needs in its environment to use one model of a gateway. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# A key of the client's own would be sent beside the token, and the token's suffix might lose (client 2.1.197).
DROPPED = ("ANTHROPIC_API_KEY", "ANTHROPIC_MODEL", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX")
ANY_TOKEN = "keyturn"  # noqa: S105 - what is sent to a gateway that asks for none
SMALLEST_WINDOW = 100_000  # the least that CLAUDE_CODE_AUTO_COMPACT_WINDOW takes; a share of it says less
COMMON_OUTPUT = 8_192  # tokens kept free for an answer where the model's cap is not known
UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens, None where nobody knows: what a prompt may hold, and what an answer may."""

    window: int | None = None
    output: int | None = None


def environment(base_url: str, token: str, ref: str, room: Room) -> dict[str, str]:
    """The variables for a client that is to use ``ref`` (provider/model) alone."""
    return {
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_AUTH_TOKEN": f"{token or ANY_TOKEN}:{ref}",
        **limits(room),
    }


def limits(room: Room) -> dict[str, str]:
    """What keeps the client inside the model's window.

    Client 2.1.197 knows no model of ours, so it fills 200,000 tokens before it compacts. The window's variable takes
    100,000 at least; below that the percentage brings the same about (both tried with that client, 2026-11-20; the
    percentage alone did nothing).
    """
    found: dict[str, str] = {}
    answer = _answer(room)
    if answer is not None:
        found["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(answer)
    if room.window is None:
        return found
    found["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] = str(max(SMALLEST_WINDOW, room.window))
    if room.window < SMALLEST_WINDOW:
        full = room.window - (answer or min(COMMON_OUTPUT, room.window // 4)) - room.window // 10
        found["CLAUDE_AUTOCOMPACT_PCT_OVERRIDE"] = str(max(1, 100 * full // SMALLEST_WINDOW))
    return found


def _answer(room: Room) -> int | None:
    """The cap of an answer: never more than a quarter of a small window, which the prompt shares with it."""
    if room.output is None or room.window is None:
        return room.output
    return min(room.output, max(1, room.window // 4))


def shell(env: Mapping[str, str]) -> str:
    """For ``eval "$(claude-pick --print-env shell)"`` in sh, bash and zsh."""
    lines = [f"{UNSET} {name}" for name in DROPPED]
    return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in env.items())])


def vscode(env: Mapping[str, str]) -> str:
    """The entry of VS Code's settings.json."""
    pairs = [{"name": name, "value": value} for name, value in env.items()]
    return json.dumps({"claudeCode.environmentVariables": pairs}, indent=2)


def block(env: Mapping[str, str]) -> str:
    """The ``env`` of ~/.claude/settings.json, of JetBrains' ACP configuration and of a provider in cc-switch."""
    return json.dumps({"env": dict(env)}, indent=2)


FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "shell": shell,
    "vscode": vscode,
    "jetbrains": block,
    "cc-switch": block,
}
