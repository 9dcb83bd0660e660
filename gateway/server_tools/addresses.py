"""Which IP addresses are public. Pure.

A table of our own and not ``ipaddress.is_global``: that one calls multicast, NAT64 and 6to4 public (Python 3.11), and
its answer changes between Python's releases. Sources: the IANA special-purpose address registries for IPv4 and IPv6
and the IPv6 address space registry (read 2026-11); Azure's platform address: learn.microsoft.com, "What is IP address
168.63.129.16".
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# The first network that holds an address gives the words, so the narrow ones stand before the wide ones.
_IPV4 = (
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "Azure's platform"),
    ("169.254.169.254/32", "cloud metadata"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "of the IETF's protocols"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
)
_IPV6 = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "an IPv4 address in IPv6 (mapped)"),
    ("::/96", "an IPv4 address in IPv6 (compatible)"),
    ("64:ff9b::/96", "an IPv4 address in IPv6 (NAT64)"),
    ("64:ff9b:1::/48", "an IPv4 address in IPv6 (local NAT64)"),
    ("2001::/32", "an IPv4 address in IPv6 (Teredo)"),
    ("2001::/23", "of the IETF's protocols"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "an IPv4 address in IPv6 (6to4)"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private (ULA)"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_NETWORKS_4 = tuple((IPv4Network(network), words) for network, words in _IPV4)
_NETWORKS_6 = tuple((IPv6Network(network), words) for network, words in _IPV6)
_GLOBAL_6 = IPv6Network("2000::/3")  # all that the IETF has given out for the public Internet


def refusal(address: Address) -> str:
    """Why the address is not a public one, "" where it is. An IPv4 address inside an IPv6 one is refused as such."""
    if isinstance(address, IPv4Address):
        return next((words for network, words in _NETWORKS_4 if address in network), "")
    if address.scope_id is not None:
        return "bound to an interface"
    known = next((words for network, words in _NETWORKS_6 if address in network), "")
    return known or ("" if address in _GLOBAL_6 else "reserved")


def refusal_of_any(answers: Iterable[str]) -> str:
    """The first refusal among the addresses that a name resolves to: one bad address refuses them all."""
    for answer in answers:
        try:
            words = refusal(ip_address(answer))
        except ValueError:
            words = "not an address"
        if words:
            return words
    return ""


def beside(own: Address, other: Address) -> bool:
    """Whether an address is the machine's own or, in IPv6, of the same /64: public, and yet behind its firewall."""
    if isinstance(own, IPv6Address) and isinstance(other, IPv6Address):
        return int(own) >> 64 == int(other) >> 64
    return own == other
