"""The reply to a probe that is answered here: no upstream, no key, no wait."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from gateway import local_answers
from gateway.local_answers import PROVIDER, LocalAnswer, Probe
from gateway.reply import JSON, STREAM
from middleware.asgi import Send, respond
from middleware.context import RequestContext
from providers.call import Call, ClientDialect
from providers.chat.fold import unfold


class LocalReplies:
    """Looks at calls in the Messages dialect before they are sent anywhere."""

    def __init__(self, dialect: ClientDialect, enabled: Collection[Probe]) -> None:
        self._dialect = dialect
        self._enabled = frozenset(enabled)

    async def answered(self, call: Call, context: RequestContext, send: Send) -> bool:
        """Whether the call was a probe; its whole reply has been sent then."""
        found = local_answers.answer(call.body, self._enabled)
        if found is None:
            return False
        context.target, context.local = (PROVIDER, found.probe.kind), found.probe.kind
        await respond(send, 200, STREAM if call.stream else JSON, self._body(found, call))
        return True

    def _body(self, found: LocalAnswer, call: Call) -> bytes:
        writer, message = self._dialect.writer(call), found.message(secrets.token_hex(12))
        return b"".join(map(writer.write, unfold(message))) if call.stream else writer.whole(message)
