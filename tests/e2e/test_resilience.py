"""With one healthy key anywhere, the user of Claude Code sees no failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude import Claude, Run
from tests.e2e.conftest import claude_at
from tests.e2e.tap import tapped
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import (
    Answer,
    ChatUpstream,
    Cut,
    Pause,
    Reply,
    Request,
    Reset,
    Signal,
    Upstream,
    block,
    error,
    error_event,
    frames,
    message,
    message_start,
    ping,
    stream,
    text,
    tool_use,
)
from tests.upstream import openai_chat as chat

KEYS = ("sk-first", "sk-second", "sk-third", "sk-fourth", "sk-fifth")
STATUSES = {
    401: error(401, "authentication_error", "invalid x-api-key"),
    402: error(402, "billing_error", "Your credit balance is too low"),
    403: error(403, "permission_error", "This key may not be used here"),
    429: error(429, "rate_limit_error", "Slow down", [("retry-after", "60")]),
}
BUSY = error(529, "overloaded_error", "Overloaded")
LATER = error(429, "rate_limit_error", "Slow down", [("retry-after", "1")])
READ = Pause(0.2)  # long enough for the gateway to have read what was sent: a reset may discard the rest
SOON = {"PROVIDER_RETRY_BASE_DELAY": "0.05"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A gateway with settings of its own, and a CLI that is pointed at it."""

    gateway: GatewayProcess
    claude: Claude

    @property
    def requests(self) -> list[tuple[int, str, int]]:
        """Status, outcome and attempts of every call that the client has made, from an ended gateway's log.

        A call's line may be written after the client has read the answer's end.
        """
        if self.gateway.process.poll() is None:
            assert self.gateway.stop() == 0, self.gateway.stderr
        lines = [json.loads(line) for line in self.gateway.stderr.splitlines()]
        calls = [line for line in lines if line["event"] == "request" and line["route"] == "/v1/messages"]
        return [(line["status"], line["outcome"], line["attempts"]) for line in calls]


@pytest.fixture
def place(program: Path, tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], Place]]:
    with ExitStack() as stack:

        def make(environ: Mapping[str, str]) -> Place:
            own = {"ANTHROPIC_AUTH_TOKEN": "freecc", **SOON, **environ}
            gateway = stack.enter_context(running_gateway(tmp_path / "gateway", own))
            return Place(gateway, claude_at(program, gateway.url, tmp_path))

        yield make


Make = Callable[[Mapping[str, str]], Place]


def pool(upstream: Upstream, *keys: str, prefix: str = "ANTHROPIC_UPSTREAM") -> dict[str, str]:
    return {f"{prefix}_API_KEYS": ",".join(keys), f"{prefix}_BASE_URL": upstream.url}


def by_key(dead: Mapping[str, Answer], *turns: Answer) -> Callable[[Request], Reply]:
    """The dead keys get their answer, whichever is alive gets the turns."""
    left = list(turns)

    def answer(request: Request) -> Reply:
        chosen = dead.get(key_of(request)) or left.pop(0)
        return chosen if isinstance(chosen, Reply) else chosen(request)

    return answer


def key_of(request: Request) -> str:
    return request.header("x-api-key") or ""


def keys(upstream: Upstream) -> list[str]:
    return [key_of(post) for post in upstream.posts("/v1/messages")]


def bash(command: str, name: str) -> Callable[[Request], Reply]:
    return message(tool_use("Bash", {"command": command}, f"toolu_{name}"))


def results(run: Run) -> list[str]:
    return [block["content"] for block in run.blocks("user") if block["type"] == "tool_result"]


def went_well(run: Run, words: str) -> None:
    assert run.code == 0, run.stdout + run.stderr
    assert (run.result["result"], run.result["is_error"]) == (words, False)


def turns_went_well(served: Place, turns: int, attempts: int) -> None:
    """The client has asked once for each turn, and the upstreams have seen so many attempts, of which some failed."""
    assert [(status, outcome) for status, outcome, _ in served.requests] == [(200, "ok")] * turns
    assert sum(tried for _, _, tried in served.requests) == attempts > turns


