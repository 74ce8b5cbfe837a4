"""Rasters: opened with limited drivers and checked before decode, read by windows, written as COG."""

from __future__ import annotations

import os
from contextlib import contextmanager

# A stranger's .aux.xml, .ovr, .msk or .tfw beside a raster must not change what it says.
os.environ["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"

import numpy
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geodag.program import StepError

# A GeoTIFF's header may promise anything; a full Sentinel-2 tile is 1.2e8 pixels, 3 GB in 13 bands.
MAX_PIXELS = 400_000_000
MAX_BANDS = 1024  # imaging spectrometers have 200 to 450; bytes bound what a scene may be
MAX_BYTES = 16_000_000_000
# GDAL decodes whole blocks, so one block is the least memory that a file can be read with.
MAX_BLOCK_BYTES = 256_000_000
# DEFLATE cannot do better than 1032:1; a file of less than a thousandth holds (almost) no data.
MAX_RATIO = 1000
SMALL_BYTES = 256_000_000
# Rows of strips are read with a rim around them, so that few at a time would be read many times over; tiles are not.
STRIP_BYTES, TILE_BYTES = 160_000_000, 8_000_000
COG_BLOCK_BYTES = 64_000_000


def open_scene(path: str, kind: str = "source"):
    """Opens a GeoTIFF, refusing every other driver (VRT reads other files) and what cannot be read in bounds.

    Fails with ``<kind>.not_raster``, ``.subdatasets``, ``.complex``, ``.too_large``.
    """
    name = os.path.basename(path)
    try:
        dataset = rasterio.open(path, driver="GTiff")
    except RasterioError as failure:
        reason = str(failure).replace(os.path.dirname(path) + "/", "")
        raise StepError(f"{kind}.not_raster", f"{name} is not a GeoTIFF: give a .tif that gdalinfo reads ({reason})") from failure
    try:
        check_header(dataset, name, os.path.getsize(path), kind)
    except StepError:
        dataset.close()
        raise
    return dataset


def check_header(dataset, name: str, size: int, kind: str = "source") -> None:
    """Refuses what cannot be read in bounds, before a pixel is decoded; ``size`` of the file in bytes."""
    if dataset.subdatasets:
        raise StepError(
            f"{kind}.subdatasets",
            f"{name} holds {len(dataset.subdatasets)} images: take one out with gdal_translate GTIFF_DIR:1:{name} one.tif",
        )
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise StepError(f"{kind}.complex", f"{name} holds complex numbers: give amplitude or intensity as float32")
    pixels, itemsize = dataset.width * dataset.height, numpy.dtype(dataset.dtypes[0]).itemsize
    declared = pixels * dataset.count * itemsize
    said = f"{name} is {dataset.width} x {dataset.height} x {dataset.count} of {dataset.dtypes[0]}"
    if pixels > MAX_PIXELS or dataset.count > MAX_BANDS or declared > MAX_BYTES:
        raise StepError(
            f"{kind}.too_large",
            f"{said}; at most {MAX_PIXELS} pixels, {MAX_BANDS} bands and {MAX_BYTES} bytes: cut it to the area of interest",
        )
    if kind == "source" and declared > max(SMALL_BYTES, MAX_RATIO * size):  # a prediction may well be all one class
        raise StepError(
            f"{kind}.too_large", f"{said}, {declared} bytes out of {size}: cut it to the part that has data (gdal_translate -projwin)"
        )
    rows, columns = dataset.block_shapes[0]
    block = rows * columns * itemsize * (dataset.count if dataset.profile.get("interleave") == "pixel" else 1)
    if block > MAX_BLOCK_BYTES:
        raise StepError(
            f"{kind}.too_large",
            f"{name} is stored in blocks of {columns} x {rows} pixels, {block} bytes: write it with gdal_translate -co TILED=YES",
        )


def read(dataset, bands, window=None, kind: str = "source", shape=None) -> numpy.ndarray:
    """Pixels of ``bands``, decimated to ``shape`` [row, column] if one is given. Fails with ``<kind>.not_raster`` where the file is cut off or damaged."""
    try:
        if shape is None:
            return dataset.read(bands, window=window)
        return dataset.read(bands, out_shape=shape if isinstance(bands, int) else (len(bands), *shape))
    except RasterioError as failure:
        name = os.path.basename(dataset.name)
        cause = str(failure.__cause__ or failure).replace(os.path.dirname(dataset.name) + "/", "")
        raise StepError(f"{kind}.not_raster", f"{name} is damaged or cut off: fetch or write it again ({cause})") from failure


def same_grid(one, other) -> bool:
    """Whether two rasters have pixel upon pixel; rasters of one size without CRS are taken as such."""
    if one.shape != other.shape or (one.crs and other.crs and one.crs != other.crs):
        return False
    return not (one.crs and other.crs) or one.transform.almost_equals(other.transform, 1e-6 * abs(other.transform.a))


@contextmanager
def on_grid(dataset, like, kind: str = "source", fill=None, shape=None):
    """``dataset`` on the pixels of ``like`` (nearest), itself where it lies there already.

    ``fill`` is read outside it; without, ``dataset_mask()`` says where it lies. ``shape`` [row, column] is a coarser grid
    over the same place. Fails with ``<kind>.no_crs`` where nothing says how the two lie.
    """
    if same_grid(dataset, like):
        yield dataset
        return
    if not (dataset.crs and like.crs):
        raise StepError(
            f"{kind}.no_crs", f"{os.path.basename(dataset.name)} is {dataset.width} x {dataset.height} pixels, "
            f"{os.path.basename(like.name)} is {like.width} x {like.height}, and one has no CRS: write both with their CRS"
        )
    rows, columns = shape or like.shape
    transform = like.transform * like.transform.scale(like.width / columns, like.height / rows)
    if fill is not None:
        outside = {"src_nodata": None, "nodata": fill}
    else:
        outside = {} if dataset.nodata is not None else {"add_alpha": True}
    with WarpedVRT(
        dataset, crs=like.crs, transform=transform, width=columns, height=rows, resampling=Resampling.nearest, **outside
    ) as warped:
        yield warped


def windows(dataset, bands: int):
    """Windows that cover the dataset, top to bottom: whole blocks, at most ``TILE_BYTES`` or one tile, or ``STRIP_BYTES``, of ``bands`` bands of float32."""
    high, wide = dataset.block_shapes[0]
    pixel = bands * max(4, numpy.dtype(dataset.dtypes[0]).itemsize)
    rows, columns = -(-512 // high) * high, dataset.width
    if wide < dataset.width:
        columns = max(wide, TILE_BYTES // (rows * pixel) // wide * wide)
    else:  # strips: a narrower window would decode each of them again
        rows = max(1, min(rows, STRIP_BYTES // (columns * pixel)))
        rows = rows // high * high or rows
    for row in range(0, dataset.height, rows):
        for column in range(0, dataset.width, columns):
            yield Window(column, row, min(columns, dataset.width - column), min(rows, dataset.height - row))


def to_cog(source: str, target: str, resampling: str = "nearest") -> None:
    """Copies ``source`` to ``target`` as Cloud Optimized GeoTIFF: DEFLATE, overviews, blocks of 512 px, fewer for many bands."""
    with rasterio.open(source) as dataset:
        pixel = dataset.count * numpy.dtype(dataset.dtypes[0]).itemsize
    # A block holds all bands of its pixels, and is the least that a reader decodes.
    side = next((side for side in (512, 256) if side * side * pixel <= COG_BLOCK_BYTES), 128)
    copy(source, target, driver="COG", compress="DEFLATE", blocksize=side, overview_resampling=resampling, num_threads="ALL_CPUS")


@contextmanager
def cog(path: str, like, count: int, dtype: str, nodata, descriptions=(), tags=None, finish=None, **profile):
    """A raster to write by windows, with size, CRS and transform of ``like``; a COG at ``path`` when the block ends.

    ``tags`` are the file's own metadata; ``finish(raster)`` is called with all pixels written; ``profile`` is of the
    raster that is written to.
    """
    part = path + ".part.tif"
    try:
        with rasterio.open(
            part, "w+", driver="GTiff", count=count, height=like.height, width=like.width, dtype=dtype,
            crs=like.crs, transform=like.transform, nodata=nodata, tiled=True, bigtiff="IF_SAFER", **profile,
        ) as target:
            for index, text in enumerate(descriptions, 1):
                target.set_band_description(index, text)
            target.update_tags(**(tags or {}))
            yield target
            if finish:
                finish(target)
        to_cog(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
