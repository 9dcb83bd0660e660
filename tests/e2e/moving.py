"""What the moves share: models that answer by what they are asked, gateways with an example, runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.claude import Claude, Run
from tests.e2e.conftest import claude_at
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import Reply, Request, message, text, tool_use
from tests.upstream import openai_chat as chat

HELLO = "Say hello"
RUN = "Run it"
COMMAND = {"command": "echo from-bash", "description": "Says it"}
AT_ONCE = 3  # runs side by side: a client is mostly waiting

Json = dict[str, Any]


@dataclass(frozen=True)
class OwnClaude(Claude):
    """A client with further variables; one that is "" is left out."""

    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self, token: str) -> Mapping[str, str]:
        return {name: value for name, value in {**super().environment(token), **self.more}.items() if value}


@contextmanager
def moved(home: Path, env_file: str, environ: Mapping[str, str]) -> Iterator[GatewayProcess]:
    """A gateway started where this .env file is."""
    home.mkdir(parents=True)
    (home / ".env").write_text(env_file)
    with running_gateway(home, environ) as gateway:
        yield gateway


def client(program: Path, gateway: GatewayProcess, base: Path, **more: str) -> OwnClaude:
    """A client in a home of its own."""
    base.mkdir(parents=True)
    made = claude_at(program, gateway.url, base)
    return OwnClaude(made.program, made.url, made.home, made.work, more)


def side_by_side(*runs: Callable[[], Run]) -> list[Run]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [each.result() for each in [pool.submit(run) for run in runs]]


def says_hello(model: str) -> str:
    return f"Hello from {model}"


def has_run(model: str) -> str:
    return f"{model} read from-bash"


def chat_model(request: Request) -> Reply:
    """Says hello; or, told to run it, runs a command and says what came of it. Chat Completions."""
    said = request.json["messages"]
    if found := [each["content"] for each in said if each["role"] == "tool"]:
        return chat.completion(chat.text(f"{request.model} read {found[-1]}"))(request)
    if _told_to_run(said, request.json):
        return chat.completion(chat.text("I run it."), chat.call("Bash", COMMAND, "call_bash"))(request)
    return chat.completion(chat.text(says_hello(request.model)))(request)


def messages_model(request: Request) -> Reply:
    """The same in Messages."""
    said = request.json["messages"]
    blocks = [block for each in said if isinstance(each["content"], list) for block in each["content"]]
    if found := [_plain(block["content"]) for block in blocks if block["type"] == "tool_result"]:
        return message(text(f"{request.model} read {found[-1]}"))(request)
    if _told_to_run(said, request.json):
        return message(text("I run it."), tool_use("Bash", COMMAND, "toolu_bash"))(request)
    return message(text(says_hello(request.model)))(request)


def _told_to_run(said: Sequence[Json], body: Json) -> bool:
    return bool(body.get("tools")) and any(RUN in str(each["content"]) for each in said if each["role"] == "user")


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)