@pytest.mark.parametrize("dead", [(401,) * 4, (429,) * 4, (401, 402, 403, 429)], ids=str)
def test_one_key_of_five_works(dead: tuple[int, ...], place: Make, upstream: Upstream) -> None:
    refused = {key: STATUSES[status] for key, status in zip(KEYS, dead, strict=False)}
    turns = (bash("echo one", "one"), bash("echo two", "two"), message(text("Both ran")))
    upstream.always(by_key(refused, *turns))
    served = place(pool(upstream, *KEYS))

    run = served.claude.ask("Run both")

    went_well(run, "Both ran")
    assert results(run) == ["one", "two"]
    assert served.requests == [(200, "ok", 5), (200, "ok", 1), (200, "ok", 1)]
    assert keys(upstream) == [*KEYS, KEYS[4], KEYS[4]]


def test_a_storm_and_a_fallback_of_the_same_dialect(place: Make, upstream: Upstream) -> None:
    with Upstream() as other:
        upstream.always(BUSY)
        other.script(bash("echo one", "one"), message(text("It ran")))
        served = place(
            pool(upstream, *KEYS[:2])
            | pool(other, "sk-other", prefix="DEEPSEEK")
            | {"MODEL": "anthropic/claude-sonnet-5", "MODEL_FALLBACKS": "deepseek/deepseek-v4-pro"}
        )
        run = served.claude.ask("Run it")

        went_well(run, "It ran")
        assert results(run) == ["one"]
        turns_went_well(served, 2, len(upstream.requests) + len(other.requests))
        assert [post.model for post in other.posts("/v1/messages")] == ["deepseek-v4-pro"] * 2


def test_a_storm_and_a_fallback_that_speaks_chat(place: Make, upstream: Upstream) -> None:
    with ChatUpstream() as other:
        upstream.always(BUSY)
        other.script(
            chat.completion(chat.call("Bash", {"command": "echo one"}, "call_one")),
            chat.completion(chat.text("It ran")),
        )
        served = place(
            pool(upstream, *KEYS[:2])
            | {"OPENAI_API_KEY": "sk-other", "OPENAI_BASE_URL": other.base_url}
            | {"MODEL": "anthropic/claude-sonnet-5", "MODEL_FALLBACKS": "openai/gpt-5"}
        )
        run = served.claude.ask("Run it")

        went_well(run, "It ran")
        assert results(run) == ["one"]
        turns_went_well(served, 2, len(upstream.requests) + len(other.requests))
        assert [post.model for post in other.chats] == ["gpt-5"] * 2


def test_a_storm_at_a_provider_that_speaks_chat(place: Make, upstream: Upstream) -> None:
    with ChatUpstream() as other:
        other.always(chat.error(503, "The engine is overloaded", kind="server_error"))
        upstream.script(bash("echo one", "one"), message(text("It ran")))
        served = place(
            pool(upstream, KEYS[0])
            | {"OPENAI_API_KEYS": "sk-other,sk-another", "OPENAI_BASE_URL": other.base_url}
            | {"MODEL": "openai/gpt-5", "MODEL_FALLBACKS": "anthropic/claude-sonnet-5"}
        )
        run = served.claude.ask("Run it")

        went_well(run, "It ran")
        assert results(run) == ["one"]
        turns_went_well(served, 2, len(upstream.requests) + len(other.requests))
        assert [post.model for post in upstream.posts("/v1/messages")] == ["claude-sonnet-5"] * 2


@pytest.mark.parametrize("dies", [False, True], ids=["at the first", "at another key"])
def test_a_first_token_that_comes_after_pings(dies: bool, place: Make, upstream: Upstream) -> None:
    served = place(pool(upstream, *KEYS[:2]) | {"STREAM_KEEPALIVE_AFTER": "1"})
    with tapped(served.gateway.port, b"event: ping\n") as tap:
        upstream.script(lambda post: late(post, tap.heard, dies), *([message(text("At last"))] if dies else []))
        run = replace(served.claude, url=tap.url).ask("Say something")

    went_well(run, "At last")
    assert tap.heard.is_set()
    assert served.requests == [(200, "ok", 2 if dies else 1)]
    assert keys(upstream) == list(KEYS[: 2 if dies else 1])


