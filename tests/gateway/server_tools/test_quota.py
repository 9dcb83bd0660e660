"""How often web tools may be used, and how long an answer goes on with them."""

from __future__ import annotations

import pytest

from gateway.server_tools.progress import MOST_USES, ROUNDS, SECONDS, Progress
from gateway.server_tools.quota import Rates
from providers.chat.events import BlockKind, Stop
from providers.chat.fold import AnswerBlock, WholeMessage
from providers.hosting import HostedTool
from providers.ports import Usage
from tests.moments import Moments

SEARCH = HostedTool("web_search", "web_search_20250305", "web_search")


def rates(rate: int) -> tuple[Rates, Moments]:
    moments = Moments(frozen=True)
    return Rates(moments.clock, rate), moments


def test_never_more_than_the_rate_in_any_minute() -> None:
    quota, moments = rates(3)
    taken: list[float] = []
    for _ in range(400):
        if quota.take("", None):
            taken.append(moments.ahead)
        moments.ahead += 0.7
    assert len(taken) >= 3 * (400 * 0.7) // 60
    assert all(later - first >= 60 for first, later in zip(taken, taken[3:], strict=False))


def test_a_token_has_a_rate_of_its_own_besides() -> None:
    quota, moments = rates(3)
    assert [quota.take("alice", 1), quota.take("alice", 1)] == [True, False]
    assert [quota.take("bob", None), quota.take("bob", None), quota.take("bob", None)] == [True, True, False]
    moments.ahead += 60
    assert quota.take("alice", 1)


def test_what_was_refused_takes_no_place() -> None:
    quota, _ = rates(2)
    assert [quota.take("alice", 1), quota.take("alice", 1), quota.take("bob", None)] == [True, False, True]


def test_a_rate_that_changes_holds_at_once() -> None:
    quota, _ = rates(9)
    assert [quota.take("alice", 1), quota.take("alice", 1), quota.take("alice", 2)] == [True, False, True]


def test_what_was_used_counts_under_other_settings() -> None:
    quota, moments = rates(2)
    assert [quota.take("alice", None), quota.take("alice", 2)] == [True, True]
    quota.configured(3)
    assert [quota.take("alice", 1), quota.take("bob", None), quota.take("bob", None)] == [False, True, False]
    moments.ahead += 60
    assert quota.take("alice", 1)


def message(*blocks: AnswerBlock, stop: Stop = Stop.TOOL_USE, output: int = 10) -> WholeMessage:
    return WholeMessage("msg_1", "", list(blocks), stop, usage=Usage(5, output))


USE = AnswerBlock(BlockKind.RAW, "{}", raw={"type": "server_tool_use", "id": "s", "name": "web_search"})
RESULT = AnswerBlock(BlockKind.RAW, raw={"type": "web_search_tool_result", "tool_use_id": "s", "content": []})
OWN = AnswerBlock(BlockKind.TOOL_USE, "{}", id="t", name="Bash")


@pytest.mark.parametrize(
    ("said", "seconds", "stop"),
    [
        (message(USE), 0.0, None),
        (message(USE, stop=Stop.END_TURN), 0.0, None),
        (message(USE, stop=Stop.STOP_SEQUENCE), 0.0, None),
        (message(USE), SECONDS, Stop.PAUSE_TURN),
        (message(USE, OWN), 0.0, Stop.TOOL_USE),
        (message(USE, OWN), SECONDS, Stop.TOOL_USE),
        (message(USE, output=100), 0.0, Stop.MAX_TOKENS),
        (message(USE, stop=Stop.MAX_TOKENS), 0.0, Stop.MAX_TOKENS),
        (message(USE, stop=Stop.REFUSAL), 0.0, Stop.REFUSAL),
        (message(USE, stop=Stop.CONTEXT_EXCEEDED), 0.0, Stop.CONTEXT_EXCEEDED),
    ],
)
def test_why_an_answer_ends_after_its_tools(said: WholeMessage, seconds: float, stop: Stop | None) -> None:
    progress = Progress(100)
    progress.said(said)
    assert progress.ends(said, [RESULT], seconds) is (stop is not None)
    assert progress.stop is stop
    assert progress.blocks == [*said.blocks, RESULT]


def test_rounds_are_counted_and_summed() -> None:
    progress = Progress(None)
    for number in range(ROUNDS):
        progress.said(message(USE))
        assert progress.ends(message(USE), [RESULT], 0.0) is (number == ROUNDS - 1)
    assert progress.stop is Stop.PAUSE_TURN
    assert progress.room is None
    whole = progress.message
    assert (whole.id, len(whole.blocks), whole.stop) == ("msg_1", 2 * ROUNDS, Stop.PAUSE_TURN)
    assert whole.usage == Usage(5 * ROUNDS, 10 * ROUNDS)


@pytest.mark.parametrize(("most", "allowed"), [(None, MOST_USES), (3, 3), (0, 0), (10**9, MOST_USES)])
def test_uses_are_counted_over_all_rounds(most: int | None, allowed: int) -> None:
    tool = HostedTool("web_search", "t", "web_search", max_uses=most)
    progress = Progress(None)
    codes = [code for _ in range(MOST_USES) for code in progress.refusals(message(USE), [tool, tool])]
    assert codes == [None] * allowed + ["max_uses_exceeded"] * (2 * MOST_USES - allowed)


def test_nothing_runs_after_a_round_that_was_cut_short() -> None:
    assert Progress(None).refusals(message(USE, stop=Stop.MAX_TOKENS), [SEARCH]) == ["unavailable"]
