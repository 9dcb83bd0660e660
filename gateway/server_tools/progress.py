"""What is known of an answer of several rounds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.server_tools.failures import Code
from providers.chat.events import BlockKind, Stop
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.hosting import HostedTool
from providers.ports import Usage

ROUNDS = 10  # after which a turn is paused, as Anthropic's is (platform.claude.com, stop reasons, read 2026-11)
SECONDS = 240.0  # after which no further round begins
MOST_USES = 20  # of one tool in one answer, where its client names no limit or a higher one

_WHOLE = (Stop.TOOL_USE, Stop.END_TURN, Stop.STOP_SEQUENCE)  # reasons to stop that leave a call whole


@dataclass(slots=True)
class Progress:
    """``most_tokens`` is the cap on the whole answer."""

    most_tokens: int | None
    blocks: list[AnswerBlock] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    stop: Stop | None = None  # why the answer has ended
    _uses: Counter[str] = field(default_factory=Counter)
    _rounds: int = 0
    _id: str = ""
    _sequence: str | None = None

    def said(self, message: WholeMessage) -> None:
        """One round of the model's."""
        self._rounds += 1
        self._id = self._id or message.id
        self._sequence = message.stop_sequence
        self.usage = self.usage.plus(message.usage)
        self.blocks += message.blocks

    def ends(self, message: WholeMessage, results: Iterable[AnswerBlock], seconds: float) -> bool:
        """The calls of that round have these results, so many seconds after the first round began."""
        self.blocks += results
        self.stop = self._stop(message, seconds)
        return self.stop is not None

    def refusals(self, message: WholeMessage, tools: Sequence[HostedTool]) -> list[Code | None]:
        """Why a call of that round, of such a tool, is not to be run; None where it is."""
        if message.stop not in _WHOLE:
            return ["unavailable" for _ in tools]  # the round was cut short, and maybe the call
        return [None if self._one_more(tool) else "max_uses_exceeded" for tool in tools]

    @property
    def room(self) -> int | None:
        """Tokens that the model may still say."""
        return None if self.most_tokens is None else self.most_tokens - self.usage.output_tokens

    @property
    def message(self) -> WholeMessage:
        """All rounds as one message."""
        return WholeMessage(self._id, "", self.blocks, self.stop or Stop.END_TURN, self._sequence, self.usage)

    def _one_more(self, tool: HostedTool) -> bool:
        self._uses[tool.name] += 1
        return self._uses[tool.name] <= (MOST_USES if tool.max_uses is None else min(tool.max_uses, MOST_USES))

    def _stop(self, message: WholeMessage, seconds: float) -> Stop | None:
        if message.stop not in _WHOLE:
            return message.stop
        if any(block.kind is BlockKind.TOOL_USE for block in message.blocks):
            return Stop.TOOL_USE  # the client has to answer that call first
        if self.room is not None and self.room < 1:
            return Stop.MAX_TOKENS
        return Stop.PAUSE_TURN if self._rounds >= ROUNDS or seconds >= SECONDS else None
