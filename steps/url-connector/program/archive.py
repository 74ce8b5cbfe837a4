"""A zip from a stranger: entries counted, sizes bounded, nothing written by its names."""

import os
import re
import stat
import struct
import zipfile
import zlib

from geodag.program import StepError

MAX_ENTRIES = 1000
# The list of entries is read whole before it can be counted.
MAX_LIST_BYTES = 1 << 20
# DEFLATE cannot do better than 1032:1, so more than that out of the whole file counts the same bytes twice.
# A sparse raster comes close to it and is none the worse: what is small unpacked is never a bomb.
MAX_RATIO = 1032
SMALL_BYTES = 256_000_000
# LZMA's decoder takes as much memory as the zip says.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
SCENES = (".tif", ".tiff")
# .shp, .shx and .dbf make a Shapefile; the others say where it lies and how its text is coded.
SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)


class Archive:
    """The scenes and the Shapefile in the zip at ``path``; ``with`` names what is broken.

    Fails with ``source.zip_bomb``, ``source.bad_zip``, ``source.zip_encrypted``.
    """

    def __init__(self, path: str, max_bytes: int) -> None:
        self.path, self.max_bytes = path, max_bytes

    def __enter__(self) -> "Archive":
        try:
            _check_list(self.path)
            self._zip = zipfile.ZipFile(self.path)
        except BROKEN as failure:
            raise _broken(failure) from failure
        try:
            self.entries = self._checked()
        except StepError:
            self._zip.close()
            raise
        return self

    def __exit__(self, _kind, failure, _trace) -> None:
        self._zip.close()
        if isinstance(failure, BROKEN):
            raise _broken(failure) from failure

    def _checked(self) -> dict:
        entries = self._zip.infolist()
        size, packed = sum(e.file_size for e in entries), os.path.getsize(self.path)
        if len(entries) > MAX_ENTRIES or size > self.max_bytes or size > max(SMALL_BYTES, MAX_RATIO * packed):
            raise StepError(
                "source.zip_bomb", f"the zip holds {len(entries)} entries of {size} bytes from {packed}: too much, give fewer or smaller files"
            )
        # Of two entries of one name the later one counts, as for every tool that unpacks.
        return {entry.filename.replace("\\", "/"): entry for entry in entries if not _is_clutter(entry)}

    def scenes(self) -> list[str]:
        """Names of the GeoTIFFs, in order of their names."""
        return sorted(name for name in self.entries if name.lower().endswith(SCENES))

    def shapefile(self) -> list[str]:
        """Names of the parts of the one Shapefile; empty without one. Fails with ``source.zip_many``."""
        parts = {os.path.splitext(name)[0]: [] for name in self.entries if name.lower().endswith(".shp")}
        for name in self.entries:
            stem, ending = os.path.splitext(name)
            if stem in parts and ending.lower() in SHAPEFILE:
                parts[stem].append(name)
        whole = [names for names in parts.values() if {os.path.splitext(n)[1].lower() for n in names} >= set(SHAPEFILE[:3])]
        if len(whole) > 1:
            raise StepError("source.zip_many", f"the zip holds {len(whole)} Shapefiles: give a zip for each")
        return sorted(whole[0]) if whole else []

    def only_scene(self) -> str:
        """Fails with ``source.zip_empty``, ``source.zip_many``."""
        names = self.scenes()
        if not names:
            raise StepError("source.zip_empty", "the zip holds no .tif: put one GeoTIFF into it")
        if len(names) > 1:
            raise StepError("source.zip_many", f"the zip holds {len(names)} GeoTIFFs: give its URL an ending of .zip, or one URL for each")
        return names[0]

    def copy(self, name: str, target) -> None:
        """Writes the entry to the binary file ``target``. The header's size is a claim: what comes out is counted."""
        entry, total = self.entries[name], 0
        if entry.flag_bits & 1:
            raise StepError("source.zip_encrypted", f"{said(name)} in the zip has a password: pack it without")
        if entry.compress_type not in METHODS:
            raise StepError("source.bad_zip", f"{said(name)} is packed by method {entry.compress_type}: pack the zip again with deflate")
        with self._zip.open(entry) as source:
            while chunk := source.read(1 << 20):
                total += len(chunk)
                if total > self.max_bytes:
                    raise StepError("source.zip_bomb", f"{said(name)} unpacks to more than {self.max_bytes} bytes")
                target.write(chunk)
        if total != entry.file_size:
            raise StepError("source.bad_zip", f"{said(name)} is {total} bytes, the zip says {entry.file_size}: pack it again")


def said(name: str) -> str:
    """An entry's name as a message may hold it."""
    return re.sub(r"[^ -~\u00a0-\uffff]", "?", name)[-120:]


def _is_clutter(entry: zipfile.ZipInfo) -> bool:
    """What systems add beside the files (._twins, __MACOSX, hidden and lock files, @eaDir), folders and links."""
    parts = entry.filename.replace("\\", "/").split("/")
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    return entry.is_dir() or is_link or parts[-1].startswith((".", "~$")) or any(part in ("__MACOSX", "@eaDir") for part in parts)


def _check_list(path: str) -> None:
    with open(path, "rb") as file:
        end = zipfile._EndRecData(file)  # no public name; ZipFile itself reads as many bytes as stand there
    if end and end[zipfile._ECD_SIZE] > MAX_LIST_BYTES:
        raise StepError("source.zip_bomb", f"the zip's list of entries is {end[zipfile._ECD_SIZE]} bytes long: at most {MAX_ENTRIES} entries")


def _broken(failure: Exception) -> StepError:
    return StepError("source.bad_zip", f"the zip cannot be read: {failure or type(failure).__name__}: pack it again")
