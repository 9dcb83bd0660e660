"""The table of what an admission costs: ``make chaos ARGS=--speed``."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.gateway_process import ROOT
from tests.redis_server import INSTALL, binary


def test_every_row_of_it_is_measured() -> None:
    if binary() is None:
        pytest.skip(INSTALL)
    command = [sys.executable, "-m", "tests.chaos", "--speed", "--small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    for keys in ("1 key", "5 keys", "50 keys"):
        for what in ("PING", "admission", "settlement"):
            assert re.search(rf"^{keys}: {what}, p50 and p99 +\d+ us, \d+ us", done.stdout, re.MULTILINE)
        assert re.search(rf"^{keys}: admissions a second per Redis core +[\d,]+", done.stdout, re.MULTILINE)
