"""What a STAC Item says of one file: its kind, its grid, its bands and its digest."""

import functools
import hashlib
import math
import os

import numpy
import rasterio
from rasterio.errors import RasterioError

GEOTIFF = "image/tiff; application=geotiff"
KINDS = {
    ".png": "image/png", ".jpg": "image/jpeg", ".csv": "text/csv", ".json": "application/json", ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3", ".xml": "application/xml", ".txt": "text/plain", ".html": "text/html", ".zip": "application/zip",
    ".parquet": "application/vnd.apache.parquet", ".nc": "application/netcdf", ".pdf": "application/pdf", ".svg": "image/svg+xml",
}  # fmt: skip


def grid(raster) -> dict:
    """The projection extension's words for a raster."""
    code = raster.crs.to_authority() if raster.crs else None
    said = {"proj:code": ":".join(code) if code else None}
    if raster.crs and not code:
        said["proj:wkt2"] = raster.crs.to_wkt(version="WKT2_2019")
    return {**said, "proj:shape": [raster.height, raster.width], "proj:transform": list(raster.transform)[:6]}


@functools.cache
def digest(path: str) -> dict:
    """The file extension's words: size in bytes, and SHA-256 as a multihash (0x12, 0x20, digest)."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file:size": os.path.getsize(path), "file:checksum": f"1220{found}"}


def asset(path: str, roles: list[str], title: str, common: dict) -> dict:
    """An asset by a relative href; only what differs from the Item's own grid ``common`` is repeated."""
    said = {"href": f"./{os.path.basename(path)}", "title": title, "roles": roles}
    end = os.path.splitext(path)[1].lower()
    if end not in (".tif", ".tiff"):
        return {**said, "type": KINDS.get(end, "application/octet-stream")}
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            return {**said, **_raster(raster, common)}
    except RasterioError:  # a script may call anything .tif
        return {**said, "type": "application/octet-stream"}


def _raster(raster, common: dict) -> dict:
    cloud = raster.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
    return {
        "type": f"{GEOTIFF}; profile=cloud-optimized" if cloud else GEOTIFF,
        **{key: value for key, value in grid(raster).items() if common.get(key) != value},
        **({"description": raster.tags()["RADIOMETRY"]} if "RADIOMETRY" in raster.tags() else {}),
        "bands": [_band(raster, i) for i in range(raster.count)],
    }


def _band(raster, i: int) -> dict:
    """A band's nodata and type are STAC 1.1's own words, its scale and offset the raster extension's."""
    said = {"name": raster.descriptions[i] or f"band {i + 1}", "data_type": numpy.dtype(raster.dtypes[i]).name}
    said["raster:sampling"] = raster.tags().get("AREA_OR_POINT", "Area").lower()
    if (raster.scales[i], raster.offsets[i]) != (1.0, 0.0):
        pair = {"raster:scale": raster.scales[i], "raster:offset": raster.offsets[i]}
        said |= {key: value for key, value in pair.items() if math.isfinite(value)}  # JSON has no other
    nodata = raster.nodatavals[i]
    if nodata is None:
        return said
    if not math.isfinite(nodata):
        return {**said, "nodata": "nan" if math.isnan(nodata) else "inf" if nodata > 0 else "-inf"}
    return {**said, "nodata": int(nodata) if nodata == int(nodata) else nodata}
