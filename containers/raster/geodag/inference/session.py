"""A model in onnxruntime: checked, loaded on a GPU or the CPU, fed by named inputs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy
import onnxruntime

from geodag.inference import graph
from geodag.inference.memory import Memory, megabytes
from geodag.program import StepError

DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
    "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(uint16)": "uint16", "tensor(int16)": "int16",
    "tensor(int32)": "int32", "tensor(int64)": "int64",
}  # fmt: skip
NUMBERS = {*DTYPES, "tensor(bool)"}
# Measured: 0.84 GB resident for 393 MB of weights, 2.6 GB for 1,297 MB, at any batch from 1 to 16.
LOADED = 2.1
LARGEST_SIDE = 65_536


def threads() -> int:
    """Processors that this process may use: its affinity, and the quota of its cgroup."""
    count = len(os.sched_getaffinity(0))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return count if quota == "max" else max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return count


def providers(gpu: bool, available: list[str]) -> list[str]:
    """Execution providers in order of preference; the CPU is always the last."""
    wanted = ["CUDAExecutionProvider"] if gpu else []
    return [name for name in wanted if name in available] + ["CPUExecutionProvider"]


@dataclass(frozen=True)
class Port:
    """One input of the graph: a size that is no int is free."""

    name: str
    shape: tuple
    dtype: str

    def fixed(self, axis: int) -> int | None:
        size = self.shape[axis]
        return size if isinstance(size, int) and size > 0 else None


class Model:
    """``inputs`` by name, names of the ``outputs`` of the graph, the ``output`` that is taken, and ``run``."""

    def __init__(self, path: str, memory: Memory, gpu: bool, log, output: str | None = None, ranks=(3, 4, 5)) -> None:
        self.graph = graph.inspect(path)
        self.weights = os.path.getsize(path) + sum(self.graph.external.values())
        memory.need("the model", int(LOADED * max(self.weights, self.graph.tensor_bytes)))
        self.threads = threads()
        self.session = self._load(path, gpu, log)
        self.provider = self.session.get_providers()[0]
        if gpu and self.provider == "CPUExecutionProvider":
            log("a GPU was asked for and none can be used: the model runs on the CPU")
        self.inputs = {i.name: self._port(i) for i in self.session.get_inputs()}
        self.outputs = [one.name for one in self.session.get_outputs()]
        taken = self._output(output, ranks)
        if len(self.outputs) > 1:
            log(f"the model gives {', '.join(self.outputs)}: {taken.name} is taken; inference.output names another")
        self.output, self.output_type, self.output_shape = taken.name, taken.type, tuple(taken.shape or ())
        self.made_by = self.graph.made_by(taken.name)

    def _load(self, path: str, gpu: bool, log):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        # Measured: threads that spin between two windows take the processors that read and write (5.4 s of them against 3.3 s).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = providers(gpu, onnxruntime.get_available_providers())
        if gpu and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        try:
            return onnxruntime.InferenceSession(path, options, providers=wanted)
        except StepError:  # the step's time is over
            raise
        except Exception as failure:
            if "bad_alloc" in str(failure) or "allocate memory" in str(failure):
                said = f"the model of {megabytes(self.weights)} MB does not fit into memory when it is loaded"
                raise StepError("model.memory", f"{said}: run it on a larger machine, or export it smaller (float16)") from failure
            raise StepError("model.unreadable", f"the weights are not an ONNX model that onnxruntime runs: {graph.printable(failure, 500)}") from failure

    def _port(self, found) -> Port:
        name = graph.printable(found.name)
        if found.type not in DTYPES:
            raise StepError("model.bad_input", f"input {name} of the model is {found.type}: it must be a tensor of numbers")
        large = [size for size in found.shape if isinstance(size, int) and size > LARGEST_SIDE]
        if large:
            said = f"input {name} of the model has a side of {large[0]}, at most {LARGEST_SIDE} are fed"
            raise StepError("model.bad_input", f"{said}: export it with the size of a window")
        return Port(found.name, tuple(found.shape), DTYPES[found.type])

    def _output(self, named: str | None, ranks):
        """The output ``named``, else the first of numbers in one of ``ranks`` axes; onnxruntime shows unknown axes as none.

        Fails with ``model.bad_output``.
        """
        found = self.session.get_outputs()
        if not found:
            raise StepError("model.bad_output", "the model gives nothing, its graph has no output: export it with one")
        if named and named not in self.outputs:
            raise StepError("model.bad_output", f"inference.output: the model has no output {named[:100]}: it gives {', '.join(self.outputs)}")
        asked = [one for one in found if not named or one.name == named]
        usable = [one for one in asked if one.type.removeprefix("optional(").rstrip(")") + ")" in NUMBERS]
        if not usable:
            said = ", ".join(f"{one.name} as {one.type}" for one in asked)
            raise StepError("model.bad_output", f"the model gives {said}: it must be a tensor of numbers, such as float32; export it so")
        return next((one for one in usable if not one.shape or len(one.shape) in ranks), usable[0])

    def run(self, feeds: dict[str, numpy.ndarray]) -> numpy.ndarray:
        """The output that is taken. Fails with ``model.bad_input``; raises MemoryError where it does not fit."""
        try:
            return self.session.run([self.output], feeds)[0]
        except StepError:  # the step's time is over
            raise
        except Exception as failure:
            if "bad_alloc" in str(failure) or "allocate memory" in str(failure):
                raise MemoryError from failure
            shapes = ", ".join(f"{name} {list(x.shape)}" for name, x in feeds.items())
            raise StepError("model.bad_input", f"the model refuses {shapes}: {graph.printable(failure, 500)}") from failure
