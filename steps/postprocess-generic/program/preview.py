"""The picture of a task: the scene beside the scene with the prediction over it."""

import numpy
from PIL import Image

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
    for value in numpy.unique(array):
        given = colors.get(str(int(value)))
        if given:
            image[array == value], opacity[array == value] = given["rgb"], given["opacity"] * 0.7
        elif value > 0:
            image[array == value], opacity[array == value] = PALETTE[int(value - 1) % len(PALETTE)], 0.7
    return image, opacity


def write_preview(path: str, rgb, array: numpy.ndarray, nodata, colors: dict) -> None:
    """Writes a PNG of at most 2 x 1024 x 1024 pixels."""
    step = max(1, -(-max(array.shape) // MAX_SIDE))
    array = array[::step, ::step]
    base = stretch(rgb[:, ::step, ::step]) if rgb is not None else numpy.full((*array.shape, 3), 40, "uint8")
    image, opacity = colored(array, colors)
    if nodata is not None:
        opacity[array == nodata] = 0
    height, width = min(base.shape[0], image.shape[0]), min(base.shape[1], image.shape[1])
    base, image, a = base[:height, :width], image[:height, :width], opacity[:height, :width, None]
    over = (base * (1 - a) + image * a).astype("uint8")
    gap = numpy.full((height, 8, 3), 255, "uint8")
    Image.fromarray(numpy.concatenate([base, gap, over], axis=1)).save(path)
