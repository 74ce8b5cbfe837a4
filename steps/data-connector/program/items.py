"""One band of one item on the task's grid, read by windows from the ranges that the window needs."""

from __future__ import annotations

import itertools
import math

import numpy
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.transform import Affine, array_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from geodag.byte_source import RemoteFile, open_remote
from geodag.program import StepError
from geodag.raster import check_header

# GDAL decodes whole blocks: one of 4096 x 4096 of 8 bytes is the most that a window may need for a pixel.
MAX_BLOCK_BYTES = 134_217_728
WARP_MEGABYTES = 16
# rasterio keeps openers by name in the whole process.
NUMBERS = itertools.count()


class Grid:
    """The grid of a modality: ``crs``, ``transform``, ``width``, ``height`` as rasterio has them."""

    def __init__(self, grid: dict) -> None:
        self.crs, self.transform = CRS.from_epsg(grid["epsg"]), Affine.from_gdal(*grid["transform"])
        self.width, self.height = grid["width"], grid["height"]

    def windows(self, side: int = 1024):
        """Windows that cover the grid, row by row.

        GDAL approximates a warp within the window (to an eighth of a pixel), so the side is part of the result.
        """
        for row in range(0, self.height, side):
            for column in range(0, self.width, side):
                yield Window(column, row, min(side, self.width - column), min(side, self.height - row))


