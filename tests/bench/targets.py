"""What is measured: the upstream itself, nginx, and the gateway, each with its port and its process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bodies import TOKEN
from tests.bench.process import Silent, resident_mib
from tests.gateway_process import READY_WITHIN, running_gateway, upstream_env
from tests.upstream.sockets import free_port

DIRECT = "direct"
NGINX = "nginx"
GATEWAY = "gateway"
GATEWAY_LOGGING = "gateway, logging"
GATEWAY_KEYS = "gateway, 50 keys"
_QUIET = {"LOG_LEVEL": "WARNING"}
_MANY_KEYS = {"ANTHROPIC_UPSTREAM_API_KEYS": " ".join(f"sk-upstream-{number:02}" for number in range(1, 50))}
SETTINGS = {GATEWAY: _QUIET, GATEWAY_LOGGING: {}, GATEWAY_KEYS: {**_QUIET, **_MANY_KEYS}}

_NGINX = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    client_max_body_size 64m;
    client_body_buffer_size 256k;
    keepalive_requests 10000000;
    upstream messages {{
        server 127.0.0.1:{upstream};
        keepalive 1024;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://messages;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Target:
    """A program that answers on a port. ``startup`` is the seconds until it did, ``idle`` its MiB then."""

    name: str
    port: int
    pid: int
    startup: float | None = None
    idle: float | None = None


@contextmanager
def gateway(name: str, upstream: int, home: Path) -> Iterator[Target]:
    """The gateway as a user starts it, with one client token and both kinds of upstream at one port."""
    url = f"http://127.0.0.1:{upstream}"
    chat = {"OPENAI_API_KEY": "sk-upstream-chat-key", "OPENAI_BASE_URL": f"{url}/v1"}
    env: Mapping[str, str] = {**upstream_env(url, TOKEN), **chat, **SETTINGS[name]}
    began = time.monotonic()
    with running_gateway(home, env) as running:
        startup = time.monotonic() - began
        pid = running.process.pid
        yield Target(name, running.port, pid, startup, resident_mib(pid))


def nginx_binary() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(binary: str, upstream: int, home: Path) -> Iterator[Target]:
    """One nginx process that passes everything on unbuffered."""
    home.mkdir()
    port = free_port()
    config = home / "nginx.conf"
    config.write_text(_NGINX.format(home=home, port=port, upstream=upstream))
    command = [binary, "-p", str(home), "-c", str(config)]
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            _await_listening(process, port)
            startup = time.monotonic() - began
            yield Target(NGINX, port, process.pid, startup, resident_mib(process.pid))
        finally:
            process.kill()


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise Silent("nginx ended at once: its own words are above") from None
        else:
            return
    raise Silent(f"nginx did not listen within {READY_WITHIN:g} s")
