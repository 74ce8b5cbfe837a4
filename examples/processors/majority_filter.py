"""Smooths a class raster: each pixel takes the class that most of its 3 x 3 neighbours have."""

import argparse
import os

import numpy
import rasterio


def majority(classes: numpy.ndarray, nodata) -> numpy.ndarray:
    padded = numpy.pad(classes, 1, mode="edge")
    rows, columns = classes.shape
    views = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
    values = [v for v in numpy.unique(classes) if v != nodata]
    votes = numpy.stack([sum((view == v).astype("uint8") for view in views) for v in values])
    smooth = numpy.array(values, classes.dtype)[votes.argmax(axis=0)]
    return numpy.where(classes == nodata, classes, smooth)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    with rasterio.open(arguments.input) as source:
        result, profile = majority(source.read(1), source.nodata), source.profile
    profile.update(driver="GTiff", compress="deflate")
    with rasterio.open(os.path.join(arguments.output, os.path.basename(arguments.input)), "w", **profile) as target:
        target.write(result, 1)
    print("smoothed", os.path.basename(arguments.input))
