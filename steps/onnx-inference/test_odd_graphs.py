"""Graphs and runtime.json of strangers: run rightly, or refused by a code that names the output or the key; never a crash."""

import json

import numpy
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import FREE, graph, one, saved
from onnx_scenes import Scene, noise

FLOAT = TensorProto.FLOAT


def made(nodes, outputs: dict, constants=None, inputs=None):
    """A model of nodes (operator, inputs, outputs, attributes) from ``x``; ``outputs`` name to (type, shape)."""
    body = helper.make_graph(
        [helper.make_node(op, i, o, **a) for op, i, o, a in nodes], "g",
        [helper.make_tensor_value_info(k, t, s) for k, (t, s) in (inputs or {"x": (FLOAT, FREE)}).items()],
        [helper.make_tensor_value_info(k, t, s) for k, (t, s) in outputs.items()],
        [numpy_helper.from_array(numpy.array(v), k) for k, v in (constants or {}).items()],
    )  # fmt: skip
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def cast(kind: int):
    return made([("Cast", ["x"], ["y"], {"to": kind})], {"y": (kind, FREE)})


def sequence():
    model = made([("SequenceConstruct", ["x", "x"], ["y"], {})], {})
    model.graph.output.append(helper.make_tensor_sequence_value_info("y", FLOAT, None))
    return model


def channels_by_content():
    """As many channels as the window has values other than 0, modulo 7, and 2."""
    whole = {"one": numpy.array([1]), "two": numpy.array([2]), "seven": numpy.array([7]), "nought": numpy.array([0])}
    nodes = [
        ("NonZero", ["x"], ["places"], {}), ("Shape", ["places"], ["size"], {}), ("Gather", ["size", "one"], ["count"], {}),
        ("Mod", ["count", "seven"], ["rest"], {}), ("Add", ["rest", "two"], ["channels"], {}), ("Concat", ["one", "channels", "one", "one"], ["times"], {"axis": 0}),
        ("Slice", ["x", "nought", "one", "one"], ["band"], {}), ("Tile", ["band", "times"], ["y"], {}),
    ]  # fmt: skip
    return made(nodes, {"y": (FLOAT, None)}, whole)


def sliced(axis: int, stop: int):
    bounds = {"a": numpy.array([0]), "b": numpy.array([stop]), "c": numpy.array([axis])}
    return made([("Slice", ["x", "a", "b", "c"], ["y"], {})], {"y": (FLOAT, None)}, bounds)


def mean(**attributes):
    return made([("ReduceMean", ["x"], ["y"], {"keepdims": 0, **attributes})], {"y": (FLOAT, None)})


def minus(number: int):
    nodes = [("ArgMax", ["x"], ["k"], {"axis": 1}), ("Sub", ["k", "n"], ["y"], {})]
    return made(nodes, {"y": (TensorProto.INT64, FREE)}, {"n": numpy.int64(number)})