class ItemBand:
    """Opened when the first window needs it. Fails with ``source.*``, the item and band named."""

    def __init__(self, client, item: dict, band_name: str, grid: Grid, resampling: str, driver: str, warn) -> None:
        self.item, self.band, self.said = item, item["bands"][band_name], f"{band_name} of {item['id']}"
        self._client, self._grid, self._driver, self._warn = client, grid, driver, warn
        self._resampling = Resampling.nearest if self.band["class_band"] else Resampling[resampling]
        self._remote = self._dataset = self._vrt = self._offset = self._nodata = self._other = None
        self._touches = (0, 0, 0, 0)

    @property
    def dtype(self) -> str:
        self._open()
        return self._dataset.dtypes[self.band["file_band"] - 1]

    def read(self, window: Window):
        """(DN, True where they hold data) of the window, both [row, column]; None where the item does not reach."""
        self._open()
        left, top, right, bottom = self._touches
        if window.col_off >= right or window.row_off >= bottom or window.col_off + window.width <= left or window.row_off + window.height <= top:
            return None
        if self._offset is not None:
            return self._copied(window)
        raw = self._pixels(self._vrt, self.band["file_band"], window)
        return raw, self._valid(raw, self._vrt, window)

    def close(self) -> None:
        for opened in (self._vrt, self._dataset):
            if opened is not None:
                opened.close()
        self._vrt = self._dataset = self._remote = None

    def _copied(self, window: Window):
        """The window from a file whose pixels lie on the grid: nothing is to be computed."""
        column, row = self._offset
        left, top = max(0, window.col_off - column), max(0, window.row_off - row)
        right = min(self._dataset.width, window.col_off + window.width - column)
        bottom = min(self._dataset.height, window.row_off + window.height - row)
        if left >= right or top >= bottom:
            return None
        source = Window(left, top, right - left, bottom - top)
        got = self._pixels(self._dataset, self.band["file_band"], source)
        place = (slice(top + row - window.row_off, bottom + row - window.row_off), slice(left + column - window.col_off, right + column - window.col_off))
        raw, valid = numpy.zeros((window.height, window.width), got.dtype), numpy.zeros((window.height, window.width), bool)
        raw[place], valid[place] = got, self._valid(got, self._dataset, source)
        return raw, valid

    def _pixels(self, dataset, band: int, window: Window, masks: bool = False) -> numpy.ndarray:
        try:
            raw = dataset.read_masks(band, window=window) if masks else dataset.read(band, window=window)
        except RasterioError as failure:
            if self._remote.failure:
                raise self._remote.failure from failure
            raise StepError("source.not_raster", f"{self.said} is damaged or cut off: choose another item or day") from failure
        if self._remote.failure:  # never zeros for what did not come
            raise self._remote.failure
        return raw

    def _valid(self, raw: numpy.ndarray, dataset, window: Window) -> numpy.ndarray:
        if self._nodata is None:
            own = dataset is self._dataset
            return self._pixels(dataset, self.band["file_band"] if own else dataset.count, window, masks=own) > 0
        valid = ~numpy.isnan(raw) if math.isnan(self._nodata) else raw != self._nodata
        return valid if self._other is None else valid & (raw != self._other)

    def _open(self) -> None:
        if self._vrt is not None:
            return
        self._remote = RemoteFile(self._client, self.band["href"], self.said, self._driver)
        self._dataset = open_remote(self._remote, f"item{next(NUMBERS)}.tif")
        self._check()
        self._nodata = self._known_nodata()
        self._offset = self._aligned()
        nodata = {"add_alpha": True} if self._nodata is None else {"src_nodata": self._nodata, "nodata": self._nodata}
        self._vrt = WarpedVRT(
            self._dataset, crs=self._grid.crs, transform=self._grid.transform, width=self._grid.width, height=self._grid.height,
            resampling=self._resampling, warp_mem_limit=WARP_MEGABYTES, **nodata,
        )  # fmt: skip
        self._touches = self._reach()

    def _aligned(self) -> tuple[int, int] | None:
        """Column and row of the grid where the file begins, if its pixels are the grid's own."""
        if self._dataset.crs != self._grid.crs:
            return None
        shift = ~self._grid.transform * self._dataset.transform
        column, row = round(shift.c), round(shift.f)
        same = shift.almost_equals(Affine(1, 0, column, 0, 1, row), precision=1e-6)
        return (column, row) if same else None

    def _check(self) -> None:
        dataset, index = self._dataset, self.band["file_band"]
        check_header(dataset, self.said, self._remote.size)
        rows, columns = dataset.block_shapes[0]
        if rows * columns * numpy.dtype(dataset.dtypes[0]).itemsize > MAX_BLOCK_BYTES:
            raise StepError("source.too_large", f"{self.said} is stored in blocks of {columns} x {rows} pixels: choose another item or day")
        if index > dataset.count:
            raise StepError("source.too_few_bands", f"{self.said} should be band {index} of a file that has {dataset.count}: choose another item")
        if dataset.crs is None or (dataset.transform.is_identity and (dataset.gcps[0] or dataset.rpcs)):
            # An item's own transform of such a file is made from its bbox, and wrong by kilometres.
            raise StepError(
                "source.no_geotransform", f"{self.said} lies in sensor geometry, placed by control points only: use a terrain-corrected collection"
            )
        if self.band["epsg"] not in (None, dataset.crs.to_epsg()):
            self._warn(f"{self.said}: the catalogue says EPSG:{self.band['epsg']}, the file {dataset.crs}: the file is right")

    def _known_nodata(self) -> float | None:
        """The catalogue's nodata, else the file's; None where only a mask or the file's edge says it."""
        dtype = numpy.dtype(self._dataset.dtypes[self.band["file_band"] - 1])
        said = (self.band["nodata"], self._dataset.nodatavals[self.band["file_band"] - 1])
        known = [float(one) for one in said if one is not None and (dtype.kind == "f" or _fits(float(one), dtype))]
        self._other = None
        if known:
            if len(known) == 2 and known[1] != known[0] and not math.isnan(known[1]):
                self._other = known[1]
                self._warn(f"{self.said}: the catalogue says nodata {known[0]:g}, the file {known[1]:g}: neither is data")
            return known[0]
        if MaskFlags.all_valid not in self._dataset.mask_flag_enums[self.band["file_band"] - 1]:
            return None
        return math.nan if dtype.kind == "f" else None

    def _reach(self) -> tuple[int, int, int, int]:
        """Columns and rows of the grid that the file may touch: left, top, right, bottom."""
        # Of its corners: a file may be turned, or have its first row in the south.
        wide, high = self._dataset.width, self._dataset.height
        xs, ys = zip(*(self._dataset.transform * corner for corner in ((0, 0), (wide, 0), (wide, high), (0, high))))
        bounds = transform_bounds(self._dataset.crs, self._grid.crs, min(xs), min(ys), max(xs), max(ys), densify_pts=21)
        if not all(map(math.isfinite, bounds)):
            return 0, 0, self._grid.width, self._grid.height
        west, south, east, north = bounds
        inverse = ~self._grid.transform
        corners = [inverse * corner for corner in ((west, north), (east, south))]
        (left, top), (right, bottom) = corners
        return math.floor(left) - 2, math.floor(top) - 2, math.ceil(right) + 2, math.ceil(bottom) + 2


def _fits(value: float, dtype: numpy.dtype) -> bool:
    return value.is_integer() and numpy.iinfo(dtype).min <= value <= numpy.iinfo(dtype).max


def bounds_of(grid: Grid) -> tuple[float, float, float, float]:
    """West, south, east, north in the grid's CRS."""
    return array_bounds(grid.height, grid.width, grid.transform)
