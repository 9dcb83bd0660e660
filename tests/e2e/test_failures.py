"""What the user of Claude Code sees when the upstream fails."""

from __future__ import annotations

import pytest

from tests.e2e.claude import Claude
from tests.upstream import Cut, Pause, Reset, Step, Upstream, block, error, message, message_start, ping, stream, text

READ = Pause(0.2)  # long enough for the gateway to have read what was sent: a reset may discard the rest


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_ends_the_run_and_names_the_variable(status: int, claude: Claude, upstream: Upstream) -> None:
    upstream.script(error(status, "authentication_error", "invalid x-api-key"))

    run = claude.ask("Say hello")

    assert run.code == 1
    assert run.seconds < 10
    words = run.result["result"]
    assert "ANTHROPIC_UPSTREAM_API_KEY" in words
    assert "/login" not in words
    assert len(upstream.posts("/v1/messages")) == 1


def test_the_clients_self_healing_reads_the_upstreams_words(claude: Claude, upstream: Upstream) -> None:
    refusal = error(400, "invalid_request_error", "messages.1: role 'system' is not supported on this model")
    upstream.script(refusal, message(text("Healed")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Healed"
    before, after = ([entry["role"] for entry in post.json["messages"]] for post in upstream.posts("/v1/messages"))
    assert "system" in before
    assert after == ["user"]


def test_an_upstreams_400_reaches_the_user_in_its_own_words(claude: Claude, upstream: Upstream) -> None:
    upstream.script(error(400, "invalid_request_error", "max_tokens: 64000 > 8192, the most that this model writes"))

    run = claude.ask("Say hello")

    assert run.code == 1
    assert run.result["result"] == "API Error: 400 max_tokens: 64000 > 8192, the most that this model writes"
    assert len(upstream.posts("/v1/messages")) == 1


@pytest.mark.parametrize("end", [(READ, Cut()), (READ, Reset()), ()], ids=["cut", "reset", "no message_stop"])
def test_a_cut_after_a_finished_block_is_no_clean_answer(
    end: tuple[Step, ...], claude: Claude, upstream: Upstream
) -> None:
    half = block(0, text("The first half"))
    upstream.script(lambda post: stream(message_start(post.model), ping(), *half, *end))

    run = claude.ask("Tell me both halves")

    assert run.code == 1
    assert run.result["is_error"] is True
    assert run.result["result"].startswith("API Error: ")
    assert len(upstream.posts("/v1/messages")) == 1


@pytest.mark.parametrize("end", [(Cut(),), (READ, Cut()), (READ, Reset())], ids=["cut at once", "cut", "reset"])
def test_a_cut_inside_a_block_is_asked_again(end: tuple[Step, ...], claude: Claude, upstream: Upstream) -> None:
    half = block(0, text("The first half"))[:-1]
    upstream.script(
        lambda post: stream(message_start(post.model), *half, *end),
        message(text("The first half and the second")),
    )

    run = claude.ask("Tell me both halves")

    assert run.code == 0
    assert run.result["result"] == "The first half and the second"
    assert len(upstream.posts("/v1/messages")) == 2
