"""How many tokens a request's input is, without a tokenizer. Pure.

An estimate from what the text is made of and from the family of the model; what upstreams report corrects it by model
(``providers/learning/calibration.py``). Why no tokenizer, and how near the estimate comes: ARCHITECTURE.md and
docs/token-counts.md.
"""

from __future__ import annotations

from typing import Any

from gateway.tokens import media
from gateway.tokens.families import family, tokens
from gateway.tokens.texts import features
from providers.chat.marks import plain_id
from providers.json_object import JsonObject, encode

PER_MESSAGE = 4
PER_BLOCK = 8


def text_tokens(text: bytes, model: str = "") -> float:
    """Tokens of UTF-8 text."""
    return tokens(features(text), family(model))


class Estimate:
    """See ``providers.call.Estimate``. The body is read once, when it is first asked."""

    __slots__ = ("_body", "_features", "_frame", "_media", "_model")

    def __init__(self, body: JsonObject, model: str = "") -> None:
        """A checked request of any dialect. ``model`` is the one to count for where none is named."""
        self._body = body
        self._model = model
        self._features: tuple[float, ...] = ()

    def __call__(self, model: str = "") -> int:
        if not self._features:
            self._read()
        text = tokens(self._features, family(model or self._model))
        return max(1, round(self._frame + self._media + text))

    @property
    def media(self) -> int:
        if not self._features:
            self._read()
        return round(self._media)

    def _read(self) -> None:
        reading = Reading()
        reading.body(self._body)
        self._frame, self._media = reading.frame, reading.media
        self._features = features("".join(reading.texts).encode("utf-8", "replace"))


class Reading:
    """What of a request a model reads: its texts, and in tokens, what frames them and its media."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.frame = 0.0
        self.media = 0.0

    def body(self, body: JsonObject) -> None:
        self._content(body.get("system"))
        self._content(body.get("instructions"))
        said = body.get("messages") or body.get("input") or ()
        for message in (said,) if isinstance(said, str) else said:
            self.frame += PER_MESSAGE
            self._message(message)
        if body.get("tools"):
            self._as_json(body.get("tools"))

    def _message(self, message: Any) -> None:
        """A turn, or an item of Responses; ``encrypted_content`` is not read as text by any model."""
        if not isinstance(message, dict):
            self._content(message)
            return
        for name in ("content", "output", "summary", "arguments", "input", "reasoning_content"):
            self._content(message.get(name))
        if called := message.get("tool_calls"):
            self._as_json(called)

    def _content(self, content: Any) -> None:
        """A string or a list of blocks."""
        if isinstance(content, str):
            self.texts.append(content)
        elif isinstance(content, list):
            for block in content:
                self.frame += PER_BLOCK
                self._block(block)
        elif content is not None:
            self._as_json(content)

    def _block(self, block: Any) -> None:
        match block:
            case {"type": "text" | "input_text" | "output_text" | "summary_text", "text": text}:
                self._content(text)
            case {"type": "thinking", "thinking": text}:
                self._content(text)
            case {"type": "tool_result"}:
                self._content(block.get("content"))
            case {"type": "tool_use", "id": str() as identity}:  # which may carry a signature
                self._as_json({**block, "id": plain_id(identity)})
            case {"type": "image" | "image_url" | "input_image"}:
                self.media += media.image(block.get("source") or block.get("image_url"))
            case {"type": "file", "file": {"file_data": str() as data}} | {
                "type": "input_file",
                "file_data": str() as data,
            }:
                self.media += media.document(data)
            case {"type": "document"}:
                self._document(block.get("source"))
            case _:
                self._as_json(block)

    def _document(self, source: Any) -> None:
        match source:
            case {"type": "text", "data": str() as text}:
                self._content(text)
            case {"data": str() as data}:
                self.media += media.document(data)
            case _:
                self._as_json(source)

    def _as_json(self, value: Any) -> None:
        self.texts.append(encode(value).decode())
