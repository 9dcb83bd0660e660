"""The delays between repeats: the longest must not be shorter than the first."""

from __future__ import annotations

from gateway.settings.layers import Layers, Value
from gateway.settings.report import Report
from gateway.settings.variables import Globals

BASE = "provider_retry_base_delay"
MOST = "provider_retry_max_delay"
FIX = "Raise the one or lower the other."


def refuse_common_delays(common: Globals, layers: Layers, report: Report) -> None:
    base, most = (layers.find(name.upper()) if common.is_set(name) else None for name in (BASE, MOST))
    refuse_delays(common.provider_retry_base_delay, common.provider_retry_max_delay, base, most, report)


def refuse_delays(base: float, most: float, base_value: Value | None, most_value: Value | None, report: Report) -> None:
    """The values are what was written, where it was; where it was not, the delay is the one for all providers."""
    if most >= base:
        return
    if most_value:
        name = base_value.name if base_value else BASE.upper()
        most_value.reject(report, f"{most:g} is below {name} ({base:g})", FIX)
    elif base_value:
        base_value.reject(report, f"{base:g} is above {MOST.upper()} ({most:g})", FIX)
