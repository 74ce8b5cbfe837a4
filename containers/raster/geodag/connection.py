"""HTTP to a checked address: the connection goes where the check looked, and never outlasts its deadline."""

from __future__ import annotations

import http.client
import io
import os
import selectors
import socket
import ssl
import time
from urllib.parse import urljoin

from geodag.address import Target, parse_url, resolve
from geodag.program import StepError

MAX_REDIRECTS = 5
MAX_SECONDS = 900
CONNECT_SECONDS = 15
IDLE_SECONDS = 60
# RFC 8305 5: how long one address may keep the next one waiting.
NEXT_ADDRESS_SECONDS = 0.25
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
REDIRECTS = (301, 302, 303, 307, 308)


def left(deadline: float) -> float:
    """Seconds until ``deadline`` (of ``time.monotonic``). Fails with ``source.timeout``."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise StepError("source.timeout", "the download took longer than it may: give a smaller file, or one on a faster server")
    return seconds


class _Socket:
    """What http.client needs of a socket; closed when it and the body that is read from it are."""

    def __init__(self, sock, connection: "Connection") -> None:
        self.sock, self._connection, self._users = sock, connection, 1

    def bound(self) -> None:
        """No single read or write goes on beyond the deadline: one byte a second cannot outlast it."""
        self.sock.settimeout(min(self._connection.idle, left(self._connection.deadline)))

    def makefile(self, _mode: str):
        self._users += 1
        return io.BufferedReader(_Reader(self), 1 << 16)

    def sendall(self, data) -> None:
        self.bound()
        self.sock.sendall(data)

    def close(self) -> None:
        self._users -= 1
        if not self._users:
            self.sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, source: _Socket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self._source.bound()
        try:
            return self._source.sock.recv_into(buffer)
        except TimeoutError:
            self._source.bound()
            raise

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._source.close()


class _Response(http.client.HTTPResponse):
    """The final answer: http.client itself passes over 100 alone, and takes 103 Early Hints for the answer (RFC 9110 15.2).

    It also believes a chunk of -1 bytes, which it would read to the stream's end, whatever that takes of memory.
    """

    def _read_status(self):
        while True:
            version, status, reason = super()._read_status()
            if status <= 101 or status >= 200:
                return version, status, reason
            http.client.parse_headers(self.fp)  # each read of it is bound by the deadline

    def _read_next_chunk_size(self):
        size = super()._read_next_chunk_size()
        if size < 0:
            self._close_conn()
            raise ValueError("a chunk of less than nothing")  # told as IncompleteRead
        return size


class Connection(http.client.HTTPConnection):
    """One connection to a checked address of ``target``, which may be kept for more requests.

    ``deadline`` (of ``time.monotonic``) bounds every read, ``idle`` the seconds without a byte; both may be moved. Fails with ``source.unreachable``,
    ``source.timeout``, ``source.bad_certificate``; OSError and HTTPException of http.client are the caller's.
    """

    response_class = _Response

    def __init__(self, target: Target, addresses: list[str], deadline: float) -> None:
        super().__init__(target.host, target.port)
        self.target, self.deadline, self.idle = target, deadline, IDLE_SECONDS
        self.sock = _Socket(_open(target, addresses, deadline), self)
        self.auto_open = 0  # http.client would resolve the name anew
        self._answer: http.client.HTTPResponse | None = None

    def get(self, target: Target, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Asks for ``target``, of the same origin; the answer before it has been read to its end."""
        self.request("GET", target.path, headers={"Host": target.authority, "User-Agent": "geodag", "Accept": "*/*", **headers})
        self._answer = self.getresponse()
        return self._answer

    def close(self) -> None:
        super().close()
        if self._answer:
            self._answer.close()


def connect(target: Target, allow_private: bool, deadline: float) -> Connection:
    """Resolves, checks and connects. Fails with ``source.forbidden_host`` and as :class:`Connection`."""
    return Connection(target, resolve(target, allow_private, deadline), deadline)


