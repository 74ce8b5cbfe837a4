"""The rolling strip: what it puts together is what the whole scene at once would give."""

import importlib.util
import os
import sys

import numpy
import pytest

HERE = os.path.dirname(__file__)
DEFAULTS = {"task": "regression", "overlap": 0, "batch": 4, "blend": "mean", "activation": "none", "mean": [], "std": []}


def field(number: int, value) -> bytes:
    """One field of a protobuf message: an int, or bytes."""
    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(operator: str, shape: list) -> bytes:
    """A model of one operator from ``x`` to ``y``; a name in ``shape`` is any size."""
    dimensions = b"".join(field(1, field(2, d.encode()) if isinstance(d, str) else field(1, d)) for d in shape)
    typed = field(2, field(1, field(1, 1) + field(2, dimensions)))
    node = field(1, b"x") + field(2, b"y") + field(4, operator.encode())
    result = field(2, field(1, field(1, 1)))
    graph = field(1, node) + field(2, b"g") + field(11, field(1, b"x") + typed) + field(12, field(1, b"y") + result)
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 13))


def infer(room, operator: str = "Identity", shape=("n", "c", "h", "w"), **parameters):
    path = room.folder / "model.onnx"
    path.write_bytes(onnx(operator, list(shape)))
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
    made = infer(room, tile=16, overlap=5, blend=blend, batch=batch).pixels("model_output_image")
    wanted = scene[0].copy()
    if size != (1, 1):
        assert made[0, 0, 0] == -9999
        wanted[0, 0] = -9999
    assert numpy.allclose(made[0], wanted, rtol=1e-6)


def test_the_strip_sums_as_the_whole_scene_did(room):
    spec = importlib.util.spec_from_file_location("onnx_main", os.path.join(HERE, "program/main.py"))
    sys.path.insert(0, os.path.join(HERE, "../../containers/raster"))
    main = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(main)
    scene = scene_of(room, 53, 61)
    made = infer(room, "Sin", tile=16, overlap=5, blend="ramp").pixels("model_output_image")[0]
    total, norm, blend = numpy.zeros((53, 61), "float32"), numpy.zeros((53, 61), "float32"), main.weight(16, 5, "ramp")
    for r in main.starts(53, 16, 11):
        for c in main.starts(61, 16, 11):
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
    "operator, shape, code",
    [
        ("Identity", ["n", 3, "h", "w"], "model.bad_input"),
        ("Identity", ["n", "c"], "model.bad_input"),
        ("Flatten", ["n", "c", "h", "w"], "model.bad_output"),
        ("NoSuchThing", ["n", "c", "h", "w"], "model.unreadable"),
    ],
)
def test_models_that_do_not_fit(room, operator, shape, code):
    scene_of(room, 20, 20)
    ran = infer(room, operator, shape, tile=16)
    assert ran.error["code"] == code and "Traceback" not in ran.log
