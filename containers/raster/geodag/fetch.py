"""A download from a URL that a user gave: hostile until shown otherwise.

Every address the name resolves to is checked, the connection goes to the checked address, and each
redirect is checked again (DESIGN.md 7).
"""

import ipaddress
import socket
import time
from urllib.parse import urljoin, urlsplit

import urllib3

from geodag.program import StepError

MAX_REDIRECTS = 5
MAX_SECONDS = 900
PORTS = {80, 443, 8080, 8443}


def checked_address(url: str, allow_private: bool) -> tuple[str, str, int, str]:
    """(scheme, host, port, address) of ``url``. Fails with ``source.bad_url``, ``source.forbidden_host``."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as failure:
        raise StepError("source.bad_url", f"not a URL: {failure}") from failure
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise StepError("source.bad_url", "the URL must be http or https, without a user name")
    if port not in PORTS and not allow_private:
        raise StepError("source.forbidden_host", f"port {port} is not allowed: use one of {sorted(PORTS)}")
    try:
        found = {info[4][0] for info in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)}
    except OSError as failure:
        raise StepError("source.unreachable", f"{parts.hostname} does not resolve: {failure}") from failure
    for address in found:
        ip = ipaddress.ip_address(address.split("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if not ip.is_global and not allow_private:
            raise StepError("source.forbidden_host", f"{parts.hostname} is not a public address")
    return parts.scheme, parts.hostname, port, sorted(found)[0]


def fetch(url: str, target: str, max_bytes: int, allow_private: bool, log) -> None:
    """Writes what ``url`` answers to ``target``.

    Fails with ``source.unreachable``, ``source.refused`` (4xx), ``source.too_large``, ``source.timeout``.
    """
    deadline = time.monotonic() + MAX_SECONDS
    for _ in range(MAX_REDIRECTS + 1):
        answer = _get(url, allow_private)
        if answer.status in (301, 302, 303, 307, 308):
            url = urljoin(url, answer.headers.get("location", ""))
            answer.release_conn()
            continue
        if answer.status >= 500 or answer.status == 429:
            raise StepError("source.unreachable", f"the URL answered {answer.status}: try again later")
        if answer.status not in (200, 201):
            raise StepError("source.refused", f"the URL answered {answer.status}: check its signature and expiry")
        return _save(answer, target, max_bytes, deadline, log)
    raise StepError("source.refused", f"more than {MAX_REDIRECTS} redirects")


def _get(url: str, allow_private: bool):
    scheme, host, port, address = checked_address(url, allow_private)
    timeout = urllib3.Timeout(connect=15, read=60)
    if scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, server_hostname=host, assert_hostname=host, ca_certs="/etc/ssl/certs/ca-certificates.crt"
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        return pool.request("GET", path, headers={"Host": parts.netloc}, redirect=False, retries=False, preload_content=False)
    except urllib3.exceptions.HTTPError as failure:
        raise StepError("source.unreachable", f"{host} does not answer: {failure}") from failure


def _save(answer, target: str, max_bytes: int, deadline: float, log) -> None:
    total = 0
    with open(target, "wb") as file:
        try:
            for chunk in answer.stream(1 << 20, decode_content=False):
                total += len(chunk)
                if total > max_bytes:
                    raise StepError("source.too_large", f"the URL gives more than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise StepError("source.timeout", f"the download took longer than {MAX_SECONDS} s")
                file.write(chunk)
        except urllib3.exceptions.HTTPError as failure:
            raise StepError("source.unreachable", f"the download broke off: {failure}") from failure
    log(f"{total} bytes fetched")
