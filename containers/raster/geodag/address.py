"""Which hosts a URL of a user may lead to: the name, every address of it, and the order to try them in.

Only global unicast counts as public. An IPv6 address may carry an IPv4 one that a translator or a
tunnel on the way takes out again, so that one has to be public too.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

from geodag.program import StepError

PORTS = {80, 443, 8080, 8443}
MAX_URL = 8192
MAX_ADDRESSES = 64
RESOLVE_SECONDS = 20

# Not globally reachable by IANA's registry of special-purpose addresses (RFC 6890), multicast and
# the reserved class E, and the address under which Azure serves each machine its own settings.
NOT_PUBLIC_4 = [
    ipaddress.ip_network(block) for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",
    )
]  # fmt: skip
GLOBAL_6 = ipaddress.ip_network("2000::/3")
# Protocol assignments (Teredo and ORCHID among them), documentation (RFC 3849, RFC 9637), the former 6bone.
NOT_PUBLIC_6 = [ipaddress.ip_network(block) for block in ("2001::/23", "2001:db8::/32", "3fff::/20", "3ffe::/16")]
# Reached as the IPv4 address of their last 32 bits: mapped (RFC 4291), NAT64 (RFC 6052). Compatible (::/96) and translated
# ones (RFC 2765) are reached by nobody's right, and outside of GLOBAL_6.
EMBEDDING = [ipaddress.ip_network(block) for block in ("::ffff:0:0/96", "64:ff9b::/96")]
SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](:\d*)?")
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# What may stand in a path or a query as it is (RFC 3986), and the % of what is escaped already.
SAFE = "/:?[]@!$&'()*+,;=%-._~"


def is_public(address: str) -> bool:
    """Whether ``address`` is global unicast, and every address in it: mapped, NAT64 (RFC 6052), 6to4, ISATAP."""
    if "%" in address:  # a zone: link-local
        return False
    ip = ipaddress.ip_address(address)
    if ip.version == 4:
        return not any(ip in block for block in NOT_PUBLIC_4)
    if any(ip in block for block in EMBEDDING):
        return is_public(_v4(int(ip)))
    if ip not in GLOBAL_6 or any(ip in block for block in NOT_PUBLIC_6):
        return False
    if ip in SIX_TO_FOUR and not is_public(_v4(int(ip) >> 80)):
        return False
    isatap = int(ip) >> 32 & 0xFCFFFFFF == 0x5EFE  # RFC 5214 6.1; the u and g bits may be set
    return not isatap or is_public(_v4(int(ip)))


def _v4(bits: int) -> str:
    return str(ipaddress.IPv4Address(bits & 0xFFFFFFFF))


@dataclass(frozen=True)
class Target:
    """A checked URL. ``host`` is in ASCII without brackets, ``path`` holds the query and is escaped."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def parse_url(url: str, allow_private: bool = False) -> Target:
    """Checks what can be checked of ``url`` without asking the network.

    Fails with ``source.bad_url`` (scheme, user name, host, length), ``source.forbidden_host`` (port).
    """
    text = url.strip(" ")
    if len(text) > MAX_URL:
        raise StepError("source.bad_url", f"the URL has {len(text)} characters: at most {MAX_URL}")
    if any(ord(c) < 0x20 or ord(c) == 0x7F or c == "\\" or 0xD800 <= ord(c) < 0xE000 for c in text):
        raise StepError("source.bad_url", "the URL holds a control character or a backslash: escape it with %")
    try:
        parts = urlsplit(text)
        user, port = "@" in parts.netloc, parts.port
    except ValueError as failure:
        raise StepError("source.bad_url", "not a URL: its host or port cannot be read, check them") from failure
    if parts.scheme not in ("http", "https") or user:
        raise StepError("source.bad_url", "the URL must be http or https, without a user name")
    host = ascii_host(parts.hostname or "", parts.netloc)
    port = (443 if parts.scheme == "https" else 80) if port is None else port
    if (port not in PORTS and not allow_private) or port == 0:
        raise StepError("source.forbidden_host", f"port {port} is not allowed: use one of {sorted(PORTS)}")
    path = quote(parts.path or "/", safe=SAFE) + (f"?{quote(parts.query, safe=SAFE)}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def ascii_host(host: str, said: str) -> str:
    """``host`` as DNS knows it, a non-Latin name by IDNA 2008 (UTS 46). Fails with ``source.bad_url``."""
    wrong = StepError("source.bad_url", f"{said[:200]!r} is not a host name or an address: check the URL")
    if "[" in said and not BRACKETED.fullmatch(said):  # urlsplit drops what stands beside the brackets
        raise wrong
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as failure:
            raise wrong from failure
    try:
        name = (host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")).lower()
    except (idna.IDNAError, UnicodeError) as failure:
        raise wrong from failure
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise wrong
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):  # the resolver would read 2130706433 or 0x7f.1 as an address
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as failure:
            raise wrong from failure
    return name


def resolve(target: Target, allow_private: bool = False, deadline: float | None = None) -> list[str]:
    """All addresses of the target's host, each checked, families taken in turn (RFC 8305 4).

    One that is not public refuses the host: a name with both kinds is no mistake of a user.
    Fails with ``source.forbidden_host``, ``source.unreachable``.
    """
    found = [info[4] for info in _lookup(target, deadline)]
    # The flow and scope of a link-local address stand apart in what the resolver gives.
    addresses = list(dict.fromkeys(f"{a[0]}%{a[3]}" if len(a) == 4 and a[3] and "%" not in a[0] else a[0] for a in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            raise StepError("source.forbidden_host", f"{target.host} is not a public address")
    if not addresses:
        raise StepError("source.unreachable", f"{target.host} has no address: check the host's name")
    first = ":" in addresses[0]
    one, other = [a for a in addresses if (":" in a) == first], [a for a in addresses if (":" in a) != first]
    turns = [a for pair in zip(one, other) for a in pair]
    return (turns + one[len(other) :] + other[len(one) :])[:MAX_ADDRESSES]


def _lookup(target: Target, deadline: float | None) -> list:
    """getaddrinfo in a thread: no signal ends it, and a resolver may be silent for minutes."""
    answer: list = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as failure:
            answer.append(failure)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS if deadline is None else max(0, min(RESOLVE_SECONDS, deadline - time.monotonic())))
    if not answer:
        raise StepError("source.unreachable", f"{target.host} does not resolve: no answer in time")
    if isinstance(answer[0], Exception):
        raise StepError("source.unreachable", f"{target.host} does not resolve: {answer[0]}")
    return answer[0]
