"""What a TerraTorch config says of inference: its task, its inputs, its windows. Reads the text alone, builds nothing.

Source: terratorch 1.2, ``terratorch/datamodules/generic_*.py`` and ``terratorch/tasks/tiled_inference.py``.
"""

import builtins
import math
import re
import sys

import yaml

# class_path -> (kind that the model factory knows, what the scene's program does)
TASKS = {
    "SemanticSegmentationTask": ("segmentation", "segmentation"),
    "PixelwiseRegressionTask": ("regression", "regression"),
    "ClassificationTask": ("classification", "classification"),
    "MultiLabelClassificationTask": ("classification", "multilabel"),
    "ScalarRegressionTask": ("scalar_regression", "scalar_regression"),
}
ONE_IMAGE = {f"GenericNonGeo{kind}DataModule" for kind in ("Segmentation", "PixelwiseRegression", "Classification")}
HARMLESS = {"ToTensorV2", "FlattenTemporalIntoChannels", "UnflattenTemporalFromChannels"}
# What a config may name, for a clear message: the boundary is the sandbox. A class has a capital; a module of Python's own (os,
# subprocess, builtins) is none of these packages, however it is reached.
CLASS = r"[A-Z]\w*"
ALLOWED = (
    (("model", "class_path"), rf"terratorch\.tasks(\.[a-z_]\w*)*\.{CLASS}|{CLASS}Task"),
    (("data", "class_path"), rf"(terratorch|torchgeo)\.datamodules(\.[a-z_]\w*)*\.{CLASS}|{CLASS}"),
    (("model",), rf"(torch\.(nn|optim)|terratorch\.models|segmentation_models_pytorch\.losses)(\.[a-z_]\w*)*\.{CLASS}|{CLASS}"),
    (("data",), rf"(albumentations|kornia\.augmentation|terratorch\.datasets|torchgeo)(\.[a-z_]\w*)*\.{CLASS}|{CLASS}"),
)
NAMES_A_CLASS = ("class_path", "cls")
LARGEST = 1024 * 1024
MOST_VALUES = 100_000
LISTS, MAPPING = ((list, dict), "a list, or one of each modality"), ((dict,), "a mapping")
SHAPES = {
    **{("data", f"{of}_bands"): LISTS for of in ("dataset", "output", "predict_dataset", "predict_output")},
    **{("data", key): ((list, dict, str), "a list of numbers, or one of each modality") for key in ("means", "stds")},
    ("data", "constant_scale"): ((int, float, list, dict), "a number"),
    ("data", "no_data_replace"): ((int, float), "a number"),
    **{("data", key): ((list,), "a list") for key in ("test_transform", "modalities")},
    ("model", "model_args"): MAPPING,
    ("model", "tiled_inference_parameters"): MAPPING,
    ("model", "class_names"): ((list,), "a list of names"),
    ("model", "model_factory"): ((str,), "the name of a factory"),
}
# GEOStudio's own, where a config has none: h, w, stride, batch.
WINDOW, STRIDE, BATCH = 224, 208, 16


class Refused(Exception):
    """Why there is no export: a dotted code and a message that names the field and the cure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_exportable(why: str) -> Refused:
    """TerraTorch itself has to run this model."""
    return Refused("model.not_exportable", why)


def bad(field: str, why: str) -> Refused:
    return Refused("model.bad_config", f"config.{field}: {why}")


def _is_class(where: tuple[str, ...], value) -> bool:
    """Whether jsonargparse would import ``value``: a class_path, a transform that is text, a loss with a dot."""
    if where[-1] in NAMES_A_CLASS:
        return True
    if not isinstance(value, str):
        return False
    return (len(where) > 1 and where[-2].endswith("_transform")) or (where[-1] == "loss" and "." in value)


def _check(node, at: tuple[str, ...], seen: set[int]) -> None:
    if not isinstance(node, (dict, list)) or id(node) in seen:
        return  # an anchor used twice is one object: a YAML bomb costs no more than its text
    seen.add(id(node))
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(node, dict) and not isinstance(key, str):
            raise bad(".".join(at), f"the key {str(key)[:100]!r} is no text: put it in quotes")
        where = (*at, str(key))
        # Such as a date, a set, bytes or pairs: none of them is text, and some of them hold more that would have to be checked.
        if value is not None and not isinstance(value, (str, int, float, list, dict)):
            raise bad(".".join(where), f"is a {type(value).__name__}: put it in quotes")
        if isinstance(value, int) and value.bit_length() > 63:
            raise bad(".".join(where), "is a number of more than 63 bits")
        if _is_class(where, value):
            rule = next(rule for start, rule in ALLOWED if where[: len(start)] == start)
            named = isinstance(value, str) and re.fullmatch(rule, value)
            if not named or set(value.split(".")) & sys.stdlib_module_names or hasattr(builtins, value):
                raise Refused("model.forbidden_class", f"config.{'.'.join(where)}: {str(value)[:100]!r} may not be named there: take it out")
        _check(value, where, seen)


def _count(node, at: str, counted: dict[int, int], above: set[int]) -> int:
    """Values of ``node`` with its anchors written out, as terratorch's own parser writes them."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) in above:
        raise bad(at, "an anchor holds itself: write it out")
    if id(node) not in counted:
        above.add(id(node))
        counted[id(node)] = 1 + sum(_count(one, at, counted, above) for one in (node.values() if isinstance(node, dict) else node))
        above.remove(id(node))
    return counted[id(node)]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads scalars as TerraTorch's own parser does (jsonargparse 4.53, ``get_yaml_default_loader``): 1e-4 is a number, a date is text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":timestamp", ":value"))]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d[\d_]*\.?[\d_]*|\.[\d_]+)[eE][-+]?\d+$"), list("-+.0123456789"))


