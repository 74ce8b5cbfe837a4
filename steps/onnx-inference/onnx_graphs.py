"""Small ONNX graphs that the tests make: each shows one kind of model."""

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FREE = ("n", "c", "h", "w")


def graph(nodes, inputs=None, output=None, constants=None, dtype="FLOAT", out_dtype=None):
    """Nodes as (operator, inputs, outputs, attributes); ``inputs`` name to shape; output ``y``."""
    inputs = inputs or {"x": FREE}
    typed = getattr(TensorProto, dtype)
    made = [helper.make_node(op, i, o, **a) for op, i, o, a in nodes]
    values = [numpy_helper.from_array(numpy.array(v), k) for k, v in (constants or {}).items()]
    body = helper.make_graph(
        made, "g",
        [helper.make_tensor_value_info(k, typed, list(v)) for k, v in inputs.items()],
        [helper.make_tensor_value_info("y", getattr(TensorProto, out_dtype or dtype), output)],
        values,
    )  # fmt: skip
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def one(operator: str, shape=FREE, **more):
    """A model of one operator from ``x`` to ``y``."""
    attributes = more.pop("attributes", {})
    return graph([(operator, ["x"], ["y"], attributes)], {"x": shape}, **more)


def saved(model, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
