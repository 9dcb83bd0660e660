"""What authorises a request where no constant key does: a token that expires, a signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from providers.call import UpstreamRequest
from providers.ports import Time
from providers.spec import Timeouts


class Credential(Protocol):
    """One key of a pool whose value is made when an attempt is sent."""

    async def authorized(self, request: UpstreamRequest) -> UpstreamRequest:
        """The request with what authorises it. Raises UpstreamFailure."""

    def outdated(self, request: UpstreamRequest, status: int) -> bool:
        """The upstream refused this request with this status: whether it would now be authorised by something else."""

    def scrub(self, text: str) -> str:
        """``text`` with what is secret blotted out."""

    async def aclose(self) -> None: ...


LoginFactory = Callable[[Any, Timeouts, Time], Credential]
"""Makes the credential of one kind of Login."""

Logins = Mapping[type, LoginFactory]  # by the type of the Login
NO_LOGINS: Logins = {}
