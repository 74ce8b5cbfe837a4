"""Smooths a class raster: each pixel takes the class that most of its 3 x 3 neighbours have.

Works strip by strip, so that a full Sentinel-2 tile takes no more memory than a small scene.
"""

import argparse
import os

import numpy
import rasterio
from rasterio.windows import Window

ROWS = 512


def majority(padded: numpy.ndarray, nodata) -> numpy.ndarray:
    """[row, column] of classes, out of the same with a rim of one pixel."""
    rows, columns = padded.shape[0] - 2, padded.shape[1] - 2
    views = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
    classes, best = padded[1:-1, 1:-1], numpy.zeros((rows, columns), "uint8")
    smooth = classes.copy()
    for value in numpy.unique(padded):
        if value != nodata:
            votes = sum((view == value).astype("uint8") for view in views)
            smooth[votes > best] = value
            best = numpy.maximum(best, votes)
    return numpy.where(classes == nodata, classes, smooth)


def strip(source, row: int, rows: int) -> numpy.ndarray:
    """Rows ``row`` to ``row + rows`` with one more on each side; the raster's own edge is repeated."""
    above, below = min(row, 1), min(source.height - row - rows, 1)
    inner = source.read(1, window=Window(0, row - above, source.width, rows + above + below))
    return numpy.pad(inner, ((1 - above, 1 - below), (1, 1)), mode="edge")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    name = os.path.basename(arguments.input)
    with rasterio.open(arguments.input) as source:
        profile = {**source.profile, "driver": "GTiff", "compress": "deflate"}
        with rasterio.open(os.path.join(arguments.output, name), "w", **profile) as target:
            for row in range(0, source.height, ROWS):
                rows = min(ROWS, source.height - row)
                result = majority(strip(source, row, rows), source.nodata)
                target.write(result, 1, window=Window(0, row, source.width, rows))
    print("smoothed", name)
