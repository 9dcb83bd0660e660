"""A row that is there once more, under another id: its errors are still read by the row's rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.errors import ErrorKind, UpstreamFailure
from providers.spec import ProviderSpec
from tests.providers.support import SPEC, config, rig
from tests.upstream import Upstream, error, error_event, message_start, stream

WORDS = "Your team has used all available credits"  # unpaid at xAI, at others a refusal like any other
ONCE_MORE = replace(SPEC, id="xai-big", instance_of="xai")


@pytest.mark.parametrize(("spec", "kind"), [(ONCE_MORE, ErrorKind.KEY_UNPAID), (SPEC, ErrorKind.KEY_FORBIDDEN)])
async def test_a_status_is_read_by_the_rows_rules(spec: ProviderSpec, kind: ErrorKind) -> None:
    async with Upstream() as upstream, rig(config(upstream.url, spec=spec)) as made:
        upstream.script(error(403, "permission_error", WORDS))
        with pytest.raises(UpstreamFailure) as failed:
            await made.ask()
    assert failed.value.kind is kind
    assert made.record.provider == spec.id


async def test_so_is_an_error_inside_a_stream() -> None:
    words = "1305: the model is busy"
    async with Upstream() as upstream:
        upstream.script(*[stream(message_start("m"), error_event("1305", words)) for _ in range(2)])
        kinds = []
        for spec in (replace(SPEC, id="zai-big", instance_of="zai"), SPEC):
            async with rig(config(upstream.url, spec=spec)) as made:
                with pytest.raises(UpstreamFailure) as failed:
                    await made.ask()
                kinds.append(failed.value.kind)
    assert kinds[0] is ErrorKind.MODEL_OVERLOADED
    assert kinds[1] is not ErrorKind.MODEL_OVERLOADED
