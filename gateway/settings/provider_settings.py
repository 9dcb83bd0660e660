"""What an operator set for a provider: the PREFIX_* variables, read for any row of the catalog by one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.settings.addresses import AddressReader, completed
from gateway.settings.delays import refuse_delays
from gateway.settings.faces import face_of, with_face
from gateway.settings.labels import refuse_labels
from gateway.settings.layers import Layers, Value
from gateway.settings.limits import Chosen
from gateway.settings.logins import LoginFinder
from gateway.settings.pools import PoolReader
from gateway.settings.proxies import standard_proxy
from gateway.settings.report import Report
from gateway.settings.row_settings import Row, RowSettings, takes_settings, variables
from gateway.settings.values import fill, points_here
from gateway.settings.variables import Globals
from providers.quirks import Quirks
from providers.spec import ProviderConfig, ProviderSpec, Retries


@dataclass(slots=True)
class ProviderReader:
    """Lays settings over rows, and has the keys of all checked together."""

    layers: Layers
    common: Globals
    report: Report
    logins: LoginFinder
    _pools: PoolReader = field(init=False)
    _addresses: AddressReader = field(init=False)

    def read_all(self, rows: Sequence[Row]) -> tuple[ProviderConfig, ...]:
        self._pools = PoolReader(self.layers, self.report)
        self._addresses = AddressReader([row.spec for row in rows if row.spec.site], self.layers, self.report)
        providers = tuple(self._read(row) for row in rows)
        refuse_labels(rows, providers, self.report)
        return providers

    def _read(self, row: Row) -> ProviderConfig:
        spec = row.spec
        if not takes_settings(spec):
            return ProviderConfig(spec, spec.base_url)
        spec = with_face(spec, self.layers, self.report)
        values = self._values(spec)
        settings = fill(RowSettings, values, self.report)
        if row.added:
            spec = replace(spec, local=points_here(settings.base_url))
        keys = self._pools.read(spec, row.keys)
        found = self.logins.find(spec.login)
        if found.login and spec.logged_in and not keys and spec.dialect == spec.logged_in.dialect:
            spec = spec.with_face(spec.logged_in)
        used = bool(keys or row.listed or found.login)
        address = self._addresses.read(spec, settings, used, found.known)
        url = address.base_url
        spec = replace(spec, auth=address.auth, base_url=url if row.added else spec.base_url)
        if address.foreign:
            known = spec.quirks if address.cloud else spec.elsewhere or spec.quirks
            spec = replace(spec, quirks=known, retired=())
        chosen = Chosen(settings, self.common)
        config = ProviderConfig(
            spec,
            base_url=url,
            query=address.query,
            keys=keys or found.source(settings.proxy, self.layers, self.report),
            missing=(*(() if keys else found.lacks), *address.lacks),
            proxy=settings.proxy or standard_proxy(url, self.layers, self.report),
            timeouts=chosen.timeouts(),
            quirks=_quirks(spec, row),
            guardian=settings.tool_guardian,
            headers=row.headers,
            traffic=chosen.traffic(spec),
            retries=self._retries(chosen, values),
            rotation=chosen.rotation(),
            models=row.models,
            extra_body=row.extra_body,
            images=row.images,
            stream_floor=chosen.stream_floor(),
            chosen=bool(keys or address.given or row.listed),
        )
        return replace(config, second=_second(config, settings, row), faces=_faces(config, row))

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


def _quirks(spec: ProviderSpec, row: Row) -> Quirks:
    bounded = row.max_output_tokens or row.min_output_tokens
    return spec.quirks.capped(row.max_output_tokens, row.min_output_tokens) if bounded else spec.quirks


def _faces(config: ProviderConfig, row: Row) -> tuple[tuple[tuple[str, ...], ProviderConfig], ...]:
    """How those models are asked that only another face has."""
    found: list[tuple[tuple[str, ...], ProviderConfig]] = []
    for face in config.spec.faces:
        if face.serves and face.dialect != config.spec.dialect and config.base_url:
            spec = config.spec.with_face(face, config.base_url)
            found.append((face.serves, replace(config, spec=spec, base_url=spec.base_url, quirks=_quirks(spec, row))))
    return tuple(found)


def _second(config: ProviderConfig, settings: RowSettings, row: Row) -> ProviderConfig | None:
    """The same in the dialect that the row falls back to, unless an operator named one."""
    face = face_of(config.spec, config.spec.falls_back)
    if face is None or settings.dialect:
        return None
    spec = config.spec.with_face(face)
    url = completed(settings.base_url or spec.base_url, spec)
    return replace(config, spec=spec, base_url=url, quirks=_quirks(spec, row))


def _has_v1(text: str, spec: ProviderSpec) -> bool:
    return spec.root_dialect == spec.dialect and text.strip().rstrip("/").endswith("/v1")
