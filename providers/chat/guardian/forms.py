"""Every form in which models write calls as text: the mark that begins it, and its parser. Pure.

Sources, read 2026-11: the tests of vLLM's tool parsers (Hermes, Qwen3-Coder, Mistral, Kimi K2, GLM 4.5 and 4.7,
DeepSeek V3, V3.1, V3.2 and V4, MiniMax M2, Qwen2.5-Coder's <tools>) and SGLang's kimik2_detector; ollama#16686 and
QwenLM/Qwen3-Coder#475 (a <function=...> whose <tool_call> is missing); lsdefine/GenericAgent#804 (DSML's bars).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from providers.chat.guardian import marked_calls, tag_calls
from providers.chat.guardian.repairs import Declared, TextCall
from providers.chat.guardian.tape import Reading, Tape

_WIDE = "\uff5c"  # the bar of DeepSeek's marks

Parser = Callable[[Tape, Declared], Reading[list[TextCall]]]


def _invokes() -> Iterator[tuple[bytes, Parser]]:
    bars = (_WIDE, "|", "\u2016", _WIDE * 2, "||")
    dsml = {f"{bar}DSML{bar}": ("function_calls", "tool_calls") for bar in bars}
    for prefix, wrappers in {"": ("function_calls",), "antml:": ("function_calls",), **dsml}.items():
        yield f"<{prefix}invoke name=".encode(), partial(tag_calls.invoke, prefix=prefix.encode())
        for wrapper in wrappers:
            named = partial(tag_calls.invoke, prefix=prefix.encode(), wrapper=f"{prefix}{wrapper}".encode())
            yield f"<{prefix}{wrapper}>".encode(), named
    yield b"<minimax:tool_call>", partial(tag_calls.invoke, wrapper=b"minimax:tool_call")


def _deepseek() -> Iterator[tuple[bytes, Parser]]:
    for bar in (_WIDE, "|"):
        for gap in ("\u2581", "_", " "):
            marks = marked_calls.deepseek_marks(bar, gap)
            if marks[1] != marked_calls.KIMI_CALL:
                yield marks[1], partial(marked_calls.deepseek, marks=marks, section=False)
            yield marks[0], partial(marked_calls.deepseek, marks=marks, section=True)


FORMS: Mapping[bytes, Parser] = {
    b"<tool_call>": tag_calls.tool_call,
    b"<tools>": tag_calls.tool_call,
    b"<function_call>": tag_calls.tool_call,
    b"<function=": tag_calls.function,
    **dict(_invokes()),
    b"[TOOL_CALLS]": marked_calls.mistral,
    b"<|tool_calls_section_begin|>": marked_calls.kimi_section,
    b"<|tool_call_section_begin|>": marked_calls.kimi_section,
    marked_calls.KIMI_CALL: marked_calls.kimi,
    **dict(_deepseek()),
    b"<|python_tag|>": marked_calls.llama,
}


def beginning(literals: Iterable[bytes]) -> bytes:
    """A pattern that matches each literal, and at the end of the text each beginning of one."""
    tree: dict[int, Any] = {}
    for literal in literals:
        node = tree
        for byte in literal:
            node = node.setdefault(byte, {})
    return _pattern(tree)


def _pattern(node: Mapping[int, Any]) -> bytes:
    branches = [re.escape(bytes([byte])) + (_rest(below) if below else b"") for byte, below in node.items()]
    return b"(?:" + b"|".join(branches) + b")"


def _rest(node: Mapping[int, Any]) -> bytes:
    return rb"(?:\Z|" + _pattern(node) + b")"
