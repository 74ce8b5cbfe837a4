"""What people and catalogues look at: classes with names and colours, statistics, picture, a valid Item, valid COGs."""

import csv
import glob
import hashlib
import json
import os
import subprocess
import sys
import warnings

import numpy
import pystac.validation
import pytest
import rasterio
from rasterio.transform import from_origin

from post_scenes import DATED, item_of, panels, post, task

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = {
    "0": {"label": "Land", "rgb": [200, 170, 120], "opacity": 0},
    "1": {"label": "Water & ice", "rgb": [0, 0, 255], "opacity": 1},
    "2": {"label": "Never seen", "rgb": [1, 2, 3], "opacity": 1},
}


# gdalinfo is this function of libgdal with a main around it; the image has the library alone.
GDALINFO = """
import ctypes, glob, os, sys, rasterio
found = glob.glob(os.path.join(os.path.dirname(rasterio.__file__), "../rasterio.libs/libgdal*"))
gdal = ctypes.CDLL(found[0])
gdal.GDALOpen.restype, gdal.GDALInfo.restype = ctypes.c_void_p, ctypes.c_char_p
gdal.GDALInfo.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
gdal.GDALAllRegister()
sys.stdout.write(gdal.GDALInfo(gdal.GDALOpen(sys.argv[1].encode(), 0), None).decode())
"""


