"""Rasters: opened with limited drivers and checked before decode, written as COG."""

from __future__ import annotations

import os

import numpy
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy

from geodag.program import StepError

# A GeoTIFF's header may promise anything; 20000 x 20000 x 13 float32 would be 20 GB to fill.
MAX_PIXELS = 400_000_000
MAX_BANDS = 256


def open_scene(path: str):
    """Opens a GeoTIFF, refusing every other driver (VRT reads other files).

    Fails with ``source.not_raster`` or ``source.too_large``.
    """
    name = os.path.basename(path)
    try:
        dataset = rasterio.open(path, driver="GTiff")
    except RasterioIOError as failure:
        raise StepError("source.not_raster", f"{name} is not a GeoTIFF: give a .tif that gdalinfo reads") from failure
    if dataset.width * dataset.height > MAX_PIXELS or dataset.count > MAX_BANDS:
        raise StepError(
            "source.too_large",
            f"{name} is {dataset.width} x {dataset.height} x {dataset.count}; "
            f"at most {MAX_PIXELS} pixels and {MAX_BANDS} bands: cut it to the area of interest",
        )
    return dataset


def block_windows(dataset, size: int = 1024):
    """Windows of at most ``size`` x ``size`` pixels that cover the dataset, row by row."""
    from rasterio.windows import Window

    for row in range(0, dataset.height, size):
        for column in range(0, dataset.width, size):
            yield Window(column, row, min(size, dataset.width - column), min(size, dataset.height - row))


def to_cog(source: str, target: str, resampling: str = "nearest") -> None:
    """Copies ``source`` to ``target`` as Cloud Optimized GeoTIFF: DEFLATE, 512 px blocks, overviews."""
    copy(source, target, driver="COG", compress="DEFLATE", blocksize=512, overview_resampling=resampling)


def write_cog(path: str, array: numpy.ndarray, like, nodata, descriptions=()) -> None:
    """Writes ``array`` [band, row, column] as COG with the CRS and transform of ``like``."""
    part = path + ".part.tif"
    with rasterio.open(
        part, "w", driver="GTiff", count=array.shape[0], height=array.shape[1], width=array.shape[2],
        dtype=array.dtype, crs=like.crs, transform=like.transform, nodata=nodata, tiled=True, bigtiff="IF_SAFER",
    ) as target:
        target.write(array)
        for index, text in enumerate(descriptions, 1):
            target.set_band_description(index, text)
    to_cog(part, path)
    os.remove(part)
