"""REDIS_URL: one server, the servers of Sentinels, or a cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator

from gateway.settings.values import Expects, Rejected
from providers.secret import Secret

SINGLE, SENTINEL, CLUSTER = "", "sentinel", "cluster"
SCHEMES = {
    f"{scheme}{f'+{kind}' if kind else ''}": (kind, scheme == "rediss")
    for scheme in ("redis", "rediss")
    for kind in (SINGLE, SENTINEL, CLUSTER)
}
PORT, SENTINEL_PORT = 6379, 26379
OPTIONS = ("sentinel_password", "ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile")
FORMS = "redis://, rediss://, redis+sentinel:// or redis+cluster://"
EXAMPLES = {
    SINGLE: "redis://:<password>@10.0.0.5:6379/0",
    SENTINEL: "redis+sentinel://:<password>@10.0.0.5:26379,10.0.0.6:26379/mymaster",
    CLUSTER: "redis+cluster://:<password>@10.0.0.5:6379,10.0.0.6:6379",
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where the shared state is, and who we are there."""

    kind: str  # SINGLE, SENTINEL or CLUSTER
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str = ""
    password: Secret | None = None
    database: int = 0
    service: str = ""  # the name that Sentinels know the master by
    options: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    def __str__(self) -> str:
        """Without anything that is secret."""
        where = ", ".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.hosts)
        if self.kind == SENTINEL:
            return f"{self.service} of the Sentinels at {where}"
        return f"the cluster at {where}" if self.kind == CLUSTER else f"{where}, database {self.database}"


def redis_address(text: str) -> RedisAddress | None:
    """None where the text is empty. Raises Rejected."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Rejected("is not a URL", f"Write for example {EXAMPLES[SINGLE]}.") from None
    if parts.scheme not in SCHEMES:
        raise Rejected(f"is not a {FORMS} URL", f"Write for example {EXAMPLES[SINGLE]}.")
    kind, tls = SCHEMES[parts.scheme]
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    database, service = _path(parts, kind)
    return RedisAddress(
        kind,
        _hosts(hosts, kind),
        tls,
        unquote(username),
        Secret(unquote(password)) if password else None,
        database,
        service,
        _options(parts, kind),
    )


def _hosts(text: str, kind: str) -> tuple[tuple[str, int], ...]:
    found = [_host(each, SENTINEL_PORT if kind == SENTINEL else PORT) for each in text.split(",") if each]
    if not found:
        raise Rejected("has no host", f"Write for example {EXAMPLES[kind]}.")
    if len(found) > 1 and kind == SINGLE:
        raise Rejected(
            "has several hosts", f"Write redis+cluster:// or redis+sentinel://, for example {EXAMPLES[CLUSTER]}."
        )
    return tuple(found)


def _host(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        found, port = parts.hostname, parts.port or port
    except ValueError:
        found = None
    if not found:
        raise Rejected("has a host or a port that is none", f"Write for example {EXAMPLES[SINGLE]}.")
    return found, port


def _path(parts: SplitResult, kind: str) -> tuple[int, str]:
    """The database's number, and the name of Sentinels' master."""
    words = [unquote(word) for word in parts.path.split("/") if word]
    service = words.pop(0) if kind == SENTINEL and words else ""
    if kind == SENTINEL and not service:
        raise Rejected("does not name the master", f"Write for example {EXAMPLES[SENTINEL]}.")
    if not words:
        return 0, service
    if kind == CLUSTER or len(words) > 1 or not (words[0].isascii() and words[0].isdigit()):
        problem = "names a database, which a cluster has not" if kind == CLUSTER else "names no database by its number"
        raise Rejected(problem, f"Write for example {EXAMPLES[kind]}.")
    return int(words[0]), service


def _options(parts: SplitResult, kind: str) -> dict[str, str]:
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in found:
        if name not in OPTIONS or (name == "sentinel_password" and kind != SENTINEL):
            raise Rejected("has an option that is not known", f"Known behind the ? are {', '.join(OPTIONS)}.")
    return found


def prefix(text: str) -> str:
    """Braces would be a cluster's hash tag."""
    if not text.isprintable() or any(character in " {}" for character in text):
        raise Rejected(
            "holds a space, a brace or a control character", "Write for example KEYTURN_REDIS_PREFIX=team-a:."
        )
    return text


RedisUrl = Annotated[RedisAddress | None, BeforeValidator(redis_address), Expects("a redis:// URL", EXAMPLES[SINGLE])]
Prefix = Annotated[str, AfterValidator(prefix), Expects("the beginning of a key", "keyturn:")]
