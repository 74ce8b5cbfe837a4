"""The picture of a task: the scene beside the scene with the prediction over it, and what the colours mean."""

import numpy
import rasterio
from PIL import Image

from footer import draw_footer
from geodag.raster import on_grid, read, same_grid

MAX_SIDE = 1024
# A scene of a few pixels is shown large, each pixel as a square.
MIN_SIDE = 400
GAP = 8
THIN = 24


def stretch(rgb: numpy.ndarray) -> numpy.ndarray:
    """[3, row, column] to uint8 [row, column, 3], 2nd to 98th percentile of all bands together; white without data."""
    low, high = ends(rgb, rgb > -9999)
    scaled = share_of(numpy.moveaxis(rgb, 0, -1), low, high)
    # Clouds stretch the range; the square root keeps the land below them visible.
    image = (numpy.sqrt(numpy.clip(scaled, 0, 1)) * 255).astype("uint8")
    # Black would look like deep water or shadow.
    image[(rgb <= -9999).any(0)] = 255
    return image


def ends(array: numpy.ndarray, valid: numpy.ndarray) -> tuple[float, float]:
    """2nd and 98th percentile of the values that are numbers, float64."""
    values = array[valid & numpy.isfinite(array)].astype("float64")
    low, high = numpy.percentile(values, (2, 98)) if values.size else (0, 1)
    return float(low), float(high)


def share_of(array: numpy.ndarray, low: float, high: float) -> numpy.ndarray:
    """float64, how far from ``low`` to ``high``, which lie at 0 and 1; the middle where they are one value."""
    if high <= low:
        return numpy.full(array.shape, 0.5)
    with numpy.errstate(over="ignore", invalid="ignore"):  # halves: the way between the ends of what floats hold is longer than either
        return (array.astype("float64") / 2 - low / 2) / (high / 2 - low / 2)


def graded(values: numpy.ndarray, stops: list[dict]) -> numpy.ndarray:
    """uint8 [value, 3]: the colours between a style's stops, which ascend; beyond them those of the ends."""
    places, colors = [stop["value"] for stop in stops], numpy.array([stop["rgb"] for stop in stops])
    return numpy.stack([numpy.interp(values, places, colors[:, channel]) for channel in range(3)], -1).astype("uint8")


def painted(array: numpy.ndarray, valid: numpy.ndarray, legend) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(uint8 [row, column, 3], opacity [row, column]) of a class or continuous prediction."""
    image = numpy.zeros((*array.shape, 3), "uint8")
    if array.dtype.kind == "f":
        valid = valid & numpy.isfinite(array)
        marks = valid & numpy.isin(array, sorted(legend.masked))
        if legend.stops:
            image[valid] = graded(array[valid], legend.stops)
        else:
            share = share_of(array, *ends(array, valid & ~marks))
            image[valid] = ramp(share[valid])
        for value in legend.masked:
            image[marks & (array == value)] = legend.color(value)
        return image, numpy.where(valid, 0.8, 0).astype("float32")
    # Looked up by place, not class by class: a processor's raster may hold a million values.
    values, place = numpy.unique(array, return_inverse=True)
    table, share = numpy.zeros((len(values), 3), "uint8"), numpy.zeros(len(values), "float32")
    for i, value in enumerate(values.tolist()):
        table[i], share[i] = legend.color(value), legend.opacity(value) * 0.7
    return table[place].reshape(image.shape), numpy.where(valid, share[place].reshape(array.shape), 0)


def ramp(share: numpy.ndarray) -> numpy.ndarray:
    """uint8 [..., 3]: black at 0, red at 1."""
    colors = numpy.zeros((*share.shape, 3), "uint8")
    colors[..., 0] = numpy.nan_to_num(share).clip(0, 1) * 255
    return colors


def shrunk(dataset, bands, kind: str) -> numpy.ndarray:
    """The bands at no more than ``MAX_SIDE`` pixels a side, from the overviews where there are some."""
    step = max(1, -(-max(dataset.shape) // MAX_SIDE))
    return read(dataset, bands, None, kind, shape=tuple(-(-side // step) for side in dataset.shape))


def placed(prediction, like, shape: tuple[int, int]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(prediction, whether it has data) [row, column] where ``like`` lies, warped from another grid."""
    if same_grid(prediction, like):
        return shrunk(prediction, 1, "prediction"), prediction.read_masks(1, out_shape=shape) > 0
    with on_grid(prediction, like, "prediction", shape=shape) as warped:
        return read(warped, 1, None, "prediction"), warped.dataset_mask() > 0


def write_preview(path: str, rgb: str | None, prediction, legend, statistics, date: str | None) -> None:
    """Writes a PNG of two panels of at most 1024 pixels a side, over a footer with legend, scale bar, north arrow and date."""
    if rgb is None:
        shape = shrunk(prediction, 1, "prediction").shape
        base, like = numpy.full((*shape, 3), 40, "uint8"), prediction
        array, valid = placed(prediction, prediction, shape)
    else:
        with rasterio.open(rgb) as like:
            base = stretch(shrunk(like, [1, 2, 3], "source"))
            array, valid = placed(prediction, like, base.shape[:2])
    image, opacity = painted(array, valid, legend)
    a = opacity[..., None]
    over = (base * (1 - a) + image * a).astype("uint8")
    factor = max(1, MIN_SIDE // max(base.shape[:2]))
    # A scene that is long and thin is shown thicker than it is, so that it is seen.
    down, along = (max(factor, -(-THIN // side)) for side in base.shape[:2])
    panels = [panel.repeat(down, 0).repeat(along, 1) for panel in (base, over)]
    height, width = panels[0].shape[:2]
    step = like.width / width  # pixels of the raster to one of the picture
    footer = draw_footer(max(2 * width + GAP, 420), like, step, legend, statistics, date, ends(array, valid & ~numpy.isin(array, sorted(legend.masked))))
    canvas = Image.new("RGB", (footer.width, height + footer.height), "white")
    canvas.paste(Image.fromarray(panels[0]), (0, 0))
    canvas.paste(Image.fromarray(panels[1]), (width + GAP, 0))
    canvas.paste(footer, (0, height))
    canvas.save(path)
