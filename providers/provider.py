"""One live provider: what it takes to send one attempt, and to have the first content of its answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from providers import classify, policy, reset
from providers.advice import advise
from providers.answer import MAX_ERROR_BODY, MAX_WHOLE, Answer, StreamAnswer, WholeAnswer, error_body, whole_body
from providers.budget import RetryBudget
from providers.call import Call, Dialect, Estimate, Operation, UpstreamRequest
from providers.chat.sse import begins_stream
from providers.dialects import of_clients
from providers.errors import ErrorKind, Scope, UpstreamFailure
from providers.exchange import Exchange, arrange, told
from providers.keys import Key, KeyPool
from providers.learning.measures import Measures
from providers.learning.pupil import Pupil
from providers.logins.credentials import Credential
from providers.patience import Pace, Patience
from providers.ports import Attempt, Time
from providers.queue.gate import Gate
from providers.spec import ProviderConfig
from providers.transport import Transport, UpstreamReply

COUNTED = "counted"  # a kind of facts: what a model's tokens are against the estimate
REFUSED = "refused"  # a kind of facts: what a model does not take
_JSON = (b"{", b"[")


class Provider:
    """Its pool, its gate, its way out. ``visit.Visit`` takes a call through them."""

    def __init__(
        self,
        config: ProviderConfig,
        dialects: Mapping[str, Dialect],
        transport: Transport,
        pool: KeyPool,
        time: Time,
        measures: Measures | None = None,
        before: Provider | None = None,
    ) -> None:
        """``before`` is what stood in this one's place until a reload: the same limits are kept by the same gate."""
        self.config = config
        self.users = 0  # calls that hold it open
        self.retired = False  # closes when no call holds it any more
        self.pool = pool
        self.time = time
        same = before is not None and before.config.traffic == config.traffic
        self.gate: Gate = before.gate if before and same else Gate(config.traffic, time, elsewhere=pool.keeps_traffic)
        pool.watch(self.gate.changed)
        self.budget = RetryBudget(config.retries.most)
        self.pupil = Pupil(config)
        self.measures = measures or Measures()
        self.transport = transport
        self._dialects = dialects
        self._clients = of_clients(dialects)

    async def ask(
        self,
        call: Call,
        thinking: bool,
        key: Key,
        attempt: Attempt,
        patience: tuple[float, float],
        stack: AsyncExitStack,
        room: int | None = None,
    ) -> Answer:
        """One attempt, up to the first content (or the end, of a whole answer). Raises UpstreamFailure.

        ``patience`` in seconds: for the first content, and for an answer that comes whole. All that the answer holds
        is on ``stack``. ``room`` caps the answer's tokens.
        """
        config = self.pupil.config(attempt.model, room)
        dialect = config.spec.dialect
        estimate = call.estimate
        call = call.estimated_by(self.measures.corrected(estimate, attempt.model))
        client, upstream = self._clients[call.dialect], self._dialects[dialect]
        token = secrets.token_hex(12)
        value = key.secret.reveal() if key.secret else ""
        exchange = arrange(client, upstream, call, attempt.model, thinking, config, value, token)
        attempt.lost, attempt.repairs, attempt.untold = told(exchange.lost), exchange.repairs, exchange.untold
        limit = patience[0] if exchange.streamed else patience[1]
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                reply = await self._send(exchange, estimate, key, attempt, dialect, stack)
                await self._heed(reply, key, attempt.model)
                waiting = Patience(self.config.timeouts.read)
                stack.callback(waiting.close)
                answer = await self._answer(exchange, call, estimate, attempt, reply, deadline, waiting)
        except TimeoutError as error:
            raise _too_late(exchange, self.config, limit) from error
        attempt.first_content = self.time.clock()
        self.pupil.answered(dialect)
        if call.operation is Operation.MESSAGES:
            stack.callback(self._learn, exchange, estimate, attempt)
        return answer

    def facts(self) -> dict[str, dict[str, Any]]:
        """What was found out about its models: by kind and model, as JSON."""
        return {REFUSED: self.pupil.plain(), COUNTED: self.measures.plain()}

    async def let_go(self) -> None:
        """A call that held it is over."""
        self.users -= 1
        if self.retired and not self.users:
            await self.aclose()

    async def retire(self) -> None:
        """Closes when the last call that holds it is over."""
        self.retired = True
        if not self.users:
            await self.aclose()

    def remember(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """What this process kept when it ended, or what others found out."""
        self.pupil.remember(facts.get(REFUSED, {}))
        self.measures.restore(facts.get(COUNTED, {}))

    async def aclose(self) -> None:
        await self.transport.aclose()
        for key in self.pool.keys:
            if key.credential is not None:
                await key.credential.aclose()

    def _learn(self, exchange: Exchange, estimate: Estimate, attempt: Attempt) -> None:
        """From an answer that has come to its end."""
        if exchange.reader.ended:
            self.measures.answered(estimate, attempt.model, exchange.reader.usage)

    async def _send(
        self,
        exchange: Exchange,
        estimate: Estimate,
        key: Key,
        attempt: Attempt,
        dialect: str,
        stack: AsyncExitStack,
    ) -> UpstreamReply:
        if key.credential is None:
            reply = await self.transport.send(exchange.request)
        else:
            reply = await self._authorized(exchange.request, key.credential)
        stack.push_async_callback(reply.aclose)
        attempt.status = reply.status
        if 200 <= reply.status < 300:
            return reply
        body = await error_body(reply)
        spec = self.config.spec
        failure = classify.status_failure(reply.status, reply.headers, body, spec.family, self.time.wall(), spec.day)
        raise self._understood(failure, estimate, attempt.model, reply.status, body, dialect)

    async def _authorized(self, request: UpstreamRequest, credential: Credential) -> UpstreamReply:
        """Sent a second time where what authorised it has meanwhile become another."""
        authorized = await credential.authorized(request)
        reply = await self.transport.send(authorized)
        if not credential.outdated(authorized, reply.status):
            return reply
        await reply.aclose()
        return await self.transport.send(await credential.authorized(request))

    def _understood(
        self,
        failure: UpstreamFailure,
        estimate: Estimate,
        model: str,
        status: int | None,
        body: bytes,
        dialect: str = "",
    ) -> UpstreamFailure:
        """The same, with what it teaches of the model taken in and the row's advice behind its words."""
        self.pupil.learn(failure, model, status, body, dialect)
        if failure.kind is ErrorKind.CONTEXT_OVERFLOW:
            self.measures.overflowed(failure, estimate, model, body)
        if failure.kind is ErrorKind.MODEL_NOT_FOUND and self.config.spec.local:
            failure.scope = Scope.REQUEST  # whoever runs it loads the model and asks again
        return advise(failure, self.config.spec.advice)

    async def _heed(self, reply: UpstreamReply, key: Key, model: str) -> None:
        """A good answer may say that it was the last one for a while."""
        seconds = reset.of_answer_that_came(reply.headers, self.time.wall())
        if seconds is not None:
            await self.pool.rest(key, model, policy.used_up(seconds))

    async def _answer(
        self,
        exchange: Exchange,
        call: Call,
        estimate: Estimate,
        attempt: Attempt,
        reply: UpstreamReply,
        deadline: asyncio.Timeout,
        patience: Patience,
    ) -> Answer:
        reader = exchange.reader
        pace = Pace(self.config.stream_floor, self.time.clock) if self.config.stream_floor else None
        spec = self.config.spec
        idle = self.config.timeouts.read
        answer = StreamAnswer(attempt, reader, reply, idle, patience, pace, spec.day, spec.family)
        first = await reply.read()
        if exchange.streamed and begins_stream(first):
            await self._stream(answer, first, call, deadline)
        else:
            most = MAX_WHOLE if first.lstrip().startswith(_JSON) else MAX_ERROR_BODY
            body = await whole_body(reply, first, most, deadline, answer.idle)
            answer.held = reader.take_whole(body)
        evidence = reader.failure and reader.failure.evidence
        if failure := answer.failure:
            raise self._understood(failure, estimate, attempt.model, None, evidence or b"")
        attempt.usage = reader.usage
        return answer if call.stream else WholeAnswer(answer.held, reply, reader)

    async def _stream(self, answer: StreamAnswer, first: bytes, call: Call, deadline: asyncio.Timeout) -> None:
        """Up to the first content, or for a client that wants the answer whole, to its end."""
        reader = answer.reader
        answer.held = reader.feed(first) if first else reader.finish()
        while not (reader.failure or reader.ended or (reader.begun and call.stream)):
            if reader.begun:
                deadline.reschedule(None)
            answer.held += await answer.more()


def _too_late(exchange: Exchange, config: ProviderConfig, limit: float) -> UpstreamFailure:
    limits = config.timeouts
    if not exchange.reader.begun and limit != limits.read:
        name = "FIRST_TOKEN_TIMEOUT" if limit == limits.first_token else "REQUEST_DEADLINE"
        return UpstreamFailure(ErrorKind.FIRST_TOKEN_TIMEOUT, f"no content came within {limit:.3g} seconds ({name})")
    return UpstreamFailure(ErrorKind.STALLED, f"nothing came for {limits.read or 0:g} seconds (HTTP_READ_TIMEOUT)")
