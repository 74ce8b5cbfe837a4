"""Which pixels of a scene hold no value: its nodata, its mask, and what writers fill floats with."""

import math

import numpy
from rasterio.enums import ColorInterp, MaskFlags

from geodag.raster import read

NODATA = -9999.0
FLOAT_MAX = 3.4e38


class Source:
    """A scene that is read as float32, with what it has no data for.

    ``indexes`` count from 1; ``read_by_model`` are more of them that hold values, not a mask.
    """

    def __init__(self, scene, indexes: list[int], read_by_model=()) -> None:
        self.scene, self.indexes = scene, indexes
        self.nodata = None if scene.nodata is None or math.isnan(scene.nodata) else scene.nodata
        flags = scene.mask_flag_enums[indexes[0] - 1]
        # Many 4-band files call their near infrared alpha: a band that the model reads is no mask.
        alpha_used = any(scene.colorinterp[i - 1] == ColorInterp.alpha for i in {*indexes, *read_by_model})
        self.masked = MaskFlags.per_dataset in flags and not (MaskFlags.alpha in flags and alpha_used)

    def read(self, bands, window) -> numpy.ndarray:
        return read(self.scene, bands, window)

    def mask(self, window):
        """True where the file's own mask or alpha band hides the pixel; None without one."""
        return self.scene.read_masks(self.indexes[0], window=window) == 0 if self.masked else None

    def gaps(self, band: numpy.ndarray, hidden) -> numpy.ndarray:
        """True where float32 ``band`` [row, column] holds no value."""
        # Both ends of float32 are what writers fill with; the comparison is False for NaN too.
        gap = ~(numpy.abs(band) < FLOAT_MAX) | (band == NODATA)
        if self.nodata is not None:
            gap |= band == self.nodata
        return gap if hidden is None else gap | hidden
