"""Claude Code through models that write their tool calls as text, at upstreams of both formats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from providers.catalog import CATALOG
from providers.chat.guardian import Repair
from providers.chat.guardian.forms import FORMS
from tests.e2e.claude import Claude
from tests.e2e.conftest import claude_at
from tests.gateway_process import GatewayProcess, running_gateway
from tests.upstream import ChatUpstream, Upstream
from tests.upstream import anthropic as messages
from tests.upstream import openai_chat as chat

# How a model of each family calls Bash with a command, "%s"; each is one JSON string or one line.
WRITTEN = {
    Repair.HERMES: '<tool_call>\n{"name": "Bash", "arguments": {"command": %s}}\n</tool_call>',
    Repair.QWEN_CODER: "<function=Bash>\n<parameter=command>\n%s\n</parameter>\n</function>\n</tool_call>",
    Repair.MISTRAL: '[TOOL_CALLS]Bash{"command": %s}',
    Repair.INVOKE: '<function_calls>\n<invoke name="bash">\n<parameter name="command">%s</parameter>\n'
    '<parameter name="timeout">5000</parameter>\n</invoke>\n</function_calls>',
    Repair.DSML: '<\uff5cDSML\uff5ctool_calls>\n<\uff5cDSML\uff5cinvoke name="Bash">\n'
    '<\uff5cDSML\uff5cparameter name="command" string="true">%s</\uff5cDSML\uff5cparameter>\n'
    "</\uff5cDSML\uff5cinvoke>\n</\uff5cDSML\uff5ctool_calls>",
    Repair.DEEPSEEK: "<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>Bash<\uff5ctool▁sep\uff5c>"
    '{"command": %s}<\uff5ctool▁call▁end\uff5c><\uff5ctool▁calls▁end\uff5c>',
    Repair.KIMI: "<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>"
    '{"command": %s, "timeout": null}<|tool_call_end|><|tool_calls_section_end|>',
    Repair.GLM: "<tool_call>Bash\n<arg_key>command</arg_key>\n<arg_value>%s</arg_value>\n</tool_call>",
    Repair.LLAMA: '<|python_tag|>{"name": "Bash", "parameters": {"command": %s}}',
    Repair.FENCED_JSON: 'I look.\n\n```json\n{"name": "Bash", "arguments": {"command": %s}}\n```',
    Repair.BARE_JSON: '{"name": "Bash", "parameters": {"command": %s}}',
}
CHAT_ROWS = ("nvidia_nim", "groq", "kimi", "mistral")
MESSAGES_ROWS = ("ollama", "lmstudio", "llamacpp", "vllm", "deepseek", "minimax", "zai")
CALLS = [
    *(("nvidia_nim", form) for form in WRITTEN),
    ("groq", Repair.LLAMA),
    ("kimi", Repair.KIMI),
    ("mistral", Repair.MISTRAL),
    ("ollama", Repair.BARE_JSON),
    ("lmstudio", Repair.QWEN_CODER),
    ("llamacpp", Repair.HERMES),
    ("vllm", Repair.FENCED_JSON),
    ("deepseek", Repair.DSML),
    ("minimax", Repair.INVOKE),
    ("zai", Repair.GLM),
]
TALK = "Qwen writes `<tool_call>`:\n\n```\n<tool_call>\n{}\n</tool_call>\n```\n\nand [TOOL_CALLS] is Mistral's."


@dataclass(frozen=True)
class Served:
    """A gateway whose providers are two scripted upstreams, one of each format."""

    gateway: GatewayProcess
    chat: ChatUpstream
    messages: Upstream

    def says(self, row: str, *texts: str) -> None:
        if row in CHAT_ROWS:
            self.chat.script(*(chat.completion(chat.text(text, pieces=9)) for text in texts))
        else:
            self.messages.script(*(messages.message(messages.text(text, pieces=9)) for text in texts))

    def results(self, row: str) -> list[list[str]]:
        """The results of calls that each request to the model has brought."""
        if row in CHAT_ROWS:
            asked = [request.json["messages"] for request in self.chat.chats]
            return [[message["content"] for message in told if message["role"] == "tool"] for told in asked]
        asked = [request.json["messages"] for request in self.messages.posts("/v1/messages")]
        return [[block["content"] for block in blocks_of(told) if block["type"] == "tool_result"] for told in asked]

    def repaired(self, kind: str) -> float:
        exposition = httpx.get(f"{self.gateway.url}/metrics", trust_env=False).text
        samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]
        [count] = [
            each.value for each in samples if each.name == "keyturn_tool_repairs_total" and each.labels["kind"] == kind
        ]
        return count


def blocks_of(told: list[Any]) -> list[Any]:
    return [block for message in told if isinstance(message["content"], list) for block in message["content"]]


def environment(chat_url: str, messages_url: str) -> dict[str, str]:
    prefixes = {row.id: row.prefixes[0] for row in CATALOG if row.quirks.guarded_calls}
    urls = dict.fromkeys(CHAT_ROWS, chat_url) | dict.fromkeys(MESSAGES_ROWS, messages_url)
    keys = {f"{prefixes[row]}_API_KEY": f"sk-key-of-{row}" for row in urls}
    bases = {f"{prefixes[row]}_BASE_URL": url for row, url in urls.items()}
    return {**keys, **bases, "ANTHROPIC_AUTH_TOKEN": "freecc"}


@pytest.fixture(scope="module")
def running(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ChatUpstream() as of_chat, Upstream() as of_messages:
        environ = environment(of_chat.base_url, of_messages.url)
        with running_gateway(tmp_path_factory.mktemp("gateway"), environ) as gateway:
            yield Served(gateway, of_chat, of_messages)


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    yield running
    running.chat.forget()
    running.messages.forget()


@pytest.fixture
def claude(program: Path, served: Served, tmp_path: Path) -> Claude:
    return claude_at(program, served.gateway.url, tmp_path)


@pytest.mark.parametrize(("row", "form"), CALLS)
def test_a_call_in_text_runs(row: str, form: Repair, claude: Claude, served: Served) -> None:
    command = "echo from-bash"
    written = WRITTEN[form] % (json.dumps(command) if '"command": %s' in WRITTEN[form] else command)
    before = served.repaired(form)
    served.says(row, written, "All done")

    run = claude.ask("Say it", token=f"freecc:{row}/a-model")

    assert run.result["result"] == "All done"
    assert served.results(row) == [[], ["from-bash"]]
    assert served.repaired(form) == before + 1


@pytest.mark.parametrize("row", ["nvidia_nim", "ollama"])
def test_talk_of_calls_is_shown_as_it_was_said(row: str, claude: Claude, served: Served) -> None:
    served.says(row, TALK)

    run = claude.ask("Explain", token=f"freecc:{row}/a-model")

    assert run.result["result"] == TALK
    assert served.results(row) == [[]]
    assert any(mark.decode() in TALK for mark in FORMS)


def test_every_form_and_both_formats_are_here() -> None:
    found = list(Repair)[: list(Repair).index(Repair.NAME)]
    assert {form for _, form in CALLS} == set(WRITTEN) == set(found)
    rows = {row.id: row for row in CATALOG}
    assert {rows[row].dialect for row in CHAT_ROWS} == {"openai_chat"}
    assert {rows[row].dialect for row in MESSAGES_ROWS} == {"anthropic"}
    assert {row for row, _ in CALLS} == {*CHAT_ROWS, *MESSAGES_ROWS}


WRONG = {"command": "echo mended", "timeout": None, "run_in_background": "false", "description": "Says it"}


@pytest.mark.parametrize("row", ["nvidia_nim", "ollama"])
def test_a_proper_call_that_is_almost_right_runs(row: str, claude: Claude, served: Served) -> None:
    """The client refuses a null, and a name in another case."""
    before = {kind: served.repaired(kind) for kind in (Repair.NULL, Repair.NAME)}
    if row in CHAT_ROWS:
        served.chat.script(chat.completion(chat.call("bash", WRONG, "call_1")), chat.completion(chat.text("All done")))
    else:
        call = messages.message(messages.tool_use("bash", WRONG, "toolu_1"))
        served.messages.script(call, messages.message(messages.text("All done")))

    run = claude.ask("Say it", token=f"freecc:{row}/a-model")

    assert run.result["result"] == "All done"
    assert served.results(row) == [[], ["mended"]]
    assert {kind: served.repaired(kind) for kind in before} == {kind: count + 1 for kind, count in before.items()}
