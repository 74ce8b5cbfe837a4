"""Makes the demo's scene: 13 bands like Sentinel-2 L1C, uint16 reflectance x 1e4, EPSG:32630, 10 m.

``python3 make_scene.py OUT.tif [--seed 7] [--size 768] [--bands B02,B03,B04]``: the same seed gives
the same pixels; without bands all 13. Land cover with plausible spectra (vegetation, soil, town), a lake and a river, clouds and their shadows.
"""

import argparse

import numpy
import rasterio
from rasterio.transform import from_origin

BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
# Top-of-atmosphere reflectance x 1e4 in the order of BANDS.
SPECTRA = {
    "vegetation": [1150, 900, 850, 620, 1100, 2500, 3100, 3200, 3400, 1100, 15, 1700, 850],
    "soil": [1350, 1250, 1400, 1750, 2050, 2250, 2450, 2500, 2700, 900, 20, 3300, 2700],
    "town": [1700, 1650, 1700, 1800, 1950, 2100, 2250, 2300, 2400, 900, 25, 2500, 2250],
    "water": [1200, 950, 780, 480, 420, 330, 320, 290, 260, 120, 12, 120, 80],
    "cloud": [5600, 5400, 5300, 5400, 5500, 5700, 5800, 5800, 5900, 2600, 350, 4200, 3300],
}


def noise(rng, size: int, slope: float) -> numpy.ndarray:
    """Fractal noise [row, column], mean 0, deviation 1: a spectrum that falls as 1/f**slope."""
    frequency = numpy.hypot(numpy.fft.fftfreq(size)[:, None], numpy.fft.fftfreq(size)[None, :])
    frequency[0, 0] = 1
    spectrum = numpy.fft.fft2(rng.standard_normal((size, size))) / frequency**slope
    spectrum[0, 0] = 0
    field = numpy.fft.ifft2(spectrum).real
    return (field / field.std()).astype("float32")


def blend(base: numpy.ndarray, name: str, share: numpy.ndarray) -> numpy.ndarray:
    return base + (numpy.array(SPECTRA[name], "float32")[:, None, None] - base) * share[None]


def soft(field: numpy.ndarray, edge: float) -> numpy.ndarray:
    """0 below zero, 1 above ``edge``, straight between."""
    return numpy.clip(field / edge, 0, 1)


def scene(seed: int, size: int) -> numpy.ndarray:
    """[band, row, column] uint16."""
    return scene_and_clouds(seed, size)[0]


def scene_and_clouds(seed: int, size: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The scene, and the truth of its clouds: opacity 0 to 1 [row, column], known from the making."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:size, 0:size].astype("float32") / size
    relief = noise(rng, size, 1.8)
    image = numpy.repeat(numpy.array(SPECTRA["vegetation"], "float32")[:, None, None], size, 1).repeat(size, 2)
    image = blend(image, "soil", soft(noise(rng, size, 1.5), 0.8))
    blocks = numpy.kron(rng.random((size // 8 + 1, size // 8 + 1)), numpy.ones((8, 8)))[:size, :size]
    town = soft(0.11 - numpy.hypot(x - 0.75, y - 0.72) + 0.02 * relief, 0.03) * (0.55 + 0.45 * blocks)
    image = blend(image, "town", town.astype("float32"))
    image *= 1 + 0.05 * relief + 0.06 * noise(rng, size, 0.9)
    lake = 0.17 - numpy.hypot((x - 0.36) / 1.35, y - 0.42) + 0.03 * relief
    river = 0.008 - numpy.abs(y - 0.42 - 0.22 * (x - 0.36) - 0.04 * numpy.sin(9 * x)) + 0.001 * relief
    image = blend(image, "water", soft(numpy.maximum(lake, numpy.where(x > 0.36, river, -1)), 0.003))
    deck = noise(rng, size, 1.7) - 1.15
    deck *= numpy.where(lake > -0.02, 0.4, 1)
    shadow = numpy.roll(soft(deck, 0.5), (size // 28, -size // 24), (0, 1))
    image *= 1 - 0.55 * shadow[None]
    clouds = soft(deck, 0.5)
    image = blend(image, "cloud", clouds)
    image *= 1 + 0.012 * rng.standard_normal(image.shape, dtype="float32")
    return numpy.clip(numpy.rint(image), 1, 12000).astype("uint16"), clouds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--bands", default=",".join(BANDS), help="names by commas, in the file's order")
    given = parser.parse_args()
    names = given.bands.split(",")
    made = scene(given.seed, given.size)[[BANDS.index(name) for name in names]]
    with rasterio.open(
        given.out, "w", driver="GTiff", count=len(names), height=given.size, width=given.size, dtype="uint16", nodata=0,
        crs="EPSG:32630", transform=from_origin(600000, 4300000, 10, 10), tiled=True, compress="deflate",
    ) as target:
        target.write(made)
        target.descriptions = names
