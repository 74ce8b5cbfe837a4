"""Small models of random weights, a scene for each, and what ``terratorch predict`` says of it: ``models.py folder [kind ...]``.

Runs in the image of containers/terratorch. Leaves ``<kind>/config.yaml``, ``checkpoint.ckpt``, the scene's rasters and
``predicted.tif``; seeded, so that every run makes the same.
"""

import glob
import os
import shutil
import sys

import numpy
import rasterio
import torch
import yaml
from rasterio.transform import from_origin

CRS, PLACE = "EPSG:32630", from_origin(500000, 4500000, 10, 10)
SIX = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
SMALL = {"h_crop": 64, "w_crop": 64, "h_stride": 48, "w_stride": 48, "batch_size": 16, "average_patches": True}
LARGE = {"h_crop": 224, "w_crop": 224, "h_stride": 208, "w_stride": 208, "batch_size": 16, "average_patches": True}
DATASET = {"batch_size": 1, "num_workers": 0, "no_data_replace": 0.0}
INDICES = {"name": "SelectIndices", "indices": [0, 1, 2, 3]}


def prithvi(frames: int, **more) -> dict:
    reshape = {"name": "ReshapeTokensToImage"} | ({"effective_time_dim": frames} if frames > 1 else {})
    return {
        **{"backbone": "prithvi_eo_tiny", "backbone_pretrained": False, "backbone_bands": SIX, "backbone_num_frames": frames},
        **{"backbone_img_size": 64, "backbone_patch_size": [1, 8, 8], "backbone_embed_dim": 48, "backbone_depth": 4},
        **{"backbone_num_heads": 3, "decoder": "UNetDecoder", "decoder_channels": [32, 24, 16, 16], "head_dropout": 0.1},
        **{"necks": [INDICES, reshape, {"name": "LearnedInterpolateToPyramidal"}], **more},
    }


TERRAMIND = {
    **{"backbone": "terramind_v1_tiny", "backbone_pretrained": False, "backbone_modalities": ["S2L2A", "S1GRD"]},
    **{"decoder": "UNetDecoder", "decoder_channels": [32, 24, 16, 16], "num_classes": 2},
    "necks": [
        {"name": "SelectIndices", "indices": [2, 5, 8, 11]},
        {"name": "ReshapeTokensToImage", "remove_cls_token": False},
        {"name": "LearnedInterpolateToPyramidal"},
    ],
}
# Swin-B and UperNet of the upstream flood model, with fewer blocks and channels.
SWIN = {
    **{"backbone": "prithvi_swin_B", "backbone_pretrained": False, "backbone_bands": SIX, "backbone_window_size": 7},
    **{"backbone_embed_dim": 32, "backbone_depths": [2, 2, 2, 2], "backbone_num_heads": [2, 2, 4, 4], "backbone_drop_path_rate": 0.3},
    **{"decoder": "UperNetDecoder", "decoder_channels": 64, "num_classes": 2},
}


def whole(**head) -> dict:
    """A network that gives one answer an image."""
    given = prithvi(1)
    given["necks"] = [{"name": "SelectIndices", "indices": [3]}, {"name": "ReshapeTokensToImage"}]
    return {key: value for key, value in given.items() if not key.startswith(("decoder", "head"))} | {"decoder": "IdentityDecoder", **head}


def statistics(bands: int) -> dict:
    return {"means": [0.1 + 0.02 * band for band in range(bands)], "stds": [0.07 + 0.01 * band for band in range(bands)]}


def config(task: str, arguments: dict, module: str, data: dict, tiles: dict | None, **given) -> dict:
    if tiles:
        given["tiled_inference_parameters"] = tiles
    return {
        "model": {
            "class_path": f"terratorch.tasks.{task}",
            "init_args": {"model_factory": "EncoderDecoderFactory", "model_args": arguments, **given},
        },
        "data": {"class_path": f"terratorch.datamodules.{module}", "init_args": {**DATASET, **data}},
    }


