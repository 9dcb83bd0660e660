"""What a provider is asked and how: its own settings, else those for all providers, else its row. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.settings.row_settings import RowSettings
from gateway.settings.variables import Globals
from providers.spec import KeyOrder, ProviderSpec, Retries, Rotation, Timeouts, Traffic


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider's own settings over those for all."""

    own: RowSettings
    common: Globals

    def timeouts(self) -> Timeouts:
        return Timeouts(
            connect=self._either("connect_timeout", "http_connect_timeout"),
            write=self._either("write_timeout", "http_write_timeout"),
            read=self._either("read_timeout", "http_read_timeout"),
            first_token=self._either("first_token_timeout", "first_token_timeout"),
        )

    def traffic(self, spec: ProviderSpec) -> Traffic:
        return Traffic(
            rate=self._either("rate_limit", "provider_rate_limit") or spec.rate,
            window=self._either("rate_window", "provider_rate_window") or spec.window,
            concurrency=self._either("max_concurrency", "provider_max_concurrency") or spec.concurrency,
            queue_limit=self.common.queue_limit,
            queue_wait=self.common.queue_max_wait,
        )

    def retries(self) -> Retries:
        return Retries(
            most=self._either("max_retries", "provider_max_retries"),
            base_delay=self._either("retry_base_delay", "provider_retry_base_delay"),
            max_delay=self._either("retry_max_delay", "provider_retry_max_delay"),
        )

    def rotation(self) -> Rotation:
        """A usage limit means nothing unless one key is used up before the next: it makes the order sticky."""
        sticky = self.own.key_usage_limit > 0 and "key_order" not in self.own.model_fields_set
        return Rotation(
            order=KeyOrder.STICKY if sticky else self.own.key_order,
            usage_limit=self.own.key_usage_limit,
            usage_window=self.own.key_usage_window,
            affinity=self._either("session_affinity", "session_affinity"),
        )

    def stream_floor(self) -> float:
        floor: float = self._either("stream_floor", "stream_floor")
        return floor

    def _either(self, own: str, common: str) -> Any:
        return getattr(self.own, own) if own in self.own.model_fields_set else getattr(self.common, common)