REFUSED = {
    "no output": (made([("Identity", ["x"], ["y"], {})], {}), {}, "model.bad_output", "no output"),
    "no input": (made([("Identity", ["c"], ["y"], {})], {"y": (FLOAT, None)}, {"c": numpy.ones((1, 2, 16, 16), "float32")}, {"c": (FLOAT, None)}),
                 {}, "model.bad_input", "c"),
    "a number for all windows": (mean(), {}, "model.bad_output", "output y"),
    "a number for all windows, of a chip": (mean(), {"task": "classification"}, "model.bad_output", "output y"),
    "a number a window": (mean(axes=[1, 2, 3]), {}, "model.bad_output", "[window, channel, row, column]"),
    "no batch": (mean(axes=[0, 1]), {}, "model.bad_output", "batch as first axis"),
    "one window of all": (sliced(0, 1), {}, "model.bad_output", "for 4 windows"),
    "no channel": (sliced(1, 0), {}, "model.bad_output", "no channel"),
    "no window": (sliced(0, 0), {}, "model.bad_output", "for 4 windows"),
    "other channels for other windows": (channels_by_content(), {"batch": 1}, "model.bad_output", "channels for one window and"),
    "other channels within a batch": (channels_by_content(), {"batch": 4}, "model.bad_output", "channels for one window and"),
    "smaller than the window": (made([("AveragePool", ["x"], ["y"], {"kernel_shape": [3, 3]})], {"y": (FLOAT, FREE)}), {}, "model.bad_output", "14, 14"),
    "half the window": (made([("MaxPool", ["x"], ["y"], {"kernel_shape": [2, 2], "strides": [2, 2]})], {"y": (FLOAT, FREE)}), {}, "model.bad_output", "8, 8"),
    "a list": (sequence(), {}, "model.bad_output", "y as seq(tensor(float))"),
    "text": (cast(TensorProto.STRING), {}, "model.bad_output", "y as tensor(string)"),
    "bfloat16": (cast(TensorProto.BFLOAT16), {}, "model.bad_output", "y as tensor(bfloat16)"),
    "text as input": (made([("Cast", ["x"], ["y"], {"to": FLOAT})], {"y": (FLOAT, FREE)}, None, {"x": (TensorProto.STRING, FREE)}), {}, "model.bad_input", "input x"),
    "bool as input": (made([("Cast", ["x"], ["y"], {"to": FLOAT})], {"y": (FLOAT, FREE)}, None, {"x": (TensorProto.BOOL, FREE)}), {}, "model.bad_input", "input x"),
    "a scalar first": (made([("ReduceMean", ["x"], ["loss"], {"keepdims": 0}), ("Neg", ["x"], ["map"], {})], {"loss": (FLOAT, []), "map": (FLOAT, FREE)}),
                       {}, "model.bad_output", "it also gives map: name one by inference.output"),
    "an output that is none": (one("Identity"), {"output": "z"}, "model.bad_output", "no output z: it gives y"),
    "negative classes": (minus(5), {}, "model.bad_output", "class -5"),
    "classes in channels": (cast(TensorProto.INT32), {"gives": "classes"}, "model.bad_output", "2 channels"),
    "probabilities of classes": (minus(0), {"output_on_inference": ["prediction", "probabilities"]}, "model.bad_runtime", "no probabilities"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_cannot_be_a_map_is_refused(tmp_path, name):
    model, block, code, word = REFUSED[name]
    x = noise(2, 40, 50)
    x[:, :10, :20] = 0
    failure = Scene(tmp_path, x).failure(model, **{"tile": 16, **block})
    assert failure.code == code and word in str(failure)


NAN = float("nan")
BLOCKS = [
    ({"threshold": NAN}, "threshold"), ({"threshold": float("inf")}, "threshold"), ({"threshold": "0.5"}, "threshold"), ({"threshold": [0.5]}, "threshold"),
    ({"inputs": [{"name": "x", "select": [-1]}]}, "inputs[0].select"), ({"inputs": [{"name": "x", "select": [0.5]}]}, "inputs[0].select"),
    ({"inputs": [{"name": "x", "select": "a"}]}, "inputs[0].select"), ({"inputs": [{"name": "x", "scale": "a"}]}, "inputs[0].scale"),
    ({"inputs": [{"name": "x", "mean": [NAN], "std": [1]}]}, "inputs[0].mean"), ({"inputs": [{"name": "x", "mean": [0], "std": [[0]]}]}, "inputs[0].std"),
    ({"inputs": "x"}, "inputs"), ({"inputs": [5]}, "inputs"), ({"mean": ["a"], "std": [1]}, "mean"), ({"mean": [0], "std": [0]}, "std"),
    ({"tile": 0}, "tile"), ({"tile": -4}, "tile"), ({"tile": "a"}, "tile"), ({"tile": [1, 2, 3]}, "tile"), ({"tile": True}, "tile"), ({"tile": 10**9}, "tile"),
    ({"overlap": -3}, "overlap"), ({"batch": 0}, "batch"), ({"batch": -1}, "batch"), ({"batch": "a"}, "batch"), ({"blend": "none"}, "blend"),
    ({"activation": "tanh"}, "activation"), ({"gives": "words"}, "gives"), ({"output": 5}, "output"), ({"frames": -2}, "frames"), ({"frames": 0}, "frames"),
    ({"tiling": "x"}, "tiling"), ({"tiling": {"h": -5}}, "tiling.h"), ({"tiling": {"h_stride": NAN}}, "tiling.h_stride"), ({"tiling": {"batch": 0}}, "tiling.batch"),
    ({"nan_replace": "x"}, "nan_replace"), ({"no_data_replace": NAN}, "nan_replace"), ({"output_on_inference": 5}, "output_on_inference"),
    ({"coords": "x"}, "coords"), ({"task": 5}, "task"),
]  # fmt: skip


@pytest.mark.parametrize("block, key", BLOCKS, ids=lambda value: json.dumps(value)[:60])
def test_a_key_of_runtime_json_that_no_model_can_be_run_by_is_named(tmp_path, block, key):
    failure = Scene(tmp_path, noise(2, 20, 20)).failure(one("Identity"), {"tile": 16, **block})
    assert failure.code == "model.bad_runtime" and str(failure).startswith(key)


@pytest.mark.parametrize("kind", ["BOOL", "INT32", "UINT8", "INT64"])
def test_whole_numbers_in_several_channels_are_scores(tmp_path, kind):
    x = numpy.random.default_rng(7).integers(0, 2 if kind == "BOOL" else 9, (3, 20, 30)).astype("float32")
    assert numpy.array_equal(Scene(tmp_path, x).prediction(cast(getattr(TensorProto, kind)), tile=16)[0], x.argmax(axis=0))


def test_bool_in_one_channel_is_the_class(tmp_path):
    x = noise(1, 20, 30)
    model = made([("Greater", ["x", "z"], ["y"], {})], {"y": (TensorProto.BOOL, FREE)}, {"z": numpy.float32(0)})
    assert numpy.array_equal(Scene(tmp_path, x).prediction(model, tile=16), (x > 0).astype("int16"))


def test_class_minus_one_is_none(tmp_path):
    x = noise(2, 20, 30)
    assert numpy.array_equal(Scene(tmp_path, x).prediction(minus(1), tile=16)[0], x.argmax(axis=0) - 1)


@pytest.mark.parametrize("output, sign", [(None, 1), ("aux", -1), ("map", 1)])
def test_of_several_outputs_the_first_map_is_taken_or_the_one_that_is_named(tmp_path, output, sign):
    nodes = [("ReduceMean", ["x"], ["chip"], {"keepdims": 0, "axes": [2, 3]}), ("Identity", ["x"], ["map"], {}), ("Neg", ["x"], ["aux"], {})]
    model = made(nodes, {"chip": (FLOAT, ["n", "c"]), "map": (FLOAT, FREE), "aux": (FLOAT, FREE)})
    x, scene = noise(3, 20, 30), Scene(tmp_path, noise(3, 20, 30))
    found = scene.prediction(model, tile=16, task="regression", **({"output": output} if output else {}))
    assert numpy.allclose(found, sign * x) and f"chip, map, aux: {output or 'map'} is taken" in scene.log
    (tmp_path / "chip").mkdir()
    assert (Scene(tmp_path / "chip", x).prediction(model, tile=16, task="classification", **({"output": "chip"} if output else {})) >= 0).all()


def test_a_model_that_ends_its_process_is_named(room):
    """onnxruntime divides whole numbers as the processor does, which ends the process by a signal."""
    nodes = [("Cast", ["x"], ["c"], {"to": TensorProto.INT32}), ("Div", ["c", "z"], ["y"], {})]
    path = saved(made(nodes, {"y": (TensorProto.INT32, FREE)}, {"z": numpy.int32(0)}), room.folder / "model/model.onnx")
    room.tif("scene.tif", numpy.ones((1, 20, 20), "uint16"))
    room.fetch("scene.tif")
    ran = room.run("onnx-inference", {"weights": str(path), "tile": 16})
    assert ran.error["code"] == "model.crashed" and "SIGFPE" in ran.error["message"] and "model.crashed" in ran.log
    assert ran.result["seconds"] > 0 and ran.result["started_at"].endswith("Z")


def test_a_model_is_what_the_graph_says_where_nothing_is_odd(tmp_path):
    x = noise(2, 20, 30)
    assert numpy.allclose(Scene(tmp_path, x).prediction(graph([("Identity", ["x"], ["y"], {})]), {"tile": [16, 16], "scale": 1}, task="regression", blend="mean"), x)
