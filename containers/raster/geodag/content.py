"""What a file is, by its first bytes: a wrong one is named before GDAL says that it knows nothing."""

import os

from geodag.program import StepError

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
OTHERS = (
    (b"\x1f\x8b", "gzip", "unpack it, or put the GeoTIFF into a zip"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unpack it, or put the GeoTIFF into a zip"),
    (b"BZh", "bzip2", "unpack it, or put the GeoTIFF into a zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "unpack it, or put the GeoTIFF into a zip"),
    (b"\x89HDF", "HDF5 or netCDF", "convert it with gdal_translate -of COG"),
    (b"CDF", "netCDF", "convert it with gdal_translate -of COG"),
    (b"\0\0\0\x0cjP", "JPEG 2000", "convert it with gdal_translate -of COG"),
    (b"\xff\x4f\xff\x51", "JPEG 2000", "convert it with gdal_translate -of COG"),
    (b"\x89PNG", "PNG", "give the raster with its values, not a picture of it"),
    (b"\xff\xd8\xff", "JPEG", "give the raster with its values, not a picture of it"),
    (b"SQLite format 3\0", "a GeoPackage", "publish it with the add-layer model, or give a raster"),
    (b"%PDF", "PDF", "give the raster itself"),
)
# What a server says instead of the file is most often a page, an XML error of an object store, or JSON.
TEXTS = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<vrtdataset", "VRT"), (b"<", "XML"), (b"{", "JSON"))


def refuse_other(path: str, said: str) -> str:
    """``tiff`` or ``zip``, by the first bytes of a file. Fails as :func:`kind_of`."""
    with open(path, "rb") as file:
        return kind_of(file.read(512), os.path.getsize(path), said)


def kind_of(head: bytes, size: int, said: str) -> str:
    """``tiff`` or ``zip``, by the first bytes. Fails with ``source.not_raster``, naming what it is instead."""
    if head[:4] in TIFF:
        return "tiff"
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:4] == b"PK\x05\x06":
        raise StepError("source.zip_empty", f"{said} is a zip of nothing: put one GeoTIFF into it")
    if not head:
        raise StepError("source.not_raster", f"{said} is empty, 0 bytes: fetch or write it again")
    for magic, kind, cure in OTHERS:
        if head.startswith(magic):
            raise StepError("source.not_raster", f"{said} is {kind}, not a GeoTIFF: {cure}")
    text = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, kind in TEXTS:
        if text.startswith(magic):
            raise StepError("source.not_raster", f"{said} is {kind}, not a GeoTIFF: open the URL or file to see what it says")
    raise StepError("source.not_raster", f"{said} is not a GeoTIFF ({size} bytes): give a .tif that gdalinfo reads")
