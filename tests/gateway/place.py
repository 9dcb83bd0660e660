"""A home folder and a working folder of their own, and what Keyturn makes of the settings in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.settings import Settings, load
from providers.errors import ConfigError, Problem
from providers.spec import ProviderConfig


class Place:
    """``write`` files, then ``load``, or ask for the ``problems``."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.cwd = root / "work"
        self.home.mkdir()
        self.cwd.mkdir()

    def write(self, name: str, text: str) -> Path:
        """``name`` begins with ``~/`` or is relative to the working folder."""
        path = self.home / name[2:] if name.startswith("~/") else self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(
        self,
        environ: Mapping[str, str] | None = None,
        config: str | None = None,
        flags: Mapping[str, str] | None = None,
        terminal: bool = False,
    ) -> Settings:
        named = Path(config) if config else None
        return load(environ or {}, self.cwd, self.home, named, flags or {}, terminal)

    def toml(self, text: str, environ: Mapping[str, str] | None = None) -> Settings:
        """Load with this keyturn.toml."""
        self.write("keyturn.toml", text)
        return self.load(environ)

    def problems(
        self,
        environ: Mapping[str, str] | None = None,
        config: str | None = None,
        flags: Mapping[str, str] | None = None,
    ) -> list[Problem]:
        """What makes ``load`` refuse; it must refuse."""
        with pytest.raises(ConfigError) as refused:
            self.load(environ, config, flags)
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None
        return refused.value.problems

    def toml_problems(self, text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
        self.write("keyturn.toml", text)
        return self.problems(environ)


def provider(settings: Settings, name: str) -> ProviderConfig:
    return next(each for each in settings.providers if each.id == name)


def keys(settings: Settings, name: str) -> list[str]:
    return [key.secret.reveal() for key in provider(settings, name).keys]


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]
