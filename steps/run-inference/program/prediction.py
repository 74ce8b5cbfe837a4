"""The server's raster as the prediction: fetched or decoded, on the scene's grid, its values said as classes."""

from __future__ import annotations

import base64
import binascii
import os

import numpy

from geodag.fetch import fetch
from geodag.program import StepError
from geodag.raster import cog, open_scene, read, windows

NO_CLASS = -1
NODATA = -9999.0
# TerraTorch's plugin writes class * 255 into a byte: 255, 254, 253 for classes 1, 2, 3.
LEAST_TIMES_255 = 129


def bad(message: str) -> StepError:
    return StepError("model.server_bad_answer", f"the model server's prediction {message}")


def save(answer: dict, path: str, p: dict, most: int, log) -> None:
    """Writes the raster of ``answer`` to ``path``. Fails with ``model.server_bad_answer``, ``_unreachable``, ``_forbidden``."""
    kind = answer["data_format"]
    if kind == "b64_json":
        try:
            data = base64.b64decode(answer["data"], validate=True)
        except (binascii.Error, ValueError) as failure:
            raise bad(f"is not base64 ({failure}): see to the server's plugin") from failure
        with open(path, "wb") as file:
            file.write(data)
    elif kind == "url":
        try:
            fetch(answer["data"], path, most, p["allow_private_hosts"], log)
        except StepError as failure:
            names = {"source.forbidden_host": "model.server_forbidden", "source.unreachable": "model.server_unreachable"}
            raise StepError(names.get(failure.code, "model.server_bad_answer"), f"the prediction's URL: {failure}") from failure
    else:
        raise bad(f"is a {kind[:40]} on its own machine: set inference.out_data_format to b64_json or url")


def write_prediction(job, path: str, like, valid, values: str) -> None:
    """``model_output_image``: int16 classes with nodata -1, or float32 with nodata -9999, where the scene has data.

    Fails with ``model.server_bad_answer`` where the raster does not lie on the scene's pixels.
    """
    try:
        raster = open_scene(path, "model")
    except StepError as failure:
        raise bad(f"cannot be read: {failure}") from failure
    with raster:
        if raster.shape != like.shape:
            raise bad(f"is {raster.width} x {raster.height} pixels, the scene {like.width} x {like.height}: it must give one for each")
        if raster.count != 1 and values != "numbers":
            raise bad(f"has {raster.count} bands: one of classes is expected; set inference.values: numbers for several")
        classes, lift = _how(job, raster, values)
        stem = os.path.splitext(os.path.basename(like.name))[0]
        target = job.write("model_output_image", f"{stem}_pred.tif")
        made = ("int16", NO_CLASS, ["prediction"]) if classes else ("float32", NODATA, [f"prediction {n}" for n in range(raster.count)])
        counted: dict[int, int] = {}
        # Written row by row over the same file as it is read from: small blocks of both are held.
        with cog(target, like, raster.count, *made) as out:
            for window in windows(raster, raster.count):
                out.write(_pixels(raster, valid, window, classes, lift, counted), window=window)
    if classes:
        job.details["classes"] = {str(value): counted[value] for value in sorted(counted)}


def _pixels(raster, valid, window, classes: bool, lift, counted: dict[int, int]) -> numpy.ndarray:
    pixels = read(raster, list(range(1, raster.count + 1)), window, "model")
    data = read(valid, 1, window, "input") != 0
    good = numpy.isfinite(pixels).all(axis=0) & data
    if _has_nodata(raster, classes):
        good &= (pixels != raster.nodata).all(axis=0)
    if not classes:
        return numpy.where(good, pixels, NODATA).astype("float32")
    known = numpy.where(good, pixels, 0)
    if known.min() < NO_CLASS or known.max() > 32767 or (known != numpy.round(known)).any():
        raise bad(f"holds {float(known.min()):g} to {float(known.max()):g}, no classes: set inference.values: numbers")
    found = numpy.where(good, lift(known.astype("int32")), NO_CLASS).astype("int16")
    for value, count in zip(*numpy.unique(found, return_counts=True)):
        counted[int(value)] = counted.get(int(value), 0) + int(count)
    return found


def _how(job, raster, values: str):
    """Whether the values are classes, and how a pixel becomes one."""
    same, byte = (lambda pixels: pixels), (lambda pixels: (256 - pixels) % 256)
    if values == "auto":
        whole = not raster.dtypes[0].startswith("float")
        values = ("times_255" if _times_255(raster) else "classes") if whole else "numbers"
        job.log(f"the prediction is {raster.dtypes[0]}, its values are read as {values}")
    if values == "times_255" and raster.dtypes[0] != "uint8":
        raise bad(f"is {raster.dtypes[0]}: inference.values times_255 is for bytes")
    job.details["values"] = values
    return values != "numbers", byte if values == "times_255" else same


def _has_nodata(raster, classes: bool) -> bool:
    """Whether its nodata is none of its values: TerraTorch's plugin declares 0, which is a class."""
    return raster.nodata is not None and numpy.isfinite(raster.nodata) and not (classes and raster.nodata == 0)


def _times_255(raster) -> bool:
    if raster.dtypes[0] != "uint8":
        return False
    found: set[int] = set()
    for window in windows(raster, 1):
        found |= set(numpy.unique(read(raster, 1, window, "model")).tolist())
    found -= {0, raster.nodata}
    return bool(found) and min(found) >= LEAST_TIMES_255
