"""Graphs that are made to read elsewhere, to crash onnxruntime or never to end: each ends by a name, before it is loaded where it would."""

import json
import os
import subprocess
import sys
import time

import numpy
import pytest
from onnx import AttributeProto, TensorProto, helper
from onnx_graphs import FREE, graph, one, saved
from onnx_scenes import Scene, noise

HERE = os.path.dirname(os.path.abspath(__file__))
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def away(location: str, kind: int = TensorProto.FLOAT) -> TensorProto:
    """A tensor [2, 1, 1] kept in ``location``."""
    tensor = TensorProto(name="w", dims=[2, 1, 1], data_type=kind, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def calling(functions: dict[str, list], first: str = "F0"):
    """y = first(x), with functions of the domain ``own``: name to its nodes, from ``a`` to ``b``."""
    model = one("Identity")
    model.graph.node[0].CopyFrom(helper.make_node(first, ["x"], ["y"], domain="own"))
    model.functions.extend(helper.make_function("own", name, ["a"], ["b"], nodes, OPSETS) for name, nodes in functions.items())
    model.opset_import.append(OPSETS[1])
    return model


def call(name: str, given: str = "a", made: str = "b"):
    return helper.make_node(name, [given], [made], domain="own")


NEG = helper.make_node("Neg", ["a"], ["b"])


def many_calls(levels: int):
    """10 ** levels nodes when every call is written out."""
    names = ["a", *(f"t{n}" for n in range(9)), "b"]
    made = {f"F{n}": [call(f"F{n + 1}", *pair) for pair in zip(names, names[1:])] for n in range(levels)}
    return calling({**made, f"F{levels}": [NEG]})


def branches(depth: int):
    """If inside If."""

    def branch(below: int):
        node = helper.make_node("If", ["t"], ["b"], then_branch=branch(below - 1), else_branch=branch(0)) if below else None
        values = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
        return helper.make_graph([node or helper.make_node("Identity", ["x"], ["b"])], "g", [], values)

    inside = {"then_branch": branch(depth - 1), "else_branch": branch(0)}
    return graph([("If", ["t"], ["y"], inside)], constants={"t": numpy.bool_(True)})


def called_in_a_branch(depth: int):
    """A function of ``depth`` branches, called where the same number is around it."""
    inner = branches(depth).graph
    model, nodes = branches(depth), [helper.make_node("Constant", [], ["t"], value=inner.initializer[0]), *inner.node]
    innermost = model.graph
    for _ in range(depth):
        innermost = next(given for given in innermost.node[0].attribute if given.name == "then_branch").g
    innermost.node[0].CopyFrom(call("F0", "x", "b"))
    model.functions.append(helper.make_function("own", "F0", ["x"], ["y"], nodes, OPSETS))
    model.opset_import.append(OPSETS[1])
    return model


def loop(times: int):
    """y = sin(sin(... x))"""

    def value(name: str, kind: int, shape=None):
        return helper.make_tensor_value_info(name, kind, shape)

    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Sin", ["v"], ["w"])], "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("v", TensorProto.FLOAT)],
        [value("d", TensorProto.BOOL, []), value("w", TensorProto.FLOAT)],
    )  # fmt: skip
    return graph([("Loop", ["n", "t", "x"], ["y"], {"body": body})], constants={"n": numpy.int64(times), "t": numpy.bool_(True)})


def with_(change, model=None):
    model = model or one("Identity")
    change(model)
    return model


def hidden():
    """The tensor elsewhere is what an attribute of a function holds where its call does not say."""
    constant = helper.make_node("Constant", [], ["k"])
    constant.attribute.append(AttributeProto(name="value", ref_attr_name="v", type=AttributeProto.TENSOR))
    model = calling({"F0": [constant, helper.make_node("Add", ["a", "k"], ["b"])]})
    model.functions[0].attribute_proto.append(AttributeProto(name="v", type=AttributeProto.TENSOR, t=away("../secret")))
    return model


def constant(tensor: TensorProto):
    return graph([("Constant", [], ["k"], {"value": tensor}), ("Add", ["x", "k"], ["y"], {})])


def many_axes(count: int):
    model = graph([("Add", ["x", "w"], ["y"], {})], constants={"w": numpy.float32(0)})
    model.graph.initializer[0].dims.extend([(1 << 39) + 1] * count)
    return model


