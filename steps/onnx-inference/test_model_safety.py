"""What a stranger's model may not do, what it is told, and what it costs."""

import os

import numpy
import pytest
from onnx import TensorProto, helper
from onnx_graphs import FREE, graph, one, saved
from onnx_scenes import Scene, noise

from geodag.inference.graph import inspect
from geodag.inference.scene import Rows
from geodag.inference.session import providers
from geodag.program import StepError


def beside(location: str, length: int = 8):
    """y = x + w, with w [2, 1, 1] in a file of its own."""
    model = graph([("Add", ["x", "w"], ["y"], {})], {"x": FREE}, FREE, {"w": numpy.zeros((2, 1, 1), "float32")})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": 0, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model


def test_tensors_beside_the_graph_are_used(tmp_path):
    x, scene = noise(2, 20, 20), Scene(tmp_path, noise(2, 20, 20))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx.data").write_bytes(numpy.array([5, -5], "float32").tobytes())
    model = beside("model.onnx.data").SerializeToString()
    (tmp_path / "model/model.onnx").write_bytes(model)
    made = scene.prediction(str(tmp_path / "model/model.onnx"), tile=16, task="regression")
    assert numpy.allclose(made, x + [[[5]], [[-5]]])


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "sub/../../secret", "", "link", "missing.data"])
def test_tensors_elsewhere_are_refused_before_anything_is_read(tmp_path, location):
    scene = Scene(tmp_path, noise(2, 20, 20))
    (tmp_path / "secret").write_bytes(b"12345678")
    (tmp_path / "model").mkdir()
    os.symlink("../secret", tmp_path / "model/link")
    (tmp_path / "model/model.onnx").write_bytes(beside(location).SerializeToString())
    failure = scene.failure(str(tmp_path / "model/model.onnx"), tile=16)
    assert failure.code == "model.external_data" and "12345678" not in str(failure)


def test_a_data_file_that_is_cut_off_is_named(tmp_path):
    (tmp_path / "w.data").write_bytes(b"1234")
    (tmp_path / "model.onnx").write_bytes(beside("w.data").SerializeToString())
    with pytest.raises(StepError, match="bytes 0 to 8 of w.data, which has 4"):
        inspect(str(tmp_path / "model.onnx"))


def test_an_operator_of_a_strangers_library_is_refused(tmp_path):
    node = helper.make_node("Steal", ["x"], ["y"], domain="evil.corp", name="n1")
    model = one("Identity")
    model.graph.node[0].CopyFrom(node)
    model.opset_import.append(helper.make_opsetid("evil.corp", 1))
    failure = Scene(tmp_path, noise(2, 20, 20)).failure(model, tile=16)
    assert failure.code == "model.custom_op" and "evil.corp" in str(failure)


def test_an_operator_hidden_in_a_branch_is_seen(tmp_path):
    node = helper.make_node("Steal", [], ["b"], domain="evil.corp")
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)])
    model = graph([("If", ["c"], ["y"], {"then_branch": branch, "else_branch": branch})], {"c": [1]}, FREE)
    with pytest.raises(StepError, match="evil.corp"):
        inspect(str(saved(model, tmp_path / "model.onnx")))


