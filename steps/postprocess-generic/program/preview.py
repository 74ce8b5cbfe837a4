"""The picture of a task: the scene beside the scene with the prediction over it."""

import numpy
import rasterio
from PIL import Image

from geodag.raster import on_grid, read, same_grid

MAX_SIDE = 1024
PALETTE = [(69, 137, 255), (250, 77, 86), (36, 161, 72), (241, 194, 27), (165, 110, 255), (0, 157, 154)]


def stretch(rgb: numpy.ndarray) -> numpy.ndarray:
    """[3, row, column] to uint8 [row, column, 3], 2nd to 98th percentile of all bands together."""
    valid = rgb[rgb > -9999]
    low, high = numpy.percentile(valid, (2, 98)) if valid.size else (0, 1)
    scaled = (numpy.moveaxis(rgb, 0, -1) - low) / max(high - low, 1e-9)
    # Clouds stretch the range; the square root keeps the land below them visible.
    return (numpy.sqrt(numpy.clip(scaled, 0, 1)) * 255).astype("uint8")


def colored(array: numpy.ndarray, colors: dict) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(uint8 [row, column, 3], opacity [row, column]) of a class or continuous prediction."""
    image = numpy.zeros((*array.shape, 3), "uint8")
    opacity = numpy.zeros(array.shape, "float32")
    if array.dtype.kind == "f":
        low, high = numpy.nanpercentile(array[array > -9999], (2, 98)) if (array > -9999).any() else (0, 1)
        image[..., 0] = numpy.clip((array - low) / max(high - low, 1e-9), 0, 1) * 255
        opacity[array > -9999] = 0.8
        return image, opacity
    # Looked up by place, not class by class: a processor's raster may hold a million values.
    values, place = numpy.unique(array, return_inverse=True)
    table, share = numpy.zeros((len(values), 3), "uint8"), numpy.zeros(len(values), "float32")
    for i, value in enumerate(values.tolist()):
        given = colors.get(str(value))
        if given:
            table[i], share[i] = given["rgb"], given["opacity"] * 0.7
        elif value > 0:
            table[i], share[i] = PALETTE[(value - 1) % len(PALETTE)], 0.7
    return table[place].reshape(image.shape), share[place].reshape(array.shape)


def shrunk(dataset, bands, kind: str) -> numpy.ndarray:
    """The bands at no more than ``MAX_SIDE`` pixels a side, from the overviews where there are some."""
    step = max(1, -(-max(dataset.shape) // MAX_SIDE))
    return read(dataset, bands, None, kind, shape=tuple(-(-side // step) for side in dataset.shape))


def over_scene(prediction, scene, shape: tuple[int, int]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(prediction, whether it covers the pixel) [row, column] where the scene lies, warped from another grid."""
    if same_grid(prediction, scene):
        return shrunk(prediction, 1, "prediction"), numpy.True_
    with on_grid(prediction, scene, "prediction", shape=shape) as placed:
        return read(placed, 1, None, "prediction"), placed.dataset_mask() > 0


def write_preview(path: str, rgb: str | None, prediction, colors: dict) -> None:
    """Writes a PNG of at most 2 x 1024 x 1024 pixels."""
    if rgb is None:
        array, seen = shrunk(prediction, 1, "prediction"), True
        base = numpy.full((*array.shape, 3), 40, "uint8")
    else:
        with rasterio.open(rgb) as scene:
            base = stretch(shrunk(scene, [1, 2, 3], "source"))
            array, seen = over_scene(prediction, scene, base.shape[:2])
    image, opacity = colored(array, colors)
    if prediction.nodata is not None:
        opacity[array == prediction.nodata] = 0
    opacity[~numpy.broadcast_to(seen, opacity.shape)] = 0
    height, a = base.shape[0], opacity[..., None]
    over = (base * (1 - a) + image * a).astype("uint8")
    gap = numpy.full((height, 8, 3), 255, "uint8")
    Image.fromarray(numpy.concatenate([base, gap, over], axis=1)).save(path)
