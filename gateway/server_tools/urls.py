"""Which URLs may be fetched, and the one meaning that each of them has. Pure.

What is checked is what is connected to: a URL is taken apart once, its host is brought into one form, and the request
is put together from these parts and never from the text again. Two parsers that differ are how such checks are passed
(``http://good.example\\@127.0.0.1/``).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from gateway.server_tools import addresses
from gateway.server_tools.failures import ToolFailure

LONGEST = 2048  # characters
SPOKEN = {"http": 80, "https": 443}  # schemes, and their ports

# fetch.spec.whatwg.org, "Port blocking" (read 2026-11): services that take a stranger's HTTP for their own language.
BAD_PORTS = frozenset(
    (
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990),
        *(993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    )
)
# Names that are never a public host, whatever a resolver makes of them: RFC 6761, 6762, 8375, and ICANN's .internal.
LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_FOREIGN = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
PATH_SAFE = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator allows. ``private`` lifts the rule on addresses and names, not that on ports and schemes."""

    schemes: frozenset[str] = frozenset(SPOKEN)
    private: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts. ``host`` is a name in ASCII without a closing dot, or an address in its shortest form."""

    scheme: str
    host: str
    port: int
    path: str  # with a leading slash, percent-encoded
    query: str  # without the "?", percent-encoded
    address: addresses.Address | None = None  # where the host is one

    @property
    def url(self) -> str:
        """The URL in its one form, without a fragment."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        port = "" if self.port == SPOKEN.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}" + (f"?{self.query}" if self.query else "")


def target(url: str, rules: Rules) -> Target:
    """Raises ToolFailure: url_too_long, invalid_tool_input for what is no URL, url_not_allowed."""
    if len(url) > LONGEST:
        raise ToolFailure("url_too_long", f"a URL may have {LONGEST} characters")
    parts, port = _split(url)
    if parts.scheme not in rules.schemes:
        raise _refused("its scheme is not one of WEB_FETCH_ALLOWED_SCHEMES")
    if parts.scheme not in SPOKEN:
        raise _refused("nobody here speaks its scheme")
    if "@" in parts.netloc:
        raise _refused("it holds a user name or password")
    host = parts.hostname or ""
    if not host:
        raise ToolFailure("invalid_tool_input", "the URL has no host")
    port = SPOKEN[parts.scheme] if port is None else port
    if port in BAD_PORTS:
        raise _refused("its port is another protocol's")
    name, address = _host(host, rules.private)
    path = quote(parts.path or "/", safe=PATH_SAFE)
    return Target(parts.scheme, name, port, path, quote(parts.query, safe=PATH_SAFE + "?"), address)


def redirected(origin: Target, location: str, rules: Rules) -> Target:
    """Where a redirect leads, by the same rules. Raises ToolFailure."""
    if not _plain(location):
        raise _refused("it redirects to what is no URL")
    try:
        joined = urljoin(origin.url, location)
    except ValueError:
        raise _refused("it redirects to what is no URL") from None
    return target(joined.partition("#")[0], rules)


def _split(url: str) -> tuple[SplitResult, int | None]:
    if not _plain(url):
        raise ToolFailure(
            "invalid_tool_input", "the URL holds a blank, a control character, a backslash or half a character"
        )
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        raise ToolFailure("invalid_tool_input", "that is no URL") from None


def _plain(url: str) -> bool:
    """``urlsplit`` drops tabs and line ends without a word, and browsers take a backslash for a slash.

    Half of a surrogate pair is what a header's byte becomes that is no UTF-8; nothing can encode it.
    """
    return bool(url) and _FOREIGN.search(url) is None


def _host(host: str, private: bool) -> tuple[str, addresses.Address | None]:
    if "%" in host:
        raise _refused("its host holds a percent sign: an interface, or an encoded character")
    name = host if ":" in host else _ascii(host)
    address = _address_6(host) if ":" in host else _address_4(name)
    if address is not None:
        if words := "" if private else addresses.refusal(address):
            raise _refused(f"its address is not public: {words}")
        return str(address), address
    _check_name(name, private)
    return name, None


def _check_name(name: str, private: bool) -> None:
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ToolFailure("invalid_tool_input", "its host is no host name")
    if private:
        return
    if "." not in name and name not in LOCAL_NAMES:
        raise _refused("its host is not a public name: it has no dot")
    if any(name == local or name.endswith(f".{local}") for local in LOCAL_NAMES):
        raise _refused("its host is not a public name: it names something local")


def _ascii(host: str) -> str:
    """In lower case, IDNA-encoded, and without the dots that may close a name."""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            raise ToolFailure("invalid_tool_input", "its host is no host name") from None
    return host.lower().rstrip(".")


def _address_6(host: str) -> IPv6Address:
    try:
        return IPv6Address(host)
    except AddressValueError:
        raise ToolFailure("invalid_tool_input", "its host is no IPv6 address") from None


def _address_4(name: str) -> IPv4Address | None:
    """The address that a browser, and many a resolver, reads in a name that ends in a number: 127.1, 0x7f000001, 017.

    url.spec.whatwg.org, "IPv4 parser" (read 2026-11). Raises ToolFailure for such a name that is no address.
    """
    labels = name.split(".")
    if not _ends_in_a_number(labels[-1]):
        return None
    numbers = [_number(label) for label in labels]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(known) > 4:
        raise ToolFailure("invalid_tool_input", "its host ends in a number and is no IPv4 address")
    *leading, last = known
    if any(number > 255 for number in leading) or last >= 256 ** (5 - len(known)):
        raise ToolFailure("invalid_tool_input", "its host ends in a number and is no IPv4 address")
    return IPv4Address(last + sum(number << 8 * (3 - at) for at, number in enumerate(leading)))


def _ends_in_a_number(label: str) -> bool:
    return label.isdigit() or _number(label) is not None


def _number(label: str) -> int | None:
    digits, base, known = label, 10, string.digits
    if label.startswith("0x"):
        digits, base, known = label[2:] or "0", 16, string.hexdigits
    elif label.startswith("0") and len(label) > 1:
        digits, base, known = label[1:], 8, string.octdigits
    return int(digits, base) if digits and all(char in known for char in digits) else None


def _refused(words: str) -> ToolFailure:
    return ToolFailure("url_not_allowed", words)
