"""Layers that are published as they are: GeoPackage, NetCDF, a Shapefile in a zip. Looked at, never decoded."""

import os
import zipfile

from archive import Archive
from geodag.program import StepError

# OGC 12-128 1.1.1.1.1: an SQLite database whose application id says GeoPackage; GP10 and GP11 before version 1.2.
SQLITE, GEOPACKAGE = b"SQLite format 3\0", (b"GPKG", b"GP10", b"GP11")
NETCDF = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n")
# ESRI Shapefile Technical Description: file code 9994, big-endian, in .shp and .shx.
SHAPE = (9994).to_bytes(4, "big")


def layer_kind(path: str) -> str | None:
    """``gpkg`` or ``nc`` by the first bytes; None for what is something else. Fails with ``source.not_vector``."""
    with open(path, "rb") as file:
        head = file.read(100)
    if head.startswith(NETCDF):
        return "nc"
    if not head.startswith(SQLITE):
        return None
    if head[68:72] not in GEOPACKAGE:
        raise StepError("source.not_vector", "the file is an SQLite database, not a GeoPackage: write it with ogr2ogr -f GPKG")
    page = int.from_bytes(head[16:18], "big")
    declared = (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
    if declared > os.path.getsize(path):
        raise StepError("source.not_vector", "the GeoPackage is cut off: fetch or write it again")
    return "gpkg"


def pack_shapefile(archive: Archive, target: str, stem: str) -> None:
    """Writes the archive's Shapefile as a flat zip of its parts, each called ``stem``: whoever unpacks it meets no path.

    Fails with ``source.not_vector`` and as :meth:`Archive.copy`.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in archive.shapefile():
            ending = os.path.splitext(name)[1].lower()
            # A fixed date: the same Shapefile gives the same bytes.
            with packed.open(zipfile.ZipInfo(stem + ending, (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as file:
                archive.copy(name, _Checked(file, ending))


class _Checked:
    """A file to write to that refuses a part whose first bytes are not its kind's."""

    def __init__(self, file, ending: str) -> None:
        self._file, self._ending, self._begun = file, ending, False

    def write(self, data: bytes) -> None:
        if not self._begun and self._ending in (".shp", ".shx") and not data.startswith(SHAPE):
            raise StepError("source.not_vector", f"the {self._ending} in the zip is no part of a Shapefile: write it with ogr2ogr")
        self._begun = True
        self._file.write(data)
