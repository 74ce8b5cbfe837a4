"""Grids around the earth, pictures of it with space in their corners, and values at the ends of what floats hold."""

import csv
import json
import os

import numpy
import pytest
import rasterio
import shapely
from rasterio.transform import Affine, from_origin

from post_scenes import DATED, item_of, post, task

EARTH_KM2 = 510_065_622  # WGS 84, by its authalic radius
GEOSTATIONARY = "+proj=geos +h=35785831 +lon_0=0 +sweep=y"
LAND = os.environ.get("GEODAG_LAND", "/usr/share/geodag/land-10m.json")


def outlines(ran):
    with open(ran.path("model_output_geojson"), encoding="utf-8") as file:
        return [shapely.geometry.shape(feature["geometry"]) for feature in json.load(file)["features"]]


@pytest.mark.parametrize("size, transform", [
    ((18, 36), from_origin(0, 90, 10, 10)),
    ((18, 36), from_origin(-180, 90, 10, 10)),
    ((19, 36), from_origin(-5, 95, 10, 10)),
    ((18, 36), Affine(10, 0, 0, 0, 10, -90)),
])
def test_a_grid_around_the_earth_is_all_of_it(room, size, transform):
    prediction = numpy.ones((1, *size), "int16")
    prediction[0, :, :18] = 2
    task(room, numpy.full((3, *size), 5, "uint16"), prediction, crs="EPSG:4326", transform=transform)
    ran = post(room)
    areas = [row["area_km2"] for row in ran.result["details"]["statistics"]]
    assert areas == [pytest.approx(EARTH_KM2 / 2, rel=1e-5)] * 2
    shapes = outlines(ran)
    assert shapely.total_bounds(shapes).tolist() == [-180, -90, 180, 90] and sum(shape.area for shape in shapes) == pytest.approx(64800, rel=1e-3)
    item = item_of(room)
    assert item["bbox"] == [-180, -90, 180, 90] and item["geometry"]["type"] == "Polygon"


@pytest.mark.skipif(not os.path.exists(LAND), reason="the land polygons come with the image")
def test_the_sea_of_a_grid_from_0_to_360_is_where_it_is(room):
    prediction = numpy.ones((1, 180, 360), "int16")
    task(room, numpy.full((3, 180, 360), 5, "uint16"), prediction, crs="EPSG:4326", transform=from_origin(0, 90, 1, 1))
    masked = post(room, masks={"ocean_masking": True}).pixels("model_output_image_masked")[0]
    # Kansas at 98 W is land, the Pacific at 150 W is not; the Sahara, the Atlantic at 30 W.
    assert [masked[90 - 39, 262], masked[90 - 30, 210], masked[90 - 23, 10], masked[90 - 30, 330]] == [1, -9999, 1, -9999]


