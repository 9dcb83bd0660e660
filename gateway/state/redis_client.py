"""A client of redis-py, as patient as a request: what is repeated, and how long that takes, is the line's to say."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, Sentinel
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.settings.redis_address import CLUSTER, SENTINEL, RedisAddress
from gateway.state.line import Client

# redis-py's own, 10 repeats and 5 seconds, are for programs that nobody waits for.
_PATIENCE: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": None, "protocol": 2}


def redis_client(address: RedisAddress) -> Client:
    """Connects when it is first used."""
    own = {**_PATIENCE, **_credentials(address), **_tls(address)}
    if address.kind == CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        return RedisCluster(startup_nodes=nodes, retry=_never(), **own)
    own |= {"db": address.database, "retry": _never()}
    if address.kind == SENTINEL:
        return _of_sentinels(address, own)
    host, port = address.hosts[0]
    return Redis(host=host, port=port, **own)


def _of_sentinels(address: RedisAddress, own: dict[str, Any]) -> Redis:
    asking = {**_PATIENCE, **_tls(address), "retry": _never()}
    if password := address.options.get("sentinel_password"):
        asking["password"] = password
    sentinel = Sentinel(list(address.hosts), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]  # redis-py's own
    master: Redis = sentinel.master_for(address.service, **own)
    return master


def _never() -> Retry:
    return Retry(NoBackoff(), 0)


def _credentials(address: RedisAddress) -> dict[str, Any]:
    found: dict[str, Any] = {"password": address.password.reveal()} if address.password else {}
    return found | ({"username": address.username} if address.username else {})


def _tls(address: RedisAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    return {"ssl": True} | {name: value for name, value in address.options.items() if name.startswith("ssl_")}
