"""Claude Code through models that write their tool calls as text, on a row of the table that has them repaired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.catalog import CATALOG
from providers.chat.guardian.forms import FORMS
from providers.spec import ProviderSpec
from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import running_gateway
from tests.upstream import ChatUpstream
from tests.upstream import openai_chat as chat

ROWS = [row for row in CATALOG if row.quirks.guarded_calls and row.dialect == "openai_chat"][:1]

# How a model of each family calls Bash with a command, "%s"; each is one JSON string or one line.
WRITTEN = {
    "hermes": '<tool_call>\n{"name": "Bash", "arguments": {"command": %s}}\n</tool_call>',
    "qwen coder": "<function=Bash>\n<parameter=command>\n%s\n</parameter>\n</function>\n</tool_call>",
    "mistral list": '[TOOL_CALLS] [{"name": "Bash", "arguments": {"command": %s}}]',
    "mistral name": '[TOOL_CALLS]Bash{"command": %s}',
    "invoke": '<function_calls>\n<invoke name="bash">\n<parameter name="command">%s</parameter>\n'
    '<parameter name="timeout">5000</parameter>\n</invoke>\n</function_calls>',
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>"
    '{"command": %s, "timeout": null}<|tool_call_end|><|tool_calls_section_end|>',
    "glm": "<tool_call>Bash\n<arg_key>command</arg_key>\n<arg_value>%s</arg_value>\n</tool_call>",
    "fenced JSON": 'I look.\n\n```json\n{"name": "Bash", "arguments": {"command": %s}}\n```',
    "bare JSON": '{"name": "Bash", "parameters": {"command": %s}}',
}
TALK = "Qwen writes `<tool_call>`:\n\n```\n<tool_call>\n{}\n</tool_call>\n```\n\nand [TOOL_CALLS] is Mistral's."


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.id)
def served(
    request: pytest.FixtureRequest, program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ChatUpstream, str]]:
    """The upstream, and the gateway's address."""
    row: ProviderSpec = request.param
    with ChatUpstream() as upstream:
        environment = {
            f"{row.prefixes[0]}_API_KEY": "sk-upstream-key",
            f"{row.prefixes[0]}_BASE_URL": upstream.base_url,
            "MODEL": f"{row.id}/a-model",
            "ANTHROPIC_AUTH_TOKEN": "freecc",
        }
        with running_gateway(tmp_path_factory.mktemp("gateway"), environment) as gateway:
            yield upstream, gateway.url


@pytest.fixture
def upstream(served: tuple[ChatUpstream, str]) -> Iterator[ChatUpstream]:
    yield served[0]
    served[0].forget()


@pytest.fixture
def claude(program: Path, served: tuple[ChatUpstream, str], tmp_path: Path) -> Claude:
    return claude_at(program, served[1], tmp_path)


def results(messages: list[Any]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "tool"]


@pytest.mark.parametrize("form", WRITTEN)
def test_a_call_in_text_runs(form: str, claude: Claude, upstream: ChatUpstream) -> None:
    command = "echo from-bash"
    written = WRITTEN[form] % (json.dumps(command) if '"command": %s' in WRITTEN[form] else command)
    upstream.script(chat.completion(chat.text(written, pieces=9)), chat.completion(chat.text("All done")))

    run = claude.ask("Say it")

    assert run.result["result"] == "All done"
    assert [results(request.json["messages"]) for request in upstream.chats] == [[], ["from-bash"]]


def test_talk_of_calls_is_shown_as_it_was_said(claude: Claude, upstream: ChatUpstream) -> None:
    upstream.script(chat.completion(chat.text(TALK, pieces=9)))

    run = claude.ask("Explain")

    assert run.result["result"] == TALK
    assert len(upstream.chats) == 1
    assert any(mark.decode() in TALK for mark in FORMS)
