"""The main job through an upstream that speaks Chat Completions: all that Claude Code does, on two rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.e2e.terminal import interactive
from tests.e2e.test_side_requests import agent_call
from tests.e2e.test_turns import png
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import Answer, ChatUpstream, Cut, Pause, Reply, Request, Reset, Step
from tests.upstream import openai_chat as chat
from tests.upstream.openai_chat import Calls, Counts

KEY = "sk-upstream-key"
ADMIN = "the-operators-token"
READ = Pause(0.2)  # long enough for the gateway to have read what was sent: a reset may discard the rest
SAID = {role: {"role", "content"} for role in ("developer", "system", "user")}


@dataclass(frozen=True)
class Row:
    """A row of the table, and what its upstream must see."""

    prefix: str
    model: str
    limit: str  # what it calls max_tokens
    reasoning: str  # the field in which its models think
    counts: Counts
    system: str  # who gives it instructions
    sees: bool  # its model takes images
    binds: bool  # it takes a schema for its answer

    def environment(self, upstream: ChatUpstream) -> dict[str, str]:
        provider = self.prefix.lower()
        return {
            f"{self.prefix}_API_KEY": KEY,
            f"{self.prefix}_BASE_URL": upstream.base_url,
            "MODEL": f"{provider}/{self.model}",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
            "KEYTURN_ADMIN_TOKEN": ADMIN,
            "ENABLE_TITLE_GENERATION_SKIP": "false",
        }


ROWS = [
    Row("OPENAI", "gpt-5", "max_completion_tokens", "reasoning_content", Counts.LAST, "developer", True, True),
    Row("GROQ", "openai/gpt-oss-120b", "max_tokens", "reasoning", Counts.X_GROQ, "system", False, False),
]


ONE_ROW = pytest.mark.parametrize("served", ROWS[:1], ids=["openai"], indirect=True)  # where rows cannot differ


@dataclass(frozen=True)
class Served:
    row: Row
    upstream: ChatUpstream
    gateway: GatewayProcess

    def wake(self) -> None:
        """A key that one test has refused serves the next one."""
        path = f"/admin/keys/{self.row.prefix.lower()}-01/wake"
        reply = httpx.post(f"{self.gateway.url}{path}", headers={"x-api-key": ADMIN}, trust_env=False)
        assert reply.status_code == 200, reply.text


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.prefix.lower())
def served(request: pytest.FixtureRequest, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose one provider is the row's, at the scripted upstream."""
    row: Row = request.param
    with (
        ChatUpstream() as upstream,
        running_gateway(tmp_path_factory.mktemp("gateway"), row.environment(upstream)) as gateway,
    ):
        yield Served(row, upstream, gateway)


@pytest.fixture
def alone(program: Path, tmp_path: Path) -> Iterator[Served]:
    """A gateway for one test, whose key may be refused or rest when it is over; it repeats nothing itself."""
    with ChatUpstream() as upstream:
        environ = {**ROWS[0].environment(upstream), "PROVIDER_MAX_RETRIES": "0"}
        with running_gateway(tmp_path / "gateway", environ) as gateway:
            yield Served(ROWS[0], upstream, gateway)


@pytest.fixture
def row(served: Served) -> Row:
    return served.row


@pytest.fixture
def upstream(served: Served) -> Iterator[ChatUpstream]:
    yield served.upstream
    served.upstream.forget()
    served.wake()


@pytest.fixture
def claude(program: Path, served: Served, tmp_path: Path) -> Claude:
    return claude_at(program, served.gateway.url, tmp_path)


def histories(upstream: ChatUpstream) -> list[list[Any]]:
    """The messages of every request so far."""
    return [request.json["messages"] for request in upstream.chats]


def results(messages: list[Any]) -> dict[str, str]:
    """What each tool call of a history returned."""
    return {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}


def called(messages: list[Any]) -> list[tuple[str, Any]]:
    """The id and the arguments of each tool call of a history."""
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    return [(call["id"], json.loads(call["function"]["arguments"])) for call in calls]