@pytest.mark.parametrize("crs, transform", [
    (GEOSTATIONARY, from_origin(-5.5e6, 5.5e6, 2.75e5, 2.75e5)),
    ("+proj=sinu +R=6371007.181", from_origin(-2e7, 1e7, 1e6, 5e5)),
    ("EPSG:32630", from_origin(1e9, 1e9, 10, 10)),
    ("EPSG:3857", from_origin(1e12, 1e12, 10, 10)),
    ("EPSG:32630", from_origin(5e5, 4.5e6, 1e-7, 1e-7)),
    ("+proj=longlat +R=1737400 +no_defs", from_origin(0, 20, 1, 1)),
    ("+proj=eqc +R=3396190", from_origin(0, 1e6, 1e4, 1e4)),
])
def test_what_lies_off_the_earth_has_no_footprint_and_is_no_crash(room, crs, transform):
    prediction = (numpy.arange(1600).reshape(1, 40, 40) // 200).astype("int16")
    task(room, numpy.full((3, 40, 40), 5, "uint16"), prediction, crs=crs, transform=transform)
    ran = post(room)
    assert ran.error["code"] is None
    shapes = outlines(ran)
    assert not shapes or (abs(shapely.total_bounds(shapes)) <= (180, 90, 180, 90)).all()
    item = item_of(room)
    assert item["geometry"] is None or item["bbox"][0] == pytest.approx(item["bbox"][2], abs=1e-6) or "longlat" in crs


@pytest.mark.parametrize("scale, offset", [(float("nan"), 0.0), (1.0, float("inf"))])
def test_radiometry_that_is_no_number_is_not_in_the_item(room, scale, offset):
    task(room)
    with rasterio.open(room.inputs / f"{DATED}.tif", "r+") as scene:
        scene.scales, scene.offsets = [scale] * 4, [offset] * 4
    band = item_of(room)["assets"]["scene"]["bands"][0]
    assert ("raster:scale" in band, "raster:offset" in band) == (scale == 1, offset == 0)


def spread(room, values, **more):
    task(room, numpy.full((3, *values.shape[1:]), 5, "uint16"), values, predicted={"nodata": -9999}, **more)
    ran = post(room)
    with open(ran.path("statistics"), encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert item_of(room)["properties"]["geodag:statistics"] == ran.result["details"]["statistics"]
    return ran.result["details"]["statistics"], row


@pytest.mark.parametrize("value", [300.1, 1e30, -1e30, 0.1])
def test_a_constant_raster_has_no_spread(room, value):
    found, _ = spread(room, numpy.full((1, 90, 90), value, "float32"))
    assert found["minimum"] == found["maximum"] == found["mean"] == numpy.float32(value) and found["stddev"] == 0


def test_values_beyond_what_a_double_can_square_have_no_deviation(room):
    found, row = spread(room, numpy.array([[[1e300, -1e300], [0, -9999]]]))
    assert found == {"valid_pixels": 3, "minimum": -1e300, "maximum": 1e300, "mean": 0} and "stddev" not in row


def test_an_empty_raster_says_so(room):
    found, row = spread(room, numpy.full((1, 9, 9), -9999, "float32"))
    assert found == {"valid_pixels": 0} and row == {"valid_pixels": "0"}


def test_marks_of_masks_are_no_values_of_a_continuous_prediction(room):
    scene = numpy.full((4, 2, 2), 4, "uint16")
    scene[3, 0] = 9
    task(room, scene, numpy.array([[[1, 2], [3, 90]]], "float32"), predicted={"nodata": -9999})
    ran = post(room, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "sentinel2_scl"})
    assert ran.result["details"]["statistics"] == {"valid_pixels": 2, "minimum": 3, "maximum": 90, "mean": 46.5, "stddev": 43.5}


MASKED = {"masks": {"cloud_masking": True}, "mask_band": {"index": 3, "encoding": "sentinel2_scl"}}


@pytest.mark.parametrize("dtype, value, holds", [
    ("uint32", 4_000_000_000, False), ("int64", 2**50, False), ("int64", -(2**50), False), ("uint64", 2**63, False),
    ("uint32", 2**31 - 1, True), ("int64", -(2**31), True), ("uint16", 65535, True), ("int16", -32768, True), ("float64", 1e300, True),
])  # fmt: skip
def test_a_masked_prediction_holds_every_value_or_says_which_it_cannot(room, dtype, value, holds):
    task(room, numpy.full((4, 6, 7), 4, "uint16"), numpy.full((1, 6, 7), value, dtype), predicted={"nodata": None})
    ran = post(room, **MASKED)
    if holds:
        assert (ran.pixels("model_output_image_masked") == value).all()
        return
    assert ran.error["code"] == "prediction.bad_value" and str(value) in ran.error["message"] and f"{DATED}_imputed_pred.tif" in ran.error["message"]
    plain = post(room)
    assert plain.error["code"] is None and plain.result["details"]["statistics"][0]["value"] == value
    assert "no polygons" in plain.log and "model_output_vector" not in plain.result["artifacts"]


def test_integers_of_many_values_have_a_spread(room):
    task(room, numpy.full((4, 30, 30), 5, "uint16"), (numpy.arange(900).reshape(1, 30, 30) + 5).astype("int16"))
    ran = post(room)
    found = ran.result["details"]["statistics"]
    assert (found["valid_pixels"], found["minimum"], found["maximum"], found["mean"]) == (900, 5, 904, 454.5)
    with open(ran.path("statistics"), encoding="utf-8") as file:
        assert [row["maximum"] for row in csv.DictReader(file)] == ["904.0"]
