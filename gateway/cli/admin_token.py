"""The admin token of a gateway that only this machine reaches: a file that only its owner reads, while it runs."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from gateway.settings import Settings
from providers.secret import Secret

MOST = 256  # bytes of such a file that are read
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, and lets only administrators make links
_READ: int = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0)  # or a pipe in its place would wait for ever
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def with_admin_token(settings: Settings, port: int) -> Iterator[Settings]:
    """The settings to serve with on ``port``, which is bound: where no admin token is set and only this machine
    reaches the gateway, they have one of their own. Its file is removed at the end. Where no folder takes the file,
    a warning says so.
    """
    if settings.admin_token or not settings.loopback:
        yield settings
        return
    secret = Secret(secrets.token_urlsafe(32))
    path, problem = _written(settings, port, secret)
    if path is None:
        yield replace(settings, warnings=(*settings.warnings, problem))
        return
    try:
        yield replace(settings, admin_token=secret)
    finally:
        _remove(path, secret)


def stored_tokens(settings: Settings, port: int) -> list[Secret]:
    """The tokens of gateways on ``port`` that this user started; one that was killed left a stale one."""
    found = (_read(path) for path in _paths(settings, port))
    return [Secret(text) for text in found if text]


def _paths(settings: Settings, port: int) -> list[Path]:
    return [folder / f"admin-{port}.token" for folder in settings.run_folders]


def _written(settings: Settings, port: int, secret: Secret) -> tuple[Path | None, str]:
    """The first of the places that takes it, else what is wrong with them."""
    problems: list[str] = []
    for path in _paths(settings, port):
        try:
            _write(path, secret)
        except OSError as error:
            problems.append(f"{path.parent}: {error.strerror or error}")
        else:
            return path, ""
    where = "; ".join(problems) or "there is no home folder"
    return None, (
        f"KEYTURN_ADMIN_TOKEN: /admin and `keyturn status` are off, since a file for their token could not be written "
        f"({where}). Set KEYTURN_ADMIN_TOKEN to a token of your own."
    )


def _write(path: Path, secret: Secret) -> None:
    """In one step, so that nobody reads half of it; what was there before is replaced, a link too."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(path.parent)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
    try:
        with open(file, "w", encoding="ascii") as opened:
            opened.write(secret.reveal())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _refuse_foreign(folder: Path) -> None:
    """In a folder that others may write to, they could put a file of theirs in this one's place."""
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise OSError(f"{folder.name} is not a folder")
    if not _is_own(seen) or (os.name == "posix" and seen.st_mode & _OTHERS_WRITE):
        raise OSError(f"others may write to {folder.name}")


def _read(path: Path) -> str:
    """The token in a file of this user's own, "" where there is none."""
    with suppress(OSError, UnicodeDecodeError), open(os.open(path, _READ), encoding="ascii") as opened:
        seen = os.fstat(opened.fileno())
        if stat.S_ISREG(seen.st_mode) and _is_own(seen):
            return opened.read(MOST).strip()
    return ""


def _is_own(seen: os.stat_result) -> bool:
    return os.name != "posix" or seen.st_uid == os.geteuid()


def _remove(path: Path, secret: Secret) -> None:
    """Unless another gateway, which took the port while this one was draining, has put its own there."""
    if _read(path) == secret.reveal():
        with suppress(OSError):
            path.unlink()
