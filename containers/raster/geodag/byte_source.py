"""A remote file as GDAL reads it: exactly the ranges that GDAL asks for, and small reads by pages.

GDAL sees a made-up name, never the href, so no driver, no ``/vsi`` prefix and no redirect is its own choice.
"""

from __future__ import annotations

import io
import os

import numpy  # noqa: F401  rasterio's callbacks need it loaded
import rasterio
from rasterio.abc import MultiByteRangeResourceContainer
from rasterio._vsiopener import MultiByteRangeResource
from rasterio.errors import RasterioError

from geodag.content import kind_of
from geodag.program import StepError
from geodag.ranges import RangeClient

# A COG's header is some KB, read in many small pieces: so much at a time. Pixels are asked for to the byte.
PAGE = 8192
SMALL = 2048
JPEG_2000 = (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")
# Compressed blocks that a neighbouring window may need again; decoded ones are in GDAL's own cache.
KEPT_BYTES = 4_000_000


class RemoteFile:
    """The bytes of one href. Fails as :meth:`RangeClient.range`, and with ``source.changed``."""

    def __init__(self, client: RangeClient, href: str, said: str, driver: str = "GTiff") -> None:
        self.client, self.href, self.said, self.driver = client, href, said, driver
        self.failure: StepError | None = None
        self._kept: dict[int, bytes] = {}
        head, self.size, self._etag = client.range(href, 0, PAGE, said)
        self._pages = {0: head}
        if not (driver == "JP2OpenJPEG" and head.startswith(JPEG_2000)) and kind_of(head, self.size, said) != "tiff":
            raise StepError("source.not_raster", f"{said} is a zip, not a GeoTIFF: choose another item or day")

    def read(self, start: int, size: int) -> bytes:
        """Bytes from ``start``; an empty answer after a failure, which is kept: GDAL's callbacks carry no exception."""
        if start > 0 and start + size > self.size and not self.failure:  # from 0 it is GDAL's first look, of any file
            self.failure = StepError("source.not_raster", f"{self.said} is cut off: its header points past its {self.size} bytes; choose another item or day")
        size = min(size, self.size - start)
        if size <= 0 or self.failure:
            return b""
        try:
            return self._small(start, size) if size <= SMALL else self._large(start, size)
        except StepError as failure:
            self.failure = failure
            return b""

    def _small(self, start: int, size: int) -> bytes:
        for kept, data in self._kept.items():
            if kept <= start and start + size <= kept + len(data):
                return data[start - kept : start - kept + size]
        first, last = start // PAGE, (start + size - 1) // PAGE
        for page in range(first, last + 1):
            if page not in self._pages:
                self._pages[page] = self._get(page * PAGE, min(PAGE, self.size - page * PAGE))
        data = b"".join(self._pages[page] for page in range(first, last + 1))
        return data[start - first * PAGE : start - first * PAGE + size]

    def _large(self, start: int, size: int) -> bytes:
        if start not in self._kept or len(self._kept[start]) < size:
            head = self._of_pages(start, size)
            rest = self._get(start + len(head), size - len(head)) if len(head) < size else b""
            self._kept[start] = head + rest
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_BYTES:
                del self._kept[next(iter(self._kept))]
        return self._kept[start][:size]

    def _of_pages(self, start: int, size: int) -> bytes:
        """What is known already of the range's beginning: small files lie within their first page."""
        data, page = b"", start // PAGE
        while page in self._pages and len(data) < size:
            data += self._pages[page][start - page * PAGE if not data else 0 :]
            page += 1
        return data[:size]

    def _get(self, start: int, size: int) -> bytes:
        data, total, etag = self.client.range(self.href, start, size, self.said)
        if total != self.size or not _same(etag, self._etag):
            raise StepError("source.changed", f"{self.said}: the file changed while it was read: run it again")
        if len(data) < size:
            raise StepError("source.bad_answer", f"{self.said}: the server gives {len(data)} of {size} bytes: its ranges are wrong")
        return data


def _same(one: str, other: str) -> bool:
    """Whether two ETags may be of one file: a server behind another leaves it out, or calls it weak (RFC 9110 8.8.3.2)."""
    return not one or not other or one.removeprefix("W/") == other.removeprefix("W/")


class _Handle:
    """What GDAL seeks and reads; each open has its own position."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote, self._at = remote, 0

    def __enter__(self):
        return self

    def __exit__(self, *_failure) -> None:
        return None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._remote.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._remote.read(self._at, self._remote.size if size < 0 else size)
        self._at += len(data)
        return data

    def get_byte_ranges(self, offsets: list[int], sizes: list[int]) -> list[bytes]:
        return [self._remote.read(offset, size) for offset, size in zip(offsets, sizes)]


MultiByteRangeResource.register(_Handle)


class _Container(MultiByteRangeResourceContainer):
    """One file by its made-up name, and nothing beside it."""

    def __init__(self, remote: RemoteFile, name: str) -> None:
        self._remote, self._name = remote, name

    def open(self, path: str, mode: str = "r", **_options):
        if not self.isfile(path) or "r" not in mode or "+" in mode:
            raise FileNotFoundError(path)
        return _Handle(self._remote)

    def isfile(self, path: str) -> bool:
        return path.rsplit("/", 1)[-1] == self._name

    def isdir(self, _path: str) -> bool:
        return False

    def ls(self, _path: str) -> list[str]:
        return []

    def mtime(self, _path: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, _path: str) -> int:
        return self._remote.size


def open_remote(remote: RemoteFile, name: str):
    """The dataset of a remote file, by one driver, at its full resolution. ``name`` must be one of its own in this process.

    Fails with ``source.not_raster`` and with what reading its bytes failed with.
    """
    try:
        return rasterio.open(f"{name}/{name}", driver=remote.driver, opener=_Container(remote, name), OVERVIEW_LEVEL="NONE")
    except RasterioError as failure:
        if remote.failure:
            raise remote.failure from failure
        raise StepError("source.not_raster", f"{remote.said} is not a {remote.driver} that can be read: choose another item or day") from failure
