"""suparious/claude-code-proxy: its names are Keyturn's, but for the few that say nothing here. Pure.

Its names are those of its README and of its config/settings.py (read 2026-11).
"""

from __future__ import annotations

from gateway.settings.earlier.reading import given
from gateway.settings.layers import Layers
from gateway.settings.report import Report

OFF = ("", "0", "0.0", "false", "no", "off")
# Of its fork 2.3 the last two.
WITHOUT_EFFECT = {
    "CONTEXT_ENABLED": "Keyturn does not cut conversations; a client that is told of an overflow compacts its own",
    "METRICS_LOG_INTERVAL_SECONDS": "the counters are at /metrics",
}


def warn_of_what_has_no_effect(layers: Layers, report: Report) -> None:
    """Switched on, they would be missed."""
    for name, why in WITHOUT_EFFECT.items():
        value = given(layers, name)
        if value and value.text.strip().lower() not in OFF:
            value.warn(report, f"this has no effect: {why}.")
