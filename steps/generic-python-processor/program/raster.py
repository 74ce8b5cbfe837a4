"""Opens the raster that a script left and writes it as COG: what goes on is a COG, as every prediction is.

Called as ``raster.py '{"path", "name", "input", "target", "memory_mb"}'`` in the sandbox, with the
script's own limits, as to decode a stranger's file can take all memory. Prints ``{"grid": {...}}``
or ``{"message": ...}`` on its last line.
"""

import json
import math
import os
import sys

import numpy
import rasterio
from rasterio._err import CPLE_BaseError  # what is raised while pixels are copied
from rasterio.crs import CRS
from rasterio.shutil import copy

# The bounds that the later steps have too (containers/raster): a raster that passes here passes there.
MAX_PIXELS, MAX_BANDS, MAX_BYTES, MAX_BLOCK_BYTES = 400_000_000, 256, 16_000_000_000, 256_000_000
MB = 1024 * 1024


class Bad(Exception):
    """What is wrong with the raster, and the cure."""


def check_header(raster, name: str, memory_mb: int) -> None:
    """Raises ``Bad``: nothing is decoded before this."""
    if raster.subdatasets:
        raise Bad(f"{name} holds {len(raster.subdatasets)} images: write one")
    if raster.count == 0 or any(dtype.startswith("complex") for dtype in raster.dtypes):
        raise Bad(f"{name} has {raster.count} bands of {', '.join(sorted(set(raster.dtypes))) or 'nothing'}: write integers or float32")
    itemsize = max(numpy.dtype(dtype).itemsize for dtype in raster.dtypes)
    pixels = raster.width * raster.height
    said = f"{name} is {raster.width} x {raster.height} x {raster.count} of {raster.dtypes[0]}"
    if pixels > MAX_PIXELS or raster.count > MAX_BANDS or pixels * raster.count * itemsize > MAX_BYTES:
        raise Bad(f"{said}; at most {MAX_PIXELS} pixels, {MAX_BANDS} bands and {MAX_BYTES} bytes: write less")
    rows, columns = raster.block_shapes[0]
    together = raster.count if raster.profile.get("interleave") == "pixel" else 1
    block, most = rows * columns * itemsize * together, min(MAX_BLOCK_BYTES, memory_mb * MB // 2)
    if block > most:  # to read one pixel is to decode its block
        raise Bad(f"{said} in blocks of {columns} x {rows}, {block} bytes each, at most {most}: write it tiled, in blocks of 512 x 512")


def grid_of(raster) -> dict:
    code = raster.crs.to_string() if raster.crs else None
    return {"crs": code, "shape": [raster.height, raster.width], "transform": list(raster.transform)[:6]}


def same_grid(one: dict, other: dict) -> bool:
    """Within a thousandth of a pixel."""
    near = all(abs(a - b) <= 1e-3 * max(abs(one["transform"][0]), abs(one["transform"][4]), 1e-12) for a, b in zip(one["transform"], other["transform"]))
    return one["shape"] == other["shape"] and near and bool(one["crs"]) == bool(other["crs"]) and same_crs(one["crs"], other["crs"])


def same_crs(one: str | None, other: str | None) -> bool:
    return one == other or (one is not None and other is not None and CRS.from_string(one) == CRS.from_string(other))


def place_of(raster, name: str, given) -> tuple | None:
    """(crs, transform) that the raster lacks and the script's input has; None where nothing is to be set."""
    if raster.gcps[0] or raster.rpcs:
        return None
    lacks = raster.crs is None or raster.transform.is_identity
    if not lacks or given is None or given.crs is None:
        return None
    if raster.shape != given.shape:
        which = "CRS" if raster.crs is None else "transform"
        raise Bad(
            f"{name} has no {which}, and with {raster.width} x {raster.height} pixels it cannot be put where its input is "
            f"({given.width} x {given.height}): write it with crs= and transform="
        )
    return raster.crs or given.crs, given.transform if raster.transform.is_identity else raster.transform


def check_place(name: str, crs, transform) -> None:
    """Raises ``Bad`` for a place that no map has: later steps would divide by its pixels."""
    values = list(transform)[:6]
    if not all(math.isfinite(value) for value in values) or transform.determinant == 0:
        raise Bad(f"{name} has the transform {values}, whose pixels have no size: write it with its input's transform")
    if crs is not None and not (crs.is_geographic or crs.is_projected):
        raise Bad(f"{name} has a CRS that is on no map, {crs.to_string()[:100]}: write it with its input's crs")


def write_cog(path: str, target: str, place: tuple | None) -> None:
    source = path
    if place:  # a VRT of our own making over it, as the COG driver takes the place of its source
        source = target + ".vrt"
        copy(path, source, driver="VRT")
        with rasterio.open(source, "r+", driver="VRT") as virtual:
            virtual.crs, virtual.transform = place
    # Overviews that the script wrote are not looked at: ours are of the pixels.
    copy(source, target, driver="COG", compress="DEFLATE", blocksize=512, overview_resampling="nearest", overviews="IGNORE_EXISTING")
    if place:
        os.remove(source)


def run(request: dict) -> dict:
    path, name = request["path"], request["name"]
    with rasterio.open(path, driver="GTiff") as raster:
        check_header(raster, name, request["memory_mb"])
        grid = grid_of(raster)
        given = rasterio.open(request["input"], driver="GTiff") if request["input"] else None
        place = place_of(raster, name, given)
        check_place(name, *(place or (raster.crs, raster.transform)))
    if place:
        grid |= {"crs": place[0].to_string(), "transform": list(place[1])[:6]}
    write_cog(path, request["target"], place)
    return {"grid": {**grid, "same": given is None or same_grid(grid, grid_of(given)), "placed": place is not None}}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    cache = max(16, min(256, request["memory_mb"] // 4))
    with rasterio.Env(GDAL_CACHEMAX=cache, GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_NUM_THREADS="1"):
        try:
            answer = run(request)
        except Bad as bad:
            answer = {"message": str(bad)}
        except (rasterio.errors.RasterioError, CPLE_BaseError) as failure:
            cause = str(failure.__cause__ or failure).replace(os.path.dirname(request["path"]) + "/", "")
            answer = {"message": f"{request['name']} cannot be read as GeoTIFF: close it before the script ends ({cause[:300]})"}
    print("\n" + json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)
