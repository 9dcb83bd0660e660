"""Credentials of a cloud that this machine has: where they are, or what is missing. Reads files, asks nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from gateway.settings.layers import Layers, resolve
from gateway.settings.proxies import standard_proxy
from gateway.settings.report import Report
from gateway.settings.values import is_placeholder
from providers.logins.kinds import USUAL_REGION, AwsLogin, GoogleLogin, Login
from providers.secret import Secret
from providers.spec import KeySource, Lack, LoginKind

GOOGLE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
GOOGLE_FILE = "application_default_credentials.json"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
GOOGLE_FIX = f"run `gcloud auth application-default login`, or set {GOOGLE_VARIABLE} to a service account's file"
METADATA_HOST = "metadata.google.internal"
AWS_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
NO_SIGNER = (
    "set BEDROCK_API_KEY, or install keyturn[bedrock], which signs requests with the AWS credentials that are here"
)
SIGNS = find_spec("botocore") is not None
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
        login = self.login
        if isinstance(login, GoogleLogin) and self.server:
            login = replace(login, proxy=proxy or standard_proxy(self.server, layers, report))
        return (KeySource(Secret(""), self.variable, login=login),)


@dataclass(slots=True)
class LoginFinder:
    """Looks once for each kind, and only where a provider takes it."""

    layers: Layers
    cwd: Path
    home: Path
    windows: bool = os.name == "nt"
    product: Path | None = None  # where Linux says what machine this is; None = not looked at
    signs: bool = SIGNS
    _found: dict[LoginKind, Found] = field(default_factory=dict)

    def find(self, kind: LoginKind | None) -> Found:
        if kind is None:
            return Found()
        if kind not in self._found:
            self._found[kind] = self._google() if kind is LoginKind.GOOGLE else self._aws()
        return self._found[kind]

    def _google(self) -> Found:
        """cloud.google.com/docs/authentication/application-default-credentials: the variable, gcloud's, the machine."""
        if named := self._text(GOOGLE_VARIABLE):
            return _google_file(resolve(named, self.cwd, self.home), named)
        path = self._gcloud() / GOOGLE_FILE
        if os.path.isfile(path):
            return _google_file(path, str(path))
        if host := self._metadata_host():
            return Found(GoogleLogin("this machine's service account", metadata_host=host), GOOGLE_VARIABLE)
        return _nothing(GOOGLE_FIX)

    def _aws(self) -> Found:
        """docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html: a key, a profile, the machine's role."""
        region = self._text("AWS_REGION") or self._text("AWS_DEFAULT_REGION") or USUAL_REGION
        key, secret = self._text("AWS_ACCESS_KEY_ID"), self._text("AWS_SECRET_ACCESS_KEY")
        if key and secret and not is_placeholder(secret):
            token = self._text("AWS_SESSION_TOKEN")
            login = AwsLogin("an AWS key", key, Secret(secret), Secret(token) if token else None, region=region)
            return self._signing(login, "AWS_ACCESS_KEY_ID")
        profile, files = self._text("AWS_PROFILE"), self._aws_files()
        if profile or any(map(os.path.isfile, files)):
            title = f"AWS profile {profile or 'default'}"
            login = AwsLogin(title, profile=profile, credentials_file=files[0], config_file=files[1], region=region)
            return self._signing(login, "AWS_PROFILE")
        role = next((name for name in AWS_ROLES if self._text(name)), "")
        return self._signing(AwsLogin("this machine's AWS role", region=region), role) if role else Found()

    def _signing(self, login: AwsLogin, variable: str) -> Found:
        return Found(login, variable) if self.signs else Found(lacks=(Lack("key", "BEDROCK_API_KEY", NO_SIGNER),))

    def _aws_files(self) -> tuple[Path, Path]:
        named = self._text("AWS_SHARED_CREDENTIALS_FILE"), self._text("AWS_CONFIG_FILE")
        usual = self.home / ".aws/credentials", self.home / ".aws/config"
        first, second = (
            resolve(name, self.cwd, self.home) if name else path for name, path in zip(named, usual, strict=True)
        )
        return first, second

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
