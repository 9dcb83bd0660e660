"""What loading a configuration found wrong, gathered so that an operator sees all of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.redaction import without_keys
from providers.errors import ConfigError, Problem, placed


def not_started(error: ConfigError) -> str:
    """What to print in place of a start."""
    count = len(error.problems)
    if count == 1:
        return f"Keyturn cannot start: {error.problems[0]}"
    heading = f"Keyturn cannot start: the configuration has {count} problems."
    return "\n".join([heading, *(f"  {problem}" for problem in error.problems)])


@dataclass(slots=True)
class Report:
    """Problems stop the start; warnings are printed."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)  # files
    secrets: list[tuple[Path, str]] = field(default_factory=list)  # those with secrets, and their names in messages

    def problem(self, name: str, problem: str, fix: str, origin: str = "", line: int = 0) -> None:
        # A key may stand where a model or a provider should.
        self.problems.append(Problem(without_keys(name), without_keys(problem), without_keys(fix), origin, line))

    def warn(self, name: str, text: str, origin: str = "", line: int = 0) -> None:
        """The same thing is said once, however many providers it is about."""
        warning = f"{placed(without_keys(name), origin, line)}: {without_keys(text)}"
        if warning not in self.warnings:
            self.warnings.append(warning)
