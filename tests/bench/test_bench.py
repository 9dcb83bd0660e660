"""The bench itself: that it runs end to end, and that it counts, refuses and reads what it says it does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench import bodies, chat_bodies, pairs, pieces, plan, process
from tests.bench.client import ChunkedBody
from tests.bench.jobs import Job, Order, Result, Warm, spread
from tests.bench.run import Bench, Harness, Listening, measure
from tests.bench.targets import DIRECT, GATEWAY, Target, gateway
from tests.fidelity.ways import CLIENTS, DIALECTS
from tests.gateway_process import ROOT
from tests.upstream import ChatUpstream, Cut, Reply, Upstream, error, stream
from tests.upstream.openai_chat import completion, text

pytestmark = pytest.mark.skipif(not process.PROC.joinpath("self", "stat").exists(), reason="needs Linux's /proc")
WITHIN = 20.0


def test_a_tiny_run_measures_every_row(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.bench", "--tiny", "--json", str(figures)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    measured = {(each["row"], each["measure"]) for each in read(figures) if each["target"] == "gateway"}
    wanted = plan.plan(plan.TINY)
    needs_nginx = "req/s : nginx"
    rows = {(row.title, each.name) for row in wanted.rows for each in row.measures if each.name != needs_nginx}
    assert rows <= measured
    assert all(each["median"] > 0 for each in read(figures) if each["measure"].startswith("CPU"))
    assert "<= 350" in done.stdout


def test_every_pair_of_dialects_is_measured() -> None:
    command = [sys.executable, "-m", "tests.bench", "--pairs", "--tiny"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    for client, upstream in product(CLIENTS, DIALECTS):
        assert re.search(rf"^  {upstream} to {client}(?: \(hub\))? +\d", done.stdout, re.MULTILINE)
    assert re.search(r"anthropic to anthropic +\d+\.\d\d +\S+ +1\.00", done.stdout)


def test_a_stream_that_is_not_taken_is_no_figure() -> None:
    line = next(each for each in pairs.lines() if each.way.upstream == "openai_chat")
    broken = pairs.Frames(b"", b"data: {\n\n")
    with pytest.raises(AssertionError):
        pairs.cost(line, broken, 2)


def read(figures: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(figures.read_text())["figures"]
    return found


def perform(port: int, job: Job) -> Result:
    with process.program("tests.bench.load") as load:
        load.say(Order(port, job))
        load.hear(Warm, WITHIN)
        load.say("go")
        return load.hear(Result, WITHIN)


def test_streams_are_counted_chunk_by_chunk() -> None:
    with process.program("tests.bench.upstream") as upstream:
        port = upstream.hear(Listening, WITHIN).port
        result = perform(port, Job(connections=2, count=6, chunks=7, spacing=1, warm=2))

    assert (result.done, result.failed, result.chunks) == (6, 0, 42)
    assert result.first
    assert result.latency
    assert result.transit
    assert 0 < result.transit.p50 < result.latency.p50


def test_chat_completions_are_answered_by_their_path() -> None:
    with process.program("tests.bench.upstream") as upstream:
        port = upstream.hear(Listening, WITHIN).port
        streamed = ask_chat(port, bodies.model(2, 0, translated=True).removeprefix("openai/"))
        whole = ask_chat(port, bodies.model(0, 0, translated=True).removeprefix("openai/"))

    for chunks, said in ((streamed, r"\d{40}"), (whole, r"The gateway picks .*")):
        assert re.fullmatch(said, "".join(choice["delta"].get("content", "") for choice in choices(chunks)))
        assert choices(chunks)[-1]["finish_reason"] == "stop"
        assert chunks[-1]["usage"]["completion_tokens"] == len(choices(chunks)) - 2
    assert 250 < len(chat_bodies.delta(1)) < 350


def ask_chat(port: int, model: str) -> list[dict[str, Any]]:
    """The chunks of the answer, which must end with [DONE]."""
    asked = json.dumps({"model": model, "messages": [], "stream": True})
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    with httpx.Client(trust_env=False, timeout=WITHIN) as client:
        *events, done, rest = client.post(url, content=asked).text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def choices(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0] for chunk in chunks if chunk["choices"]]


def test_translated_jobs_reach_the_chat_upstream(tmp_path: Path) -> None:
    jobs = Job(connections=1, count=2, chunks=3, translated=True), Job(connections=1, count=2, translated=True)
    with ChatUpstream() as upstream:
        upstream.always(completion(*[text(f"{number:020}", pieces=1) for number in range(3)]))
        with gateway(GATEWAY, upstream.port, tmp_path) as target:
            results = [perform(target.port, job) for job in jobs]
        asked = [request.model for request in upstream.chats]

    assert [(result.done, result.failed, result.chunks) for result in results] == [(2, 0, 6), (2, 0, 0)]
    assert asked == ["gpt-bench-3-0"] * 2 + ["gpt-bench-0-0"] * 2


def test_whole_answers_stop_at_the_budget() -> None:
    with process.program("tests.bench.upstream") as upstream:
        port = upstream.hear(Listening, WITHIN).port
        result = perform(port, Job(connections=3, count=10, warm=3, big=True))

    assert (result.done, result.failed, result.chunks) == (10, 0, 0)


DELTAS = [bodies.delta(1)] * 5
START, END = bodies.stream_start("m"), bodies.stream_end(5)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (stream(START, *DELTAS[:2], END), "2 of 5 chunks came"),
        (stream(START, *DELTAS), "without message_stop"),
        (stream(START, *DELTAS, END, Cut()), "closed before the answer's end"),
        (error(529, "overloaded_error", "Come back later"), "529"),
    ],
)
def test_an_answer_that_is_not_the_wanted_one_is_a_failure(reply: Reply, said: str) -> None:
    with Upstream() as upstream:
        upstream.script(reply)
        result = perform(upstream.port, Job(connections=1, count=1, chunks=5))

    assert (result.done, result.failed) == (0, 1)
    assert said in result.failure


def test_failed_requests_are_told_and_kept_out_of_the_figures() -> None:
    bench = Bench()
    with Upstream() as upstream, process.program("tests.bench.load") as load:
        upstream.always(error(500, "api_error", "Broken"))
        target = Target(DIRECT, upstream.port, os.getpid())
        harness = Harness(load, {DIRECT: target}, patience=0.0)
        measure(bench, harness, plan.plan(plan.TINY).rows[0])

    assert not bench.figures
    assert "small request, one at a time, direct: 1 of 1 requests failed: HTTP/1.1 500" in bench.failures[0]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_chunks_are_put_together_however_they_are_cut(size: int) -> None:
    wire = b"3\r\nabc\r\n1a\r\n" + b"d" * 26 + b"\r\n0\r\n\r\n"
    body = ChunkedBody()

    got = b"".join(body.feed(wire[at : at + size]) for at in range(0, len(wire), size))

    assert got == b"abc" + b"d" * 26
    assert body.ended


def test_the_bodies_are_about_their_size() -> None:
    for big, expected in ((False, 300), (True, 100_000)):
        body = bodies.request(1, bodies.model(0, 0), stream=False, big=big).partition(b"\r\n\r\n")[2]
        assert expected * 0.9 < len(body) < expected * 1.1
        json.loads(body)


def test_spaced_streams_are_not_in_step() -> None:
    job = Job(connections=100, count=100, chunks=10, spacing=20, ramp=2.0)

    phases = {int(start * 1000 % job.spacing) for start in job.starts}

    assert phases == set(range(20))
    assert 1.98 + 0.18 <= job.ideal <= 2.0 + 0.02 + 0.18


def test_a_spread_is_of_all_values() -> None:
    found = spread([number * 1000 for number in range(101)])
    assert found
    assert (found.p50, found.p99) == (50, 99)
    assert spread([]) is None


def test_cpu_time_of_this_process_is_read() -> None:
    before = process.cpu_seconds(os.getpid())
    spent = time.process_time()
    sum(range(2_000_000))
    spent = time.process_time() - spent

    assert process.cpu_seconds(os.getpid()) - before >= spent * 0.5


def test_the_parts_are_measured_one_by_one() -> None:
    measured = dict(pieces.figures(many=8))
    assert len(measured) == 17
    assert all(0 < seconds < 1 for seconds in measured.values())
