"""Byte ranges of remote files over kept, pinned connections: statuses known, retried, counted and capped.

Every address is checked as for any URL of a user; see :mod:`geodag.connection`.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import select
import socket
import ssl
import threading
import time
from urllib.parse import urljoin

from geodag.access import Access
from geodag.address import Target, parse_url
from geodag.connection import MAX_REDIRECTS, REDIRECTS, Connection, connect, location_of
from geodag.program import StepError

TRIES = 6
FIRST_WAIT = 0.5
MAX_WAIT = 30.0
PASSING = (408, 425, 429, 500, 502, 503, 504)
MAX_TOKEN_BYTES = 1 << 20
CHUNK = 1 << 16
KEPT = 8


class Passing(Exception):
    """A failure that may be gone at the next try; ``wait`` seconds where the server said so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Forbidden(Exception):
    """403, or the 401 of a token that ended: signed anew once."""


class RangeClient:
    """Asks for ranges of the files of one run. Safe for several threads.

    ``requests`` and ``received`` count what was asked and what came, all files together; more than
    ``max_bytes`` or later than ``deadline`` ends with ``source.too_large`` or ``source.timeout``.
    """

    def __init__(self, access: Access, max_bytes: int, deadline: float, sleep=time.sleep) -> None:
        self.access, self.max_bytes, self.deadline = access, max_bytes, deadline
        self.requests = self.received = self.retries = 0
        self._sleep, self._lock = sleep, threading.Lock()
        self._idle: dict[tuple, list[Connection]] = {}

    def range(self, href: str, start: int, size: int, said: str) -> tuple[bytes, int, str]:
        """(bytes, size of the whole file, its ETag) of ``size`` bytes from ``start``; fewer only at the file's end.

        ``said`` is how errors name the file. Fails with ``source.unreachable`` (may pass), ``source.refused``,
        ``source.not_found``, ``source.unauthorized``, ``source.no_ranges``, ``source.too_large``, and as ``Access.target`` does.
        """
        return self._signed(href, lambda: self._tried(lambda: self._range(href, start, size, said), said), said)

    def ask(self, url: str, headers: dict[str, str]) -> bytes:
        """The whole small answer of a token endpoint, which the operator named."""
        return self._tried(lambda: self._small(url, headers), "the token endpoint")

    def post(self, url: str, body: dict, path: str, said: str) -> None:
        """Writes what a POST of JSON answers to ``path``, counted and capped as ranges are. Fails as :meth:`range`."""
        try:
            self._tried(lambda: self._post(url, body, path, said), said)
        except Forbidden:
            raise StepError("source.refused", f"{said}: the server refuses it (403): see to the catalogue's credentials") from None

    def close(self) -> None:
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()

    def _signed(self, href: str, get, said: str):
        try:
            return get()
        except Forbidden:
            if not self.access.signs(href):
                raise StepError("source.refused", f"{said}: the server refuses it (403): see to the catalogue's credentials") from None
        self.access.renew(href)
        try:
            return get()
        except Forbidden:
            raise StepError("source.refused", f"{said}: the server refuses it (403) with a new signature too: see to the access") from None

    def _tried(self, get, said: str):
        for n in range(TRIES):
            try:
                return get()
            except Passing as failure:
                reason, wait = str(failure), failure.wait
            if n < TRIES - 1:
                self.retries += 1
                pause = FIRST_WAIT * 2**n * random.uniform(0.75, 1.25) if wait is None else wait
                if time.monotonic() + pause > self.deadline:
                    break
                self._sleep(min(pause, MAX_WAIT))
        raise StepError("source.unreachable", f"{said}: {reason}, {n + 1} times: try again later")

    def _range(self, href: str, start: int, size: int, said: str) -> tuple[bytes, int, str]:
        target = self.access.target(href, self.ask)
        connection, answer = self._get(target, {"Range": f"bytes={start}-{start + size - 1}", "Accept-Encoding": "identity"})
        kept = False
        try:
            _check_status(answer, said)
            first, last, total = _content_range(answer, said)
            if first != start or last - first + 1 > size or (last - first + 1 < size and last + 1 != total):
                raise StepError("source.bad_answer", f"{said}: asked for {size} bytes at {start}, the server gives {first} to {last}: its ranges are wrong")
            data = self._body(connection, answer, last - first + 1, said)
            kept = not answer.will_close
        finally:
            self._release(connection, kept)
        return data, total, answer.getheader("ETag", "")

    def _small(self, url: str, headers: dict[str, str]) -> bytes:
        connection, answer = self._get(parse_url(url, self.access.allow_private), headers, of_catalogue=False)
        try:
            _check_status(answer, "the token endpoint", (200,))
            return answer.read(MAX_TOKEN_BYTES)
        except (OSError, http.client.HTTPException) as failure:
            raise Passing(f"the answer broke off ({type(failure).__name__})") from failure
        finally:
            self._release(connection, False)

    def _post(self, url: str, body: dict, path: str, said: str) -> None:
        target = self.access.check(parse_url(url, self.access.allow_private))
        data = json.dumps(body).encode()
        connection, answer = self._once(target, {"Content-Type": "application/json", "Accept": "image/tiff", **self.access.headers(target)}, data)
        try:
            if answer.status == 400:
                raise StepError("source.refused", f"{said}: the server says 400: {answer.read(500).decode('utf-8', 'replace')}")
            _check_status(answer, said, (200,))
            if answer.length is not None and answer.length + self.received > self.max_bytes:
                self._count(answer.length)
            with open(path, "wb") as file:
                while chunk := answer.read(CHUNK):
                    self._count(len(chunk))
                    file.write(chunk)
            if answer.length:
                raise Passing(f"the answer broke off, {answer.length} bytes are missing")
        except (OSError, http.client.HTTPException) as failure:
            raise Passing(f"the answer broke off ({type(failure).__name__})") from failure
        finally:
            self._release(connection, False)

    def _get(self, target: Target, headers: dict[str, str], of_catalogue: bool = True):
        """Follows redirects, each checked; the token of a host goes to that host alone."""
        for _ in range(MAX_REDIRECTS + 1):
            own = self.access.headers(target) if of_catalogue else {}
            connection, answer = self._once(target, {**headers, **own})
            if answer.status not in REDIRECTS:
                return connection, answer
            self._release(connection, False)
            location = location_of(answer, target)
            target = parse_url(urljoin(target.url, location), self.access.allow_private)
            if of_catalogue:
                self.access.check(target)
        raise StepError("source.refused", f"more than {MAX_REDIRECTS} redirects from {target.host}: see to the catalogue's hrefs")

    def _once(self, target: Target, headers: dict[str, str], body: bytes | None = None):
        """One request; a kept connection that the server has closed meanwhile is replaced, once."""
        for fresh in (False, True):
            connection = None if fresh else self._kept(target)
            if connection is None:
                try:
                    connection, fresh = connect(target, self.access.allow_private, self.deadline), True
                except StepError as failure:
                    if failure.code == "source.unreachable":
                        raise Passing(str(failure)) from failure
                    raise
            try:
                self.requests += 1
                return connection, connection.get(target, headers) if body is None else _posted(connection, target, headers, body)
            except (OSError, http.client.HTTPException) as failure:
                connection.close()
                if fresh:
                    raise Passing(f"{target.host} does not answer ({type(failure).__name__})") from failure
            except StepError:
                connection.close()
                raise
        raise AssertionError("a fresh connection answers or fails")

    def _kept(self, target: Target) -> Connection | None:
        with self._lock:
            while self._idle.get(target.origin):
                connection = self._idle[target.origin].pop()
                # What is readable before anything was asked is the end of the stream, or no answer of ours.
                if not _readable(connection):
                    return connection
                connection.close()
        return None

    def _release(self, connection: Connection, kept: bool) -> None:
        with self._lock:
            idle = self._idle.setdefault(connection.target.origin, [])
            if kept and len(idle) < KEPT:
                idle.append(connection)
                return
        connection.close()

    def _body(self, connection: Connection, answer, size: int, said: str) -> bytes:
        """Exactly ``size`` bytes. A server that sends more is not believed in anything."""
        more = StepError("source.too_large", f"{said}: the server sends more than the {size} bytes that it was asked for: its ranges are wrong")
        if answer.length is not None and answer.length > size:
            raise more
        data = bytearray()
        try:
            while len(data) < size:
                # The reader's buffer is taken whole, so that bytes past the claim are seen and not left for the next answer.
                chunk = answer.read(CHUNK) if answer.chunked else answer.fp.read1(CHUNK)
                if not chunk:
                    raise Passing(f"the answer broke off after {len(data)} of {size} bytes")
                data += chunk
                self._count(len(chunk))
            if answer.chunked and answer.read(1):
                raise more
        except (OSError, http.client.HTTPException) as failure:
            raise Passing(f"the answer broke off ({type(failure).__name__})") from failure
        if len(data) > size or (not answer.chunked and not answer.will_close and _readable(connection, data=True)):
            raise more
        answer.close()
        return bytes(data)

    def _count(self, size: int) -> None:
        with self._lock:
            self.received += size
            if self.received > self.max_bytes:
                raise StepError("source.too_large", f"the items give more than {self.max_bytes} bytes: ask for a smaller area or fewer bands")


