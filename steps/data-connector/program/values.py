"""From stored numbers to values: the mask first, integers as integers, and what a band is kept as."""

from __future__ import annotations

import numpy

from geodag.program import StepError

FLOAT_NODATA = -9999.0
# Surface reflectance over dark water is some hundreds: so much of a scene at zero is a shift done twice.
MOST_BELOW = 0.05
BLUE = ("blue", "b02", "b2")


def is_plain(band: dict) -> bool:
    """Whether value = DN + whole number: then integers stay integers."""
    return band["scale"] == 1 and float(band["offset"]).is_integer()


def dtype_of(band: dict, stored: str) -> numpy.dtype:
    """What a band's values are kept as: uint8 for classes, integers as they are, else float32."""
    stored = numpy.dtype(stored)
    if band["class_band"] or (is_plain(band) and stored.kind in "ui" and stored.itemsize <= 2):
        return stored
    return numpy.dtype("float32")


def nodata_of(dtype: numpy.dtype) -> float:
    """0 where nothing is below it, as Sentinel-2 has it; else -9999."""
    return 0 if dtype.kind == "u" else -128 if dtype == "int8" else FLOAT_NODATA


def harmonised(raw: numpy.ndarray, valid: numpy.ndarray, band: dict, dtype: numpy.dtype, positive: bool) -> numpy.ndarray:
    """``raw`` DN as values of ``dtype``; only where ``valid`` they mean anything.

    DN + offset is computed in int32: 700 - 1000 in uint16 is 65236. A valid pixel never becomes the
    nodata 0. ``positive`` values (linear power, to be decibels) of 0 or less lose their validity.
    """
    if band["class_band"]:
        values = raw
    elif is_plain(band) and raw.dtype.kind in "ui" and raw.dtype.itemsize <= 2:
        values = raw.astype("int32") + int(band["offset"]) if band["offset"] else raw
    else:
        values = (raw.astype("float64") * band["scale"] + band["offset"]).astype("float32")
    if values.dtype.kind == "f":
        valid &= numpy.isfinite(values)
    if positive:
        valid &= values > 0
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    limits = numpy.iinfo(dtype)
    low = 1 if dtype.kind == "u" and not band["class_band"] else limits.min
    if values.dtype.kind == "f":
        values = numpy.nan_to_num(numpy.rint(values))
    return numpy.clip(values, low, limits.max).astype(dtype)


class ShiftGuard:
    """Counts what an offset pushes below 1 in the blue band, where a shift done twice shows first.

    Collection 1 of Sentinel-2 always holds the offset, so darkness there is darkness.
    """

    def __init__(self, band_name: str) -> None:
        self._watched, self._below, self._seen = band_name.lower() in BLUE, {}, {}

    def see(self, item: dict, band: dict, raw: numpy.ndarray, valid: numpy.ndarray) -> None:
        if self._watched and band["offset"] < 0 and is_plain(band) and "-c1-" not in item["collection"]:
            key = item["id"]
            self._below[key] = self._below.get(key, 0) + int(numpy.count_nonzero(valid & (raw.astype("int32") + int(band["offset"]) < 1)))
            self._seen[key] = self._seen.get(key, 0) + int(numpy.count_nonzero(valid))

    def check(self) -> None:
        """Fails with ``source.offset_applied``."""
        for key, seen in self._seen.items():
            if self._below[key] > MOST_BELOW * seen:
                raise StepError(
                    "source.offset_applied",
                    f"{key}: {self._below[key]} of {seen} blue pixels would fall below 1 by the catalogue's offset: "
                    "it seems applied in the file already; choose another item, or tell the catalogue's owner",
                )
