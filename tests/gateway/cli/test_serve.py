"""The gateway as a program: its banner, its socket, its end."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.cli.out import say
from gateway.cli.serve import bind, not_bound, serve
from tests.gateway.place import Place
from tests.gateway_process import GatewayProcess, running_gateway, upstream_env
from tests.upstream import Hang, Pause, Signal, Upstream, frames, refusing, stream, text

BOUND = 20
POLL = 0.02
ASK = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True})
FRAMES = frames("m", [text("a long answer")])
BEGINNING, END = FRAMES[:4], FRAMES[4:]  # up to the first content, and the rest


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@contextmanager
def asking(gateway: GatewayProcess) -> Iterator[HTTPConnection]:
    """A streamed request on its way."""
    with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)) as connection:
        connection.request("POST", "/v1/messages", ASK, {"x-api-key": "freecc"})
        yield connection


def accepts(gateway: GatewayProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=BOUND).close()
    except ConnectionRefusedError:
        return False
    return True


def wait_until(gateway: GatewayProcess, condition: Callable[[], bool]) -> None:
    """Bounded; the gateway must still be there while it waits."""
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline, gateway.stdout
        with pytest.raises(subprocess.TimeoutExpired):
            gateway.process.wait(POLL)


def test_the_banner_is_printed_once_the_gateway_listens(tmp_path: Path) -> None:
    with running_gateway(tmp_path, {"LOG_LEVEL": "WARNING"}) as gateway:
        wait_until(gateway, lambda: "start " in gateway.stdout)
        assert gateway.stdout.startswith("Keyturn ")
        assert f"start      ANTHROPIC_BASE_URL={gateway.url} ANTHROPIC_AUTH_TOKEN=any claude\n" in gateway.stdout
    assert gateway.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_open_streams_finish_and_ends_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    with Upstream() as upstream, running_gateway(tmp_path, upstream_env(upstream.url)) as gateway:
        go_on = Signal()
        upstream.script(stream(*BEGINNING, Pause(go_on), *END))
        with asking(gateway) as connection:
            answer = connection.getresponse()
            gateway.process.send_signal(number)
            wait_until(gateway, lambda: "Stopping. 1 open request may take up to 120 s to finish" in gateway.stdout)
            wait_until(gateway, lambda: not accepts(gateway))
            go_on.set()
            assert answer.read().rstrip().endswith(b'data: {"type": "message_stop"}')
        assert gateway.process.wait(BOUND) == 0


def interrupt_twice(home: Path) -> None:
    with Upstream() as upstream, running_gateway(home, upstream_env(upstream.url)) as gateway:
        upstream.script(stream(*BEGINNING, Hang()))
        with asking(gateway) as connection:
            connection.getresponse()
            gateway.process.send_signal(signal.SIGINT)
            wait_until(gateway, lambda: "Stopping." in gateway.stdout)
            gateway.process.send_signal(signal.SIGINT)
            gateway.process.wait(5)
            assert "Traceback" not in gateway.stderr


def test_a_second_interrupt_ends_it_at_once_with_the_status_of_an_interrupt(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the gateway ended with 130"):
        interrupt_twice(tmp_path)


def test_a_stream_that_does_not_end_is_cut_after_the_drain_timeout(tmp_path: Path) -> None:
    with (
        Upstream() as upstream,
        running_gateway(tmp_path, {**upstream_env(upstream.url), "DRAIN_TIMEOUT": "0.5"}) as gateway,
    ):
        upstream.script(stream(*BEGINNING, Hang()))
        with asking(gateway) as connection:
            connection.getresponse()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 0


def test_a_port_in_use_is_one_line_and_status_1(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with refusing() as held:
        port = int(held.rpartition(":")[2])
        assert serve(place.load({"PORT": str(port)})) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (f"PORT: port {port} on 127.0.0.1 is in use. Stop the program that has it, or set PORT={port + 1}.\n")


@pytest.mark.parametrize(
    ("environ", "number", "line"),
    [
        (
            {"PORT": "65535"},
            errno.EADDRINUSE,
            "PORT: port 65535 on 127.0.0.1 is in use. Stop the program that has it, or set PORT=65534.",
        ),
        (
            {"PORT": "80"},
            errno.EACCES,
            "PORT: this user may not listen on port 80. Set a port above 1023, such as PORT=8082.",
        ),
        (
            {"HOST": "192.0.2.1"},
            errno.EADDRNOTAVAIL,
            "HOST: this machine has no address 192.0.2.1. Set HOST=127.0.0.1, or HOST=0.0.0.0 for every address.",
        ),
        ({}, errno.EMFILE, f"HOST, PORT: cannot listen on 127.0.0.1 port 8082: {os.strerror(errno.EMFILE)}."),
    ],
)
def test_what_is_said_of_an_address_that_cannot_be_had(
    place: Place, environ: dict[str, str], number: int, line: str
) -> None:
    assert not_bound(place.load(environ), OSError(number, os.strerror(number))) == line


def test_a_host_that_nobody_knows(place: Place) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert not_bound(place.load({"HOST": "nowhere"}), unknown).startswith("HOST: this machine has no address nowhere.")


def test_every_address_of_a_host_gets_the_same_port() -> None:
    sockets = bind("localhost", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        assert {each.getsockname()[0] for each in sockets} <= {"127.0.0.1", "::1"}
        for each in sockets:
            with socket.create_connection(each.getsockname()[:2], timeout=BOUND):
                pass
    finally:
        for each in sockets:
            each.close()


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    with pytest.raises(OSError, match="assign") as refused:
        bind("192.0.2.1", 0)
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_characters_that_the_terminal_lacks_are_escaped() -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with redirect_stdout(terminal):
        say("modèle")
    assert terminal.buffer.getvalue() == b"mod\\xe8le\n"


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="needs IPv6")
def test_an_ipv6_address() -> None:
    (listener,) = bind("::1", 0)
    with listener, socket.create_connection(listener.getsockname()[:2], timeout=BOUND):
        assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
