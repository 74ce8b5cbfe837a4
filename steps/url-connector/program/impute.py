"""Pixels without data, filled window by window to what the whole scene at once would give."""

import math

import numpy
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.fill import fillnodata
from rasterio.windows import Window

from geodag.raster import read, windows

NODATA = -9999.0
FLOAT_MAX = 3.4e38
REACH = 100
# GDAL's fill looks no farther than REACH + 1 pixels, so a window with this rim is filled exactly.
RIM = REACH + 2


class Source:
    """A scene that is read as float32, with what it has no data for."""

    def __init__(self, scene, indexes: list[int]) -> None:
        self.scene, self.indexes = scene, indexes
        self.nodata = None if scene.nodata is None or math.isnan(scene.nodata) else scene.nodata
        flags = scene.mask_flag_enums[indexes[0] - 1]
        # Many 4-band files call their near infrared alpha: a band that the model reads is no mask.
        alpha_used = any(scene.colorinterp[i - 1] == ColorInterp.alpha for i in indexes)
        self.masked = MaskFlags.per_dataset in flags and not (MaskFlags.alpha in flags and alpha_used)

    def read(self, bands, window) -> numpy.ndarray:
        return read(self.scene, bands, window)

    def mask(self, window):
        """True where the file's own mask or alpha band hides the pixel; None without one."""
        return self.scene.read_masks(self.indexes[0], window=window) == 0 if self.masked else None

    def gaps(self, band: numpy.ndarray, hidden) -> numpy.ndarray:
        """True where float32 ``band`` [row, column] holds no value."""
        gap = ~(band < FLOAT_MAX) | (band == NODATA) | (band == -numpy.inf)
        if self.nodata is not None:
            gap |= band == self.nodata
        return gap if hidden is None else gap | hidden


def fill(source: Source, index: int, window: Window, band: numpy.ndarray, gap: numpy.ndarray) -> None:
    """Fills ``band`` in place from valid pixels within 100 px, the window's neighbours' too; NaN where there is none."""
    band[gap] = numpy.nan
    rows, columns = numpy.flatnonzero(gap.any(axis=1)), numpy.flatnonzero(gap.any(axis=0))
    top, left = max(0, window.row_off + rows[0] - RIM), max(0, window.col_off + columns[0] - RIM)
    bottom = min(source.scene.height, window.row_off + rows[-1] + 1 + RIM)
    right = min(source.scene.width, window.col_off + columns[-1] + 1 + RIM)
    around = Window(int(left), int(top), int(right - left), int(bottom - top))
    values = source.read(index, around).astype("float32")
    empty = source.gaps(values, source.mask(around))
    if empty.all():
        return
    values[empty] = numpy.nan
    values = fillnodata(values, (~empty).astype("uint8"), max_search_distance=REACH)
    row, column = int(window.row_off + rows[0] - top), int(window.col_off + columns[0] - left)
    part = numpy.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    high, wide = gap[part].shape
    band[part][gap[part]] = values[row : row + high, column : column + wide][gap[part]]


def median(source: Source, index: int) -> numpy.float32:
    """What numpy.median says of the band's valid pixels, exactly, from two histograms of their 32 bits."""
    first = _histogram(source, index, None)
    count = int(first.sum())
    found = []
    for rank in ((count - 1) // 2, count // 2):
        high = int(numpy.searchsorted(numpy.cumsum(first), rank, side="right"))
        low = numpy.cumsum(_histogram(source, index, high))
        rest = rank - int(first[:high].sum())
        key = numpy.uint32(high << 16 | int(numpy.searchsorted(low, rest, side="right")))
        found.append((key ^ numpy.uint32(0x80000000) if key >> 31 else ~key).view("float32"))
    return numpy.array(found, "float32").mean()


def _histogram(source: Source, index: int, high: int | None) -> numpy.ndarray:
    """Counts of the keys' upper 16 bits, or of the lower 16 of those whose upper bits are ``high``."""
    counts = numpy.zeros(65536, "int64")
    for window in windows(source.scene, 1):
        band = source.read(index, window).astype("float32")
        keys = band[~source.gaps(band, source.mask(window))].view("uint32")
        # Flipped so, the bits of floats sort as the floats do.
        keys = numpy.where(keys >> 31, ~keys, keys | numpy.uint32(0x80000000))
        keys = keys >> 16 if high is None else keys[keys >> 16 == high] & 0xFFFF
        counts += numpy.bincount(keys, minlength=65536)
    return counts
