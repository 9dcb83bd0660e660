"""Where words come from: Messages' citations and OpenAI's annotations as addresses."""

from __future__ import annotations

from typing import Any

import pytest

from providers.chat.citations import Address, address_of, delta_of

WEB = {"type": "web_search_result_location", "url": "https://a.test", "title": "A", "cited_text": "x"}


@pytest.mark.parametrize(
    ("annotation", "made"),
    [
        (
            {"type": "url_citation", "url": "u", "title": "t", "start_index": 1, "end_index": 2},
            {"type": "url_citation", "url": "u", "title": "t", "start_index": 1, "end_index": 2},
        ),
        (
            {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}},
            {"type": "url_citation", "url": "u", "title": "t"},
        ),
        ({"type": "file_citation", "file_id": "f"}, None),
        ({"type": "url_citation", "url_citation": 5}, None),
        ({"type": "url_citation", "url": 5}, None),
        (5, None),
        (None, None),
    ],
)
def test_an_annotation_with_an_address_is_a_delta(annotation: Any, made: Any) -> None:
    assert delta_of(annotation) == made


@pytest.mark.parametrize(
    ("delta", "made"),
    [
        ({"type": "citations_delta", "citation": WEB}, Address("https://a.test", "A")),
        (
            {"type": "citations_delta", "citation": {"type": "search_result_location", "source": "https://b.test"}},
            Address("https://b.test", ""),
        ),
        ({"type": "citations_delta", "citation": {"type": "char_location", "document_title": "D"}}, None),
        ({"type": "url_citation", "url": "u", "start_index": 1, "end_index": 4}, Address("u", "", 1, 4)),
        ({"type": "url_citation", "url": "u", "start_index": True, "end_index": -4}, Address("u", "")),
        ({"type": "of_next_year"}, None),
        ({"type": "citations_delta", "citation": 5}, None),
    ],
)
def test_a_delta_may_cite_an_address(delta: dict[str, Any], made: Address | None) -> None:
    assert address_of(delta) == made


def test_places_move_with_the_text_around_them() -> None:
    assert Address("u", "t", 1, 4).within(10, 20) == Address("u", "t", 11, 14)
    assert Address("u", "t").within(10, 20).annotation == {
        "url": "u",
        "title": "t",
        "start_index": 10,
        "end_index": 20,
    }
