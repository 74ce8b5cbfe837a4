"""A STAC Item 1.1.0 of a task: what was made, where and when, in words that catalogues and QGIS read.

Pure: it says nothing of the run, so the same inputs give the same bytes.
"""

import datetime
import math
import os
import re

import numpy
import rasterio

from footprint import footprint

RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
GEOTIFF = "image/tiff; application=geotiff"
# Artifact key to (asset key, roles, title); what a task did not make is left out.
ASSETS = {
    "model_output_image": ("prediction", ["data"], "Prediction"),
    "model_output_image_masked": ("prediction_masked", ["data"], "Prediction with 997 water, 998 snow, 999 cloud"),
    "model_output_regularized_image": ("prediction_regularized", ["data"], "Prediction with regularised outlines"),
    "model_output_image_raw": ("prediction_raw", ["data"], "Prediction before the generic processor"),
    "model_input_original_image_rgb": ("rgb", ["visual", "overview"], "Red, green, blue of the scene"),
    "imputed_input_image": ("model_input", ["data"], "Model input: bands in order, scaled, nodata filled"),
    "original_input_image": ("scene", ["data"], "Scene as delivered"),
    "preview": ("thumbnail", ["thumbnail"], "Scene beside the scene with the prediction over it"),
}


def date_of(stem: str) -> str | None:
    """The first day of the calendar in ``stem``."""
    for found in re.findall(r"\d{4}-\d{2}-\d{2}", stem):
        try:
            return datetime.date.fromisoformat(found).isoformat()
        except ValueError:
            continue
    return None


def item_of(stem: str, prediction, files: dict[str, str]) -> dict | None:
    """The Item of the scene ``stem``; ``files`` maps artifact keys to paths. None without a date: STAC demands one."""
    date = date_of(stem)
    if date is None:
        return None
    bbox, geometry = footprint(prediction)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [PROJECTION, RASTER],
        "id": stem,
        "geometry": geometry,
        "bbox": bbox,
        "properties": {"datetime": f"{date}T00:00:00Z", **grid(prediction)},
        "links": [],
        "assets": {},
    }
    if geometry is None:
        del item["bbox"]
    for key, (name, roles, title) in ASSETS.items():
        if key in files:
            item["assets"][name] = asset(files[key], roles, title, item["properties"])
    return item


def grid(raster) -> dict:
    """The projection extension's words for a raster."""
    code = raster.crs.to_authority() if raster.crs else None
    said = {"proj:code": ":".join(code) if code else None}
    if raster.crs and not code:
        said["proj:wkt2"] = raster.crs.to_wkt(version="WKT2_2019")
    return {**said, "proj:shape": [raster.height, raster.width], "proj:transform": list(raster.transform)[:6]}


def asset(path: str, roles: list[str], title: str, common: dict) -> dict:
    said = {"href": f"./{os.path.basename(path)}", "title": title, "roles": roles}
    if not path.endswith(".tif"):
        return {**said, "type": "image/png"}
    with rasterio.open(path, driver="GTiff") as raster:
        cloud = raster.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
        # A band's nodata and type are STAC 1.1's own words; only what differs from the Item's grid is repeated.
        return {
            **said,
            "type": f"{GEOTIFF}; profile=cloud-optimized" if cloud else GEOTIFF,
            **{key: value for key, value in grid(raster).items() if common.get(key) != value},
            **({"description": raster.tags()["RADIOMETRY"]} if "RADIOMETRY" in raster.tags() else {}),
            "bands": [band(raster, i) for i in range(raster.count)],
        }


def band(raster, i: int) -> dict:
    said = {"name": raster.descriptions[i] or f"band {i + 1}", "data_type": numpy.dtype(raster.dtypes[i]).name}
    if (raster.scales[i], raster.offsets[i]) != (1.0, 0.0):
        said |= {"raster:scale": raster.scales[i], "raster:offset": raster.offsets[i]}
    nodata = raster.nodatavals[i]
    if nodata is None:
        return said
    if not math.isfinite(nodata):
        return {**said, "nodata": "nan" if math.isnan(nodata) else "inf" if nodata > 0 else "-inf"}
    return {**said, "nodata": int(nodata) if nodata == int(nodata) else nodata}
