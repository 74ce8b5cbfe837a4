"""What an ONNX file says of itself, read by its headers before onnxruntime may load it.

No tensor is decoded, so a model of gigabytes costs some kilobytes. Field numbers: onnx.proto of the
ONNX specification; encoding: protobuf's wire format.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field

from geodag.program import StepError

# Operators that onnxruntime itself has; any other domain needs a library of the model's author.
DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
# Bytes an element by TensorProto.DataType; 8 is string, 21 and 22 are two to a byte.
SIZES = {
    1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2,
    17: 1, 18: 1, 19: 1, 20: 1, 21: 0.5, 22: 0.5, 23: 0.5,
}  # fmt: skip
TYPED = (4, 5, 7, 10, 11)  # float_data, int32_data, int64_data, double_data, uint64_data
# Operators that hand values on, so that what made the output lies before them.
PASSING = {"Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Slice", "Resize", "Upsample", "Pad"}
# onnxruntime takes twice as long for each branch inside a branch (measured: 0.3 s at 12, minutes at 20), and writes out every
# call of a function before it loads: models of TerraTorch have a few thousand nodes, and no branch inside a branch.
MAX_DEPTH = 8
MAX_NODES = 200_000
MAX_CALLS = 64
MAX_DIMENSIONS = 64
LARGEST_TENSOR = 1 << 62


class Damaged(Exception):
    """The bytes are not what protobuf writes."""


def printable(text: object, most: int = 100) -> str:
    """A stranger's words on one line of a message, without what a terminal would obey."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)[: 4 * most]).split())
    return words if len(words) <= most else f"{words[:most]}..."


def unreadable(why: str) -> StepError:
    return StepError("model.unreadable", f"the model cannot be loaded: {why}")


@dataclass
class Graph:
    """The headers: bytes of all tensors, files that hold some of them, and which operator made what."""

    path: str
    tensor_bytes: int = 0
    external: dict[str, int] = field(default_factory=dict)
    used: list[tuple[str, str, str]] = field(default_factory=list)
    # Nodes by function, () being the graph itself: (domain, operator, how many branches it is in).
    calls: dict[tuple, list[tuple[str, str, int]]] = field(default_factory=dict)
    makers: dict[str, tuple[str, str]] = field(default_factory=dict)

    def made_by(self, output: str) -> str:
        """Operator whose values ``output`` holds, behind casts and changes of shape; "" when unknown."""
        for _ in range(100):
            operator, before = self.makers.get(output, ("", ""))
            if operator not in PASSING:
                return operator
            output = before
        return ""

    def written_out(self, owner: tuple, sizes: dict, above: tuple = ()) -> tuple[int, int]:
        """(nodes, branches inside each other) with every call of a function replaced by the function. Fails with ``model.unreadable``."""
        if owner in above or len(above) > MAX_CALLS:
            said = "calls itself" if owner in above else f"lies in more than {MAX_CALLS} others"
            raise unreadable(f"its function {printable(owner[1])} {said}: export it without functions of its own")
        if owner not in sizes:
            nodes = depth = 0
            for domain, operator, at in self.calls[owner]:
                called = (domain, operator)
                size, inner = self.written_out(called, sizes, (*above, owner)) if called in self.calls else (1, 0)
                nodes, depth = nodes + size, max(depth, at + inner)
            if nodes > MAX_NODES or depth > MAX_DEPTH:
                said = f"{nodes} nodes, {depth} branches inside each other: at most {MAX_NODES} and {MAX_DEPTH} are run"
                raise unreadable(f"with its functions written out it has {said}")
            sizes[owner] = (nodes, depth)
        return sizes[owner]


def _varint(data, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= end or shift > 63:
            raise Damaged
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _fields(data, at: int, end: int):
    """Yields (field number, value): an int, or (start, end) of bytes."""
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at, end)
        elif wire in (1, 2, 5):
            size, at = _varint(data, at, end) if wire == 2 else (8 if wire == 1 else 4, at)
            value, at = (at, at + size), at + size
        else:
            raise Damaged
        if at > end or number == 0:
            raise Damaged
        yield number, value


