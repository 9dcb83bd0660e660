"""How many tokens a request is, without a tokenizer. Pure.

An estimate from what the text is made of, since a vocabulary would have to be downloaded or shipped per model and
takes time that grows with the text; this takes a few hundred microseconds for a megabyte. The weights are close to
what byte-pair vocabularies of 100k to 200k entries do to English prose, source code, JSON and East Asian text.
"""

from __future__ import annotations

from typing import Any

from providers.chat.marks import plain_id
from providers.json_object import JsonObject, encode

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"
_SPACE = b" \t\r\n"
_ASCII = bytes(range(128))

PER_LETTER = 0.21  # about 4.8 letters of a word to the token
PER_DIGIT = 0.45
PER_SPACE = 0.02  # most spaces belong to the word that follows; indentation folds
PER_SIGN = 0.55  # punctuation
PER_OTHER_BYTE = 0.36  # of UTF-8 beyond ASCII

PER_MESSAGE = 4
PER_BLOCK = 8
IMAGE = 1600  # the most an image costs after Anthropic scales it down (vision guide, read 2026-11)
PER_DOCUMENT_BYTE = 0.05  # of a PDF, decoded


def estimate(body: JsonObject) -> int:
    """Input tokens of a checked request of any dialect; at least 1."""
    texts: list[str] = []
    total = _content(body.get("system"), texts) + _content(body.get("instructions"), texts)
    said = body.get("messages") or body.get("input") or ()
    for message in (said,) if isinstance(said, str) else said:
        total += PER_MESSAGE + _message(message, texts)
    if body.get("tools"):
        texts.append(encode(body.get("tools")).decode())
    return max(1, round(total + text_tokens("".join(texts).encode("utf-8", "replace"))))


def text_tokens(text: bytes) -> float:
    """Tokens of UTF-8 text."""
    beyond_letters = text.translate(None, _LETTERS)
    beyond_space = beyond_letters.translate(None, _SPACE)
    beyond_digits = beyond_space.translate(None, _DIGITS)
    letters, space = len(text) - len(beyond_letters), len(beyond_letters) - len(beyond_space)
    digits = len(beyond_space) - len(beyond_digits)
    other = len(beyond_digits.translate(None, _ASCII))
    signs = len(beyond_digits) - other
    return letters * PER_LETTER + digits * PER_DIGIT + space * PER_SPACE + signs * PER_SIGN + other * PER_OTHER_BYTE


def _message(message: Any, texts: list[str]) -> float:
    """A turn, or an item of Responses; ``encrypted_content`` is not read as text by any model."""
    if not isinstance(message, dict):
        return _content(message, texts)
    called = message.get("tool_calls")
    own = (message.get(name) for name in ("content", "output", "summary", "arguments", "input", "reasoning_content"))
    return sum(_content(part, texts) for part in own) + (_as_json(called, texts) if called else 0)


def _content(content: Any, texts: list[str]) -> float:
    """What a string or a list of blocks costs beside its text, which goes to ``texts`` to be counted in one go."""
    if isinstance(content, str):
        texts.append(content)
        return 0
    if isinstance(content, list):
        return sum(PER_BLOCK + _block(block, texts) for block in content)
    return _as_json(content, texts) if content is not None else 0


def _block(block: Any, texts: list[str]) -> float:
    match block:
        case {"type": "text" | "input_text" | "output_text" | "summary_text", "text": text}:
            return _content(text, texts)
        case {"type": "thinking", "thinking": text}:
            return _content(text, texts)
        case {"type": "tool_result"}:
            return _content(block.get("content"), texts)
        case {"type": "tool_use", "id": str() as identity}:  # which may carry a signature
            return _as_json({**block, "id": plain_id(identity)}, texts)
        case {"type": "image" | "image_url" | "input_image"}:
            return IMAGE
        case {"type": "file", "file": {"file_data": str() as data}} | {
            "type": "input_file",
            "file_data": str() as data,
        }:
            return len(data) * 0.75 * PER_DOCUMENT_BYTE
        case {"type": "document"}:
            return _document(block.get("source"), texts)
    return _as_json(block, texts)


def _document(source: Any, texts: list[str]) -> float:
    match source:
        case {"type": "text", "data": str() as text}:
            return _content(text, texts)
        case {"data": str() as data}:
            return len(data) * 0.75 * PER_DOCUMENT_BYTE
    return _as_json(source, texts)


def _as_json(value: Any, texts: list[str]) -> float:
    texts.append(encode(value).decode())
    return 0
