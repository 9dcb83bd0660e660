"""Calls at the edge of their form: what is still one, and what is text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.guardian import Repair
from tests.providers.chat.guardian.kit import TOOLS, guardian, read, text_of, tool
from tests.providers.support import property_test


def called(text: str) -> list[tuple[str, Any]]:
    """(name, arguments) of the calls; [] where the whole text is text."""
    for parts in ([text], list(text)):
        outcome = read(parts)
        if outcome.blocks == [["text", text]]:
            continue
        assert all(kind != "text" for kind, _ in outcome.blocks), outcome.blocks
    return [(name, json.loads(arguments)) for name, arguments in outcome.blocks if name != "text"]


LS = {"command": "ls"}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (
            '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}, "id": "1", "type": "function"}</tool_call>',
            [("Bash", LS)],
        ),
        ('<tool_call>{"name": "Bash", "arguments": {"command": "ls"}, "extra": 1}</tool_call>', []),
        ('<tool_call>{"name": "Bash", "arguments": {}, "parameters": {}}</tool_call>', []),
        ('<tool_call>{"name": "TaskList", "arguments": null}</tool_call>', [("TaskList", {})]),
        ('<tool_call>{"name": "TaskList", "arguments": ""}</tool_call>', [("TaskList", {})]),
        ('<tool_call>{"name": "Bash", "arguments": "ls"}</tool_call>', []),
        ('<tool_call>{"name": "Bash", "input": {"command": "ls"}}</tool_call>', [("Bash", LS)]),
        ('<tool_call>{"name": "B\\u0061sh", "arguments": {"command": "ls"}}</tool_call>', [("Bash", LS)]),
        ('<tool_call>{"function": {"name": "Bash", "arguments": {"command": "ls"}}}</tool_call>', [("Bash", LS)]),
        ('<tool_call>{"function": {"name": "Bash"}, "name": "Bash"}</tool_call>', []),
        ('<tool_call>{"function": []}</tool_call>', []),
        ('<tool_call>{"function": "Bash", "arguments": {"command": "ls"}}</tool_call>', []),
        ('<tool_call>[{"name": "Bash", "arguments": {"command": "ls"}}, 5]</tool_call>', []),
        ('<tool_call>{"arguments": {"command": "ls"}}</tool_call>', []),
        (
            '<tool_call>{"name": "Bash", "arguments": {"command": "l\x01s"}}</tool_call>',
            [("Bash", {"command": "l\x01s"})],
        ),
        ('<tool_call>{"name": "Bash\t", "arguments": {"command": "ls"}}</tool_call>', []),
        ('<tool_call>{"name": "Bash" "arguments": {"command": "ls"}}</tool_call>', []),
        ('<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}}</tool_call>', []),
        ('<tool_call>{"%s": 1}</tool_call>' % ("k" * 300), []),
        ('<tool_call>{"name": "%s"}</tool_call>' % ("k" * 300), []),
        (
            '<tool_call>{"name": "Bash", "id": "%s", "arguments": {"command": "ls"}}</tool_call>' % ("i" * 300),
            [("Bash", LS)],
        ),
        ('<tool_call>{"name": "Bash", "arguments": {"command": "ls"}} and so on</tool_call>', []),
        (
            '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}\n{"name": "TaskList"}</tool_call>',
            [("Bash", LS), ("TaskList", {})],
        ),
        (
            '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}\n<tool_call>{"name": "TaskList"}',
            [("Bash", LS), ("TaskList", {})],
        ),
        ('<tool_call>\r\n{"name": "Bash", "arguments": {"command": "ls"}}\r\n</tool_call>\r\n', [("Bash", LS)]),
        ('<function_call>{"name": "Bash", "arguments": {"command": "ls"}}</function_call>', [("Bash", LS)]),
        ('[TOOL_CALLS]Bash{"command": "a\nb"}', [("Bash", {"command": "a\nb"})]),
        ("[TOOL_CALLS]Bash[CALL_ID]abc{}", []),
        ("[TOOL_CALLS]Bash[ARGS]", []),
        ("[TOOL_CALLS]Bash", []),
        ("<function=Bash>\r\n<parameter=command>\r\nls\r\n</parameter>\r\n</function>", [("Bash", LS)]),
        (
            "<function=Bash>\n<parameter=command>\n\n  ls  \n\n</parameter>\n</function>",
            [("Bash", {"command": "\n  ls  \n"})],
        ),
        ("<function=Bash>\n<parameter=command></parameter>\n</function>", [("Bash", {"command": ""})]),
        ("<function=Bash>\n<parameter=command>\nls\n</function>\n</tool_call>", [("Bash", LS)]),
        ("<function=Bash>\n<parameter=command>\nls\n</function>\nand more", []),
        (
            "<function=Bash>\n<parameter=command>\nls\n<parameter=x y>\n</parameter>\n</function>",
            [("Bash", {"command": "ls\n<parameter=x y>"})],
        ),
        (
            "<function=Bash>\n<parameter=command>\nls\n<parameter=<>\n</parameter>\n</function>",
            [("Bash", {"command": "ls\n<parameter=<>"})],
        ),
        ("<function=Bash>\n<parameter=command>\nls\n</parameter>\n</tool_call>", [("Bash", LS)]),
        ("<function=Bash>\n<parameter=timeout>\n5\n</parameter>\n", []),
        ('<function="Bash">\n<parameter="command">\nls\n</parameter>\n</function>', [("Bash", LS)]),
        ("<function=Bash>\n<parameter==>\nls\n</parameter>\n</function>", []),
        ("<function=TaskList></function>", [("TaskList", {})]),
        ("<function=TaskList>\n</function>\n</tool_call>\n", [("TaskList", {})]),
        ("<function=TaskList>\n", []),
        ('<function=Bash>{"command": "ls"}', [("Bash", LS)]),
        ('<function=Bash>{"command": "ls"} or so', []),
        (
            "<tool_call>Bash<arg_key>command</arg_key><arg_value>ls</arg_value><arg_key>command</arg_key><arg_value>x</arg_value></tool_call>",
            [],
        ),
        ("<tool_call>Bash<arg_key>command</arg_key><arg_value>ls</arg_value>", []),
        ("<tool_call>Bash<arg_key>command</arg_key> ls</tool_call>", []),
        ('<invoke name="TaskList">\n</invoke>\n</function_calls>', [("TaskList", {})]),
        ('<function_calls><invoke name="TaskList"></invoke><invoke name="No"></invoke></function_calls>', []),
        (
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.TaskList:0<|tool_call_argument_begin|><|tool_call_end|>",
            [("TaskList", {})],
        ),
        ("<|tool_calls_section_begin|><|tool_call_begin|>0<|tool_call_argument_begin|>{}<|tool_call_end|>", []),
        ('<|tool_call_begin|>Bash<|tool_call_argument_begin|>{"command": "ls"}<|tool_call_end|>', [("Bash", LS)]),
        ("<|python_tag|> Bash", []),
        ('\n\n```json\n[{"name": "Bash", "arguments": {"command": "ls"}}]\n```\n\n', [("Bash", LS)]),
        ('```json\n{"name": "Bash", "arguments": {"command": "ls"}}\n', [("Bash", LS)]),
        ('```tool_call\n{"name": "Bash", "arguments": {"command": "ls"}}\n```', [("Bash", LS)]),
        (
            '[{"name": "Bash", "arguments": {"command": "ls"}}, {"name": "TaskList", "arguments": {}}]',
            [("Bash", LS), ("TaskList", {})],
        ),
    ],
)
def test_the_edge_of_a_form(text: str, calls: list[tuple[str, Any]]) -> None:
    assert called(text) == calls


UNREADABLE = [
    r'{"command": "grep \d+ a"}',
    '{"command": "ls",}',
    '{"command": "ls" "timeout": 5}',
    '{"command": ls}',
    '{"command": "echo }{ \\d ...", "timeout": {"a": [}]}',
]
MARKED = {
    Repair.HERMES: '<tool_call>\n{"name": "bash", "arguments": %s}\n</tool_call>',
    Repair.LLAMA: '<|python_tag|>{"name": "bash", "parameters": %s}',
    Repair.MISTRAL: "[TOOL_CALLS]bash%s",
    Repair.KIMI: "<|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>%s<|tool_call_end|>",
    Repair.QWEN_CODER: "<function=bash>%s</function>",
    Repair.INVOKE: '<invoke name="bash">%s</invoke>',
}


@pytest.mark.parametrize("form", MARKED)
@pytest.mark.parametrize("arguments", UNREADABLE)
def test_arguments_that_are_no_json_pass_as_they_are(form: Repair, arguments: str) -> None:
    """The client answers the model that it could not read them; as text they would end its turn."""
    for parts in ([MARKED[form] % arguments], list(MARKED[form] % arguments)):
        outcome = read(parts)
        assert outcome.blocks == [["Bash", arguments]]
        assert outcome.stop == "tool_use"
        assert outcome.repairs[form] == outcome.repairs[Repair.NAME] == 1
        assert Repair.CONTROL_CHARACTER not in outcome.repairs


@pytest.mark.parametrize(
    "arguments",
    ["{...}", '{"command": ...}', '{"command": "ls", ...}', "{command: ls}", '{"path": a}', "{%s" % ("{" * 2000)],
)
@pytest.mark.parametrize("form", MARKED)
def test_what_only_stands_for_arguments_is_text(form: Repair, arguments: str) -> None:
    assert called(MARKED[form] % arguments) == []


@pytest.mark.parametrize("fence", ["%s", "```json\n%s\n```"])
def test_json_without_a_mark_must_be_json(fence: str) -> None:
    assert called(fence % r'{"name": "Bash", "arguments": {"command": "grep \d+ a"}}') == []


def test_text_that_no_bytes_can_say_is_text() -> None:
    text = '<tool_call>{"name": "Bash", "arguments": {"command": "\ud800"}}</tool_call>'
    assert read([text]).blocks == [["text", text]]
    text = "<function=Bash>\n<parameter=command>\n\ud800\n</parameter>\n</function>"
    assert read([text]).blocks == [["text", text]]


def test_a_value_that_is_said_to_be_no_string_is_json_where_the_schema_has_no_words() -> None:
    tools = [tool("f", "", b={"type": "string"})]
    machine = guardian(tools)
    given = {"a": "[1, 2]", "b": "5", "c": "x y"}
    values = "".join(
        f'<|DSML|parameter name="{key}" string="false">{value}</|DSML|parameter>' for key, value in given.items()
    )
    outcome = read([f'<|DSML|invoke name="f">{values}</|DSML|invoke>'], machine=machine)
    assert [json.loads(text) for _, text in outcome.blocks] == [{"a": [1, 2], "b": "5", "c": "x y"}]
    assert machine.repairs[Repair.DSML] == 1


def test_a_tool_whose_name_has_a_dot_or_a_dash() -> None:
    tools = [tool("mcp__a-b__read.file"), tool("x")]
    for text in (
        "<tool_call>mcp__a-b__read.file</tool_call>",
        "[TOOL_CALLS]mcp__a-b__read.file{}",
        "<|tool_call_begin|>functions.mcp__a-b__read.file:3<|tool_call_argument_begin|>{}<|tool_call_end|>",
        "<function=mcp__a-b__read.file></function>",
    ):
        assert read([text], machine=guardian(tools)).blocks == [["mcp__a-b__read.file", "{}"]]


WORDS = st.sampled_from(
    ["name", "arguments", "function", "Bash", "TaskList", "command", "x", "\n", "</tool_call>", "é"]
)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=9,
)
WRAPPED = [
    "<tool_call>%s</tool_call>",
    "<tool_call>%s",
    "[TOOL_CALLS] %s",
    "[TOOL_CALLS]TaskList%s",
    "<function=TaskList>%s</function>",
    "<function=Bash><parameter=command>%s</parameter></function>",
    "<|python_tag|>%s",
    "```json\n%s\n```",
    "%s",
    "<tool_call>Bash<arg_key>command</arg_key><arg_value>%s</arg_value></tool_call>",
]


@property_test
@given(json_like, st.sampled_from(WRAPPED), st.integers(0, 400), st.booleans())
def test_any_json_between_any_marks(value: Any, wrapped: str, cut: int, bare: bool) -> None:
    """It is text to the last character, or calls of declared tools with an object each; however it is cut."""
    text = (wrapped % json.dumps(value, ensure_ascii=False))[: cut or None]
    text = text.replace("\\n", "\n") if bare else text
    outcome = read([text])
    assert read(text) == outcome
    calls = [block for block in outcome.blocks if block[0] != "text"]
    assert calls or text_of(outcome) == text
    assert {name for name, _ in calls} <= {tool.name for tool in TOOLS}
    assert all(isinstance(json.loads(arguments), dict) for _, arguments in calls)
