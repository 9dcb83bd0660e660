"""An upstream's connection serves the next call, also where the end of its stream comes a moment after the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import ask, serving
from tests.upstream import Pause, ScriptedServer, stream

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_translated_call_leaves_its_connection_to_the_next(tmp_path: Path, streamed: bool) -> None:
    async with ScriptedServer() as upstream:
        upstream.always(stream(CHUNK, DONE, Pause(0.05)))
        environ = {"OPENAI_API_KEY": "sk-openai-key", "OPENAI_BASE_URL": f"{upstream.url}/v1", "MODEL": "openai/gpt-4o"}
        async with serving(tmp_path, environ) as gateway, gateway.client() as client:
            for number in range(3):
                reply = await client.post("/v1/messages", json={**ask(), "stream": streamed})
                assert reply.status_code == 200
                await upstream.requests[number].answered.wait()
                assert (await client.get("/healthz")).status_code == 200  # by then the end has been read
        assert upstream.accepted == 1
