"""A zip from a stranger: entries counted, sizes bounded, nothing written by its names."""

import zipfile

from geodag.program import StepError

MAX_ENTRIES = 1000
# DEFLATE cannot do better than 1032:1; real imagery stays far below 100:1.
MAX_RATIO = 200


def tif_of_zip(path: str, target: str, max_bytes: int) -> None:
    """Writes the one GeoTIFF of the zip at ``path`` to ``target``.

    Fails with ``source.zip_bomb``, ``source.bad_zip``, ``source.zip_empty``, ``source.zip_many``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            size, packed = sum(e.file_size for e in entries), sum(e.compress_size for e in entries)
            if len(entries) > MAX_ENTRIES or size > max_bytes or size > MAX_RATIO * max(packed, 1):
                raise StepError("source.zip_bomb", f"the zip holds {len(entries)} entries of {size} bytes from {packed}: too much")
            tifs = [e for e in entries if e.filename.lower().endswith((".tif", ".tiff")) and not e.is_dir()]
            if not tifs:
                raise StepError("source.zip_empty", "the zip holds no .tif: put one GeoTIFF into it")
            if len(tifs) > 1:
                raise StepError("source.zip_many", f"the zip holds {len(tifs)} GeoTIFFs: give one URL for each")
            _copy(archive, tifs[0], target, max_bytes)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as failure:
        raise StepError("source.bad_zip", f"the zip cannot be read: {failure}") from failure


def _copy(archive, entry, target: str, max_bytes: int) -> None:
    """The header's size is a claim: what really comes out is counted too."""
    total = 0
    with archive.open(entry) as source, open(target, "wb") as file:
        while chunk := source.read(1 << 20):
            total += len(chunk)
            if total > max_bytes:
                raise StepError("source.zip_bomb", f"{entry.filename} unpacks to more than {max_bytes} bytes")
            file.write(chunk)
