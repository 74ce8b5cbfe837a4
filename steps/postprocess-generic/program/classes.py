"""The prediction for eyes: a palette COG with class names, and how much of each class there is."""

import csv
import math
import os
import re
from xml.sax.saxutils import escape

import numpy

from areas import row_areas
from geodag.raster import cog, read, windows

PALETTE = [(69, 137, 255), (250, 77, 86), (36, 161, 72), (241, 194, 27), (165, 110, 255), (0, 157, 154)]
# What a mask writes into a prediction: name, colour, and its number in the palette raster, which has bytes only.
MASKS = {
    999: ("Cloud or shadow", (255, 255, 255), 253),
    998: ("Snow or ice", (186, 230, 255), 252),
    997: ("Permanent water", (17, 76, 160), 251),
    90: ("Masked by URL", (111, 111, 111), 250),
}
EMPTY = 255
LONGEST = 200  # of a label
MOST = 250


class Legend:
    """Label, colour and opacity of each value: the style's own, else ``Class n`` and a palette's colour."""

    def __init__(self, given: dict, masked: set[int], ramp: list[dict] | None = None) -> None:
        self.given, self.masked, self.stops = given, masked, ramp or []

    def is_mask(self, value: int) -> bool:
        return value in self.masked

    def label(self, value: int) -> str:
        if self.is_mask(value):
            return MASKS[value][0]
        # One line that XML, JSON and a picture can hold.
        said = re.sub(r"\s+", " ", re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", " ", self.given.get(str(value), {}).get("label") or ""))
        return said.strip()[:LONGEST] or f"Class {value}"

    def color(self, value: int) -> tuple[int, int, int]:
        if self.is_mask(value):
            return MASKS[value][1]
        given = self.given.get(str(value))
        if given:
            return tuple(given["rgb"])
        return (128, 128, 128) if value == 0 else PALETTE[(value - 1) % len(PALETTE)]

    def opacity(self, value: int) -> float:
        if self.is_mask(value):
            return 1.0
        given = self.given.get(str(value))
        return min(max(given["opacity"], 0.0), 1.0) if given else float(value > 0)

    def byte(self, value: int) -> int:
        return MASKS[value][2] if self.is_mask(value) else value


class Statistics:
    """Pixels and m² of each class of a class raster, or the spread of a continuous one; one pass by windows."""

    def __init__(self, raster, legend: "Legend") -> None:
        self.masked = sorted(legend.masked)
        self.discrete = numpy.dtype(raster.dtypes[0]).kind in "iu"
        self.areas = row_areas(raster)
        self.pixels: dict[int, int] = {}
        self.square_metres: dict[int, float] = {}
        self.many = False
        self.count, self.mean, self.squares, self.low, self.high = 0, 0.0, 0.0, math.inf, -math.inf
        for window in windows(raster, 1):
            array = read(raster, 1, window, "prediction")
            valid = raster.read_masks(1, window=window) > 0
            self._spread(array[valid])
            if self.discrete:
                self._classes(array, valid, int(window.row_off))

    def _classes(self, array: numpy.ndarray, valid: numpy.ndarray, row: int) -> None:
        values = numpy.unique(array[valid])
        if len(values) + len(self.pixels) > 4 * MOST:
            self.many = True
        if self.many:
            return
        for value in values.tolist():
            rows = numpy.count_nonzero((array == value) & valid, axis=1)
            self.pixels[value] = self.pixels.get(value, 0) + int(rows.sum())
            if self.areas is not None:
                found = float(rows @ self.areas[row : row + len(rows)])
                self.square_metres[value] = self.square_metres.get(value, 0.0) + found

    def _spread(self, values: numpy.ndarray) -> None:
        """Takes in the values of a window that are numbers, and no mask's (Chan, Golub and LeVeque 1983, merging of variances)."""
        values = values[numpy.isfinite(values) & ~numpy.isin(values, self.masked)].astype("float64")
        if not values.size:
            return
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        with numpy.errstate(over="ignore", invalid="ignore"):
            mean, count = values.mean(), self.count + values.size
            away = mean - self.mean
            self.squares += ((values - mean) ** 2).sum() + away * away * self.count * values.size / count
            self.mean, self.count = self.mean + away * values.size / count, count

    @property
    def classes(self) -> bool:
        """Whether these are few enough whole numbers to be classes."""
        return self.discrete and not self.many and len(self.pixels) <= MOST

    def table(self, legend: Legend) -> list[dict]:
        """One row a class in the order of their values; share is of the pixels with data."""
        whole = sum(self.pixels.values())
        return [
            {
                "value": value, "label": legend.label(value), "pixels": self.pixels[value],
                "share": round(self.pixels[value] / whole, 6),
                "area_km2": round(self.square_metres[value] / 1e6, 6) if value in self.square_metres else None,
            }
            for value in sorted(self.pixels)
        ]  # fmt: skip

    def spread(self) -> dict:
        """Of a raster of too many values for classes; without what is beyond the largest double."""
        if not self.count:
            return {"valid_pixels": 0}
        found = {"minimum": self.low, "maximum": self.high, "mean": float(self.mean), "stddev": float(numpy.sqrt(self.squares / self.count))}
        return {"valid_pixels": self.count, **{name: value for name, value in found.items() if math.isfinite(value)}}


def write_statistics(path: str, statistics: Statistics, legend: Legend) -> None:
    """Writes ``stats.csv``: value, label, pixels, share, area_km2; of a continuous raster its spread."""
    rows = statistics.table(legend) if statistics.classes else [statistics.spread()]
    names = list(rows[0]) if rows else ["value", "label", "pixels", "share", "area_km2"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def paintable(statistics: Statistics, legend: Legend) -> bool:
    """Whether every value has a number of its own in a byte."""
    return statistics.classes and all(legend.is_mask(value) or 0 <= value < MOST for value in statistics.pixels)


def write_classes(path: str, raster, statistics: Statistics, legend: Legend) -> None:
    """A byte COG with a colour table, nodata 255, and the class names beside it (.aux.xml) and in its metadata."""
    table = {EMPTY: (0, 0, 0, 0)}
    names = {}
    shown = sorted(statistics.pixels) + [int(key) for key in legend.given if key.isdigit() and int(key) < MOST]
    for value in sorted(set(shown)):
        table[legend.byte(value)] = (*legend.color(value), 255 if legend.opacity(value) > 0 else 0)
        names[legend.byte(value)] = legend.label(value)

    def finish(target) -> None:
        target.write_colormap(1, {value: table.get(value, (0, 0, 0, 0)) for value in range(256)})
        target.update_tags(1, **{f"CLASS_{value}": names[value] for value in sorted(names)})

    lookup = {value: legend.byte(value) for value in statistics.pixels if legend.byte(value) != value}
    with cog(path, raster, 1, "uint8", EMPTY, ["class"], finish=finish) as target:
        for window in windows(raster, 1):
            array = read(raster, 1, window, "prediction")
            out = numpy.where(raster.read_masks(1, window=window) > 0, array, EMPTY)
            for value, byte in lookup.items():
                out[array == value] = byte
            target.write(out.astype("uint8"), 1, window=window)
    with open(path + ".aux.xml", "w", encoding="utf-8") as file:
        file.write(_names(names))


def _names(names: dict[int, str]) -> str:
    """GDAL's own file of class names, which QGIS and gdalinfo read beside the raster."""
    said = "".join(f"<Category>{escape(names.get(value, ''))}</Category>" for value in range(max(names, default=-1) + 1))
    return f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{said}</CategoryNames></PAMRasterBand></PAMDataset>\n'


