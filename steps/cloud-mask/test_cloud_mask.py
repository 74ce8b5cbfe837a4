"""The cloud mask's own part: grid, units and values, by a graph of six bands made here; the model itself is run by the system tests."""

import numpy
import onnx
import pytest
import rasterio
from onnx import TensorProto, helper
from rasterio.transform import from_origin


def graph(path) -> None:
    """Three scores: clear 0.5, cloud the blue band, shadow 0."""
    six = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6, "h", "w"])
    three = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])
    ints = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in (("a", 0), ("b", 1), ("c", 1))]
    nodes = [
        helper.make_node("Slice", ["x", "a", "b", "c"], ["blue"]),
        helper.make_node("Mul", ["blue", "zero"], ["none"]),
        helper.make_node("Add", ["none", "half"], ["clear"]),
        helper.make_node("Concat", ["clear", "blue", "none"], ["y"], axis=1),
    ]
    consts = ints + [helper.make_tensor("zero", TensorProto.FLOAT, [1], [0]), helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5])]
    model = helper.make_model(helper.make_graph(nodes, "g", [six], [three], consts), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def masked(monkeypatch, room, values, pixel: float = 10, bands=(0, 1, 2, 3, 4, 5), gap=None):
    """What the step makes of a model input [band, row, column]."""
    place = from_origin(500000, 4500000, pixel, pixel)
    room.tif("s_imputed.tif", values.astype("float32"), transform=place)
    valid = numpy.ones((1, *values.shape[1:]), "uint8")
    if gap:
        valid[0][gap] = 0
    room.tif("valid.tif", valid, transform=place)
    room.artifacts = {"imputed_input_image": "s_imputed.tif"}
    model = room.folder / "model"
    model.mkdir(exist_ok=True)
    graph(model / "cloud-test.onnx")
    monkeypatch.setenv("GEODAG_MODEL", str(model))
    block = {"tile": 32, "overlap": 0, "batch": 1, "mean": [0.0] * 6, "std": [1.0] * 6, "weights": "cloud-test.onnx"}
    return room.run("cloud-mask", {"bands": list(bands), **block})


def test_clouds_at_about_30_m_on_whole_multiples_of_the_scenes_pixels(monkeypatch, room):
    values = numpy.full((7, 60, 61), 0.1, "float32")
    values[6, 30:60, 30:60] = 0.9  # blue is the last band here
    ran = masked(monkeypatch, room, values, bands=(6, 1, 2, 3, 4, 5), gap=numpy.s_[0:3, 0:3])
    assert ran.result["status"] == "FINISHED", ran.error
    with rasterio.open(ran.path("cloud_mask_image")) as raster:
        found = raster.read(1)
        assert raster.res == (30, 30) and raster.shape == (20, 21) and raster.nodata == 255
    wanted = numpy.zeros((20, 21), "uint8")
    wanted[10:20, 10:20], wanted[0, 0] = 1, 255
    assert numpy.array_equal(found, wanted) and ran.result["details"]["classes"] == {"0": 319, "1": 100, "2": 0}


@pytest.mark.parametrize("pixel", [30, 60])
def test_a_scene_of_30_m_and_more_keeps_its_pixels(monkeypatch, room, pixel):
    ran = masked(monkeypatch, room, numpy.full((6, 40, 40), 0.1), pixel)
    assert ran.pixels("cloud_mask_image").shape == (1, 40, 40)


def test_what_is_no_reflectance_is_named_with_the_cure(monkeypatch, room):
    ran = masked(monkeypatch, room, numpy.full((6, 40, 40), 1500.0))
    assert ran.error["code"] == "mask.not_reflectance" and "scaling_factor 0.0001" in ran.error["message"]
