"""onnx-inference: the model input in, one prediction out, window by window; how: ``geodag.inference``."""

from geodag.inference.run import CRASHED, infer
from geodag.program import run

if __name__ == "__main__":
    run(infer, timeout_seconds=7200, crashed=CRASHED)
