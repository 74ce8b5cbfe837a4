"""onnx-inference: the model input in, one prediction out, window by window.

Reads ``imputed_input_image`` (float32, bands of the spec), writes ``<stem>_pred.tif``: COG, int16
classes with nodata -1 (or float32 with nodata -9999 for a regression), CRS and transform kept.
Windows overlap; their outputs are averaged with a weight that falls to the window's rim. What is held
is one row of windows, never the scene.
"""

import os

import numpy
import onnxruntime
import rasterio
from rasterio.windows import Window

from geodag.program import StepError, run
from geodag.raster import cog, open_scene, read


def starts(length: int, tile: int, stride: int) -> list[int]:
    """First pixels of the windows over ``length``; the last one ends at the rim."""
    if length <= tile:
        return [0]
    return sorted({min(i, length - tile) for i in range(0, length, stride)})


def weight(tile: int, overlap: int, blend: str) -> numpy.ndarray:
    """[row, column] weights in 0..1: flat, or a ramp over the overlap."""
    if blend == "mean" or overlap == 0:
        return numpy.ones((tile, tile), "float32")
    ramp = numpy.minimum((numpy.arange(tile) + 1) / (overlap + 1), 1)
    line = numpy.minimum(ramp, ramp[::-1]).astype("float32")
    return numpy.outer(line, line)


def session(path: str):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [p for p in wanted if p in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as failure:
        raise StepError("model.unreadable", f"the weights are not an ONNX model: {failure}") from failure


def softmax(logits: numpy.ndarray) -> numpy.ndarray:
    e = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def predict(model, scene, p, log):
    """Yields (first row, averaged outputs [channel, row, column] float32), top to bottom.

    Holds the rows of one row of windows: when the next row begins, what lies above it is complete.
    """
    tile, overlap = p["tile"], p["overlap"]
    mean = numpy.array(p["mean"], "float32")[:, None, None] if p["mean"] else numpy.float32(0)
    std = numpy.array(p["std"], "float32")[:, None, None] if p["std"] else numpy.float32(1)
    name, top, total, norm = model.get_inputs()[0].name, 0, None, None
    windows = [(r, c) for r in starts(scene.height, tile, tile - overlap) for c in starts(scene.width, tile, tile - overlap)]
    blend = weight(tile, overlap, p["blend"])
    for first in range(0, len(windows), p["batch"]):
        group = windows[first : first + p["batch"]]
        x = numpy.stack([(_read(scene, r, c, tile) - mean) / std for r, c in group])
        y = _run(model, name, x, p["activation"])
        if total is None:
            total = numpy.zeros((y.shape[1], min(tile, scene.height), scene.width), "float32")
            norm = numpy.zeros(total.shape[1:], "float32")
        for (r, c), part in zip(group, y):
            if r > top:
                yield top, total[:, : r - top] / norm[: r - top]
                _shift(total, r - top)
                _shift(norm, r - top)
                top = r
            h, w = min(tile, scene.height - r), min(tile, scene.width - c)
            total[:, :h, c : c + w] += part[:, :h, :w] * blend[:h, :w]
            norm[:h, c : c + w] += blend[:h, :w]
        log(f"window {min(first + p['batch'], len(windows))} of {len(windows)}")
    yield top, total / norm


def _shift(rows: numpy.ndarray, by: int) -> None:
    """Moves [..., row, column] up by ``by`` rows and clears what becomes free."""
    rows[..., :-by, :] = rows[..., by:, :]
    rows[..., -by:, :] = 0


def _run(model, name: str, x: numpy.ndarray, activation: str) -> numpy.ndarray:
    """[window, channel, row, column] of one batch. Fails with ``model.bad_input``, ``model.bad_output``."""
    try:
        y = model.run(None, {name: x})[0]
    except Exception as failure:
        if "bad_alloc" in str(failure) or "allocate memory" in str(failure):
            raise MemoryError from failure
        raise StepError("model.bad_input", f"the model refuses [{', '.join(map(str, x.shape))}]: {failure}") from failure
    if y.ndim != 4 or y.shape[0] != x.shape[0] or y.shape[2:] != x.shape[2:]:
        raise StepError(
            "model.bad_output", f"the model makes {list(y.shape)} of {list(x.shape)}: it must give [window, channel, row, column] of the same size"
        )
    return softmax(y) if activation == "softmax" else y


def _read(scene, row: int, column: int, tile: int) -> numpy.ndarray:
    """[band, tile, tile]; a scene smaller than the tile is mirrored at its rim."""
    h, w = min(tile, scene.height - row), min(tile, scene.width - column)
    x = read(scene, None, Window(column, row, w, h), "input")
    while x.shape[1] < tile or x.shape[2] < tile:
        grow = [(0, 0)] + [(0, min(tile - n, max(n - 1, 0))) for n in x.shape[1:]]
        mode = "reflect" if min(x.shape[1:]) > 1 else "edge"
        x = numpy.pad(x, grow if mode == "reflect" else [(0, 0)] + [(0, tile - n) for n in x.shape[1:]], mode=mode)
    return x


def bands_of(model) -> int | None:
    """Bands that the model takes; None when it takes any. Fails with ``model.bad_input``."""
    shape = model.get_inputs()[0].shape
    if len(shape) != 4:
        raise StepError("model.bad_input", f"the model takes {shape}: it must take [window, band, row, column]")
    return shape[1] if isinstance(shape[1], int) else None


def cache_bytes(path: str) -> int:
    """Two rows of blocks, which a row of windows may touch: with less, each block is decoded many times."""
    with rasterio.open(path) as scene:
        return min(max(256 << 20, 2 * scene.block_shapes[0][0] * (scene.width + 511) * scene.count * 4), 640 << 20)


def main(job) -> None:
    p = job.parameters
    source = job.read("imputed_input_image")
    model = session(os.path.join("/model", p["weights"]))
    expected = bands_of(model)
    mask = os.path.join(job.inputs, "valid.tif")
    if not os.path.isfile(mask):
        raise StepError("artifact.missing", "valid.tif is not among the inputs: give the whole folder that url-connector made")
    stem = os.path.splitext(os.path.basename(source))[0]
    dtype, nodata = ("int16", -1) if p["task"] == "segmentation" else ("float32", -9999.0)
    classes: dict[int, int] = {}
    with rasterio.Env(GDAL_CACHEMAX=cache_bytes(source)), open_scene(source, "input") as scene, open_scene(mask, "input") as valid:
        if expected not in (None, scene.count):
            raise StepError("model.bad_input", f"the model takes {expected} bands, model_input_data_spec gives {scene.count}")
        with cog(job.write("model_output_image", f"{stem}_pred.tif"), scene, 1, dtype, nodata, ["prediction"]) as target:
            for row, scores in predict(model, scene, p, job.log):
                window = Window(0, row, scene.width, scores.shape[1])
                out = scores.argmax(axis=0).astype(dtype) if dtype == "int16" else scores[0]
                out[read(valid, 1, window, "input") == 0] = nodata
                target.write(out, 1, window=window)
                if dtype == "int16":
                    for value, count in zip(*numpy.unique(out, return_counts=True)):
                        classes[int(value)] = classes.get(int(value), 0) + int(count)
    if dtype == "int16":
        job.details = {"classes": {str(value): classes[value] for value in sorted(classes)}}
    job.log(f"prediction {job.details}")


if __name__ == "__main__":
    run(main, timeout_seconds=7200)
