"""What an operator set for a provider: the PREFIX_* variables, read for any row of the catalog by one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from gateway.settings.delays import refuse_delays
from gateway.settings.faces import with_face
from gateway.settings.labels import refuse_labels
from gateway.settings.layers import Layers, Value
from gateway.settings.limits import Chosen
from gateway.settings.pools import PoolReader
from gateway.settings.proxies import standard_proxy
from gateway.settings.report import Report
from gateway.settings.row_settings import Row, RowSettings, takes_settings, variables
from gateway.settings.values import fill, points_here
from gateway.settings.variables import Globals
from providers.spec import ProviderConfig, ProviderSpec, Retries


@dataclass(slots=True)
class ProviderReader:
    """Lays settings over rows, and has the keys of all checked together."""

    layers: Layers
    common: Globals
    report: Report
    _pools: PoolReader = field(init=False)

    def __post_init__(self) -> None:
        self._pools = PoolReader(self.layers, self.report)

    def read_all(self, rows: Sequence[Row]) -> tuple[ProviderConfig, ...]:
        providers = tuple(self._read(row) for row in rows)
        refuse_labels(rows, providers, self.report)
        return providers

    def _read(self, row: Row) -> ProviderConfig:
        spec = row.spec
        if not takes_settings(spec):
            return ProviderConfig(spec, spec.base_url)
        spec = with_face(spec, self.layers.first(variables(spec, "DIALECT")), self.report)
        values = self._values(spec)
        settings = fill(RowSettings, values, self.report)
        url = _completed(settings.base_url or spec.base_url, spec)
        if row.added:
            spec = replace(spec, base_url=url, local=points_here(url))
        keys = self._pools.read(spec, row.keys)
        chosen = Chosen(settings, self.common)
        return ProviderConfig(
            spec,
            base_url=url,
            keys=keys,
            proxy=settings.proxy or standard_proxy(url, self.layers, self.report),
            timeouts=chosen.timeouts(),
            quirks=spec.quirks.capped(row.max_output_tokens) if row.max_output_tokens else spec.quirks,
            guardian=settings.tool_guardian,
            headers=row.headers,
            traffic=chosen.traffic(spec),
            retries=self._retries(chosen, values),
            rotation=chosen.rotation(),
            models=row.models,
            extra_body=row.extra_body,
            images=row.images,
            stream_floor=chosen.stream_floor(),
            chosen=bool(keys or settings.base_url or row.listed),
        )

    def _values(self, spec: ProviderSpec) -> dict[str, Value]:
        found = {name: self.layers.first(variables(spec, name.upper())) for name in RowSettings.model_fields}
        values = {name: value for name, value in found.items() if value is not None}
        if "base_url" in values and _has_v1(values["base_url"].text, spec):
            url = values.pop("base_url")
            url.reject(self.report, f"{spec.title} wants its URL without /v1", "Drop the /v1 at the end.")
        return values

    def _retries(self, chosen: Chosen, values: Mapping[str, Value]) -> Retries:
        retries = chosen.retries()
        good = {name: value for name, value in values.items() if name in chosen.own.model_fields_set}
        base, most = good.get("retry_base_delay"), good.get("retry_max_delay")
        refuse_delays(retries.base_delay, retries.max_delay, base, most, self.report)
        return retries


def _completed(url: str, spec: ProviderSpec) -> str:
    """A bare host of an OpenAI-shaped provider means ``/v1`` under it, as in ferryllm."""
    bare = spec.dialect == "openai_chat" and not urlsplit(url).path
    return f"{url}/v1" if bare else url


def _has_v1(text: str, spec: ProviderSpec) -> bool:
    return spec.root_dialect == spec.dialect and text.strip().rstrip("/").endswith("/v1")