def read(text: str) -> dict:
    """The config as plain values. Raises ``Refused``: ``model.bad_config``, ``model.forbidden_class``."""
    if len(text) > LARGEST:
        raise Refused("model.bad_config", f"config: is larger than {LARGEST} characters: give TerraTorch's YAML")
    try:
        config = yaml.load(text, Loader=_Loader)
        for part in ("model", "data"):
            if not isinstance(config, dict) or not isinstance(config.get(part), dict) or not isinstance(config[part].get("class_path"), str):
                raise bad(f"{part}.class_path", "is missing: give the config that TerraTorch was trained with, such as config_deploy.yaml")
            _check(config[part], (part,), set())
            if (count := _count(config[part], part, {}, set())) > MOST_VALUES:
                raise bad(part, f"has {count} values with its anchors written out, at most {MOST_VALUES} are read: write fewer")
    # Of a tag such as !!timestamp, the parser lets Python's own errors through; of lists in lists, too.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Refused("model.bad_config", f"config: is no plain YAML: {' '.join(str(error).split())[:300]}") from error
    for part in ("model", "data"):
        if not isinstance(config[part].setdefault("init_args", {}), dict):
            raise bad(f"{part}.init_args", "must be a mapping")
        for key, value in config[part]["init_args"].items():
            wanted, said = SHAPES.get((part, key)) or ((object,), "")
            if value is not None and not isinstance(value, wanted):
                raise bad(f"{part}.init_args.{key}", f"is {str(value)[:100]!r}: give {said}")
    return config


def last(class_path: str) -> str:
    return class_path.rsplit(".", 1)[-1]


def task_of(config: dict) -> tuple[str, str]:
    """(kind for the factory, task of runtime.json)."""
    name = last(config["model"]["class_path"])
    if name not in TASKS:
        raise not_exportable(f"config.model.class_path: {name} has no export")
    return TASKS[name]


def bands_of(value, field: str) -> list:
    """A data module's list of bands; a pair of numbers is a range, both ends included."""
    out: list = []
    for band in value or []:
        if isinstance(band, (list, tuple)):
            if len(band) != 2 or not all(isinstance(end, int) for end in band):
                raise bad(f"data.init_args.{field}", f"{band!r} is no range of two numbers")
            out += range(band[0], band[1] + 1)
        else:
            out.append(band)
    return out


def _positions(have: list, want: list, field: str) -> list[int]:
    strange = [band for band in want if band not in have]
    if strange:
        raise bad(f"data.init_args.{field}", f"{strange} are not in {have}")
    return [have.index(band) for band in want]


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _row(name: str, pick, count: int) -> dict:
    """One input; ``pick`` reads a key of data.init_args. ``count`` bands where the config names none."""
    have = bands_of(pick("predict_dataset_bands") or pick("dataset_bands"), "dataset_bands")
    key = "predict_output_bands" if pick("predict_output_bands") else "output_bands"
    want = bands_of(pick(key), key) or have
    mean, std = pick("means") or [], pick("stds") or []
    for field, values in (("means", mean), ("stds", std)):
        if isinstance(values, str):
            raise bad(f"data.init_args.{field}", f"names a file, {values[:100]!r}, which is not here: write its numbers into the config")
        if not isinstance(values, list) or not all(_is_number(one) for row in values for one in (row if isinstance(row, list) else [row])):
            raise bad(f"data.init_args.{field}", "must be a list of numbers")
    if any(one == 0 for row in std for one in (row if isinstance(row, list) else [row])):
        raise bad("data.init_args.stds", "holds a 0, which no value can be divided by: give the band's standard deviation")
    have = have or list(range(len(mean) or count))
    if not have:
        raise bad("data.init_args.dataset_bands", "is missing: name the bands of the file, in order")
    scale = pick("constant_scale")
    if scale is not None and not all(map(_is_number, scale if isinstance(scale, list) else [scale])):
        raise bad("data.init_args.constant_scale", f"is {str(scale)[:100]!r}: give a number")
    row = {"name": name, "bands": have, "select": _positions(have, want or have, key), "scale": 1 if scale is None else scale}
    # Without both of them terratorch does not normalise.
    return row | ({"mean": mean, "std": std} if mean and std else {"mean": None, "std": None})