def test_a_function_that_the_model_brings_itself_is_no_strangers(tmp_path):
    own = helper.make_function("own", "F", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    model = one("Identity")
    model.graph.node[0].CopyFrom(helper.make_node("F", ["x"], ["y"], domain="own"))
    model.functions.append(own)
    model.opset_import.append(helper.make_opsetid("own", 1))
    x = noise(2, 20, 20)
    assert numpy.allclose(Scene(tmp_path, x).prediction(model, tile=16, task="regression"), -x)


def test_a_tensor_of_ten_gigabytes_that_is_not_there(tmp_path):
    model = graph([("Add", ["x", "w"], ["y"], {})], constants={"w": numpy.float32(0)})
    model.graph.initializer[0].dims.extend([50_000, 50_000])
    failure = Scene(tmp_path, noise(2, 20, 20)).failure(model, tile=16)
    assert failure.code == "model.unreadable" and "10000000000 bytes" in str(failure)


def test_a_tensor_of_many_gigabytes_is_told_with_numbers(tmp_path):
    model, scene = beside("w.data", 200_000_000_000), Scene(tmp_path, noise(2, 20, 20))
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([50_000_000_000])
    (tmp_path / "model").mkdir()
    with open(tmp_path / "model/w.data", "wb") as file:
        file.truncate(200_000_000_000)
    (tmp_path / "model/model.onnx").write_bytes(model.SerializeToString())
    failure = scene.failure(str(tmp_path / "model/model.onnx"), tile=16)
    assert failure.code == "model.memory" and "the model 420000 MB" in str(failure)


@pytest.mark.parametrize("data", [b"", b"hello world", b"\x08\x08", b"\xff" * 400, bytes(100)])
def test_bytes_that_are_no_model(tmp_path, data):
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(StepError) as failure:
        inspect(str(tmp_path / "model.onnx"))
    assert failure.value.code == "model.unreadable"


def test_every_cut_of_a_model_is_an_error_with_a_name(tmp_path):
    whole = graph([("Add", ["x", "w"], ["y"], {})], constants={"w": numpy.ones((2, 1, 1), "float32")}).SerializeToString()
    for length in range(len(whole)):
        (tmp_path / "model.onnx").write_bytes(whole[:length])
        try:
            inspect(str(tmp_path / "model.onnx"))
        except StepError as failure:
            assert failure.code == "model.unreadable"


def test_a_scene_that_cannot_fit_is_told_before_it_runs(tmp_path):
    scene = Scene(tmp_path, noise(2, 20, 20))
    failure = scene.failure(one("Identity"), tile=4096, batch=64, memory_mb=500)
    assert failure.code == "model.memory" and "500 MB can be had" in str(failure) and "window " not in scene.log


def test_providers_end_with_the_cpu():
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert providers(True, ["TensorrtExecutionProvider", *both]) == both
    assert providers(False, both) == ["CPUExecutionProvider"]
    assert providers(True, ["CPUExecutionProvider"]) == ["CPUExecutionProvider"]


def test_without_a_gpu_the_cpu_does_it_and_says_so(tmp_path):
    scene = Scene(tmp_path, noise(2, 20, 20))
    details, _ = scene.run(one("Identity"), tile=16, gpu=True)
    assert details["provider"] == "CPUExecutionProvider" and "the model runs on the CPU" in scene.log


def test_no_block_is_decoded_twice_and_few_rows_are_kept(tmp_path):
    x = noise(2, 200, 70)
    scene = Scene(tmp_path, x)
    scene.add(None, "tiled.tif", x, tiled=True, blockxsize=16, blockysize=32)
    import rasterio

    from geodag.inference import scene as module

    seen = []
    with rasterio.open(tmp_path / "in/tiled.tif") as raster, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read", lambda s, b, w, k: (seen.append((w.row_off, w.height, w.width)), s.read(window=w))[1])
        rows = Rows(raster, 20, None, None)
        for first in range(0, 181, 12):
            assert numpy.array_equal(rows.take(numpy.arange(first, min(first + 20, 200)), slice(5, 60)), x[:, first : first + 20, 5:60].swapaxes(0, 1))
    assert sum(high * wide for _, high, wide in seen) == 200 * 70 and rows.kept < 100


def test_details_say_where_the_time_went(tmp_path):
    details, _ = Scene(tmp_path, noise(2, 60, 60)).run(one("Sin"), tile=16)
    assert set(details["seconds"]) == {"load", "read", "kernel", "write", "wait", "wall", "processor"}
    assert 0 < details["kernel_share"] <= 1 and details["peak_mb"] > 10 and details["threads"] >= 1
