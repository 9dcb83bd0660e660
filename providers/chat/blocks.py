"""The blocks of text and of thought that an answer becomes, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from providers.chat.events import (
    BlockKind,
    BlockStarted,
    BlockStopped,
    Event,
    RawDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
)
from providers.ports import Usage

PATIENCE = 64  # pieces of a thought that is not shown, after which empty text keeps a client waiting


class Thought(Protocol):
    """One thought of an answer: what it says, and what has to go back with it."""

    @property
    def said(self) -> list[str]:
        """Its pieces so far."""

    @property
    def opaque(self) -> bool:
        """Whether something has to go back that its words do not say."""

    def signature(self) -> str: ...


T = TypeVar("T", bound=Thought)


class Blocks(Generic[T]):
    """``open`` is the kind of the block that is open, None between blocks; tool calls are not its matter."""

    def __init__(self, token: str, thought: Callable[[], T], hidden: bool) -> None:
        """``token`` makes the answer's id, ``thought`` an empty thought; ``hidden`` leaves all thoughts out."""
        self.open: BlockKind | None = None
        self.said = 0  # characters
        self.texted = False  # some of them are text
        self.thought = thought()
        self._thought = thought
        self._token = token
        self._hidden = hidden
        self._unseen = 0  # pieces of thoughts that were not shown
        self._started = False

    @property
    def started(self) -> bool:
        return self._started

    def shows(self, kind: BlockKind) -> bool:
        return not (self._hidden and kind is BlockKind.THINKING)

    def begin(self, usage: Usage) -> Iterator[Event]:
        """The answer's first event, once."""
        if not self._started:
            self._started = True
            yield Started(f"msg_{self._token}", "", Usage(input_tokens=usage.input_tokens))

    def say(self, kind: BlockKind, text: str, usage: Usage) -> Iterator[Event]:
        """A piece of text or of a thought; ``usage`` is what is known of it so far."""
        self.said += len(text)
        if not self.shows(kind):
            yield from self._keep_waiting(usage)
            return
        if self.open is not kind:
            yield from self.close() if kind is BlockKind.THINKING else self.make_way(usage)
            yield from self._begin_block(kind, usage)
        if kind is BlockKind.THINKING:
            self.thought.said.append(text)
            yield ThinkingDelta(text)
            return
        self.texted = True
        yield TextDelta(text)

    def cite(self, sources: Iterable[Mapping[str, Any]]) -> Iterator[Event]:
        """Where the open text's words come from."""
        if self.open is BlockKind.TEXT:
            yield from (RawDelta(source) for source in sources)

    def make_way(self, usage: Usage) -> Iterator[Event]:
        """For text or a call; a thought that cannot be shown, but has to go back, comes before it."""
        yield from self.close()
        if self.thought.opaque and not self._hidden:
            yield from self._begin_block(BlockKind.THINKING, usage)
            yield from self.close()

    def close(self) -> Iterator[Event]:
        if self.open is BlockKind.THINKING:
            yield SignatureDelta(self.thought.signature())
            self.thought = self._thought()
        if self.open is not None:
            yield BlockStopped()
        self.open = None

    def _begin_block(self, kind: BlockKind, usage: Usage) -> Iterator[Event]:
        yield from self.begin(usage)
        self.open = kind
        yield BlockStarted(kind)

    def _keep_waiting(self, usage: Usage) -> Iterator[Event]:
        """Clients give up on a stream without a piece of an answer, as the gateway does on an upstream."""
        self._unseen += 1
        if self._unseen > PATIENCE:
            if self.open is None:
                yield from self._begin_block(BlockKind.TEXT, usage)
            yield TextDelta("")
