"""``blend: terratorch``: held against its tiled_inference written out for a whole scene in memory."""

import numpy
import onnx
import pytest
from onnx_graphs import FREE, graph, one
from onnx_scenes import Scene, noise

from geodag.inference.windows import terratorch

TILING = {"h": 16, "w": 16, "h_stride": 12, "w_stride": 12, "delta": 8, "average": True, "blend": True, "padding": "reflect", "batch": 3}


def model_of(rows: int = 16):
    """Says where in its window each pixel lay, so that every shift of a window shows: x times a ramp."""
    place = (numpy.arange(rows)[:, None] * 0.1 + numpy.arange(16) * 0.03).astype("float32")
    return graph([("Mul", ["x", "place"], ["y"], {})], {"x": ["n", "c", rows, 16]}, FREE, {"place": place}), place


def tiled(x, place, t):
    """terratorch 1.2.11, tiled_inference.py: pad by delta, cut, drop delta, weigh, divide."""
    d, tile = min(t["delta"], (t["h"] - t["h_stride"]) // 2), t["h"]
    padded = numpy.pad(x, [(0, 0), (d, d), (d, d)], mode="reflect")
    H, W = padded.shape[1:]
    rows, columns = ([*range(0, n - tile - 1, t["h_stride"]), n - tile] for n in (H, W))
    windows = [(r, columns[-1]) for r in rows[:-1]] + [(rows[-1], c) for c in columns[:-1]] + [(rows[-1], columns[-1])]
    windows += [(r, c) for r in rows[:-1] for c in columns[:-1]]
    over = min(tile // 2, tile - t["h_stride"]) - d
    line = numpy.ones(tile - 2 * d, "float32")
    if over:
        fall = numpy.cos(numpy.pi * (numpy.arange(over) + 1) / (over + 1)) / 2 + 0.5
        line[:over], line[-over:] = fall[::-1], fall
    weight = numpy.outer(line, line) + 1e-6 if t["blend"] else numpy.ones((tile - 2 * d,) * 2)
    total, norm = numpy.zeros(padded.shape), numpy.zeros((H, W))
    for r, c in windows:
        at = numpy.s_[..., r + d : r + tile - d, c + d : c + tile - d]
        y = (padded[:, r : r + tile, c : c + tile] * place)[:, d : tile - d, d : tile - d]
        total[at] = total[at] + y * weight if t["average"] else y
        norm[at] += weight
    inner = numpy.s_[..., d : H - d, d : W - d]
    with numpy.errstate(invalid="ignore"):
        return total[inner] / norm[inner] if t["average"] else total[inner]


@pytest.mark.parametrize("size", [(17, 17), (24, 26), (40, 53), (16, 90), (39, 28)])
@pytest.mark.parametrize("change", [{}, {"delta": 1}, {"average": False}, {"blend": False}])
def test_windows_are_laid_and_blended_as_terratorch_does(tmp_path, size, change):
    model, place = model_of()
    x, t = noise(2, *size), {**TILING, **change}
    made = Scene(tmp_path, x).prediction(model, tiling=t, task="regression")
    assert numpy.allclose(made, tiled(x, place, t), atol=1e-5)


def test_a_row_that_terratorch_leaves_without_value_has_one(tmp_path):
    model, place = model_of()
    x = noise(1, 25, 40)  # 25 + 2 * 2 - 16 = 13: windows at 0 and 13, each giving 12 rows
    wanted = tiled(x, place, TILING)
    assert numpy.isnan(wanted[0, 12]).all() and not numpy.isnan(wanted[0, 13]).any()
    made = Scene(tmp_path, x).prediction(model, tiling=TILING, task="regression")
    assert numpy.isfinite(made).all() and (made != -9999).all()
    assert numpy.allclose(numpy.delete(made, 12, 1), numpy.delete(wanted, 12, 1), atol=1e-5)


@pytest.mark.parametrize("size", [(9, 11), (16, 16), (3, 60), (60, 3), (1, 40)])
def test_small_scenes_are_mirrored_at_the_rim(tmp_path, size):
    x = noise(1, *size)
    made = Scene(tmp_path, x).prediction(one("Identity", ["n", 1, 16, 16]), tiling=TILING, task="regression")
    assert numpy.allclose(made, x, atol=1e-5)


def test_a_scene_within_the_window_lies_in_its_centre(tmp_path):
    model, place = model_of()
    x = noise(1, 9, 11)
    made = Scene(tmp_path, x).prediction(model, tiling=TILING, task="regression")
    assert numpy.allclose(made[0], x[0] * place[3:12, 2:13], atol=1e-6)


def test_runtime_json_beside_the_graph_is_what_it_is_run_by(tmp_path):
    model, place = model_of()
    x = noise(3, 40, 30, 0, 4000)
    runtime = {
        "format": 1, "task": "regression", "joined": False, "nan_replace": 0.0, "temporal": False, "frames": 1, "coords": [],
        "inputs": [{"name": "x", "bands": ["A", "B", "C"], "select": [2, 0], "scale": 1e-3, "mean": [1, 2], "std": [2, 4], "suffix": None}],
        "tiling": TILING, "tile": [16, 16], "batch": None, "output_on_inference": "prediction", "classes": None, "num_classes": 1,
    }  # fmt: skip
    scene = Scene(tmp_path, x)
    picked = (x[[2, 0]] * numpy.float32(1e-3) - [[[1]], [[2]]]) / [[[2]], [[4]]]
    assert numpy.allclose(scene.prediction(model, runtime), tiled(picked, place, TILING), atol=1e-5)
    assert scene.failure(model, "{").code == "model.bad_runtime"
    failure = scene.failure(model, {**runtime, "tiling": {**TILING, "h": 20}})
    assert failure.code == "model.bad_input" and "20 x 16" in str(failure)


def test_a_bound_batch_of_one_window(tmp_path):
    model, place = model_of()
    model.graph.input[0].type.tensor_type.shape.dim[0].CopyFrom(onnx.TensorShapeProto.Dimension(dim_value=1))
    x = noise(1, 40, 53)
    details, made = Scene(tmp_path, x).run(model, tiling=TILING, task="regression")
    assert details["batch"] == 1 and numpy.allclose(made["model_output_image"], tiled(x, place, TILING), atol=1e-5)


def test_every_pixel_of_any_length_is_covered():
    for tile, stride in ((16, 12), (16, 16), (16, 8), (64, 48)):
        delta = min(8, (tile - stride) // 2)
        for length in range(1, 200):
            axis = terratorch(length, tile, stride, delta)
            covered = numpy.zeros(length, int)
            for k in range(len(axis.starts)):
                covered[axis.span(k)] += 1
                assert axis.pixels(k).min() >= 0 and axis.pixels(k).max() < length
            assert covered.min() > 0, (tile, stride, length)


