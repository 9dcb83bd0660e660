"""Credentials of a cloud that this machine has: where they are, or what is missing. Reads files, asks nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.settings.layers import Layers, resolve
from gateway.settings.proxies import standard_proxy
from gateway.settings.report import Report
from providers.logins import GoogleLogin, Login
from providers.secret import Secret
from providers.spec import KeySource, Lack, LoginKind

GOOGLE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
GOOGLE_FILE = "application_default_credentials.json"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
GOOGLE_FIX = f"run `gcloud auth application-default login`, or set {GOOGLE_VARIABLE} to a service account's file"
METADATA_HOST = "metadata.google.internal"
PRODUCT = Path("/sys/class/dmi/id/product_name")  # "Google Compute Engine" on Google's machines
TITLES = {
    "authorized_user": "the user of gcloud",
    "external_account": "workload identity federation",
    "external_account_authorized_user": "workforce identity federation",
    "impersonated_service_account": "an impersonated service account",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What this machine has. Where it has nothing, ``lacks`` says what to do."""

    login: Login | None = None
    variable: str = ""
    lacks: tuple[Lack, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)  # parts of the address, by their names
    server: str = ""  # where tokens come from, by way of the standard proxies

    def source(self, proxy: Secret | None, layers: Layers, report: Report) -> tuple[KeySource, ...]:
        """It as the one key of a pool. ``proxy`` is the provider's own."""
        if self.login is None:
            return ()
        way = (proxy or standard_proxy(self.server, layers, report)) if self.server else None
        return (KeySource(Secret(""), self.variable, login=replace(self.login, proxy=way)),)


@dataclass(slots=True)
class LoginFinder:
    """Looks once for each kind, and only where a provider takes it."""

    layers: Layers
    cwd: Path
    home: Path
    windows: bool = os.name == "nt"
    product: Path | None = None  # where Linux says what machine this is; None = not looked at
    _found: dict[LoginKind, Found] = field(default_factory=dict)

    def find(self, kind: LoginKind | None) -> Found:
        if kind is None:
            return Found()
        if kind not in self._found:
            self._found[kind] = self._google()
        return self._found[kind]

    def _google(self) -> Found:
        """cloud.google.com/docs/authentication/application-default-credentials: the variable, gcloud's, the machine."""
        if named := self._text(GOOGLE_VARIABLE):
            return _google_file(resolve(named, self.cwd, self.home), named)
        path = self._gcloud() / GOOGLE_FILE
        if path.is_file():
            return _google_file(path, str(path))
        if host := self._metadata_host():
            return Found(GoogleLogin("this machine's service account", metadata_host=host), GOOGLE_VARIABLE)
        return _nothing(GOOGLE_FIX)

    def _gcloud(self) -> Path:
        """gcloud's folder, as google-auth 2.62.2 looks for it."""
        if folder := self._text("CLOUDSDK_CONFIG"):
            return Path(folder)
        if self.windows:
            return Path(self._text("APPDATA") or self.home / "AppData" / "Roaming") / "gcloud"
        return self.home / ".config" / "gcloud"

    def _metadata_host(self) -> str:
        """The server that knows a machine of Google's; "" elsewhere. Cloud Run sets K_SERVICE."""
        if self._text("NO_GCE_CHECK").lower() == "true":
            return ""
        named = self._text("GCE_METADATA_HOST")
        return named or (METADATA_HOST if self._text("K_SERVICE") or self._is_googles() else "")

    def _is_googles(self) -> bool:
        if self.product is None:
            return False
        try:
            return self.product.read_text(encoding="utf-8", errors="replace").startswith("Google")
        except OSError:
            return False

    def _text(self, name: str) -> str:
        value = self.layers.find(name)
        return value.text.strip() if value else ""


def _google_file(path: Path, named: str) -> Found:
    try:
        info = json.loads(path.read_bytes())
    except OSError as error:
        return _nothing(f"{GOOGLE_VARIABLE} names {named}, which cannot be read ({error.strerror})")
    except ValueError:
        info = None
    if not isinstance(info, dict):
        return _nothing(f"{named} is not JSON; {GOOGLE_FIX}")
    kind = str(info.get("type"))
    title = f"service account {info.get('client_email')}" if kind == "service_account" else TITLES.get(kind, kind)
    project = info.get("project_id")
    server = str(info.get("token_uri") or info.get("token_url") or GOOGLE_TOKENS)
    known = {"project": project} if isinstance(project, str) else {}
    return Found(GoogleLogin(title, path), GOOGLE_VARIABLE, known=known, server=server)


def _nothing(how: str) -> Found:
    return Found(lacks=(Lack("credentials", GOOGLE_VARIABLE, how),))
