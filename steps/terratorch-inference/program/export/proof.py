"""Writes a network as ONNX, and proves the graph against torch: an exporter can be silently wrong.

Swin's window_reverse makes the traced batch a constant: any other batch gives wrong masks without an error. So every try is
run over random tiles in batches 1, 3 and 2; the last resort is a graph of batch 1.
"""

import os
import tempfile

from config import not_exportable
from network import with_fixed_pools

OUTPUT = "y"
# Protobuf writes no message of 2 GiB; the graph itself takes a few MB.
MOST_IN_ONE_FILE = 1_900_000_000
# (exporter, batch of the graph or None for any)
TRIES = (("legacy", None), ("dynamo", None), ("legacy", 1), ("dynamo", 1))
LARGEST_DIFFERENCE, MOST_FLIPS = 1e-4, 1e-4


def size_of(net) -> int:
    """Bytes of its tensors."""
    return sum(one.numel() * one.element_size() for one in net.state_dict().values())


def write(net, tiles: list, names: list[str], path: str, exporter: str, batch: int | None, most: int) -> None:
    """``path``, and ``<path>.data`` beside it where the tensors take more than ``most`` bytes."""
    import torch

    for left in (path, f"{path}.data"):
        if os.path.exists(left):
            os.remove(left)
    apart = size_of(net) > most
    if exporter == "legacy":
        free = None if batch else {name: {0: "n"} for name in (*names, OUTPUT)}
        options = {"opset_version": 17, "dynamo": False, "dynamic_axes": free}
        net = with_fixed_pools(net, tiles)
    else:
        shapes = None if batch else (tuple({0: torch.export.Dim("n", min=1, max=1024)} for _ in tiles),)
        options = {"opset_version": 18, "dynamo": True, "dynamic_shapes": shapes, "external_data": apart, "verbose": False}
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as scratch:
        # The legacy exporter leaves a file a tensor where a model is too large for protobuf.
        parts = os.path.join(scratch, os.path.basename(path)) if apart and exporter == "legacy" else None
        with torch.no_grad():
            torch.onnx.export(net, tuple(tiles), parts or path, input_names=names, output_names=[OUTPUT], **options)
        if parts:
            gather(parts, path)


def gather(graph: str, path: str) -> None:
    """The graph as ``path``, all its tensors as ``<path>.data``."""
    import onnx

    where = {"all_tensors_to_one_file": True, "location": f"{os.path.basename(path)}.data", "size_threshold": 1024}
    onnx.save_model(onnx.load(graph), path, save_as_external_data=True, convert_attribute=True, **where)


def prove(net, tiles: list, names: list[str], path: str, batch: int | None) -> dict:
    """Largest difference of the scores, and how many argmaxes differ."""
    import numpy
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    fed = {one.name for one in session.get_inputs()}
    proof = {"max_abs_diff": 0.0, "max_abs": 0.0, "argmax_flips": 0, "of": 0}
    for size in (1, 1, 1) if batch else (1, 3, 2):
        given = [torch.randn((size, *tile.shape[1:])) for tile in tiles]
        with torch.inference_mode():
            want = net(*given).numpy()
        got = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True) if name in fed})[0]
        if got.shape != want.shape or not numpy.isfinite(got).all():
            raise ValueError(f"gives {got.shape}, torch {want.shape}")
        proof["max_abs_diff"] = max(proof["max_abs_diff"], float(numpy.abs(want - got).max()))
        proof["max_abs"] = max(proof["max_abs"], float(numpy.abs(want).max()))
        if want.shape[1] > 1:
            proof["argmax_flips"] += int((want.argmax(1) != got.argmax(1)).sum())
            proof["of"] += want[:, 0].size
    return proof


def passes(proof: dict) -> bool:
    same = proof["max_abs_diff"] <= LARGEST_DIFFERENCE * max(proof["max_abs"], 1e-3)
    return same and proof["argmax_flips"] <= MOST_FLIPS * max(proof["of"], 1)


def export(net, tiles: list, names: list[str], path: str, most: int = MOST_IN_ONE_FILE) -> dict:
    """exporter, batch, tried and proof of the first try that passes. Raises ``model.not_exportable``."""
    tried: list[str] = []
    for exporter, batch in TRIES:
        said = f"{exporter}, batch {batch or 'n'}"
        try:
            write(net, [tile[:batch] for tile in tiles], names, path, exporter, batch, most)
            proof = prove(net, tiles, names, path, batch)
        except Exception as error:  # an exporter's own, of any kind: the next one is tried
            while error.__cause__:
                error = error.__cause__
            tried.append(f"{said}: {type(error).__name__} {' '.join(str(error).split())[:200]}")
        else:
            if passes(proof):
                return {"exporter": exporter, "batch": batch, "tried": tried, "proof": proof}
            tried.append(f"{said}: differs from torch by {proof['max_abs_diff']:.2g} of {proof['max_abs']:.2g}")
        print(tried[-1], flush=True)
    raise not_exportable("; ".join(tried))
