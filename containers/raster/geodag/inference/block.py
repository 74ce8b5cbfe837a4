"""What a model's metadata and the runtime.json beside it say of how it is run; runtime.json is a stranger's."""

from __future__ import annotations

import json
import math
import os

from geodag.program import StepError

DEFAULTS = {
    "task": "segmentation", "tile": None, "overlap": 0, "batch": None, "blend": None, "activation": "none", "mean": [], "std": [],
    "inputs": None, "temporal": None, "frames": None, "coords": [], "tiling": None, "nan_replace": None, "channels_last": None,
    "threshold": None, "gives": None, "output": None, "output_on_inference": "prediction", "num_classes": None,
}  # fmt: skip
TASKS = ("segmentation", "regression", "classification", "multilabel", "scalar_regression")
CHIP = ("classification", "multilabel", "scalar_regression")  # one answer a window, not one a pixel
OUTPUTS = ("prediction", "probabilities", "logits")
ACTIVATIONS, GIVES, BLENDS = ("none", "softmax", "sigmoid"), ("logits", "probabilities", "classes"), ("mean", "ramp", "terratorch")
MOST_PIXELS, MOST_BATCH, MOST_FRAMES = 65_536, 1024, 1024


def read_block(parameters: dict, folder: str) -> tuple[dict, bool]:
    """The block that the model is run by, and whether terratorch's rules hold: runtime.json, overruled by the metadata."""
    path, beside = os.path.join(folder, "runtime.json"), {}
    if os.path.isfile(path):
        try:
            with open(path, encoding="utf-8") as file:
                beside = json.load(file)
            if not isinstance(beside, dict):
                raise ValueError("it is no object")
        except ValueError as failure:
            raise StepError("model.bad_runtime", f"runtime.json beside the model cannot be read: {failure}") from failure
    given = {k: v for k, v in parameters.items() if v is not None}
    for block in (beside, given):
        if "no_data_replace" in block:
            block["nan_replace"] = block.pop("no_data_replace")
    block = {**DEFAULTS, **beside, **given}
    if block["task"] not in TASKS:
        raise StepError("model.bad_runtime", f"task {block['task']!r} is not known: use one of {', '.join(TASKS)}")
    check(block)
    like = bool(beside) or block["tiling"] is not None or block["inputs"] is not None
    return block, block["blend"] == "terratorch" or (like and block["blend"] is None)


def as_list(value) -> list:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _are_numbers(value, keep=lambda number: True) -> bool:
    """One number, a list of them, or a list a band of one a date."""
    flat = [v for one in value for v in (one if isinstance(one, list) else [one])] if isinstance(value, (list, tuple)) else [value]
    return all(_is_number(one) and keep(one) for one in flat)


def _is_list(value, kind) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


# Key to (whether its value can be used, what it must be); of an entry of inputs and of tiling too.
INPUT = {
    "name": (lambda v: isinstance(v, str), "a name"),
    "bands": (lambda v: isinstance(v, list), "a list of bands"),
    "select": (lambda v: isinstance(v, list) and all(_is_whole(one, 0, 65_536) for one in v), "a list of positions, counted from 0"),
    "scale": (_are_numbers, "a number, or one a band"),
    "mean": (_are_numbers, "a number a band"),
    "std": (lambda v: _are_numbers(v, lambda number: number != 0), "a number a band, not 0"),
}
TILING = {
    **{key: (lambda v: _is_whole(v, 1, MOST_PIXELS), "pixels, 1 or more") for key in ("h", "w", "h_stride", "w_stride")},
    "delta": (lambda v: _is_whole(v, 0, MOST_PIXELS), "pixels, 0 or more"),
    "batch": (lambda v: _is_whole(v, 1, MOST_BATCH), f"windows at once, 1 to {MOST_BATCH}"),
}
KEYS = {
    "tile": (
        lambda v: _is_whole(v, 1, MOST_PIXELS) or (isinstance(v, (list, tuple)) and len(v) == 2 and all(_is_whole(one, 1, MOST_PIXELS) for one in v)),
        "pixels, 1 or more: a side, or rows and columns",
    ),
    "overlap": (lambda v: _is_whole(v, 0, MOST_PIXELS), "pixels, 0 or more"),
    "batch": TILING["batch"],
    "blend": (lambda v: v in BLENDS, f"one of {', '.join(BLENDS)}"),
    "activation": (lambda v: v in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"),
    "gives": (lambda v: v in GIVES, f"one of {', '.join(GIVES)}"),
    "threshold": (_is_number, "a number"),
    "output": (lambda v: isinstance(v, str), "the name of an output of the graph"),
    "mean": INPUT["mean"],
    "std": INPUT["std"],
    "inputs": (lambda v: _is_list(v, dict), "a list of objects"),
    "tiling": (lambda v: isinstance(v, dict), "an object"),
    "frames": (lambda v: _is_whole(v, 1, MOST_FRAMES), f"a number of dates, 1 to {MOST_FRAMES}"),
    "coords": (lambda v: _is_list(v, str), "a list of names"),
    "nan_replace": (_is_number, "a number"),
    "output_on_inference": (lambda v: isinstance(v, str) or _is_list(v, str), "a name, or a list of names"),
}


def check(block: dict) -> None:
    """Fails with ``model.bad_runtime``, the key named, for a value that no model can be run by."""
    _check(block, KEYS, "")
    for n, row in enumerate(block["inputs"] or []):
        _check(row, INPUT, f"inputs[{n}].")
    _check(block["tiling"] or {}, TILING, "tiling.")


def _check(given: dict, keys: dict, before: str) -> None:
    for key, (usable, wanted) in keys.items():
        value = given.get(key)
        if value is not None and not usable(value):
            raise StepError("model.bad_runtime", f"{before}{key} is {str(value)[:100]!r}: it must be {wanted}")