def inputs_of(config: dict) -> tuple[list[dict], dict]:
    """What is fed, one entry a modality, and the rules for all of them: joined, nan_replace, temporal."""
    kind, given = last(config["data"]["class_path"]), config["data"]["init_args"]
    steps = [last(str(one.get("class_path", one) if isinstance(one, dict) else one)) for one in given.get("test_transform") or []]
    if set(steps) - HARMLESS:
        raise not_exportable(f"config.data.init_args.test_transform: {steps} changes the pixels at inference")
    rules = {"joined": False, "nan_replace": given.get("no_data_replace"), "temporal": bool(given.get("expand_temporal_dimension"))}
    arguments = config["model"]["init_args"].get("model_args") or {}
    if kind in ONE_IMAGE:
        count = len(arguments.get("backbone_bands") or arguments.get("bands") or []) or arguments.get("in_channels") or 0
        return [_row("image", given.get, count)], rules
    if kind != "GenericMultiModalDataModule":
        raise not_exportable(f"config.data.class_path: {kind} reads and scales the files by its own code")
    rows = []

    def of(key, name):
        value = given.get(key)
        if value is not None and not isinstance(value, dict):
            raise bad(f"data.init_args.{key}", f"is {str(value)[:100]!r}: give one of each modality")
        return (value or {}).get(name)

    for name in given.get("modalities") or []:
        row = _row(str(name), lambda key, name=name: of(key, name), 0)
        grep = given.get("image_grep")
        rows.append(row | {"suffix": grep.get(name) if isinstance(grep, dict) else grep})
    if not rows:
        raise bad("data.init_args.modalities", "is empty")
    return rows, rules | {"joined": bool(given.get("concat_bands"))}


def frames_of(config: dict) -> int:
    """Dates that the network takes at once."""
    frames = (config["model"]["init_args"].get("model_args") or {}).get("backbone_num_frames", 1)
    if isinstance(frames, bool) or not isinstance(frames, int) or not 1 <= frames <= 64:
        raise bad("model.init_args.model_args.backbone_num_frames", f"is {str(frames)[:100]!r}: give a whole number, at most 64")
    return frames


def window_of(config: dict, task: str) -> tuple[int, int] | None:
    """Of a network that gives one answer an image: the image that it was trained on, rows and columns."""
    size = (config["model"]["init_args"].get("model_args") or {}).get("backbone_img_size")
    return (size, size) if task in ("classification", "multilabel", "scalar_regression") and isinstance(size, int) else None


def tiling_of(init_args: dict, tile: tuple[int, int] | None) -> dict:
    """tiled_inference's parameters with its defaults; GEOStudio's window where there are none, ``tile`` before both."""
    given = init_args.get("tiled_inference_parameters") or {}
    crop, stride = given.get("crop") or WINDOW, given.get("stride") or (192 if given else STRIDE)
    t = {side: given.get(f"{side}_crop") or crop for side in "hw"}
    t |= {f"{side}_stride": given.get(f"{side}_stride") or stride for side in "hw"}
    if tile:
        t = {"h": tile[0], "w": tile[1], "h_stride": tile[0] - min(16, tile[0] // 4), "w_stride": tile[1] - min(16, tile[1] // 4)}
    for name, value in t.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
            raise bad("model.init_args.tiled_inference_parameters", f"{name} is {value!r}: give pixels, at most 4096")
    for name in ("delta", "batch_size"):
        value = 1 if given.get(name) is None else given[name]
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 4096:
            raise bad("model.init_args.tiled_inference_parameters", f"{name} is {value!r}: give a whole number, at most 4096")
    # As terratorch does, so that no pixel is left out.
    delta = min(8 if given.get("delta") is None else given["delta"], (t["h"] - t["h_stride"]) // 2, (t["w"] - t["w_stride"]) // 2)
    if delta < 0:
        raise bad("model.init_args.tiled_inference_parameters", "the stride is larger than the crop: pixels would be left out")
    return t | {
        "delta": delta,
        "average": bool(given.get("average_patches", True)),
        "blend": bool(given.get("blend_overlaps", True)),
        "padding": given.get("padding") or "reflect",
        "batch": given.get("batch_size") or BATCH,
    }


def outputs_of(init_args: dict):
    """prediction, probabilities, logits: one, or a list of them."""
    if init_args.get("output_on_inference"):
        return init_args["output_on_inference"]
    return "prediction" if init_args.get("output_most_probable", True) else "probabilities"
