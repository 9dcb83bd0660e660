"""The environment of the workers of ``keyturn serve``: this process's own, and what only their watcher knows."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.settings.load import ADMIN_TOKEN, METRICS_FOLDER
from providers.secret import Secret


def worker_environment(metrics: Path, admin_token: Secret | None) -> dict[str, str]:
    """``metrics``: the folder in which they count together."""
    own = {ADMIN_TOKEN: admin_token.reveal()} if admin_token else {}
    return {**os.environ, METRICS_FOLDER: str(metrics), **own}