def late(post: Request, until: Signal, dies: bool) -> Reply:
    """Nothing of an answer before the signal; what stands before the pause is no content."""
    answer = frames(post.model, [text("At last")])
    return stream(answer[0], Pause(until), *([Cut()] if dies else answer[1:]))


EARLY_DEATHS: dict[str, Answer] = {
    "cut at once": Reply((Cut(),)),
    "reset at once": Reply((Reset(),)),
    "cut": lambda post: stream(message_start(post.model), ping(), READ, Cut()),
    "error event": lambda post: stream(message_start(post.model), error_event("overloaded_error", "Overloaded")),
    "empty": stream(),
}


@pytest.mark.parametrize("death", EARLY_DEATHS.values(), ids=EARLY_DEATHS.keys())
def test_a_death_before_the_content(death: Answer, place: Make, upstream: Upstream) -> None:
    upstream.script(death, message(text("Well")))
    served = place(pool(upstream, *KEYS[:2]))

    run = served.claude.ask("Say something")

    went_well(run, "Well")
    assert served.requests == [(200, "ok", 2)]
    assert keys(upstream) == list(KEYS[:2])


def test_a_death_within_a_text(place: Make, upstream: Upstream) -> None:
    half = block(0, text("Half of it"))[:-1]
    upstream.script(lambda post: stream(message_start(post.model), *half, READ, Cut()), message(text("All of it")))
    served = place(pool(upstream, *KEYS[:2]))

    run = served.claude.ask("Say something")

    went_well(run, "All of it")
    assert served.requests == [(200, "cut", 1), (200, "ok", 1)]
    assert [post.json.get("stream") for post in upstream.posts("/v1/messages")] == [True, None]


@pytest.mark.parametrize("end", [Cut(), Reset()], ids=["cut", "reset"])
def test_a_death_within_a_tool_call(end: Cut | Reset, place: Make, upstream: Upstream) -> None:
    served = place(pool(upstream, *KEYS[:2]))
    ran = served.claude.work / "ran.txt"
    whole = tool_use("Bash", {"command": f"echo ran >> {ran}"}, "toolu_cut", pieces=1)
    upstream.script(
        lambda post: stream(message_start(post.model), *block(0, whole)[:-1], READ, end),
        bash(f"echo again >> {ran}", "again"),
        message(text("It ran")),
    )

    run = served.claude.ask("Run it")

    went_well(run, "It ran")
    assert ran.read_text() == "again\n"
    assert served.requests == [(200, "cut", 1), (200, "ok", 1), (200, "ok", 1)]
    assert len(upstream.posts("/v1/messages")) == 3


def test_a_whole_pool_that_rests_for_a_moment(place: Make, upstream: Upstream) -> None:
    upstream.script(LATER, LATER, message(text("Patience")))
    served = place(pool(upstream, *KEYS[:2]))

    run = served.claude.ask("Say something")

    went_well(run, "Patience")
    assert served.requests == [(200, "ok", 3)]
    first, second, third = upstream.posts("/v1/messages")
    assert {key_of(first), key_of(second)} == set(KEYS[:2])
    assert third.arrived_at - first.arrived_at >= 1.0


def test_a_connection_that_died_between_two_turns(place: Make, upstream: Upstream) -> None:
    upstream.script(bash("echo one", "one"), Reply((Cut(),)), message(text("It ran")))
    served = place(pool(upstream, KEYS[0]))

    run = served.claude.ask("Run it")

    went_well(run, "It ran")
    assert served.requests == [(200, "ok", 1), (200, "ok", 2)]
    assert [post.connection for post in upstream.posts("/v1/messages")] == [0, 0, 1]
