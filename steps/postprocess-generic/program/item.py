"""A STAC Item 1.1.0 of a task: what was made, where and when, in words that catalogues and QGIS read.

Pure: it says nothing of the run, so the same inputs give the same bytes.
"""

import datetime
import os
import re

from assets import asset, digest, grid
from footprint import footprint

EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "classification/v1.1.0", "processing/v1.2.0", "file/v2.1.0")
]
MLM = "https://stac-extensions.github.io/mlm/v1.5.1/schema.json"
# Artifact key to (asset key, roles, title); what a task did not make is left out.
ASSETS = {
    "model_output_image": ("prediction", ["data"], "Prediction"),
    "model_output_image_masked": ("prediction_masked", ["data"], "Prediction under its masks: 999 cloud, 998 snow, 997 water, 90 by URL"),
    "model_output_regularized_image": ("prediction_regularized", ["data"], "Prediction with regularised outlines"),
    "model_output_regularized_vector": ("outlines_regularized", ["data"], "Regularised outlines"),
    "model_output_classes": ("classes", ["data", "visual"], "Classes with colours and names"),
    "model_output_classes_names": ("classes_names", ["metadata"], "Names of the classes, read by GDAL beside the raster"),
    "model_output_vector": ("polygons", ["data"], "Polygons of every class, GeoPackage"),
    "model_output_geojson": ("polygons_geojson", ["data"], "Polygons of every class, GeoJSON"),
    "statistics": ("statistics", ["metadata"], "Pixels, share and area of every class"),
    "model_output_image_raw": ("prediction_raw", ["data"], "Prediction before the generic processor"),
    "model_input_original_image_rgb": ("rgb", ["visual", "overview"], "Red, green, blue of the scene"),
    "imputed_input_image": ("model_input", ["data"], "Model input: bands in order, scaled, nodata filled"),
    "original_input_image": ("scene", ["data"], "Scene as delivered"),
    "cloud_mask_image": ("cloud_mask", ["data"], "Clouds 1 and their shadows 2, by the cloud model"),
    "permanent_water_image": ("permanent_water", ["data"], "Permanent water, as the operator named it"),
    "mask_polygons": ("mask_polygons", ["metadata"], "Polygons of the mask by URL"),
    "preview": ("thumbnail", ["thumbnail"], "Scene beside the scene with the prediction over it"),
}
CLASSED = ("prediction", "prediction_masked", "prediction_regularized", "classes")


def date_of(stem: str) -> str | None:
    """The first day of the calendar in ``stem``."""
    for found in re.findall(r"\d{4}-\d{2}-\d{2}", stem):
        try:
            return datetime.date.fromisoformat(found).isoformat()
        except ValueError:
            continue
    return None


def item_of(stem: str, prediction, files: dict[str, str], statistics, legend, parameters: dict) -> dict | None:
    """The Item of the scene ``stem``; ``files`` maps artifact keys to paths. None without a date: STAC demands one."""
    date = parameters.get("date") or date_of(stem)
    if date is None:
        return None
    bbox, geometry = footprint(prediction)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": stem,
        "geometry": geometry,
        "bbox": bbox,
        "properties": {"datetime": f"{date}T00:00:00Z", **grid(prediction), **_processing(parameters), **_statistics(statistics, legend)},
        "links": [],
        "assets": {},
    }
    if geometry is None:
        del item["bbox"]
    if card := (parameters.get("model") or {}).get("card"):
        item["stac_extensions"] = [*EXTENSIONS, MLM]
        item["properties"] |= card["properties"]
        item["assets"]["model"] = card["weights"]
    common = item["properties"]
    for key, path in files.items():
        said = ASSETS.get(key) or _of_script(key)
        if not said:
            continue
        name, roles, title = said
        item["assets"][name] = {**asset(path, roles, title, common), **digest(path)}
        if name in CLASSED and statistics.classes:
            item["assets"][name]["classification:classes"] = _classes(statistics, legend, name == "classes")
    item["assets"] = dict(sorted(item["assets"].items()))
    item["properties"]["geodag:steps"] = _steps(parameters.get("steps") or [], files)
    return item


def _steps(steps: list[dict], files: dict[str, str]) -> list[dict]:
    """What each step before read and made, with digests; a file that a later step wrote anew has none of the earlier one."""
    paths = {os.path.basename(path): path for path in files.values()}
    maker = {name: n for n, step in enumerate(steps) for name in step["outputs"].values()}

    def said(names: dict[str, str], is_last) -> dict:
        return {
            key: {"href": f"./{name}", **(digest(paths[name]) if name in paths and is_last(name) else {})} for key, name in sorted(names.items())
        }

    return [
        {
            "process_id": step["process_id"],
            "inputs": said(step["inputs"], lambda name, n=n: maker.get(name, -1) < n),
            "outputs": said(step["outputs"], lambda name, n=n: maker[name] == n),
        }
        for n, step in enumerate(steps)
    ]


def _of_script(key: str) -> tuple[str, list[str], str] | None:
    """A file that the user's script left: under its own name, after those of the pipeline."""
    name = key.removeprefix("processor/")
    return (f"processor_{name}", ["data"], f"{name}, left by the processor") if name != key else None


def _processing(parameters: dict) -> dict:
    model = parameters.get("model")
    said = f"{model['name']} over the scene, then masks and polygons" if model else "masks and polygons over a prediction"
    words = {"processing:lineage": said, "processing:software": {"geodag": "postprocess-generic"}}
    checksum = ((model or {}).get("card") or {}).get("weights", {}).get("file:checksum")
    if checksum:
        words["processing:software"][model["name"]] = f"sha256:{checksum[4:]}"
    return words


def _statistics(statistics, legend) -> dict:
    return {"geodag:statistics": statistics.table(legend) if statistics.classes else statistics.spread()}


def _classes(statistics, legend, as_bytes: bool) -> list[dict]:
    """The classification extension's words for each value that stands in the raster or in the style."""
    styled = {int(key) for key in legend.given if re.fullmatch(r"\d+", key)}
    return [
        {
            "value": legend.byte(value) if as_bytes else value,
            "name": re.sub(r"[^0-9A-Za-z-]+", "_", legend.label(value)).strip("_") or f"class_{value}",
            "title": legend.label(value),
            "description": legend.label(value),
            "color_hint": "%02X%02X%02X" % legend.color(value),
        }
        for value in sorted(set(statistics.pixels) | styled)
    ]
