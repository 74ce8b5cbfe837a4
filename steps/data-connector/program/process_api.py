"""Sentinel Hub's Process API: one POST a tile gives a GeoTIFF on the grid, its last band the data mask.

See https://docs.sentinel-hub.com/api/latest/reference/#tag/process. Sentinel Hub mosaics and
harmonises itself; the request, without any secret, stands in the plan.
"""

from __future__ import annotations

import copy
import os

import numpy
import rasterio
from rasterio.errors import RasterioError
from rasterio.transform import array_bounds
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from fuse import NOBODY, Canvas
from geodag.content import kind_of
from geodag.program import StepError
from geodag.raster import check_header
from values import nodata_of

MAX_SIDE = 2500


def tiles(width: int, height: int):
    """Windows of at most 2500 px a side, as equal as can be."""
    rows, columns = -(-height // MAX_SIDE), -(-width // MAX_SIDE)
    tops = [height * n // rows for n in range(rows + 1)]
    lefts = [width * n // columns for n in range(columns + 1)]
    for top, bottom in zip(tops, tops[1:]):
        for left, right in zip(lefts, lefts[1:]):
            yield Window(left, top, right - left, bottom - top)


def body_of(process: dict, grid, tile: Window) -> dict:
    """The plan's request, for one tile of the grid."""
    body = copy.deepcopy(process["body"])
    transform = window_transform(tile, grid.transform)
    body["input"]["bounds"]["bbox"] = list(array_bounds(tile.height, tile.width, transform))
    body["output"]["width"], body["output"]["height"] = tile.width, tile.height
    body["output"].pop("resx", None), body["output"].pop("resy", None)
    return body


def fetch_tiles(client, modality: dict, grid, folder: str, log) -> list[tuple[Window, str]]:
    """Every tile as a file, checked. Fails with ``source.*`` as the client, and with ``source.wrong_shape``."""
    found, wanted = [], list(tiles(grid.width, grid.height))
    for n, tile in enumerate(wanted, 1):
        path = os.path.join(folder, f"{modality['name']}-{n}.part.tif")
        client.post(modality["process"]["url"], body_of(modality["process"], grid, tile), path, f"tile {n} of {modality['name']}")
        _check(path, tile, len(modality["bands"]) + 1, f"tile {n} of {modality['name']}")
        log(f"item {n} of {len(wanted)}: tile of {tile.width} x {tile.height} pixels, {client.received} bytes so far")
        found.append((tile, path))
    return found


def _check(path: str, tile: Window, bands: int, said: str) -> None:
    with open(path, "rb") as file:
        kind_of(file.read(512), os.path.getsize(path), said)
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            check_header(raster, said, os.path.getsize(path))
            got, shape = (raster.count, raster.height, raster.width), (bands, tile.height, tile.width)
    except RasterioError as failure:
        raise StepError("source.not_raster", f"{said} is not a GeoTIFF that can be read: run it again") from failure
    if got != shape:
        raise StepError("source.wrong_shape", f"{said}: asked for {shape} bands, rows, columns with the data mask last, got {got}: see to the evalscript")


def stack_dtype(found: list[tuple[Window, str]]) -> numpy.dtype:
    with rasterio.open(found[0][1], driver="GTiff") as raster:
        return numpy.dtype(raster.dtypes[0])


def paint(found: list[tuple[Window, str]], modality: dict, canvas: Canvas) -> None:
    """The tiles onto the canvas; a true zero stays a zero, for the data mask says what is none."""
    for tile, path in found:
        with rasterio.open(path, driver="GTiff") as raster:
            for part in _parts(tile):
                local = Window(part.col_off - tile.col_off, part.row_off - tile.row_off, part.width, part.height)
                read = raster.read(window=local)
                hidden = read[-1] == 0
                alone = all(band["class_band"] for band in modality["bands"])
                for position, values in enumerate(read[:-1]):
                    none = hidden | ~numpy.isfinite(values) if values.dtype.kind == "f" else hidden
                    if modality["transform"] == "to_decibels" and position < 2:
                        none |= values <= 0
                    is_class = modality["bands"][position]["class_band"]
                    values = values.astype(canvas.dtype)
                    if canvas.dtype.kind == "u" and not is_class:
                        values = numpy.maximum(values, 1)  # 0 is the nodata of the file, and a valid 0 is none
                    values[none] = nodata_of(canvas.dtype)
                    counts = alone or not is_class
                    canvas.put(position, part, values, numpy.where(none, NOBODY, 0).astype("uint8") if counts else None)


def _parts(tile: Window):
    for row in range(0, tile.height, 512):
        yield Window(tile.col_off, tile.row_off + row, tile.width, min(512, tile.height - row))