HOSTILE = {
    "a tensor elsewhere in a function's attribute": (hidden, "model.external_data", "'../secret'"),
    "a tensor elsewhere in a node": (lambda: constant(away("../secret")), "model.external_data", "'../secret'"),
    "words elsewhere": (lambda: constant(away("../secret", TensorProto.STRING)), "model.external_data", "'../secret'"),
    "a name with a zero byte": (lambda: constant(away("w\0/../../secret")), "model.unreadable", "not an ONNX model"),
    "a function that calls itself": (lambda: calling({"F0": [call("F0")]}), "model.unreadable", "F0 calls itself"),
    "functions in a ring": (lambda: calling({"F0": [call("F1")], "F1": [call("F0")]}), "model.unreadable", "calls itself"),
    "functions that multiply": (lambda: many_calls(12), "model.unreadable", "nodes"),
    "a long chain of functions": (
        lambda: calling({**{f"F{n}": [call(f"F{n + 1}")] for n in range(5000)}, "F5000": [NEG]}), "model.unreadable", "more than 64",
    ),
    "branches inside branches": (lambda: branches(20), "model.unreadable", "more than 8 branches"),
    "branches in a function, called in a branch": (lambda: called_in_a_branch(6), "model.unreadable", "12 branches inside each other"),
    "a ring of nodes": (lambda: graph([("Add", ["x", "b"], ["y"], {}), ("Neg", ["y"], ["b"], {})]), "model.unreadable", "acyclic"),
    "one name made twice": (lambda: graph([("Neg", ["x"], ["y"], {}), ("Abs", ["x"], ["y"], {})]), "model.unreadable", "Duplicate"),
    "no such operator": (lambda: one("Steal"), "model.unreadable", "Steal"),
    "no opset": (lambda: with_(lambda m: m.ClearField("opset_import")), "model.unreadable", "pset"),
    "an opset of the future": (lambda: with_(lambda m: setattr(m.opset_import[0], "version", 999)), "model.unreadable", "pset"),
    "an IR of the future": (lambda: with_(lambda m: setattr(m, "ir_version", 99)), "model.unreadable", "IR version"),
    "no outputs": (lambda: with_(lambda m: m.graph.ClearField("output")), "model.bad_output", "gives nothing"),
    "no inputs": (
        lambda: with_(lambda m: m.graph.ClearField("input"), graph([("RandomNormal", [], ["y"], {"shape": [1, 2, 16, 16]})])),
        "model.bad_input", "",
    ),
    "another number of windows": (
        lambda: graph([("RandomNormal", [], ["y"], {"shape": [1, 2, 16, 16]})]), "model.bad_output", "for 2 windows",
    ),
    "a window of 8 TB": (lambda: one("Identity", shape=(1, 2, 1 << 40, 1 << 40)), "model.bad_input", "a side of 1099511627776"),
    "a tensor of 100,000 axes": (lambda: many_axes(100_000), "model.unreadable", "not an ONNX model"),
    "a tensor of 160 GB made as it loads": (
        lambda: graph(
            [("ConstantOfShape", ["s"], ["c"], {}), ("ReduceSum", ["c"], ["r"], {"keepdims": 0}), ("Add", ["x", "r"], ["y"], {})],
            constants={"s": numpy.array([200_000, 200_000], "int64")},
        ),
        "model.memory", "larger machine",
    ),
    "a tensor of 40 TB made as it runs": (
        lambda: graph(
            [("Expand", ["x", "s"], ["e"], {}), ("ReduceMax", ["e"], ["y"], {"axes": [0], "keepdims": 0})],
            constants={"s": numpy.array([10**10, 1, 1, 1, 1], "int64")},
        ),
        "model.memory", "smaller tile",
    ),
    "words for a terminal": (
        lambda: with_(lambda m: m.graph.node[0].CopyFrom(helper.make_node("S" * 10**5, ["x"], ["y"], domain="\x1b]0;owned\x07" * 999))),
        "model.custom_op", "SSS...",
    ),
}  # fmt: skip

# As the frame of every program does, in a process of its own: what asks for too much, or crashes, ends alone.
ALONE = """
import importlib, json, sys
from pathlib import Path
sys.path[:0] = [{here!r}, {package!r}]
from test_model_hostile import HOSTILE
from onnx_scenes import Scene, noise
from geodag.program import _limit_memory
_limit_memory()
folder = Path(sys.argv[1])
failure = Scene(folder, noise(2, 20, 20)).failure(HOSTILE[sys.argv[2]][0](), tile=16)
(folder / "said.json").write_text(json.dumps([failure.code, str(failure)]))
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_graph_ends_by_name(tmp_path, name):
    (tmp_path / "secret").write_bytes(b"12345678")
    program = ALONE.format(here=HERE, package=os.path.join(HERE, "../../containers/raster"))
    done = subprocess.run([sys.executable, "-c", program, tmp_path, name], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    code, message = json.loads((tmp_path / "said.json").read_text())
    _, wanted, words = HOSTILE[name]
    assert code == wanted and words in message, message
    assert len(message) < 1000 and message.isprintable() and "12345678" not in message


def test_functions_and_branches_as_exporters_write_them_run(tmp_path):
    x, names = noise(2, 20, 20), iter("abcd")
    for model in (many_calls(2), branches(3), calling({**{f"F{n}": [call(f"F{n + 1}")] for n in range(30)}, "F30": [NEG]})):
        folder = tmp_path / next(names)
        folder.mkdir()
        made = Scene(folder, x).prediction(model, tile=16, task="regression")
        assert numpy.allclose(abs(made), abs(x))


LATE = """
import sys
sys.path.insert(0, {package!r})
from geodag import program
from geodag.inference.run import infer
program.GRACE_SECONDS = 1
program.run(lambda job: infer(job, {model!r}), timeout_seconds=3)
"""


def test_a_loop_without_an_end_is_ended_when_the_steps_time_is_over(tmp_path):
    scene = Scene(tmp_path, noise(2, 20, 20))
    model = saved(loop(1 << 60), tmp_path / "model/model.onnx")
    (tmp_path / "parameters.json").write_text(json.dumps({"parameters": {"tile": 16}, "artifacts": scene.artifacts}))
    (tmp_path / "main.py").write_text(LATE.format(package=os.path.join(HERE, "../../containers/raster"), model=str(model.parent)))
    command = [sys.executable, tmp_path / "main.py", tmp_path / "parameters.json", tmp_path / "in", tmp_path / "out"]
    began = time.monotonic()
    subprocess.run(command, timeout=60, check=True)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert (result["status"], result["error"]["code"]) == ("FAILED", "step.timeout")
    assert time.monotonic() - began >= 3 and "step.timeout" in (tmp_path / "out/log.txt").read_text()
    assert numpy.allclose(Scene(_made(tmp_path / "again"), noise(2, 20, 20)).prediction(loop(0), tile=16, task="regression"), noise(2, 20, 20))


def _made(folder):
    folder.mkdir()
    return folder
