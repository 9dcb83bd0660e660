"""What claude-pick tells of models, what it sets for a client, and what it remembers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pick import client_settings, fzf, recents
from gateway.pick.launch import DROPPED, FORMATS, SMALLEST_WINDOW, Room, environment, limits
from gateway.pick.offers import Offer, lines, offers, preview

URL = "http://127.0.0.1:8082"
REST = {"model": None, "why": "rate limited", "seconds": 42.0, "reason": "rate_limited"}
KEY: dict[str, Any] = {
    "label": "groq-01",
    "state": "ready",
    "why": None,
    "seconds": None,
    "used": 3,
    "usage_limit": None,
    "rests": [],
}
POOL: dict[str, Any] = {"groq": {"keys": [KEY, {**KEY, "label": "groq-02", "state": "limited", **REST}], "rests": []}}


def item(model: str, **more: Any) -> dict[str, Any]:
    return {"type": "model", "id": model, "display_name": model, **more}


def test_the_list_has_each_model_once_and_no_alias() -> None:
    found = offers(
        [
            item("claude-opus-4-8"),
            item("claude-groq/llama"),
            item("groq/llama", max_input_tokens=131072, max_tokens=8192, pricing={"input": 0.5, "output": True}),
            item("groq/llama"),
            item("groq/with space"),
            "nonsense",
            {"id": 7},
        ]
    )
    assert [offer.ref for offer in found] == ["groq/llama"]


def test_window_output_and_price_are_read() -> None:
    (offer,) = offers([item("groq/llama", max_input_tokens=131072, max_tokens=8192, pricing={"input": 0.5})])
    assert offer == Offer("groq/llama", Room(131072, 8192), {"input": 0.5})
    assert lines([offer], POOL) == ["groq/llama   131k  1 of 2 ready"]
    shown = preview(offer, POOL)
    assert "131,072 tokens" in shown
    assert "in $0.5 a million tokens" in shown
    assert "groq-02  limited: rate limited, 42 s" in shown


def test_a_model_that_rests_says_so_and_other_models_do_not() -> None:
    pool = {"groq": {"keys": [{**KEY, "rests": [{**REST, "model": "a"}]}], "rests": [{**REST, "model": "a"}]}}
    resting, free = (preview(Offer(f"groq/{name}", Room(), {}), pool) for name in ("a", "b"))
    assert resting.count("rate limited, 42 s") == 2
    assert "rate limited" not in free


def test_quota_that_is_left_and_a_pool_that_is_not_to_be_seen() -> None:
    pool = {"groq": {"keys": [{**KEY, "usage_limit": 10}], "rests": []}}
    assert "7 of 10 calls left" in preview(Offer("groq/a", Room(), {}), pool)
    assert "not known" in preview(Offer("groq/a", Room(), {}), {})


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (Room(), {}),
        (Room(output=8192), {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8192"}),
        (Room(window=200_000), {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": "200000"}),
        (
            Room(window=131_072, output=65_536),
            {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": "131072", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32768"},
        ),
        (
            Room(window=32_768, output=4_096),
            {
                "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "100000",
                "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE": "25",
                "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "4096",
            },
        ),
    ],
)
def test_what_keeps_the_client_inside_a_window(room: Room, expected: dict[str, str]) -> None:
    assert limits(room) == expected


@given(st.integers(1, 2_000_000), st.none() | st.integers(1, 200_000))
def test_prompt_and_answer_fit_the_window_together(window: int, output: int | None) -> None:
    found = limits(Room(window, output))
    full = int(found.get("CLAUDE_AUTOCOMPACT_PCT_OVERRIDE", 100)) * int(found["CLAUDE_CODE_AUTO_COMPACT_WINDOW"]) / 100
    answer = int(found.get("CLAUDE_CODE_MAX_OUTPUT_TOKENS", 0))
    assert int(found["CLAUDE_CODE_AUTO_COMPACT_WINDOW"]) >= SMALLEST_WINDOW
    if 4_000 <= window < SMALLEST_WINDOW:
        assert full + answer <= window


def test_a_shell_sets_what_is_printed() -> None:
    env = environment(URL, "it's $HOME", "groq/a:free", Room(32_768))
    script = FORMATS["shell"](env) + "\nenv"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": "/usr/bin:/bin", **dict.fromkeys(DROPPED, "x")},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert seen["ANTHROPIC_AUTH_TOKEN"] == "it's $HOME:groq/a:free"
    assert env.items() <= seen.items()
    assert not seen.keys() & set(DROPPED)


def test_editors_get_json() -> None:
    env = environment(URL, "", "groq/a", Room())
    (pairs,) = json.loads(FORMATS["vscode"](env)).values()
    assert {pair["name"]: pair["value"] for pair in pairs} == env
    assert json.loads(FORMATS["jetbrains"](env)) == {"env": env}
    assert env["ANTHROPIC_AUTH_TOKEN"] == "keyturn:groq/a"


def test_recent_picks_come_first_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "state" / "picked.json"
    for ref in ("groq/a", "groq/b", "groq/a", "groq/gone"):
        recents.remember(path, ref)
    assert recents.load(path) == ["groq/gone", "groq/a", "groq/b"]
    assert recents.first(["groq/c", "groq/b", "groq/a"], recents.load(path)) == ["groq/a", "groq/b", "groq/c"]
    assert [each.name for each in path.parent.iterdir()] == ["picked.json"]


def test_only_so_many_are_kept_and_a_broken_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "picked.json"
    for number in range(2 * recents.KEPT):
        recents.remember(path, f"groq/{number}")
    assert len(recents.load(path)) == recents.KEPT
    path.write_text("{not json")
    assert recents.load(path) == []
    recents.remember(tmp_path / "picked.json" / "below", "groq/a")


def test_fzf_comes_from_path_else_with_the_installation_else_the_next_step_is_named(tmp_path: Path) -> None:
    own = tmp_path / "fzf"
    own.write_text("#!/bin/sh\nexit 2\n")
    own.chmod(0o755)
    assert fzf.find(str(tmp_path)) == str(own)
    assert Path(fzf.find("/nowhere")).is_file()
    for bundled in (None, tmp_path / "not-there"):
        with pytest.raises(fzf.NoFzf, match="--model"):
            fzf.find("/nowhere", bundled)


def test_an_fzf_that_fails_is_named_with_the_next_step(tmp_path: Path) -> None:
    own = tmp_path / "fzf"
    own.write_text("#!/bin/sh\nexit 2\n")
    own.chmod(0o755)
    with pytest.raises(fzf.NoFzf, match=f"{own} failed with status 2: name a model with --model"):
        fzf.choose(str(own), ["groq/a"], [""], {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", None),
        ("not JSON", None),
        ('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8082", "DISABLE_TELEMETRY": "1"}}', None),
        ('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}', "ANTHROPIC_BASE_URL"),
        ('{"env": {"ANTHROPIC_API_KEY": "sk-1"}}', "ANTHROPIC_API_KEY"),
        ('{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}', "CLAUDE_CODE_USE_BEDROCK"),
    ],
)
def test_what_would_send_the_client_elsewhere(tmp_path: Path, text: str, found: str | None) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude/settings.json").write_text(text)
    paths = client_settings.files({}, tmp_path, tmp_path / "work")
    seen = client_settings.overruling(paths, environment(URL, "", "groq/a", Room()))
    assert (seen and seen[1]) == found


def test_the_clients_own_folder_may_be_elsewhere(tmp_path: Path) -> None:
    first, *_ = client_settings.files({"CLAUDE_CONFIG_DIR": "/elsewhere"}, tmp_path, tmp_path)
    assert first == Path("/elsewhere/settings.json")
