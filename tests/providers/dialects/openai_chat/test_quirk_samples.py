"""Each quirk of a row with its sample: how an answer is read, and what a request becomes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.call import Hints
from providers.chat.events import Ended
from providers.chat.fold import fold
from providers.dialects.openai_chat import DIALECT
from providers.quirks import Quirks
from tests.providers.dialects.conformance import kit
from tests.providers.dialects.openai_chat.asking import chat, config, faults, neutral

Json = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "wire" / "openai_chat" / "quirks"
CASES = tomllib.loads((FOLDER / "quirks.toml").read_text())
ANSWERS: list[Json] = CASES["answer"]
REQUESTS: list[Json] = CASES["request"]


def quirks(case: Json) -> Quirks:
    """TOML's lists and words as the row has them."""
    return msgspec.convert(case.get("quirks", {}), Quirks)


@pytest.mark.parametrize("case", ANSWERS, ids=[f"{case['file']}-{case['model']}" for case in ANSWERS])
def test_answers_at_every_split(case: Json) -> None:
    raw = (FOLDER / case["file"]).read_bytes()
    asked = neutral({}, not case.get("off"), case["model"])
    for cut in range(len(raw)):
        reader = DIALECT.write_request(asked, config(quirks(case)), "", Hints("tok", 1)).reader
        events = [*reader.feed(raw[:cut]), *reader.feed(raw[cut:]), *reader.finish()]
        assert kit.in_order(events).ended
        assert isinstance(events[-1], Ended)
        assert [[str(block.kind), block.text] for block in fold(events).blocks] == case["blocks"]


@pytest.mark.parametrize("case", REQUESTS, ids=[case["name"] for case in REQUESTS])
def test_requests(case: Json) -> None:
    asked = json.loads((FOLDER / case["asked"]).read_text()) | case.get("with", {})
    made, lost = chat(quirks(case), model=case["model"], **asked)
    assert made == json.loads((FOLDER / f"{case['name']}.json").read_text())
    assert list(lost) == case.get("lost", list(lost) if "with" in case else [])


@pytest.mark.parametrize("case", REQUESTS, ids=[case["name"] for case in REQUESTS])
def test_requests_keep_chats_rules(case: Json) -> None:
    sent = json.loads((FOLDER / f"{case['name']}.json").read_text())
    flat = [
        {**message, "content": "parts"}
        if message["role"] == "assistant" and isinstance(message["content"], list)
        else message
        for message in sent["messages"]
    ]
    assert list(faults(flat)) == []
    assert "keyturn" not in json.dumps(sent)
    assert "Claude thought this." not in json.dumps(sent)


def test_every_sample_has_its_source_and_is_used() -> None:
    assert all(case["from"] and case["read"] for case in (*ANSWERS, *REQUESTS))
    used = {case["file"] for case in ANSWERS} | {case["asked"] for case in REQUESTS}
    used |= {f"{case['name']}.json" for case in REQUESTS} | {"quirks.toml"}
    assert used == {path.name for path in FOLDER.iterdir()}