def _open(target: Target, addresses: list[str], deadline: float):
    """A connected socket; an address that breaks off before it is ready gives way to the next."""
    remaining, failure = list(addresses), None
    while remaining:
        try:
            sock, address = _race(remaining, target.port, deadline)
        except OSError as refused:
            failure = refused
            break
        remaining.remove(address)
        if target.scheme == "http":
            return sock
        try:
            sock.settimeout(min(CONNECT_SECONDS, left(deadline)))
            return _tls().wrap_socket(sock, server_hostname=target.host)
        except ssl.SSLCertVerificationError as refused:
            sock.close()
            raise StepError(
                "source.bad_certificate", f"the certificate of {target.host} does not hold ({refused.verify_message}): check the host's name"
            ) from refused
        except OSError as broken:
            sock.close()
            failure = broken
    left(deadline)
    raise StepError("source.unreachable", f"{target.host} does not answer: {failure}") from failure


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=AUTHORITIES if os.path.exists(AUTHORITIES) else None)


def _race(addresses: list[str], port: int, deadline: float):
    """The first of ``addresses`` that accepts, each given a head start over the next (RFC 8305 5)."""
    waiting, failure, next_start = list(addresses), OSError("no address"), time.monotonic()
    ends = time.monotonic() + min(CONNECT_SECONDS, left(deadline))
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                now = time.monotonic()
                if not waiting and now > ends:
                    raise TimeoutError(f"no connection within {CONNECT_SECONDS} s")
                if waiting and now >= next_start:
                    address, next_start = waiting.pop(0), now + NEXT_ADDRESS_SECONDS
                    ends = now + min(CONNECT_SECONDS, left(deadline))
                    try:
                        selector.register(_start(address, port), selectors.EVENT_WRITE, address)
                    except OSError as refused:  # no route, or no IPv6 at all
                        failure, next_start = refused, now
                        continue
                for key, _ in selector.select(max(0, (next_start if waiting else ends) - time.monotonic())):
                    code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    selector.unregister(key.fileobj)
                    if code == 0:
                        return key.fileobj, key.data
                    key.fileobj.close()
                    failure, next_start = OSError(code, os.strerror(code)), time.monotonic()
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()
    raise failure


def _start(address: str, port: int):
    """A socket that connects meanwhile."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect((address, port))
    except BlockingIOError:
        pass
    except OSError:
        sock.close()
        raise
    return sock


def request(
    url: str, allow_private: bool, deadline: float, headers: dict[str, str] | None = None, secret: dict[str, str] | None = None
) -> tuple[Connection, http.client.HTTPResponse]:
    """GET ``url``, following at most five redirects, each checked as the first; the caller closes the connection.

    ``secret`` headers (Authorization) go to the first origin only. Fails with ``source.*``.
    """
    target, secret = parse_url(url, allow_private), dict(secret or {})
    for _ in range(MAX_REDIRECTS + 1):
        connection = connect(target, allow_private, deadline)
        try:
            answer = connection.get(target, {**(headers or {}), **secret})
        except StepError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as failure:
            connection.close()
            raise StepError("source.unreachable", f"{target.host} does not answer: {failure or type(failure).__name__}") from failure
        if answer.status not in REDIRECTS:
            return connection, answer
        connection.close()
        following = parse_url(urljoin(target.url, location_of(answer, target)), allow_private)
        secret = secret if following.origin == target.origin else {}
        target = following
    raise StepError("source.refused", f"more than {MAX_REDIRECTS} redirects: give the URL that they lead to")


def location_of(answer: http.client.HTTPResponse, target: Target) -> str:
    """Where a redirect leads; http.client reads headers as Latin-1, servers write them in UTF-8."""
    location = answer.getheader("Location", "")
    if not location.strip():
        raise StepError("source.refused", f"{target.host} redirects ({answer.status}) without saying where: give another URL")
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location
