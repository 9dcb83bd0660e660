"""What a live provider finds out about its models' counts and windows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.errors import ErrorKind, UpstreamFailure
from providers.learning.measures import EAGER, RARELY, REMEMBERED, Measures, Windows
from providers.ports import Usage
from tests.providers.support import Counted

PROMPT = Counted(10_000)


def holds(tokens: int, elsewhere: bool = False) -> Windows:
    """A window that is known; with ``elsewhere``, of other providers' models of the name."""

    def window(model: str, sure: bool = False) -> int | None:
        return None if sure and elsewhere else tokens

    return window


def taught(times: int = 8, counted: int = 13_000, **usage: int) -> Measures:
    measures = Measures()
    for _ in range(times):
        measures.answered(PROMPT, "m", Usage(input_tokens=counted, **usage))
    return measures


def overflow(words: str, estimate: int = 10_000, measures: Measures | None = None, **more: Any) -> UpstreamFailure:
    """A refusal in these words, understood."""
    body = json.dumps({"error": {"message": words}}).encode()
    failure = UpstreamFailure(ErrorKind.CONTEXT_OVERFLOW, words, 400, **more)
    (measures or Measures()).overflowed(failure, Counted(estimate), "m", body)
    return failure


def test_an_estimate_is_corrected_model_by_model() -> None:
    measures = taught()
    assert measures.corrected(PROMPT, "m")() == pytest.approx(13_000, rel=0.05)
    assert measures.corrected(PROMPT, "m")("whatever") == measures.corrected(PROMPT, "m")()
    assert measures.corrected(PROMPT, "n")() == 10_000
    assert measures.corrected(Counted(10, media=4), "m").media == 4


def test_cached_tokens_are_of_the_prompt() -> None:
    measures = taught(counted=500, cache_read_tokens=12_000, cache_write_tokens=500)
    assert measures.corrected(PROMPT, "m")() == pytest.approx(13_000, rel=0.05)


def test_a_prompt_of_pictures_teaches_nothing() -> None:
    measures = Measures()
    measures.answered(Counted(10_000, media=2_000), "m", Usage(input_tokens=13_000))
    assert measures.corrected(PROMPT, "m")() == 10_000


def test_our_own_number_back_teaches_nothing() -> None:
    """What an upstream does not report is filled in by the estimate."""
    measures = taught(3)
    known = measures.known["m"].calibration
    measures.answered(PROMPT, "m", Usage(input_tokens=measures.corrected(PROMPT, "m")()))
    measures.answered(PROMPT, "m", Usage())
    assert measures.known["m"].calibration == known


class Asked(Counted):
    """Tells how often it was asked."""

    times: list[str] = []  # noqa: RUF012 - one test's

    def __call__(self, model: str = "") -> int:
        self.times.append(model)
        return super().__call__(model)


def test_after_the_first_prompts_few_are_counted() -> None:
    asked = Asked(10_000)
    measures = Measures()
    for _ in range(10 * RARELY):
        measures.answered(asked, "m", Usage(input_tokens=13_000))
    assert len(asked.times) == EAGER + 10


def test_a_refusal_gets_numbers_and_the_words_of_its_clients() -> None:
    failure = overflow("Input is too long for requested model.", measures=Measures(holds(8_000)))
    assert failure.words == "prompt is too long: 10000 tokens > 8000 maximum"
    assert (failure.mendable, failure.body) == (False, None)


def test_words_that_clients_understand_stay_with_their_body() -> None:
    words = "prompt is too long: 210034 tokens > 200000 maximum, says the upstream"
    failure = overflow(words, body=b"{}")
    assert (failure.words, failure.body) == (words, b"{}")


def test_the_estimate_in_a_refusal_is_a_corrected_one() -> None:
    measures = taught()
    failure = overflow("Input is too long for requested model.", measures=measures)
    assert failure.overflow is not None
    assert failure.overflow.prompt == measures.corrected(PROMPT, "m")()