SEGMENTATION, ONE = "SemanticSegmentationTask", "GenericNonGeoSegmentationDataModule"
# kind: (config, bands of each raster of the scene, rows, columns)
KINDS = {
    "modalities": (
        config(
            SEGMENTATION, TERRAMIND, "GenericMultiModalDataModule",
            {
                **{"task": "segmentation", "modalities": ["S2L2A", "S1GRD"], "rgb_modality": "S2L2A", "num_classes": 2},
                **{"dataset_bands": {"S2L2A": [f"B{n}" for n in range(12)], "S1GRD": ["VV", "VH"]}},
                **{"output_bands": {"S2L2A": [f"B{n}" for n in range(12)], "S1GRD": ["VV", "VH"]}},
                **{"constant_scale": {"S2L2A": 0.0001, "S1GRD": 0.0002}, "rgb_indices": [2, 1, 0]},
                **{key: {"S2L2A": statistics(12)[key], "S1GRD": statistics(2)[key]} for key in ("means", "stds")},
            },
            LARGE, loss="ce",
        ),
        {"S2L2A": 12, "S1GRD": 2}, 240, 230,
    ),
    "dates": (
        config(
            SEGMENTATION, prithvi(3, num_classes=3), ONE,
            {"num_classes": 3, "constant_scale": 0.0001, "dataset_bands": ["COASTAL", *SIX], "output_bands": SIX, "expand_temporal_dimension": True, **statistics(6)},
            SMALL, loss="ce",
        ),
        {"": 21}, 150, 131,
    ),
    "regression": (
        config(
            "PixelwiseRegressionTask", prithvi(1), "GenericNonGeoPixelwiseRegressionDataModule",
            {"constant_scale": 0.0001, "dataset_bands": SIX, "output_bands": SIX, **statistics(6)},
            SMALL, loss="rmse",
        ) | {"out_dtype": "float32"},
        {"": 6}, 150, 131,
    ),
    "flood": (
        config(
            SEGMENTATION, SWIN, ONE,
            {
                **{"num_classes": 2, "constant_scale": 0.0001, **statistics(6), "output_bands": SIX},
                **{"dataset_bands": ["RED", "GREEN", "BLUE", *SIX[3:]], "predict_dataset_bands": SIX},
            },
            LARGE, loss="ce", class_weights=[0.3, 0.7],
        ),
        {"": 6}, 300, 260,
    ),
    # terratorch predict writes one answer an image by ImageFolder's rules, and of several labels none: torch itself is asked.
    "multilabel": (
        config(
            "MultiLabelClassificationTask", whole(num_classes=3), "GenericNonGeoClassificationDataModule",
            {"num_classes": 3, "constant_scale": 0.0001, "dataset_bands": SIX, "output_bands": SIX, **statistics(6)},
            None, loss="bce",
        ),
        {"": 6}, 64, 64,
    ),
    "scalar": (
        config(
            "ScalarRegressionTask", whole(num_outputs=2), "GenericNonGeoClassificationDataModule",
            {"num_classes": 2, "constant_scale": 0.0001, "dataset_bands": SIX, "output_bands": SIX, **statistics(6)},
            None, loss="mse", num_outputs=2,
        ),
        {"": 6}, 64, 64,
    ),
}  # fmt: skip
# What the heads of these are made to say of the scene: labels on both sides of 0.5, values with a fraction.
SAID = {"multilabel": [0.7, -0.4, 0.2], "scalar": [12.25, -3.5]}


