"""What loading a configuration found wrong, gathered so that an operator sees all of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from providers.errors import Problem, placed


@dataclass(slots=True)
class Report:
    """Problems stop the start; warnings are printed."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)  # files
    secrets: list[tuple[Path, str]] = field(default_factory=list)  # those with secrets, and their names in messages

    def problem(self, name: str, problem: str, fix: str, origin: str = "", line: int = 0) -> None:
        self.problems.append(Problem(name, problem, fix, origin, line))

    def warn(self, name: str, text: str, origin: str = "", line: int = 0) -> None:
        """The same thing is said once, however many providers it is about."""
        warning = f"{placed(name, origin, line)}: {text}"
        if warning not in self.warnings:
            self.warnings.append(warning)
