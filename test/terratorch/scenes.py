"""Seeded scenes of 13 bands for tiny-water, as Sentinel-2 L1C stores them: ``scenes.py folder`` writes them."""

import sys

import numpy
import rasterio
from rasterio.transform import from_origin

# name: (rows, columns, nodata): a whole number of windows, odd sizes with holes, and less than one window.
SCENES = {"even": (512, 512, None), "odd": (389, 300, 0), "small": (50, 60, None)}


def smooth(random: numpy.random.Generator, height: int, width: int, cell: int) -> numpy.ndarray:
    """[row, column] float64 in 0..1: random knots, joined by straight lines."""
    knots = random.random((height // cell + 2, width // cell + 2))
    rows, columns = numpy.arange(height) / cell, numpy.arange(width) / cell
    r, c = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r)[:, None], (columns - c)[None]
    top = knots[r][:, c] * (1 - fc) + knots[r][:, c + 1] * fc
    return top * (1 - fr) + (knots[r + 1][:, c] * (1 - fc) + knots[r + 1][:, c + 1] * fc) * fr


def scene(name: str) -> numpy.ndarray:
    """[band, row, column] uint16: water is dark in the infrared (bands 8, 11 and 12, counted from 0)."""
    height, width, nodata = SCENES[name]
    random = numpy.random.default_rng(list(name.encode()))
    wet = 1 / (1 + numpy.exp(-25 * (smooth(random, height, width, 40) - 0.5)))
    bands = []
    for band in range(13):
        land = (900 + 250 * band) * (0.7 + 0.6 * smooth(random, height, width, 17))
        water = max(1300 - 110 * band, 120) * (0.9 + 0.2 * random.random((height, width)))
        bands.append((land * (1 - wet) + water * wet).clip(1, 9999))
    made = numpy.stack(bands).astype("uint16")
    if nodata is not None:
        made[:, 100:140, 30:90] = nodata
        made[5, 200:203, 100:200] = nodata  # a band that the model does not read
        made[3, 300:302, 10:60] = nodata  # one that it reads
    return made


def main(folder: str) -> None:
    for name, (height, width, nodata) in SCENES.items():
        profile = {"driver": "GTiff", "count": 13, "height": height, "width": width, "dtype": "uint16", "nodata": nodata}
        place = {"crs": "EPSG:32630", "transform": from_origin(500000, 4500000, 10, 10)}
        with rasterio.open(f"{folder}/{name}_S2.tif", "w", **profile, **place) as file:
            file.write(scene(name))


if __name__ == "__main__":
    main(sys.argv[1])
