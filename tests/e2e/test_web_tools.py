"""Claude Code's WebSearch and WebFetch behind a model that has neither, with the search engine on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.claude import Claude, Run
from tests.e2e.conftest import claude_at
from tests.gateway_process import ONE_ATTEMPT, GatewayProcess, running_gateway
from tests.upstream import Answer, ChatUpstream, Request, ScriptedServer, json_reply
from tests.upstream import openai_chat as chat

QUERY = "how to turn a key"
ANSWER = "A key is turned to the right."
HITS = [
    {"url": "https://docs.example.com/keys", "title": "Keys", "content": "Turn it to the right."},
    {"url": "https://other.example.org/locks", "title": "Locks", "content": "They are in doors."},
]
SIDE = "You are an assistant for performing a web search tool use"


class World:
    """A model that speaks Chat Completions, a SearXNG, and the real CLI before the real gateway."""

    def __init__(self, model: ChatUpstream, engine: ScriptedServer, gateway: GatewayProcess, claude: Claude) -> None:
        self.model = model
        self.engine = engine
        self.gateway = gateway
        self._claude = claude

    def ask(self, *side: Answer, allowed_domains: list[str] | None = None) -> Run:
        """``side`` are the model's answers to the search's own request; the main conversation calls WebSearch once."""
        arguments: dict[str, Any] = {"query": QUERY}
        if allowed_domains:
            arguments["allowed_domains"] = allowed_domains
        main = iter([chat.completion(chat.call("WebSearch", arguments, "call_1")), chat.completion(chat.text(ANSWER))])
        aside = iter(side)

        def answer(request: Request) -> Any:
            chosen = next(aside if self.is_side(request) else main)
            return chosen if not callable(chosen) else chosen(request)

        self.model.always(answer)
        return self._claude.ask("Search the web", allow="WebSearch")

    @staticmethod
    def is_side(request: Request) -> bool:
        return SIDE in request.body.decode()

    @property
    def asides(self) -> list[Any]:
        """The bodies that the model was sent for the search itself."""
        return [request.json for request in self.model.chats if self.is_side(request)]

    @property
    def told(self) -> str:
        """The result of WebSearch that the main conversation was given."""
        [last] = [request.json for request in self.model.chats if not self.is_side(request)][-1:]
        return next(str(each["content"]) for each in last["messages"] if each["role"] == "tool")


@contextmanager
def world(program: Path, folder: Path, environ: dict[str, str]) -> Iterator[World]:
    with ChatUpstream() as model, ScriptedServer() as engine:
        engine.on("/search", json_reply({"results": HITS}))
        variables = {
            "OPENAI_API_KEY": "sk-upstream-key",
            "OPENAI_BASE_URL": model.base_url,
            "MODEL": "openai/gpt-5",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
            "WEB_SEARCH_ENGINE": "searxng",
            "WEB_SEARCH_URL": engine.url,
            **ONE_ATTEMPT,
            **environ,
        }
        with running_gateway(folder / "gateway", variables) as gateway:
            yield World(model, engine, gateway, claude_at(program, gateway.url, folder))


@pytest.fixture
def on(program: Path, tmp_path: Path) -> Iterator[World]:
    with world(program, tmp_path, {"ENABLE_WEB_SERVER_TOOLS": "true"}) as made:
        yield made


def searching() -> list[Answer]:
    call = chat.completion(chat.call("web_search", {"query": QUERY}))
    return [call, chat.completion(chat.text("Turn it to the right, says docs.example.com."))]


def test_web_search(on: World) -> None:
    run = on.ask(*searching())
    assert (run.code, run.result["result"]) == (0, ANSWER), run.stderr
    assert [request.query["q"] for request in on.engine.requests] == [QUERY]
    for part in (QUERY, HITS[0]["title"], HITS[0]["url"], HITS[1]["url"], "says docs.example.com"):
        assert part in on.told
    first, second = on.asides
    assert first["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    assert second["tool_choice"] == "auto"
    assert HITS[0]["content"] in second["messages"][-1]["content"]


def test_the_client_counts_the_search_that_it_was_shown(on: World) -> None:
    run = on.ask(*searching())
    [shown] = [event["tool_use_result"] for event in run.events if event["type"] == "user"]
    links, words = shown["results"]
    assert (shown["query"], shown["searchCount"]) == (QUERY, 1)
    assert links["content"] == [{"title": hit["title"], "url": hit["url"]} for hit in HITS]
    assert words.startswith("Turn it to the right")
    [usage] = run.result["modelUsage"].values()
    assert usage["webSearchRequests"] == 1


def test_domains_that_the_model_asked_for(on: World) -> None:
    run = on.ask(*searching(), allowed_domains=["docs.example.com"])
    assert run.code == 0, run.stderr
    assert (HITS[0]["url"] in on.told, HITS[1]["url"] in on.told) == (True, False)
    assert on.engine.requests[0].query["q"] == f"{QUERY} site:docs.example.com"


def test_an_engine_that_is_down_is_told(on: World) -> None:
    on.engine.on("/search", json_reply({}, 500))
    call = chat.completion(chat.call("web_search", {"query": QUERY}))
    run = on.ask(call, chat.completion(chat.text("It could not be searched.")))
    assert (run.code, run.result["result"]) == (0, ANSWER), run.stderr
    assert "unavailable" in on.told
    assert "It could not be searched." in on.told


def test_a_model_that_only_writes_is_the_result(on: World) -> None:
    run = on.ask(chat.completion(chat.text("I know that by heart.")))
    assert (run.code, on.engine.requests) == (0, []), run.stderr
    assert "I know that by heart." in on.told


def test_off_the_search_is_answered_by_the_model_alone(program: Path, tmp_path: Path) -> None:
    with world(program, tmp_path, {}) as off:
        run = off.ask(chat.completion(chat.text("I know that by heart.")))
        assert (run.code, run.result["result"], off.engine.requests) == (0, ANSWER, []), run.stderr
        assert "tools" not in off.asides[0]
        assert "I know that by heart." in off.told
