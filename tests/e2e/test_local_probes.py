"""The real client's probes are known for what they are, and it takes the local answers to them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gateway.local_answers import Probe, answer
from providers.json_object import JsonObject
from tests.e2e.claude import Claude
from tests.e2e.terminal import Terminal, interactive
from tests.upstream import Reply, Request, Upstream, message, text

WITHIN = 30.0


@dataclass(frozen=True)
class Suggesting(Claude):
    """A client that asks for suggestions."""

    def environment(self, token: str) -> Mapping[str, str]:
        return {**super().environment(token), "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "1"}


def answered(turns: int, shown: Terminal) -> bool:
    return shown.text.count("Hellofromupstream") >= turns


def test_a_title_and_a_suggestion(claude: Claude, upstream: Upstream) -> None:
    probes: list[Probe | None] = []
    suggested = threading.Event()

    def reply(request: Request) -> Reply:
        found = answer(JsonObject(request.body))
        probes.append(found.probe if found else None)
        if found and found.probe is Probe.SUGGESTION:
            suggested.set()
        return message(text(found.text if found else "Hello from upstream"))(request)

    upstream.always(reply)
    with interactive(Suggesting(claude.program, claude.url, claude.home, claude.work)) as terminal:
        terminal.wait_for("for shortcuts")
        for turn, words in enumerate(("Say hello to the gateway", "Say it again"), 1):
            terminal.press(words)
            terminal.wait_for(words)
            terminal.press("\r")
            terminal.wait_until(partial(answered, turn))
        assert suggested.wait(WITHIN)
        terminal.wait_until(lambda shown: any("Say hello to the gateway" in title for title in shown.titles))

    assert sorted(filter(None, probes)) == [Probe.SUGGESTION, Probe.TITLE]
    assert probes.count(None) == 2
