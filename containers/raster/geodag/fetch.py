"""A download from a URL that a user gave: hostile until shown otherwise.

Every address the name resolves to is checked, the connection goes to a checked address, each
redirect is checked again, and size and time are bounded whatever the server sends.
"""

from __future__ import annotations

import http.client
import re
import time
import zlib

from geodag.connection import MAX_SECONDS, left, request
from geodag.program import StepError

CHUNK = 1 << 16
# Asked once more later these may well be good: too early, too many, not ready (202), a server's own trouble.
PASSING = (202, 408, 425, 429)
# Codings of codings are allowed, as by RFC 9110 8.4, but nobody sends more than two.
MAX_CODINGS = 2


def fetch(url: str, target: str, max_bytes: int, allow_private: bool, log, max_seconds: float = MAX_SECONDS) -> None:
    """Writes what ``url`` answers to ``target``, at most ``max_bytes`` bytes after decoding.

    Fails with ``source.bad_url``, ``source.forbidden_host``, ``source.bad_certificate``, ``source.unreachable``,
    ``source.refused`` (4xx), ``source.partial``, ``source.bad_answer``, ``source.bad_encoding``, ``source.too_large``, ``source.timeout``.
    """
    deadline = time.monotonic() + max_seconds
    connection, answer = request(url, allow_private, deadline)
    try:
        _check_status(answer)
        _save(answer, target, max_bytes, deadline, log)
    finally:
        connection.close()


def _check_status(answer: http.client.HTTPResponse) -> None:
    if answer.status >= 500 or answer.status in PASSING:
        raise StepError("source.unreachable", f"the URL answered {answer.status}: try again later")
    if answer.status == 206:
        _check_whole(answer.getheader("Content-Range", ""))
    # 203 is 200 through a proxy that changed something, most often a header.
    elif answer.status not in (200, 201, 203):
        raise StepError("source.refused", f"the URL answered {answer.status}: check its signature and expiry")


def _check_whole(said: str) -> None:
    """A 206 that nobody asked for is good only if it holds every byte."""
    found = re.fullmatch(r"bytes 0-(\d{1,18})/(\d{1,18})", said.strip(), re.IGNORECASE)
    if not found or int(found[1]) + 1 != int(found[2]):
        raise StepError(
            "source.partial", f"the URL answered 206 with {said.strip()[:80] or 'no Content-Range'}, a part of the file: give a URL of the whole"
        )


def _save(answer: http.client.HTTPResponse, target: str, max_bytes: int, deadline: float, log) -> None:
    declared, got, total = _declared(answer), 0, 0
    too_large = StepError("source.too_large", f"the URL gives more than {max_bytes} bytes: give a smaller file, or a part of it")
    if declared is not None and declared > max_bytes:
        raise too_large
    decoders = _decoders(answer)
    with open(target, "wb") as file:
        for raw in _chunks(answer):
            got += len(raw)
            for piece in _decoded(raw, decoders):
                left(deadline)
                total += len(piece)
                if total > max_bytes:
                    raise too_large
                file.write(piece)
            if got > max_bytes:  # a coding that makes more of less
                raise too_large
    if declared is not None and got < declared:
        raise StepError("source.unreachable", f"the download broke off after {got} of {declared} bytes")
    if any(not decoder.complete for decoder in decoders):
        raise StepError("source.unreachable", f"the download broke off after {got} bytes, within its Content-Encoding")
    log(f"{total} bytes fetched" + (f" as {got} compressed" if decoders else ""))


def _declared(answer: http.client.HTTPResponse) -> int | None:
    """The length that the server says; the same one said twice is one (RFC 9110 8.6). Fails with ``source.bad_answer`` where two differ."""
    if answer.chunked:
        return None
    said = {one.strip() for text in answer.headers.get_all("Content-Length") or [] for one in text.split(",")}
    lengths = {int(one) for one in said if re.fullmatch(r"\d{1,18}", one)}
    if len(lengths) > 1:
        raise StepError("source.bad_answer", f"the URL says two lengths, {min(lengths)} and {max(lengths)} bytes: give a URL of another server")
    if lengths and answer.length is None:
        answer.length = min(lengths)
    return answer.length


def _chunks(answer: http.client.HTTPResponse):
    try:
        while chunk := answer.read(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as failure:
        raise StepError("source.unreachable", f"the download broke off: {failure or type(failure).__name__}") from failure


class _Inflate:
    """gzip (RFC 1952, any number of members) or deflate (RFC 1950, or RFC 1951 bare), a bounded piece at a time."""

    def __init__(self, coding: str) -> None:
        self.coding, self._stream, self._begun, self._head = coding, None, False, b""

    @property
    def complete(self) -> bool:
        return not self._head and (self._stream is None or self._stream.eof)

    def _new(self, head: bytes):
        if self.coding == "gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        zlib_header = head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)

    def feed(self, data: bytes):
        data, self._head = self._head + data, b""
        piece = b""
        while data or len(piece) == CHUNK:  # a full piece: zlib may hold more, though it took all of the data
            if self._stream is None or self._stream.eof:
                if self._begun and (self.coding != "gzip" or data[:1] in (b"", b"\0")):
                    return  # the zeros that pad a last member, or what follows a deflate stream
                if len(data) < 2:
                    self._head = data
                    return
                self._stream, self._begun = self._new(data), True
            try:
                piece = self._stream.decompress(data, CHUNK)
            except zlib.error as failure:
                raise StepError(
                    "source.bad_encoding",
                    f"the URL says Content-Encoding: {self.coding} and sends something else ({failure}): give a copy of the file",
                ) from failure
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece


def _decoders(answer: http.client.HTTPResponse) -> list[_Inflate]:
    """Last coding first. Fails with ``source.bad_encoding`` for one that was not asked for and is not known."""
    named = [coding.strip().lower() for coding in (answer.getheader("Content-Encoding") or "").split(",")]
    codings = [coding.removeprefix("x-") for coding in named if coding not in ("", "identity")]
    unknown = [coding for coding in codings if coding not in ("gzip", "deflate")]
    if unknown or len(codings) > MAX_CODINGS:
        raise StepError(
            "source.bad_encoding",
            f"the URL sends Content-Encoding: {', '.join(codings)[:80]}, though it was asked for none: geodag reads gzip and deflate; give a copy of the file",
        )
    return [_Inflate(coding) for coding in reversed(codings)]


def _decoded(raw: bytes, decoders: list[_Inflate]):
    if not decoders:
        yield raw
        return
    for piece in decoders[0].feed(raw):
        yield from _decoded(piece, decoders[1:])
