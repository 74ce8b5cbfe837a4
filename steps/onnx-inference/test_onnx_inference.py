"""The rolling strip: what it puts together is what the whole scene at once would give."""

import numpy
import pytest
from onnx_graphs import one, saved

from geodag.inference.windows import plain

DEFAULTS = {"task": "regression", "tile": 16}


def infer(room, model=None, **parameters):
    path = saved(model or one("Identity"), room.folder / "model/model.onnx")
    # An absolute path stays what it is below /model.
    return room.run("onnx-inference", {**DEFAULTS, "weights": str(path), **parameters})


def scene_of(room, height: int, width: int, bands: int = 2) -> numpy.ndarray:
    scene = numpy.random.default_rng(5).integers(1, 200, (bands, height, width)).astype("uint8")
    scene[:, 0, 0] = 0
    room.tif("scene.tif", scene, nodata=0)
    return room.fetch("scene.tif", bands).pixels("imputed_input_image")


@pytest.mark.parametrize("size", [(1, 1), (5, 70), (70, 5), (64, 64), (53, 61)])
@pytest.mark.parametrize("blend", ["mean", "ramp"])
@pytest.mark.parametrize("batch", [1, 7])
def test_windows_come_together(room, size, blend, batch):
    scene = scene_of(room, *size) if size != (1, 1) else None
    if scene is None:
        room.tif("scene.tif", numpy.full((2, 1, 1), 7, "uint8"))
        scene = room.fetch("scene.tif", 2).pixels("imputed_input_image")
    made = infer(room, tile=16, overlap=5, blend=blend, batch=batch).pixels("model_output_image")[:1]
    wanted = scene[0].copy()
    if size != (1, 1):
        assert made[0, 0, 0] == -9999
        wanted[0, 0] = -9999
    assert numpy.allclose(made[0], wanted, rtol=1e-6)


def test_the_strip_sums_as_the_whole_scene_did(room):
    scene = scene_of(room, 53, 61)
    made = infer(room, one("Sin"), overlap=5, blend="ramp").pixels("model_output_image")[0]
    rows, columns = plain(53, 16, 5, "ramp"), plain(61, 16, 5, "ramp")
    blend = numpy.outer(rows.line, columns.line)
    total, norm = numpy.zeros((53, 61), "float32"), numpy.zeros((53, 61), "float32")
    for r in rows.starts:
        for c in columns.starts:
            total[r : r + 16, c : c + 16] += numpy.sin(scene[0, r : r + 16, c : c + 16]) * blend
            norm[r : r + 16, c : c + 16] += blend
    assert numpy.allclose(made.flat[1:], (total / norm).flat[1:], atol=1e-6)


def test_classes_are_counted_over_all_strips(room):
    scene = scene_of(room, 40, 33)
    ran = infer(room, tile=16, task="segmentation")
    wanted = scene.argmax(axis=0)
    wanted[0, 0] = -1
    assert numpy.array_equal(ran.pixels("model_output_image")[0], wanted)
    values, counts = numpy.unique(wanted, return_counts=True)
    assert ran.result["details"]["classes"] == {str(v): int(n) for v, n in zip(values, counts)}


@pytest.mark.parametrize(
    "model, code",
    [
        (one("Identity", ["n", 3, "h", "w"]), "model.bad_input"),
        (one("Identity", ["n", "c"]), "model.bad_input"),
        (one("Flatten"), "model.bad_output"),
        (one("NoSuchThing"), "model.unreadable"),
    ],
)
def test_models_that_do_not_fit(room, model, code):
    scene_of(room, 20, 20)
    ran = infer(room, model)
    assert ran.error["code"] == code and "Traceback" not in ran.log


def test_a_model_may_read_six_of_285_bands_or_all_of_them(room):
    scene = numpy.random.default_rng(3).integers(1, 200, (285, 70, 80)).astype("uint8")
    room.tif("scene.tif", scene)
    bands = [{"index": n, "band_name": f"B{n}", "scaling_factor": 1} for n in (280, 2, 30, 4, 5, 6)]
    room.fetch("scene.tif", bands)
    made = infer(room, tile=64, source_bands=[[band["index"] for band in bands]], nan_replace=0).pixels("model_output_image")
    assert numpy.array_equal(made, scene[[band["index"] for band in bands]])
    room.fetch("scene.tif", 285)
    inputs = [{"name": "x", "bands": list(range(285)), "select": [280, 1]}]
    assert numpy.allclose(infer(room, tile=64, inputs=inputs).pixels("model_output_image"), scene[[280, 1]])
