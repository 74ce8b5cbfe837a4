"""onnx-inference: the model input in, one prediction out, window by window.

Reads ``imputed_input_image`` (float32, bands of the spec), writes ``<stem>_pred.tif``: COG, int16
classes with nodata -1 (or float32 with nodata -9999 for a regression), CRS and transform kept.
Windows overlap; their outputs are averaged with a weight that falls to the window's rim.
"""

import os

import numpy
import onnxruntime
import rasterio
from rasterio.windows import Window

from geodag.program import StepError, run
from geodag.raster import write_cog


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


def predict(model, scene, p, log) -> numpy.ndarray:
    """Averaged outputs [channel, row, column] float32 over the whole scene."""
    tile, overlap = p["tile"], p["overlap"]
    mean = numpy.array(p["mean"], "float32")[:, None, None] if p["mean"] else numpy.float32(0)
    std = numpy.array(p["std"], "float32")[:, None, None] if p["std"] else numpy.float32(1)
    name, total, norm = model.get_inputs()[0].name, None, None
    windows = [(r, c) for r in starts(scene.height, tile, tile - overlap) for c in starts(scene.width, tile, tile - overlap)]
    blend = weight(tile, overlap, p["blend"])
    for first in range(0, len(windows), p["batch"]):
        group = windows[first : first + p["batch"]]
        x = numpy.stack([(_read(scene, r, c, tile) - mean) / std for r, c in group])
        try:
            y = model.run(None, {name: x})[0]
        except Exception as failure:
            raise StepError("model.bad_input", f"the model refuses [{', '.join(map(str, x.shape))}]: {failure}") from failure
        y = softmax(y) if p["activation"] == "softmax" else y
        if total is None:
            total = numpy.zeros((y.shape[1], scene.height, scene.width), "float32")
            norm = numpy.zeros((scene.height, scene.width), "float32")
        for (r, c), part in zip(group, y):
            h, w = min(tile, scene.height - r), min(tile, scene.width - c)
            total[:, r : r + h, c : c + w] += part[:, :h, :w] * blend[:h, :w]
            norm[r : r + h, c : c + w] += blend[:h, :w]
        log(f"window {min(first + p['batch'], len(windows))} of {len(windows)}")
    return total / norm


def _read(scene, row: int, column: int, tile: int) -> numpy.ndarray:
    """[band, tile, tile]; a scene smaller than the tile is mirrored at its rim."""
    h, w = min(tile, scene.height - row), min(tile, scene.width - column)
    x = scene.read(window=Window(column, row, w, h))
    while x.shape[1] < tile or x.shape[2] < tile:
        grow = [(0, 0)] + [(0, min(tile - n, max(n - 1, 0))) for n in x.shape[1:]]
        mode = "reflect" if min(x.shape[1:]) > 1 else "edge"
        x = numpy.pad(x, grow if mode == "reflect" else [(0, 0)] + [(0, tile - n) for n in x.shape[1:]], mode=mode)
    return x


def main(job) -> None:
    p = job.parameters
    source = job.read("imputed_input_image")
    model = session(os.path.join("/model", p["weights"]))
    with rasterio.open(source) as scene:
        expected = model.get_inputs()[0].shape[1]
        if isinstance(expected, int) and expected != scene.count:
            raise StepError("model.bad_input", f"the model takes {expected} bands, model_input_data_spec gives {scene.count}")
        scores = predict(model, scene, p, job.log)
        stem = os.path.splitext(os.path.basename(source))[0]
        valid = rasterio.open(os.path.join(job.inputs, "valid.tif")).read(1).astype(bool)
        if p["task"] == "segmentation":
            out, nodata = scores.argmax(axis=0).astype("int16"), -1
            out[~valid] = -1
            classes, counts = numpy.unique(out, return_counts=True)
            job.details = {"classes": {str(c): int(n) for c, n in zip(classes, counts)}}
        else:
            out, nodata = scores[0], -9999.0
            out[~valid] = nodata
        write_cog(job.write("model_output_image", f"{stem}_pred.tif"), out[None], scene, nodata, ["prediction"])
    job.log(f"prediction {job.details}")


if __name__ == "__main__":
    run(main, timeout_seconds=7200)
