"""Hypothesis for every test: bounded by examples and not by the clock of a busy machine, and the same each time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "keyturn", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("keyturn")
