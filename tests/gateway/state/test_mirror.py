"""What a process knows of limits while Redis is away."""

from __future__ import annotations

from dataclasses import replace

from gateway.state.mirror import Mirror
from providers.spec import Limits
from providers.state import Ask, Candidate


def test_other_limits_leave_what_was_used_and_is_open() -> None:
    """Of a reload, or of two client tokens that share a name."""
    mirror, ada = Mirror(1), Candidate("client:ada", "ada", "client:ada", Limits(2, concurrency=3))
    less = replace(ada, limits=Limits(2, concurrency=1))
    reasons = []
    for lease, candidate in enumerate((ada, less, ada, ada)):
        reasons.append(mirror.admit(Ask(str(lease), "client:ada", "", (candidate,), bucket=True), 9.0, 9.0).reason)
    assert reasons == ["", "concurrency", "", "requests"]