def gdalinfo(path: str) -> str:
    """What `gdalinfo` prints, with GDAL's own settings rather than the image's."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GDAL_")}
    return subprocess.run([sys.executable, "-c", GDALINFO, path], env=env, capture_output=True, text=True, check=True).stdout


def clouded(room, **parameters):
    """3 land, 2 water, 1 gap, 2 cloud of 8 pixels of 100 m²."""
    scene = numpy.full((4, 2, 4), 4, "uint16")
    scene[3, 0, :2] = 9
    prediction = numpy.array([[[1, 0, 0, 0], [0, 1, 1, -1]]], "int16")
    task(room, scene, prediction)
    return post(
        room, classes=CLASSES, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "sentinel2_scl"}, **parameters
    )


ROWS = [
    {"value": 0, "label": "Land", "pixels": 3, "share": 0.428571, "area_km2": 0.0003},
    {"value": 1, "label": "Water & ice", "pixels": 2, "share": 0.285714, "area_km2": 0.0002},
    {"value": 999, "label": "Cloud or shadow", "pixels": 2, "share": 0.285714, "area_km2": 0.0002},
]


def test_statistics_are_in_the_table_the_details_and_the_item(room):
    ran = clouded(room)
    with open(ran.path("statistics"), encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert rows == [{key: str(value) for key, value in row.items()} for row in ROWS]
    assert ran.result["details"]["statistics"] == ROWS
    with open(ran.path("item"), encoding="utf-8") as file:
        assert json.load(file)["properties"]["geodag:statistics"] == ROWS


@pytest.mark.parametrize("crs, place", [("EPSG:4326", from_origin(10, 60, 0.001, 0.001)), ("EPSG:3857", from_origin(1e6, 8.4e6, 100, 100))])
def test_areas_are_those_of_the_ground_not_of_the_projection(room, crs, place):
    task(room, numpy.full((3, 50, 50), 5, "uint16"), numpy.ones((1, 50, 50), "int16"), crs=crs, transform=place)
    ran = post(room)
    area = ran.result["details"]["statistics"][0]["area_km2"]
    # 0.05 degrees at 59.975 N by WGS 84: 2.791 x 5.571 km; 5 km of EPSG:3857 at 60.09 N shrink by its scale.
    assert area == pytest.approx(15.55 if crs == "EPSG:4326" else 6.22, rel=0.01)
    with open(ran.path("model_output_geojson"), encoding="utf-8") as file:
        assert json.load(file)["features"][0]["properties"]["area_m2"] == pytest.approx(area * 1e6, rel=1e-3)


def test_a_continuous_prediction_has_its_spread(room):
    values = numpy.array([[[1, 2], [3, -9999]]], "float32")
    task(room, numpy.full((3, 2, 2), 5, "uint16"), values, predicted={"nodata": -9999})
    found = post(room).result["details"]["statistics"]
    assert found == {"valid_pixels": 3, "minimum": 1, "maximum": 3, "mean": 2, "stddev": pytest.approx(0.8165, abs=1e-4)}


def test_the_classes_have_colours_and_names_that_gdal_shows(room):
    ran = clouded(room)
    with rasterio.open(ran.path("model_output_classes")) as raster:
        assert raster.dtypes == ("uint8",) and raster.nodata == 255
        assert raster.read(1).tolist() == [[253, 253, 0, 0], [0, 1, 1, 255]]
        colors = raster.colormap(1)
        assert colors[1] == (0, 0, 255, 255) and colors[253] == (255, 255, 255, 255) and colors[0][:3] == (200, 170, 120)
        tags = raster.tags(1)
        assert (tags["CLASS_0"], tags["CLASS_1"], tags["CLASS_2"], tags["CLASS_253"]) == ("Land", "Water & ice", "Never seen", "Cloud or shadow")
    shown = gdalinfo(ran.path("model_output_classes"))
    assert "ColorInterp=Palette" in shown and "LAYOUT=COG" in shown
    for line in ("      0: Land", "      1: Water & ice", "      2: Never seen", "    253: Cloud or shadow", "    1: 0,0,255,255", "  253: 255,255,255,255"):
        assert line in shown.splitlines()
    names = open(ran.path("model_output_classes_names"), encoding="utf-8").read()
    assert "<Category>Land</Category><Category>Water &amp; ice</Category><Category>Never seen</Category>" in names


def test_every_raster_is_a_valid_cog(room):
    from rio_cogeo.cogeo import cog_validate

    ran = clouded(room, regularization={"technique": "hybrid", "classes": [1], "background": 0, "min_pixels": 0})
    made = [name for name in ran.result["artifacts"].values() if name.endswith(".tif")]
    assert len(made) == 4
    for name in made:
        valid, errors, noted = cog_validate(str(ran.folder / name), strict=True)
        assert valid, (name, errors, noted)


def test_the_picture_has_a_legend_in_the_classes_colours_below_it(room):
    from PIL import Image

    ran = clouded(room)
    before, after = panels(ran, (2, 4))
    assert (after[0, 0] > before[0, 0]).any() or (after[0, 0] == 255).all()
    with Image.open(ran.path("preview")) as picture:
        below = numpy.asarray(picture.convert("RGB"))[200:]
    for color in ((200, 170, 120), (0, 0, 255)):
        assert (below == color).all(axis=-1).sum() > 100
    assert (below == (30, 30, 30)).all(axis=-1).sum() > 300  # ink: labels, date, scale bar, arrow


def local_schemas(folder) -> dict[str, str]:
    """Schemas by their URL: the core's from pystac, its relative references made absolute; the extensions' from test/stac."""
    found = {}
    base = os.path.join(os.path.dirname(pystac.validation.__file__), "jsonschemas")
    for path in glob.glob(f"{base}/stac-spec/v1.1.0/*.json") + glob.glob(f"{base}/geojson/*.json"):
        name, geojson = os.path.basename(path), "geojson" in path
        kind = name.removesuffix(".json") if name in ("catalog.json", "collection.json") else "item"
        url = f"https://geojson.org/schema/{name}" if geojson else f"https://schemas.stacspec.org/v1.1.0/{kind}-spec/json-schema/{name}"

        def absolute(value, url=url):
            if isinstance(value, dict):
                return {
                    key: url.rsplit("/", 1)[0] + "/" + ref if key == "$ref" and isinstance(ref, str) and ref[0] not in "#h" else absolute(ref, url)
                    for key, ref in value.items() if key != "$id"
                }  # fmt: skip
            return [absolute(v, url) for v in value] if isinstance(value, list) else value

        with open(path, encoding="utf-8") as file:
            document = absolute(json.load(file))
        (folder / name).write_text(json.dumps(document))
        found[url] = str(folder / name)
    for path in glob.glob(os.path.join(HERE, "../../test/stac/*.json")):
        name, version = os.path.basename(path).removesuffix(".json").rsplit("-", 1)
        found[f"https://stac-extensions.github.io/{name}/{version}/schema.json"] = path
    return found


def validate(document: dict, folder) -> list[dict]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from stac_validator.stac_validator import StacValidate
    path = folder / "document.json"
    path.write_text(json.dumps(document))
    validator = StacValidate(str(path), schema_map=local_schemas(folder))
    validator.run()
    return validator.message


CARD = {
    "properties": {
        "bands": [{"name": "B02"}], "mlm:name": "water", "mlm:architecture": "unknown", "mlm:framework": "ONNX", "mlm:tasks": ["semantic-segmentation"],
        "mlm:input": [{
            "name": "image", "bands": ["B02"], "pre_processing_function": None,
            "input": {"shape": [-1, 1, 64, 64], "data_type": "float32", "dim_order": ["batch", "bands", "height", "width"]},
        }],
        "mlm:output": [{
            "name": "prediction", "tasks": ["semantic-segmentation"], "post_processing_function": None,
            "result": {"shape": [-1, 64, 64], "data_type": "int16", "dim_order": ["batch", "height", "width"]},
        }],
    },
    "weights": {
        "href": "https://host.example.org/m.onnx", "title": "Weights", "type": "application/octet-stream; framework=onnx",
        "roles": ["mlm:model", "mlm:weights"], "mlm:artifact_type": "onnx", "file:checksum": "1220" + "a" * 64, "bands": [{"name": "B02"}],
    },
}  # fmt: skip


def test_the_item_is_valid_by_stac_validator(room, tmp_path):
    names = {"original_input_image": f"{DATED}.tif"}
    steps = [
        {"process_id": "url-connector", "inputs": {}, "outputs": names},
        {"process_id": "onnx-inference", "inputs": names, "outputs": {"model_output_image": f"{DATED}_imputed_pred.tif"}},
    ]
    with open(clouded(room, model={"name": "water", "card": CARD}, steps=steps).path("item"), encoding="utf-8") as file:
        item = json.load(file)
    said = validate(item, tmp_path)
    assert said[0]["valid_stac"], said
    assert len(said[0]["schema"]) == 1 + len(item["stac_extensions"]) == 7
    assert item["properties"]["mlm:name"] == "water" and item["assets"]["model"]["roles"] == ["mlm:model", "mlm:weights"]
    assert item["properties"]["processing:software"]["water"] == f"sha256:{'a' * 64}"
    made = item["properties"]["geodag:steps"]
    scene = {"href": f"./{DATED}.tif", **{key: item["assets"]["scene"][key] for key in ("file:size", "file:checksum")}}
    assert made[0]["outputs"]["original_input_image"] == made[1]["inputs"]["original_input_image"] == scene
    assert made[1]["outputs"]["model_output_image"]["file:checksum"] == item["assets"]["prediction"]["file:checksum"]
    own = made[-1]
    assert (len(made), own["process_id"]) == (3, "postprocess-generic") and own["inputs"]["original_input_image"] == scene
    assert {"statistics", "preview", "model_output_image_masked"} <= {*own["outputs"]} and "item" not in own["outputs"]
    assert all(len(one["file:checksum"]) == 68 for one in own["outputs"].values())
    with open(room.inputs / f"{DATED}.tif", "rb") as file:
        assert scene["file:checksum"] == f"1220{hashlib.sha256(file.read()).hexdigest()}"
    item["assets"]["prediction"]["classification:classes"][0]["value"] = "no number"
    assert not validate(item, tmp_path)[0]["valid_stac"]


@pytest.mark.skipif("GEODAG_MODEL_ITEMS" not in os.environ, reason="test/system/programs.test.ts writes the Items of the shipped models")
def test_the_items_of_models_are_valid_by_stac_validator(tmp_path):
    items = glob.glob(os.path.join(os.environ["GEODAG_MODEL_ITEMS"], "*.json"))
    assert len(items) >= 3
    for path in items:
        with open(path, encoding="utf-8") as file:
            item = json.load(file)
        said = validate(item, tmp_path)
        assert said[0]["valid_stac"] and len(said[0]["schema"]) == 4, (path, said)
        del item["properties"]["mlm:tasks"]
        assert not validate(item, tmp_path)[0]["valid_stac"]


def test_what_a_script_left_is_in_the_assets_and_in_the_archive(room):
    import zipfile

    task(room)
    for name in ("table.parquet", "notes.json", "map.png"):
        (room.inputs / name).write_bytes(b"left")
        room.artifacts[f"processor/{name}"] = name
    ran = post(room)
    with zipfile.ZipFile(ran.path("archive")) as archive:
        assert {"table.parquet", "notes.json", "map.png"} <= {*archive.namelist()}
    with open(ran.path("item"), encoding="utf-8") as file:
        assets = json.load(file)["assets"]
    assert assets["processor_notes.json"]["type"] == "application/json" and assets["processor_map.png"]["file:size"] == 4
    assert item_of(room)["id"] == DATED
