"""One answer over several rounds: the model is asked, its web tools are run, it is asked again with what they found.

Each round is a call of its own, with its own keys, targets and slots, and gives back all that it holds before a tool
runs. The client sees one message: the rounds' blocks one after the other, and their usage summed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from gateway.relay import Relay
from gateway.routing import Target
from gateway.server_tools.failures import Code
from gateway.server_tools.progress import Progress
from gateway.server_tools.tools import WebTools, refused
from gateway.tokens import Estimate
from middleware.context import RequestContext
from providers.answer import LINGER, Answer, Ending, StreamAnswer, Streamed, WholeAnswer
from providers.call import Call, ClientDialect
from providers.chat.events import BlockStarted, BlockStopped, Ended, Finished
from providers.chat.fold import AnswerBlock
from providers.errors import Fault, UpstreamFailure
from providers.hosting import HostedTool, Hosting, Hosts, Round
from providers.json_object import decode
from providers.ports import Time, Usage
from providers.translation import Translation
from providers.unwinding import ShieldedStack


@dataclass(frozen=True, slots=True)
class Kit:
    """What every turn needs."""

    relay: Relay
    tools: WebTools
    time: Time


class ToolLoop:
    """Opens calls as the relay does; those that list web tools, with these tools behind them."""

    def __init__(self, kit: Kit, dialects: Mapping[str, ClientDialect]) -> None:
        self._kit = kit
        self._dialects = dialects

    async def open(
        self, call: Call, targets: Sequence[Target], context: RequestContext, stack: AsyncExitStack
    ) -> WholeAnswer | Streamed:
        """See ``gateway.relay.Relay``."""
        hosts = self._dialects[call.dialect].hosts
        tools = hosts.tools(call.body) if hosts else ()
        if hosts is None or not tools:
            return await self._kit.relay.open(call, targets, context, stack)
        turn = Turn(self._kit, replace(call, hosting=Hosting(tools)), hosts, targets, context, stack)
        answer, round_ = await turn.ask()
        if round_ is None:
            return answer  # the upstream has the tools itself
        return (
            await _whole(turn, answer, round_) if isinstance(answer, WholeAnswer) else TurnAnswer(turn, answer, round_)
        )


class Turn:
    """The rounds of one call."""

    def __init__(
        self,
        kit: Kit,
        call: Call,
        hosts: Hosts,
        targets: Sequence[Target],
        context: RequestContext,
        stack: AsyncExitStack,
    ) -> None:
        """``call`` has the Hosting of the first round. What is open at the end is on ``stack``."""
        self.progress = Progress(hosts.most_tokens(call.body))
        self._kit = kit
        self._call = self._first = call
        self._hosts = hosts
        self._tools = {tool.name: tool for tool in call.hosting.tools} if call.hosting else {}
        self._targets = targets
        self._context = context
        self._stack = stack
        self._open = ShieldedStack()  # what the latest round holds
        self._began: float | None = None

    async def ask(self) -> tuple[Answer, Round | None]:
        """One round, and what it is written with; None where the upstream runs its tools itself."""
        now = self._kit.time.clock()
        self._open = ShieldedStack()
        self._stack.push_async_exit(self._open)
        began = now if self._began is not None else None
        self._began = self._began or now
        answer = await self._kit.relay.open(self._call, self._targets, self._context, self._open, began=began)
        self._targets = _from(self._targets, self._context.target)
        writer = answer.reader.writer if isinstance(answer.reader, Translation) else None
        return answer, writer if isinstance(writer, Round) else None

    async def settle(self, answer: Answer, round_: Round) -> list[AnswerBlock]:
        """The results of a whole round's calls; the progress says whether it was the last one."""
        message = round_.message
        if message is None or self._began is None:
            raise RuntimeError("the round is not whole")
        self.progress.said(message)
        if not round_.uses:
            self.progress.stop = message.stop
            return []
        await answer.linger(LINGER)
        await self._open.aclose()
        tools = [self._tools[use.raw["name"]] for use in round_.uses]
        refusals = self.progress.refusals(message, tools)
        results = await self._run(list(zip(round_.uses, tools, refusals, strict=True)))
        if not self.progress.ends(message, results, self._kit.time.clock() - self._began):
            self._go_on(round_)
        return results

    async def _run(self, calls: Sequence[tuple[AnswerBlock, HostedTool, Code | None]]) -> list[AnswerBlock]:
        """All at once; the results in the order of the calls."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(*call)) for call in calls]
        return [task.result() for task in tasks]

    async def _one(self, use: AnswerBlock, tool: HostedTool, refusal: Code | None) -> AnswerBlock:
        if refusal is not None:
            return self._hosts.result(use, refused(tool, refusal))
        texts = self._hosts.texts(self._call.body, tool)
        content = await self._kit.tools.run(tool, decode(use.text.encode()), texts, self._context)
        if isinstance(content, list):
            self.progress.usage = self.progress.usage.plus(Usage(web_searches=1))
        elif "error_code" not in content:
            self.progress.usage = self.progress.usage.plus(Usage(web_fetches=1))
        return self._hosts.result(use, content)

    def _go_on(self, round_: Round) -> None:
        """Makes the next round's call: the first one's, and all that was said since."""
        body = self._hosts.continued(self._first.body, self.progress.blocks, self.progress.room)
        writer = round_.inner if self._call.stream else None
        hosting = Hosting(tuple(self._tools.values()), self.progress.usage, writer)
        self._call = replace(self._first, body=body, hosting=hosting, estimate=Estimate(body, body.get("model")))


async def _whole(turn: Turn, answer: WholeAnswer, round_: Round) -> WholeAnswer:
    """All rounds, for a client that waits for the whole."""
    while True:
        await turn.settle(answer, round_)
        if turn.progress.stop is not None:
            return WholeAnswer(round_.inner.whole(turn.progress.message), answer.reply)
        again, next_round = await turn.ask()
        if not isinstance(again, WholeAnswer) or next_round is None:
            raise RuntimeError("a later round went another way")
        answer, round_ = again, next_round


class TurnAnswer:
    """See ``providers.answer.Streamed``."""

    def __init__(self, turn: Turn, answer: StreamAnswer, round_: Round) -> None:
        self.held = answer.held
        self._turn = turn
        self._answer = answer
        self._round = round_
        self._told = False  # the results of the latest round have been shown

    @property
    def reader(self) -> Ending:
        return self

    @property
    def ended(self) -> bool:
        stopped = self._turn.progress.stop is not None
        return stopped or (self._answer.reader.ended and not self._round.uses)

    @property
    def resting(self) -> bool:
        return self._answer.reader.ended

    @property
    def failure(self) -> UpstreamFailure | None:
        return self._answer.failure

    def failed(self, fault: Fault) -> bytes:
        return self._round.failed(fault)

    async def more(self) -> bytes:
        if not self._answer.reader.ended:
            return await self._answer.more()
        if not self._told:
            self._told = True
            return self._shown(await self._turn.settle(self._answer, self._round))
        answer, round_ = await self._turn.ask()
        if isinstance(answer, WholeAnswer) or round_ is None:
            raise RuntimeError("a later round went another way")
        self._answer, self._round, self._told = answer, round_, False
        return answer.held

    async def linger(self, seconds: float) -> None:
        await self._answer.linger(seconds)

    def _shown(self, results: Sequence[AnswerBlock]) -> bytes:
        """The results, and the answer's end where no further round follows."""
        write, progress = self._round.inner.write, self._turn.progress
        parts = [write(event) for each in results for event in (BlockStarted(each.kind, raw=each.raw), BlockStopped())]
        if progress.stop is not None:
            parts += [write(Finished(progress.stop, progress.usage)), write(Ended())]
        return b"".join(parts)


def _from(targets: Sequence[Target], served: tuple[str, str]) -> Sequence[Target]:
    """The target that served, and those behind it."""
    places = [(target.provider, target.model) for target in targets]
    return targets[places.index(served) :] if served in places else targets
