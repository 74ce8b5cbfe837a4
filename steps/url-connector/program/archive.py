"""A zip from a stranger: entries counted, sizes bounded, nothing written by its names."""

import struct
import zipfile
import zlib
from lzma import LZMAError

from geodag.program import StepError

MAX_ENTRIES = 1000
# The list of entries is read whole before it can be counted.
MAX_LIST_BYTES = 1 << 20
# DEFLATE cannot do better than 1032:1; real imagery stays far below 100:1.
MAX_RATIO = 200
BROKEN = (zipfile.BadZipFile, zlib.error, LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)


def tif_of_zip(path: str, target: str, max_bytes: int) -> None:
    """Writes the one GeoTIFF of the zip at ``path`` to ``target``, from whatever folder inside.

    Fails with ``source.zip_bomb``, ``source.bad_zip``, ``source.zip_encrypted``, ``source.zip_empty``, ``source.zip_many``.
    """
    try:
        _check_list(path)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            size, packed = sum(e.file_size for e in entries), sum(e.compress_size for e in entries)
            if len(entries) > MAX_ENTRIES or size > max_bytes or size > MAX_RATIO * max(packed, 1):
                raise StepError("source.zip_bomb", f"the zip holds {len(entries)} entries of {size} bytes from {packed}: too much")
            _copy(archive, _only_tif(entries), target, max_bytes)
    except BROKEN as failure:
        raise StepError("source.bad_zip", f"the zip cannot be read: {failure or type(failure).__name__}: pack it again") from failure


def _check_list(path: str) -> None:
    with open(path, "rb") as file:
        end = zipfile._EndRecData(file)  # no public name; ZipFile itself reads as many bytes as stand there
    if end and end[zipfile._ECD_SIZE] > MAX_LIST_BYTES:
        raise StepError("source.zip_bomb", f"the zip's list of entries is {end[zipfile._ECD_SIZE]} bytes long: at most {MAX_ENTRIES} entries")


def _only_tif(entries: list):
    # macOS adds a ._twin of every file.
    tifs = [
        e for e in entries
        if e.filename.lower().endswith((".tif", ".tiff")) and not e.filename.startswith("__MACOSX/") and not e.is_dir()
    ]
    if not tifs:
        raise StepError("source.zip_empty", "the zip holds no .tif: put one GeoTIFF into it")
    if len(tifs) > 1:
        raise StepError("source.zip_many", f"the zip holds {len(tifs)} GeoTIFFs: give one URL for each")
    if tifs[0].flag_bits & 1:
        raise StepError("source.zip_encrypted", f"{tifs[0].filename} in the zip has a password: pack it without")
    return tifs[0]


def _copy(archive, entry, target: str, max_bytes: int) -> None:
    """The header's size is a claim: what really comes out is counted too."""
    total = 0
    with archive.open(entry) as source, open(target, "wb") as file:
        while chunk := source.read(1 << 20):
            total += len(chunk)
            if total > max_bytes:
                raise StepError("source.zip_bomb", f"{entry.filename} unpacks to more than {max_bytes} bytes")
            file.write(chunk)
    if total != entry.file_size:
        raise StepError("source.bad_zip", f"{entry.filename} is {total} bytes, the zip says {entry.file_size}: pack it again")