def test_text_turn(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    upstream.script(chat.completion(chat.text("Hello from the upstream"), model="gpt-5-2025-08-07", counts=row.counts))

    run = claude.ask("Say hello")

    assert run.code == 0, run.stderr
    assert run.result["result"] == "Hello from the upstream"
    counted = {"input_tokens": 16, "cache_read_input_tokens": 5, "output_tokens": 8}
    assert {name: run.result["usage"][name] for name in counted} == counted
    assert {event["message"]["model"] for event in run.events if event["type"] == "assistant"} == {"claude-opus-4-8"}
    [request] = upstream.chats
    assert request.model == row.model
    assert request.json["messages"][1]["content"].endswith("Say hello")


def test_nothing_unknown_is_forwarded(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    """The default model's request has role: system inside messages, adaptive thinking, effort, context edits."""
    upstream.script(chat.completion(chat.text("Hello")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello"
    [request] = upstream.chats
    body = request.json
    asked = {"model", "messages", "stream", "stream_options", "tools", "reasoning_effort", "user", row.limit}
    assert set(body) == asked
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert (body[row.limit], body["reasoning_effort"]) == (64000, "high")
    assert [message["role"] for message in body["messages"]] == [row.system, "user", row.system]
    assert [set(message) for message in body["messages"]] == [SAID[message["role"]] for message in body["messages"]]
    assert {type(message["content"]) for message in body["messages"]} == {str}
    assert len(body["tools"]) == 24
    assert {tuple(tool) for tool in body["tools"]} == {("type", "function")}
    assert {frozenset(tool["function"]) for tool in body["tools"]} == {frozenset({"name", "description", "parameters"})}
    assert b"cache_control" not in request.body
    assert b"x-anthropic-billing-header" not in request.body
    names = {name.lower() for name, _ in request.headers}
    assert not {name for name in names if name.startswith(("anthropic-", "x-claude-", "x-stainless-", "x-app"))}
    assert request.header("authorization") == f"Bearer {KEY}"
    assert "x-api-key" not in names
    assert not [value for _, value in request.headers if "freecc" in value]


def test_tool_loop(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    target, copy = claude.work / "made.txt", claude.work / "copy.txt"
    bash = {"command": f"echo from-bash | tee {target}"}
    write = {"file_path": str(copy), "content": "copied: from-bash\n"}
    upstream.script(
        chat.completion(chat.text("First a file."), chat.call("Bash", bash, "call_bash"), counts=row.counts),
        chat.completion(chat.call("Read", {"file_path": str(target)}, "call_read"), counts=row.counts),
        chat.completion(chat.call("Write", write, "call_write"), counts=row.counts),
        chat.completion(chat.text("All three done"), counts=row.counts),
    )

    run = claude.ask("Make a file, read it, copy it")

    assert run.result["result"] == "All three done"
    assert target.read_text() == "from-bash\n"
    assert copy.read_text() == "copied: from-bash\n"
    assert [block["text"] for block in run.blocks("assistant") if block["type"] == "text"] == [
        "First a file.",
        "All three done",
    ]
    seen = histories(upstream)
    assert [[identity for identity, _ in called(history)] for history in seen] == [
        [],
        ["call_bash"],
        ["call_bash", "call_read"],
        ["call_bash", "call_read", "call_write"],
    ]
    [first] = [message for message in seen[1] if message["role"] == "assistant"]
    assert first["content"] == "First a file."
    assert called(seen[3])[2] == ("call_write", write)
    returned = results(seen[3])
    assert returned["call_bash"] == "from-bash"
    assert "from-bash" in returned["call_read"]
    assert "copy.txt" in returned["call_write"]


def test_two_tools_in_one_turn_however_they_are_streamed(claude: Claude, upstream: ChatUpstream) -> None:
    styles = [style for style in Calls if style is not Calls.LEGACY]
    for style in styles:
        made = [chat.call("Bash", {"command": f"echo {style} {n}"}, f"call_{style}_{n}", style) for n in (1, 2)]
        upstream.script(chat.completion(*made))
    upstream.script(
        chat.completion(chat.call("Bash", {"command": "echo legacy"}, style=Calls.LEGACY)),
        chat.completion(chat.text("All ran")),
    )

    run = claude.ask("Run them")

    assert run.result["result"] == "All ran"
    last = histories(upstream)[-1]
    returned = results(last)
    asked = {identity: arguments["command"].removeprefix("echo ") for identity, arguments in called(last)}
    assert asked == returned
    assert list(asked.values()) == [*(f"{style} {n}" for style in styles for n in (1, 2)), "legacy"]
    own = {f"call_{style}_{n}" for style in styles if style is not Calls.NO_ID for n in (1, 2)}
    assert own == {identity for identity in asked if not identity.startswith("toolu_")}
    assert len(run.blocks("user")) == len(returned)


def test_reasoning_is_kept_across_turns(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    command = {"command": "echo five"}
    upstream.script(
        chat.completion(chat.reasoning("Which file?", row.reasoning), chat.call("Bash", command, "call_one")),
        chat.completion(chat.reasoning("Now answer.", row.reasoning), chat.text("Five")),
        chat.completion(chat.text("Still five")),
    )

    run = claude.ask("How many?")
    again = claude.ask("Are you sure?", "--continue")

    assert (run.result["result"], again.result["result"]) == ("Five", "Still five")
    assert [block["thinking"] for block in run.blocks("assistant") if block["type"] == "thinking"] == [
        "Which file?",
        "Now answer.",
    ]
    assert [thoughts(history, row) for history in histories(upstream)] == [
        [],
        ["Which file?"],
        ["Which file?", "Now answer."],
    ]


def thoughts(messages: list[Any], row: Row) -> list[Any]:
    return [message.get(row.reasoning) for message in messages if message["role"] == "assistant"]


def test_image_read_from_disk(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    picture = claude.work / "square.png"
    picture.write_bytes(png(4, 4))
    upstream.script(
        chat.completion(chat.call("Read", {"file_path": str(picture)}, "call_read")),
        chat.completion(chat.text("A red square")),
    )

    run = claude.ask("What is in square.png?")

    assert run.result["result"] == "A red square"
    told = [message for message in histories(upstream)[1] if message["role"] != row.system]
    if not row.sees:
        assert told[-1]["content"].endswith("[An image that this model cannot be shown.]")
        return
    *_, call, result, shown = told
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == "call_read"
    assert isinstance(result["content"], str)
    assert shown["role"] == "user"
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    assert [part["image_url"] for part in shown["content"] if part["type"] == "image_url"] == [{"url": url}]


def test_subagent(claude: Claude, upstream: ChatUpstream) -> None:
    turns = [chat.call("Agent", agent_call("general-purpose"), "call_agent"), chat.text("The agent says 42")]
    upstream.always(where(is_agent, chat.completion(chat.text("It is 42")), [chat.completion(turn) for turn in turns]))

    run = claude.ask("Ask an agent")

    assert run.result["result"] == "The agent says 42"
    first, agent, last = upstream.chats
    assert [is_agent(request) for request in (first, agent, last)] == [False, True, False]
    assert results(last.json["messages"])["call_agent"].startswith("It is 42")


def where(matches: Callable[[Request], bool], found: Answer, others: list[Answer]) -> Callable[[Request], Reply]:
    """One answer for the requests that match, the others in turn for the rest."""
    turns = list(others)

    def answer(request: Request) -> Reply:
        assert turns or matches(request), f"one turn too many: {request.body[-600:]!r}"
        chosen = found if matches(request) else turns.pop(0)
        return chosen if isinstance(chosen, Reply) else chosen(request)

    return answer


def is_agent(request: Request) -> bool:
    first = next(message for message in request.json["messages"] if message["role"] == "user")
    return str(first["content"]).endswith("Which number is it?")


def test_session_title(row: Row, claude: Claude, upstream: ChatUpstream) -> None:
    title = chat.completion(chat.text(json.dumps({"title": "Greeting the gateway"})))
    upstream.always(where(wants_title, title, [chat.completion(chat.text("Hello from upstream"))]))
    with interactive(claude) as terminal:
        terminal.wait_for("for shortcuts")
        terminal.press("Say hello to the gateway")
        terminal.wait_for("Say hello to the gateway")
        terminal.press("\r")
        terminal.wait_for("Hello from upstream")
        terminal.wait_until(lambda terminal: any("Greeting the gateway" in title for title in terminal.titles))

    [asked] = [request for request in upstream.chats if wants_title(request)]
    if row.binds:
        form = asked.json["response_format"]
        assert (form["type"], set(form["json_schema"])) == ("json_schema", {"name", "schema", "strict"})
        assert list(form["json_schema"]["schema"]["properties"]) == ["title"]
        assert form["json_schema"]["strict"] is True
    assert "tools" not in asked.json
    assert "Say hello to the gateway" in json.dumps(asked.json["messages"])


def wants_title(request: Request) -> bool:
    return "response_format" in request.json or b"must fit this JSON Schema" in request.body


def test_context_is_estimated(claude: Claude, upstream: ChatUpstream) -> None:
    run = claude.run("-p", "/context")

    assert run.code == 0, run.stderr
    [tokens] = [line.split("|")[2] for line in run.stdout.splitlines() if line.startswith("| Messages")]
    assert 0 < int(tokens) < 100
    assert [request for request in upstream.requests if request.method == "POST"] == []


def test_a_reason_to_stop_that_hides_the_tool_call(claude: Claude, upstream: ChatUpstream) -> None:
    call = chat.call("Bash", {"command": "echo ran"}, "call_one")
    upstream.script(chat.completion(call, finish_reason="stop"), chat.completion(chat.text("It ran")))

    run = claude.ask("Run it")

    assert run.result["result"] == "It ran"
    assert results(histories(upstream)[1]) == {"call_one": "ran"}


def test_an_upstream_without_usage(claude: Claude, upstream: ChatUpstream) -> None:
    upstream.script(chat.completion(chat.text("Hello from the upstream"), usage=None))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello from the upstream"
    usage = run.result["usage"]
    assert 10_000 < usage["input_tokens"] < 40_000  # 76 KB of request
    assert 1 <= usage["output_tokens"] < 20


HALF = [chat.chunk(delta) for delta in chat.call("Bash", {"command": "touch ran"}, "call_one").deltas(0)]
BREAKS: dict[str, tuple[bytes | Step, ...]] = {
    "cut in the arguments": (*HALF[:-1], READ, Cut()),
    "reset in the arguments": (*HALF[:-1], READ, Reset()),
    "the end of the stream in the arguments": tuple(HALF[:-1]),
    "DONE in the arguments": (*HALF[:-1], chat.DONE),
    "an error in the arguments": (*HALF[:-1], chat.error_event("overloaded")),
    "cut after the arguments": (*HALF, READ, Cut()),
    "the end of the stream after the arguments": tuple(HALF),
}


@ONE_ROW
@pytest.mark.parametrize("parts", BREAKS.values(), ids=BREAKS)
def test_a_call_that_was_cut_is_not_run(
    parts: tuple[bytes | Step, ...], claude: Claude, upstream: ChatUpstream
) -> None:
    upstream.script(chat.stream(*parts), chat.completion(chat.text("Asked again")))

    run = claude.ask("Run it")

    assert not (claude.work / "ran").exists()
    assert run.code == 0
    assert run.result["result"] == "Asked again"
    assert run.blocks("user") == []
    again = histories(upstream)[1]
    assert called(again) == []


@ONE_ROW
def test_a_cut_after_text_is_no_clean_answer(claude: Claude, upstream: ChatUpstream) -> None:
    call = chat.call("Bash", {"command": "touch ran"}).deltas(0)[:-1]
    begun = [chat.chunk(delta) for delta in (*chat.text("First a file.").deltas(0), *call)]
    upstream.script(chat.stream(*begun, READ, Cut()))

    run = claude.ask("Make a file")

    assert run.code == 1
    assert run.result["result"].startswith("API Error: ")
    assert not (claude.work / "ran").exists()
    assert len(upstream.chats) == 1


@ONE_ROW
def test_a_400_reaches_the_user_in_the_upstreams_words(claude: Claude, upstream: ChatUpstream) -> None:
    words = "Invalid 'tools[3].function.name': string does not match pattern."
    upstream.script(chat.error(400, words, code="invalid_value"))

    run = claude.ask("Say hello")

    assert run.code == 1
    assert run.result["result"] == f"API Error: 400 {words}"
    assert len(upstream.chats) == 1


def test_a_refused_key_names_the_variable(program: Path, alone: Served, tmp_path: Path) -> None:
    alone.upstream.always(chat.error(401, "Incorrect API key provided: sk-up****-key.", code="invalid_api_key"))

    run = claude_at(program, alone.gateway.url, tmp_path).ask("Say hello")

    assert run.code == 1
    assert "OPENAI_API_KEY" in run.result["result"]
    assert "/login" not in run.result["result"]
    assert len(alone.upstream.chats) == 1


@ONE_ROW
@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_that_passes_is_not_seen(status: int, claude: Claude, upstream: ChatUpstream) -> None:
    upstream.script(chat.error(status, "come back later", kind="server_error"), chat.completion(chat.text("Hello")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello"
    assert [event for event in run.events if event.get("subtype") == "api_retry"] == []
    assert len(upstream.chats) == 2


@pytest.mark.parametrize(("status", "shown"), [(429, "Request rejected (429)"), (503, "API Error: 503")])
def test_a_failure_that_stays_is_shown_in_the_upstreams_words(
    status: int, shown: str, program: Path, alone: Served, tmp_path: Path
) -> None:
    alone.upstream.always(chat.error(status, "come back later", kind="server_error"))

    run = claude_at(program, alone.gateway.url, tmp_path).ask("Say hello")

    assert run.code == 1
    assert shown in run.result["result"]
    assert "come back later" in run.result["result"]


@ONE_ROW
def test_the_clients_self_healing_reads_the_upstreams_words(claude: Claude, upstream: ChatUpstream) -> None:
    words = "messages.2: role 'system' is not supported in the middle of a conversation"
    upstream.script(chat.error(400, words), chat.completion(chat.text("Healed")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Healed"
    assert [[message["role"] for message in history] for history in histories(upstream)] == [
        ["developer", "user", "developer"],
        ["developer", "user"],
    ]
