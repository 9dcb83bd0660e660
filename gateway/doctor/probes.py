"""Small real calls, through the same translation and transports as everybody's, each with one named key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.doctor.findings import Finding, fix, quota, state_of
from gateway.routing import Ref
from providers.answer import StreamAnswer
from providers.call import Call, Operation
from providers.chat.sse import FrameSplitter, data_lines
from providers.errors import ErrorKind, UpstreamFailure
from providers.json_object import JsonObject, encode
from providers.keys import Key
from providers.ports import Attempt
from providers.provider import Provider
from providers.registry import Registry

AT_ONCE = 8  # calls at one provider that names no limit of its own
_QUESTION = {"messages": [{"role": "user", "content": "Reply with the word OK and nothing else."}]}
PLAIN = {"max_tokens": 64, "thinking": {"type": "disabled"}, **_QUESTION}
TOOL = {
    "max_tokens": 512,
    "thinking": {"type": "disabled"},
    "messages": [{"role": "user", "content": "Call the tool report with ok set to true."}],
    "tools": [
        {
            "name": "report",
            "description": "Reports that tools work.",
            "input_schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
        }
    ],
}
_PUZZLE = {"max_tokens": 2048, "messages": [{"role": "user", "content": "Think: what is 17 * 23? Reply with it."}]}
THINKING = (
    {"thinking": {"type": "adaptive"}, **_PUZZLE},
    # What models before the adaptive form want.
    {"thinking": {"type": "enabled", "budget_tokens": 1024}, **_PUZZLE},
)


@dataclass(slots=True)
class Seen:
    """What an answer held."""

    blocks: set[str] = field(default_factory=set)
    streamed: bool = False
    first_content: float = 0.0
    quota: str = ""


@dataclass(slots=True)
class Doctor:
    """Asks. ``done`` is called after each probe; ``patience`` in seconds is what one may take."""

    registry: Registry
    patience: float
    done: Callable[[], None] = lambda: None
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def examine(self, subjects: Iterable[Ref], thinking: bool) -> list[Finding]:
        """Every key of each model's provider, all at once within the limits of each provider."""
        found = await asyncio.gather(*(self._model(ref, thinking) for ref in subjects))
        return [finding for findings in found for finding in findings]

    def count(self, subjects: Iterable[Ref]) -> int:
        """How many times ``done`` will be called."""
        return sum(len(self.registry.get(ref.provider).pool.keys) + 1 for ref in subjects)

    async def _model(self, ref: Ref, thinking: bool) -> list[Finding]:
        provider = self.registry.get(ref.provider)
        findings = await asyncio.gather(*(self._key(provider, ref.model, key) for key in provider.pool.keys))
        good = next((number for number, finding in enumerate(findings) if finding.kind is None), None)
        if good is not None:
            key = provider.pool.keys[good]
            findings[good] = await self._abilities(provider, key, findings[good], thinking)
        self.done()
        return findings

    async def _key(self, provider: Provider, model: str, key: Key) -> Finding:
        finding = Finding(provider.config.id, model, key.label)
        try:
            seen = await self._ask(provider, model, key, PLAIN, thinking=False)
        except UpstreamFailure as failure:
            provider.pool.scrub(failure)
            return replace(
                finding,
                state=state_of(failure.kind),
                kind=failure.kind,
                says=failure.words,
                fix=fix(failure.kind, provider.config, model, key.variable),
            )
        finally:
            self.done()
        return replace(finding, first_content=seen.first_content, streams=seen.streamed, quota=seen.quota)

    async def _abilities(self, provider: Provider, key: Key, finding: Finding, thinking: bool) -> Finding:
        """The same for every key of a model, so one of them is asked."""
        tools = await self._shows(provider, finding.model, key, (TOOL,), {"tool_use"})
        thinks = None
        if thinking:
            thinks = await self._shows(provider, finding.model, key, THINKING, {"thinking", "redacted_thinking"})
        return replace(finding, tools=tools, thinking=thinks)

    async def _shows(
        self, provider: Provider, model: str, key: Key, bodies: Iterable[Mapping[str, Any]], wanted: set[str]
    ) -> bool | None:
        """Whether an answer to one of these has such a block; None where a limit stood in the way."""
        for body in bodies:
            try:
                seen = await self._ask(provider, model, key, body, thinking=True)
            except UpstreamFailure as failure:
                if failure.kind not in (ErrorKind.INVALID_REQUEST, ErrorKind.UNSUPPORTED):
                    return None
            else:
                return bool(seen.blocks & wanted)
        return False

    async def _ask(self, provider: Provider, model: str, key: Key, body: Mapping[str, Any], thinking: bool) -> Seen:
        """Raises UpstreamFailure. What a refusal teaches of a model is put right once, as in every call."""
        try:
            return await self._once(provider, model, key, body, thinking)
        except UpstreamFailure as failure:
            if not failure.mendable:
                raise
            return await self._once(provider, model, key, body, thinking)

    async def _once(self, provider: Provider, model: str, key: Key, body: Mapping[str, Any], thinking: bool) -> Seen:
        async with self._slot(provider.config.id, provider), AsyncExitStack() as stack:
            attempt = Attempt("doctor", provider.config.id, model, key.label, provider.time.clock())
            await self._enter(provider, stack)
            patience = (self.patience, self.patience)
            answer = await provider.ask(_call(model, body), thinking, key, attempt, patience, stack)
            seen = Seen(first_content=(attempt.first_content or attempt.started) - attempt.started)
            seen.quota = quota(answer.reply.headers)
            if isinstance(answer, StreamAnswer):
                seen.streamed = "event-stream" in answer.reply.headers.get("content-type", "")
                seen.blocks = _blocks(await self._rest(answer))
            return seen

    async def _enter(self, provider: Provider, stack: AsyncExitStack) -> None:
        """The provider's window holds here too: a doctor that uses a limit up would be the illness."""
        try:
            async with asyncio.timeout(self.patience), provider.gate.turn():
                await provider.gate.enter(stack)
        except TimeoutError as error:
            words = f"the provider's own limit here let nothing through within {self.patience:g} seconds"
            raise UpstreamFailure(ErrorKind.RATE_LIMITED, words) from error

    async def _rest(self, answer: StreamAnswer) -> bytes:
        said = answer.held
        try:
            async with asyncio.timeout(self.patience):
                while not (answer.reader.ended or answer.reader.failure):
                    said += await answer.more()
        except TimeoutError as error:
            words = f"its answer did not end within {self.patience:g} seconds"
            raise UpstreamFailure(ErrorKind.STALLED, words) from error
        if failure := answer.failure:
            raise failure
        return said

    def _slot(self, name: str, provider: Provider) -> asyncio.Semaphore:
        return self._slots.setdefault(name, asyncio.Semaphore(provider.config.traffic.concurrency or AT_ONCE))


def _call(model: str, body: Mapping[str, Any]) -> Call:
    raw = encode({"model": model, "stream": True, **body})
    return Call("doctor", "anthropic", Operation.MESSAGES, JsonObject(raw), model, stream=True)


def _blocks(stream: bytes) -> set[str]:
    """The kinds of blocks in a stream of Messages."""
    found: set[str] = set()
    for frame in FrameSplitter().feed(stream):
        for line in data_lines(frame):
            match json.loads(line):
                case {"type": "content_block_start", "content_block": {"type": str(kind)}}:
                    found.add(kind)
    return found