def test_a_window_is_learned_and_beats_what_was_known() -> None:
    measures = Measures(holds(999_999))
    assert measures.window("m") == 999_999
    overflow("Current length is 9312 while limit is 8192", measures=measures)
    assert (measures.window("m"), measures.window("n")) == (8192, 999_999)
    measures.answered(PROMPT, "m", Usage(input_tokens=8_000))
    assert measures.window("m") == 8192
    measures.answered(PROMPT, "m", Usage(input_tokens=8_300))  # it was started anew, with more room
    assert measures.window("m") == 999_999


def test_a_limit_on_prompt_and_answer_is_no_window_where_the_prompt_fits() -> None:
    measures = Measures()
    said = "This model's maximum context length is 32768 tokens. However, you requested 42000 tokens "
    overflow(said + "(10000 in the messages, 32000 in the completion)", measures=measures)
    assert measures.window("m") is None
    overflow(said + "(40000 in the messages, 2000 in the completion)", measures=measures)
    assert measures.window("m") == 32768


def test_a_prompt_that_was_not_counted_may_pass_with_a_shorter_answer() -> None:
    said = (
        "This model's maximum context length is 32768 tokens. However, you requested 32000 output tokens and your "
        "prompt contains at least 769 input tokens, for a total of at least 32769 tokens."
    )
    failure = overflow(said)
    assert (failure.mendable, failure.room) == (True, 32768 - 11_000)
    assert failure.words.startswith("input length and `max_tokens` exceed context limit: 10000 + ")
    assert overflow(said, estimate=33_000).mendable is False


@pytest.mark.parametrize(
    ("size", "estimate", "grown"), [(8_000, 99_999, False), (90_000, 15_000, False), (90_000, 16_100, True)]
)
def test_a_prompt_outgrows_a_window_only_where_that_is_certain(size: int, estimate: int, grown: bool) -> None:
    measures = Measures(holds(8_000))
    assert measures.outgrows(Counted(estimate), "m", size) is grown
    assert not Measures().outgrows(Counted(estimate), "m", size)


def test_what_is_known_elsewhere_only_is_told_and_not_acted_on() -> None:
    measures = Measures(holds(8_000, elsewhere=True))
    assert not measures.outgrows(Counted(99_000), "m", 990_000)
    assert "8000" in overflow("Input is too long for requested model.", measures=measures).words


def test_a_window_that_the_refusal_contradicts_is_not_told() -> None:
    said = "Input is too long for requested model."
    assert overflow(said, measures=Measures(holds(200_000))).words == f"prompt is too long: {said}"


def test_a_correction_makes_it_surer() -> None:
    measures = taught(20, counted=10_100)
    measures.answered(PROMPT, "m", Usage(input_tokens=10_000))
    overflow("Current length is 9312 while limit is 8192", measures=measures)
    assert measures.outgrows(Counted(9_900), "m", 90_000)
    assert not measures.outgrows(Counted(9_000), "m", 90_000)


def test_so_many_models_are_remembered() -> None:
    measures = Measures()
    for number in range(REMEMBERED + 5):
        measures.answered(PROMPT, f"m{number}", Usage(input_tokens=9_000))
    assert len(measures.known) == REMEMBERED
    assert "m0" not in measures.known


def test_what_is_worth_keeping_comes_back() -> None:
    measures = taught(20)
    overflow("Current length is 9312 while limit is 8192", measures=measures)
    kept = json.loads(json.dumps(measures.plain()))
    again = Measures()
    again.restore(kept)
    assert again.plain() == measures.plain()
    assert again.window("m") == 8192
    assert again.corrected(PROMPT, "m")() == measures.corrected(PROMPT, "m")()


@pytest.mark.parametrize("plain", [None, [], "m", {"m": 7}, {"m": [None]}, {"m": [[1, 2], "x"]}, {7: [[], None]}])
def test_nothing_else_is_taken_for_what_was_kept(plain: Any) -> None:
    measures = Measures()
    measures.restore(plain)
    assert measures.plain() == {}