class _Reader:
    def __init__(self, data, graph: Graph) -> None:
        self.data, self.graph, self.owner = data, graph, ()

    def fields(self, span):
        if not isinstance(span, tuple):
            raise Damaged
        return _fields(self.data, *span)

    def text(self, span) -> str:
        if not isinstance(span, tuple):
            raise Damaged
        return bytes(self.data[span[0] : span[1]]).decode("utf-8", "replace")

    def model(self) -> None:
        found = False
        self.graph.calls[()] = []
        for number, value in self.fields((0, len(self.data))):
            if number == 7:
                self.owner = ()
                self.body(value, node=1, depth=0, top=True)
                found = True
            elif number == 25:
                self.function(value)
        if not found:
            raise Damaged

    def function(self, span) -> None:
        name = domain = ""
        for number, value in self.fields(span):
            if number == 1:
                name = self.text(value)
            elif number == 10:
                domain = self.text(value)
        self.owner = (domain, name)
        self.graph.calls.setdefault(self.owner, [])
        self.body(span, node=7, depth=0, tensors=False)
        for number, value in self.fields(span):
            if number == 11:  # what an attribute holds where the call does not say
                self.attribute(value, 0)

    def body(self, span, node: int, depth: int, top: bool = False, tensors: bool = True) -> None:
        if depth > MAX_DEPTH:
            raise unreadable(f"it has more than {MAX_DEPTH} branches (If, Loop, Scan) inside each other")
        for number, value in self.fields(span):
            if number == node:
                self.node(value, depth, top)
            elif number == 5 and tensors:
                self.tensor(value)
            elif number == 15 and tensors:
                self.sparse(value)

    def node(self, span, depth: int, top: bool) -> None:
        inputs, outputs, operator, domain, name = [], [], "", "", ""
        for number, value in self.fields(span):
            if number == 1:
                inputs.append(self.text(value))
            elif number == 2:
                outputs.append(self.text(value))
            elif number == 3:
                name = self.text(value)
            elif number == 4:
                operator = self.text(value)
            elif number == 5:
                self.attribute(value, depth)
            elif number == 7:
                domain = self.text(value)
        self.graph.used.append((domain, operator, name))
        self.graph.calls[self.owner].append((domain, operator, depth))
        if top:
            for output in outputs:
                self.graph.makers[output] = (operator, inputs[0] if inputs else "")

    def attribute(self, span, depth: int) -> None:
        for number, value in self.fields(span):
            if number in (5, 10):
                self.tensor(value)
            elif number in (6, 11) and isinstance(value, tuple):
                self.body(value, node=1, depth=depth + 1)
            elif number in (22, 23):
                self.sparse(value)

    def sparse(self, span) -> None:
        for number, value in self.fields(span):
            if number in (1, 2):
                self.tensor(value)

    def tensor(self, span) -> None:
        count, axes, kind, name, raw, typed, where, away = 1, 0, 0, "", None, False, {}, False
        for number, value in self.fields(span):
            if number == 1:
                for size in self.integers(value):
                    count, axes = count * size, axes + 1
                    if axes > MAX_DIMENSIONS or count > LARGEST_TENSOR:
                        raise Damaged
            elif number == 2:
                kind = value
            elif number == 8:
                name = self.text(value)
            elif number == 9:
                raw = value[1] - value[0] if isinstance(value, tuple) else None
            elif number in TYPED:
                typed = True
            elif number == 13:
                pair = {n: self.text(v) for n, v in self.fields(value)}
                where[pair.get(1, "")] = pair.get(2, "")
            elif number == 14:
                away = value != 0
        if kind == 8 and not away and not where:
            return
        size = int(-(-count * SIZES.get(kind, 4) // 1))
        if away or where:
            size = self.outside(name, where, size)
        elif count and not typed and raw != size:
            said = f"tensor {printable(name)!r} is declared with {size} bytes, the file holds {raw or 0} of them"
            raise StepError("model.unreadable", f"the weights are damaged: {said}; export or copy the model again")
        self.graph.tensor_bytes += size

    def integers(self, value):
        if isinstance(value, int):
            values = [value]
        else:
            values, at = [], value[0]
            while at < value[1]:
                number, at = _varint(self.data, at, value[1])
                values.append(number)
        if any(number >= 1 << 40 for number in values):  # a negative size is a large one
            raise Damaged
        return values

    def outside(self, name: str, where: dict[str, str], size: int) -> int:
        """Bytes of a tensor kept beside the graph. Fails with ``model.external_data``."""
        location = where.get("location", "")
        name, shown = printable(name), printable(location)
        folder = os.path.realpath(os.path.dirname(self.graph.path))
        path = os.path.realpath(os.path.join(folder, location))
        inside = location and not os.path.isabs(location) and os.path.commonpath([folder, path]) == folder
        if not inside:
            raise StepError(
                "model.external_data",
                f"tensor {name!r} lies in {shown!r}, outside the model's folder: save the model with its data beside it",
            )
        if not os.path.isfile(path):
            raise StepError(
                "model.external_data",
                f"tensor {name!r} lies in {shown!r}, which is not beside the model: put that file beside it (as models/<model>/"
                f"{shown}), or make one file: onnx.save(onnx.load('model.onnx'), 'one.onnx')",
            )
        try:
            offset, length = int(where.get("offset") or 0), int(where.get("length") or size)
        except ValueError as failure:
            raise Damaged from failure
        if offset < 0 or length < 0 or offset + length > os.path.getsize(path):
            raise StepError(
                "model.external_data",
                f"tensor {name!r} takes bytes {offset} to {offset + length} of {shown}, which has {os.path.getsize(path)}: "
                "copy the file again, whole",
            )
        self.graph.external[location] = max(self.graph.external.get(location, 0), offset + length)
        return max(size, length)


def inspect(path: str) -> Graph:
    """Reads the headers. Fails with ``model.unreadable``, ``model.custom_op``, ``model.external_data``."""
    graph = Graph(path)
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Reader(data, graph).model()
    except (Damaged, ValueError) as failure:
        raise StepError("model.unreadable", "the weights are not an ONNX model: export it with torch.onnx.export, or name another file") from failure
    for domain, operator, name in graph.used:
        if domain not in DOMAINS and (domain, operator) not in graph.calls:
            raise StepError(
                "model.custom_op",
                f"the model uses operator {printable(operator)} of domain {printable(domain)!r} (node {printable(name)!r}), which needs a library of its own: "
                "export it with standard ONNX operators alone",
            )
    sizes: dict = {}
    for owner in graph.calls:
        graph.written_out(owner, sizes)
    return graph
