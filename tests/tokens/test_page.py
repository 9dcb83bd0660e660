"""The estimate against real tokenizers' counts, and the page that shows it."""

from __future__ import annotations

import pytest

from tests.gateway_process import ROOT
from tests.tokens.page import CODING, SAMPLES, TOKENIZERS, estimated, mean, one_for_all, page, truth

KINDS = sorted(truth().counts)


def test_the_page_is_what_the_command_prints() -> None:
    assert (ROOT / "docs" / "token-counts.md").read_text(encoding="utf-8") == page()


def test_every_sample_is_counted_by_every_tokenizer() -> None:
    assert sorted(path.stem for path in SAMPLES.glob("*.txt")) == KINDS
    assert all(set(row) == set(TOKENIZERS) for row in truth().counts.values())
    assert set(CODING) < set(KINDS)
    assert len(KINDS) >= 25


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_coding_agents_send_is_estimated_within_a_few_percent(name: str) -> None:
    errors = estimated()
    assert mean(errors, name, CODING) < 0.06
    assert {kind: errors[kind][name] for kind in CODING if abs(errors[kind][name]) > 0.15} == {}


@pytest.mark.parametrize("name", ["claude", "claude_4_6", "o200k", "gemma_3"])
def test_no_kind_of_text_is_far_off_for_a_family_that_was_fitted_by_itself(name: str) -> None:
    errors = estimated()
    assert {kind: errors[kind][name] for kind in KINDS if abs(errors[kind][name]) > 0.18} == {}


def test_one_vocabulary_for_all_would_be_farther_off_for_claude() -> None:
    plain, errors = one_for_all("o200k"), estimated()
    for name in ("claude", "claude_4_6"):
        assert mean(plain, name, KINDS) > 2 * mean(errors, name, KINDS)