def _posted(connection: Connection, target: Target, headers: dict[str, str], body: bytes):
    connection.request("POST", target.path, body, {"Host": target.authority, "User-Agent": "geodag", **headers})
    return connection.getresponse()


def _readable(connection: Connection, data: bool = False) -> bool:
    """Whether something waits on the connection; with ``data``, whether it is bytes and not the stream's end."""
    if connection.sock is None:
        return not data
    sock = connection.sock.sock
    if isinstance(sock, ssl.SSLSocket):  # what waits below TLS may be a ticket of its own
        return bool(sock.pending()) or (not data and bool(select.select([sock], [], [], 0)[0]))
    if not select.select([sock], [], [], 0)[0]:
        return False
    return not data or bool(sock.recv(1, socket.MSG_PEEK))


def _check_status(answer, said: str, good=(206,)) -> None:
    status = answer.status
    if status in good:
        return
    if status in PASSING:
        raise Passing(f"the server answered {status}", _retry_after(answer))
    if status in (401, 403):
        if status == 401:
            raise StepError("source.unauthorized", f"{said}: the server wants another token (401): see to the catalogue's credentials")
        raise Forbidden
    if status in (404, 410):
        raise StepError("source.not_found", f"{said}: the file is gone ({status}) though the catalogue lists it: plan again, or choose another day")
    if status == 416:
        raise StepError("source.not_raster", f"{said} is empty or shorter than its header says (416): plan again, or choose another day")
    if status == 200:
        raise StepError("source.no_ranges", f"{said}: the server gives the whole file instead of a range: give a server that knows Range (RFC 9110 14)")
    raise StepError("source.refused", f"{said}: the server answered {status}: see to the catalogue's hrefs")


def _retry_after(answer) -> float | None:
    """Seconds that the server asks to wait; its other form, a date, is left to our own waits."""
    said = (answer.getheader("Retry-After") or "").strip()
    return min(float(said), MAX_WAIT) if re.fullmatch(r"\d{1,6}", said) else None


def _content_range(answer, said: str) -> tuple[int, int, int]:
    text = answer.getheader("Content-Range", "")
    found = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", text.strip(), re.IGNORECASE)
    if not found:
        raise StepError("source.bad_answer", f"{said}: the server says {text[:80] or 'no Content-Range'} with 206: its ranges are wrong")
    first, last, total = map(int, found.groups())
    if not first <= last < total:
        raise StepError("source.bad_answer", f"{said}: the server says {text[:80]}: its ranges are wrong")
    return first, last, total