def answer(place: str, kind: str, model, given: dict) -> None:
    """``checkpoint.ckpt`` and ``predicted.tif`` of a model that gives one answer an image, by torch alone."""
    data = given["data"]["init_args"]
    with rasterio.open(f"{place}/scene.tif") as file:
        pixels, profile = file.read().astype("float32") * numpy.float32(data["constant_scale"]), file.profile
    means, stds = (numpy.array(data[key], "float32")[:, None, None] for key in ("means", "stds"))
    x = torch.from_numpy((pixels - means) / stds)[None]
    last = [module for module in model.head.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias += torch.tensor(SAID[kind]) - model(x).output[0]
        y = model(x).output[0]
    torch.save({"state_dict": {f"model.{key}": value for key, value in model.state_dict().items()}}, f"{place}/checkpoint.ckpt")
    labels = kind == "multilabel"
    values = (torch.sigmoid(y) > 0.5).numpy().astype("int16") if labels else y.numpy()
    profile |= {"count": len(values), "dtype": str(values.dtype), "nodata": -1 if labels else -9999}
    with rasterio.open(f"{place}/predicted.tif", "w", **profile) as file:
        file.write(numpy.broadcast_to(values[:, None, None], (len(values), file.height, file.width)))


def scene(kind: str, name: str, bands: int, rows: int, columns: int) -> numpy.ndarray:
    """[band, row, column] uint16: blocks of 9 px with noise."""
    random = numpy.random.default_rng(list(f"{kind} {name}".encode()))
    blocks = random.uniform(300, 4000, (bands, rows // 9 + 1, columns // 9 + 1))
    wide = numpy.kron(blocks, numpy.ones((9, 9)))[:, :rows, :columns]
    return (wide * random.uniform(0.9, 1.1, wide.shape)).astype("uint16")


def weigh(model, given: dict) -> dict:
    """Random weights that tell pixels apart: scores of unit spread over a seeded tile, every class about as often."""
    tiles = given["model"]["init_args"]["tiled_inference_parameters"]
    arguments = given["model"]["init_args"]["model_args"]
    frames = [3] if given["data"]["init_args"].get("expand_temporal_dimension") else []
    named = arguments.get("backbone_modalities")

    def tile(bands):
        return torch.randn((1, bands, *frames, tiles["h_crop"], tiles["w_crop"]))

    x = {"S2L2A": tile(12), "S1GRD": tile(2)} if named else tile(6)
    last = [module for module in model.head.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        for scale in (True, False):
            y = model(x).output
            y = (y if y.ndim == 4 else y[:, None]).transpose(0, 1).flatten(1)
            if scale:
                last.weight /= y.std(1).reshape(-1, 1, 1, 1)
            else:
                last.bias -= y.mean(1)
    weights = given["model"]["init_args"].get("class_weights")
    loss = {"criterion.weight": torch.tensor(weights)} if weights else {}  # as the task keeps it; predict loads strictly
    return {f"model.{key}": value for key, value in model.state_dict().items()} | loss


def make(folder: str, kind: str) -> None:
    from terratorch.cli_tools import build_lightning_cli
    from terratorch.registry import MODEL_FACTORY_REGISTRY

    given, rasters, rows, columns = KINDS[kind]
    place = os.path.join(folder, kind)
    os.makedirs(place)
    torch.manual_seed(7)
    task = given["model"]["class_path"]
    name = {"multilabel": "classification", "scalar": "scalar_regression"}.get(kind, "regression" if "Regression" in task else "segmentation")
    model = MODEL_FACTORY_REGISTRY.build("EncoderDecoderFactory").build_model(name, **given["model"]["init_args"]["model_args"]).eval()
    roots = {}
    for modality, bands in rasters.items():
        roots[modality] = os.path.join("/tmp", "scenes", kind, modality or "one")
        os.makedirs(roots[modality])
        profile = {"driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": "uint16", "crs": CRS, "transform": PLACE}
        with rasterio.open(f"{place}/{modality or 'scene'}.tif", "w", **profile) as file:
            file.write(scene(kind, modality, bands, rows, columns))
        shutil.copyfile(f"{place}/{modality or 'scene'}.tif", f"{roots[modality]}/scene.tif")
    data = given["data"]["init_args"]
    one = next(iter(roots.values()))
    root = roots if "modalities" in data else one
    data |= {f"{split}_data_root": root for split in ("train", "val", "test", "predict")}
    data |= {f"{split}_label_data_root": one for split in ("train", "val", "test")}
    data |= {"image_grep": dict.fromkeys(roots, "*.tif")} if "modalities" in data else {"img_grep": "*.tif"}
    with open(f"{place}/config.yaml", "w", encoding="utf-8") as file:
        dumper = yaml.SafeDumper
        dumper.ignore_aliases = lambda *_: True  # anchors make terratorch's parser fail
        yaml.dump(given | {"trainer": {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}}, file, dumper)
    if kind in SAID:
        return answer(place, kind, model, given)
    torch.save({"state_dict": weigh(model, given), "pytorch-lightning_version": "2.6.6"}, f"{place}/checkpoint.ckpt")
    scratch = f"/tmp/scratch/{kind}"
    os.makedirs(scratch)
    os.chdir(scratch)  # predict rewrites its config in the working directory
    said = ["predict", "-c", f"{place}/config.yaml", "--ckpt_path", f"{place}/checkpoint.ckpt", "--predict_output_dir", f"{scratch}/made"]
    build_lightning_cli([*said, "--trainer.precision", "32-true"])
    [made] = glob.glob(f"{scratch}/made/**/*.tif", recursive=True)
    shutil.copyfile(made, f"{place}/predicted.tif")


def main(folder: str, *kinds: str) -> None:
    for kind in kinds or KINDS:
        make(os.path.abspath(folder), kind)


if __name__ == "__main__":
    main(*sys.argv[1:])
