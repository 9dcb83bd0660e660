"""``uvicorn server:app``, or ``python server.py``: the names that earlier proxies used."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    from gateway.app import app

    return app


if __name__ == "__main__":
    from gateway.cli import main

    raise SystemExit(main())
