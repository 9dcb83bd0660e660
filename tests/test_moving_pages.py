"""What the pages on moving show is true: their examples are the documents' own, and their commands work with them."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from gateway.settings import Settings, load
from gateway.settings.earlier.moving import SYSTEMS
from tests.deploy.image import WITHIN, image
from tests.gateway_process import ROOT
from tests.moving import example, examples
from tests.moving.pages import CHECK, CLAUDE, DOCKER, OURS, PAGES, STARTS, Page
from tests.upstream import free_port

ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
every_page = pytest.mark.parametrize("page", OURS.values(), ids=OURS)


def every(pattern: str) -> pytest.MarkDecorator:
    found = [(page, line) for page in OURS.values() for line in page.lines(pattern)]
    assert found
    return pytest.mark.parametrize(("page", "line"), found, ids=[f"{page.name}: {line[:50]}" for page, line in found])


def bare(text: str) -> set[str]:
    """The settings of a file, without remarks."""
    return {line.split(" #")[0].strip() for line in text.splitlines() if "=" in line}


def settings_of(page: Page, tmp_path: Path) -> Settings:
    (tmp_path / ".env").write_text(page.settings)
    return load({}, tmp_path, tmp_path)


@every_page
def test_its_example_is_one_of_the_documents(page: Page) -> None:
    shown = bare(page.settings) - {'ANTHROPIC_AUTH_TOKEN="freecc"'}
    assert shown in [bare(example(name)) for name in examples(page.name)]


@every_page
def test_every_line_of_shell_is_run_by_a_test(page: Page) -> None:
    assert {line for kind in (CHECK, STARTS, CLAUDE, DOCKER) for line in page.lines(kind)} == set(page.lines("."))


@every(CHECK)
def test_check_has_nothing_against_it(page: Page, line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(page.settings)
    command = [sys.executable, "-m", "gateway.cli", *shlex.split(line)[1:]]
    env = ENV | {"HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=WITHIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert page.name == "suparious" or f"docs/moving/{page.name}.md" in done.stdout


@every(STARTS)
def test_it_starts_as_the_page_says(page: Page, line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(page.settings)
    port = free_port()
    with started(tmp_path, command_of(line, port), port) as process:
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN)


def command_of(line: str, port: int) -> list[str]:
    """The words, found where this checkout has them, on another port."""
    words = shlex.split(line.removeprefix("uv run ").replace("8082", str(port)))
    if words[:1] == ["python"]:
        words = words[1:]
    if words[0] == "server.py":
        return [sys.executable, str(ROOT / "server.py"), *words[1:]]
    return [sys.executable, "-m", {"uvicorn": "uvicorn"}.get(words[0], "gateway.cli"), *words[1:]]


@contextmanager
def started(
    home: Path, command: list[str], port: int, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command in this folder, once it answers. ``more``: variables in place of PORT."""
    env = ENV | {"HOME": str(home), **(more or {"PORT": str(port)})}
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=home, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        assert ready(port, process), (home / "output").read_text()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(WITHIN)


def ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + WITHIN
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        finally:
            connection.close()
    return False


@every(CLAUDE)
def test_claude_is_sent_to_the_port_and_with_the_token_of_its_configuration(
    page: Page, line: str, tmp_path: Path
) -> None:
    settings = settings_of(page, tmp_path)
    assert f"http://localhost:{settings.port}" in line
    tokens = [token.secret.reveal() for token in settings.tokens]
    sent = re.search(r'ANTHROPIC_AUTH_TOKEN="([^":]*)', line)
    assert not tokens or (sent and sent[1] in tokens)


@every(DOCKER)
def test_its_containers_are_what_the_image_makes_of_them(page: Page, line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    if words[1] == "build":
        assert words == ["docker", "build", "-f", "deploy/Dockerfile", "-t", "keyturn", "."]
        return
    assert words[1] == "run"
    assert words[-1] == "keyturn"
    published = words[words.index("-p") + 1].split(":")
    assert (published[0], published[2]) == ("127.0.0.1", image().environ["PORT"])
    environ = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-e")
    inside = {**image().environ, **environ}
    if "--env-file" in words:
        inside = {**dict(each.split("=", 1) for each in bare(page.settings)), **inside}
    settings = load(inside, tmp_path, tmp_path)
    assert (settings.host, settings.port, settings.allow_open) == ("0.0.0.0", 8082, True)
    assert settings.moved[0].startswith("this is read as a configuration of")
    assert page.name != "fuergaosi" or "Set OPENAI_API_KEY" in settings.warnings[-1]


def test_its_compose_file_is_taken(tmp_path: Path) -> None:
    [text] = PAGES["ujisati"].blocks("yaml")
    service = yaml.safe_load(text)["services"]["keyturn"]
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["ports"] == [f"127.0.0.1:8080:{image().environ['PORT']}"]
    inside = {**image().environ, **service["environment"]}
    assert load(inside, tmp_path, tmp_path).allow_open
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("no docker-compose here: apt install docker-compose")
    (tmp_path / ".env").write_text(PAGES["ujisati"].settings)
    (tmp_path / "compose.yaml").write_text(text)
    command = [program, "-f", "compose.yaml", "config"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=WITHIN)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"]["keyturn"]["environment"]["BIG_MODEL_NAME"].startswith("google/")


def test_every_system_has_its_page_and_its_line() -> None:
    overview = (ROOT / "docs/moving.md").read_text()
    for system in SYSTEMS:
        assert (ROOT / system.page).is_file()
        assert f"| {system.name} |" in overview
    for page in OURS:
        assert f"(moving/{page}.md)" in overview


def test_the_order_of_systems_is_the_one_written_down() -> None:
    order = [system.page.removeprefix("docs/moving/").removesuffix(".md") for system in SYSTEMS]
    assert order == ["freecc", "freecc", "ujisati", "fuergaosi"]
    assert "order is read: freecc, 1rgs, ujisati, fuergaosi." in (ROOT / "docs/moving.md").read_text().replace(
        "\n", " "
    )
