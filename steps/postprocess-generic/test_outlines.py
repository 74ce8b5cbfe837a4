"""Polygons and regularised outlines of predictions drawn for them."""

import json

import numpy
import pyogrio
import pytest
import rasterio
import shapely
import shapely.affinity
from rasterio.features import rasterize
from rasterio.transform import from_origin
from rasterio.warp import transform_geom

from post_scenes import DATED, post, task


def outlines(room, array, **parameters):
    task(room, numpy.full((3, *array.shape[1:]), 5, "uint16"), array)
    ran = post(room, **parameters)
    assert ran.result["status"] == "FINISHED", ran.error
    return ran


def blocks(size: int = 60) -> numpy.ndarray:
    """Three classes with crooked borders, and a hole of nodata."""
    rows, columns = numpy.mgrid[0:size, 0:size]
    array = numpy.where(columns + 6 * numpy.sin(rows / 4) > size / 2, 1, 0)
    array[rows > size * 0.7 + 3 * numpy.cos(columns / 3)] = 2
    array[5:10, 5:10] = -1
    return array[None].astype("int16")


def test_polygons_of_every_class_share_their_lines_and_cover_what_has_data(room):
    array = blocks()
    ran = outlines(room, array)
    meta, _, wkb, fields = pyogrio.raw.read(ran.path("model_output_vector"))
    shapes = shapely.from_wkb(wkb)
    assert list(meta["fields"]) == ["class", "label", "area_m2"] and sorted(set(fields[0])) == [0, 1, 2]
    assert {*zip(fields[0].tolist(), fields[1].tolist())} == {(0, "Class 0"), (1, "Water"), (2, "Class 2")}
    assert shapely.is_valid(shapes).all() and shapely.coverage_is_valid(shapes)
    assert numpy.allclose(fields[2], shapely.area(shapes), atol=0.01)
    whole = shapely.union_all(shapes)
    assert len(whole.geoms if whole.geom_type == "MultiPolygon" else [whole]) == 1  # no gap between neighbours
    assert abs(whole.area - (array >= 0).sum() * 100) < 0.05 * whole.area
    corners = shapely.get_num_coordinates(shapes).sum()
    exact = outlines(room, array, polygon_tolerance_pixels=0)
    _, _, wkb, fields = pyogrio.raw.read(exact.path("model_output_vector"))
    assert shapely.get_num_coordinates(shapely.from_wkb(wkb)).sum() > 2 * corners
    for value in (0, 1, 2):
        assert fields[2][fields[0] == value].sum() == (array == value).sum() * 100


def test_geojson_is_in_longitude_and_latitude_cut_at_180_degrees(room):
    array = numpy.ones((1, 4, 40), "int16")
    task(room, numpy.full((3, 4, 40), 5, "uint16"), array, crs="EPSG:32601", transform=from_origin(280000, 100000, 1000, 1000))
    with open(post(room).path("model_output_geojson"), encoding="utf-8") as file:
        document = json.load(file)
    feature = document["features"][0]
    assert "crs" not in document and feature["properties"]["class"] == 1 and feature["properties"]["label"] == "Water"
    west, south, east, north = shapely.geometry.shape(feature["geometry"]).bounds
    assert -180 <= west < east <= 180 and 0 < south < north < 1
    array = numpy.ones((1, 4, 4), "int16")
    task(room, numpy.full((3, 4, 4), 5, "uint16"), array, crs="EPSG:4326", transform=from_origin(179.98, 1, 0.01, 0.01))
    with open(post(room).path("model_output_geojson"), encoding="utf-8") as file:
        shape = shapely.geometry.shape(json.load(file)["features"][0]["geometry"])
    assert shape.geom_type == "MultiPolygon" and shape.bounds[0] == -180 and shape.bounds[2] == 180


def test_the_same_task_gives_the_same_bytes(room):
    array = blocks(30)
    first = {key: open(outlines(room, array).path(key), "rb").read() for key in ("model_output_vector", "model_output_geojson")}
    ran = outlines(room, array)
    assert all(open(ran.path(key), "rb").read() == content for key, content in first.items())


def test_masks_have_no_polygons_and_a_continuous_prediction_none_at_all(room):
    array = numpy.ones((1, 4, 4), "int16")
    task(room, scene := numpy.full((4, 4, 4), 4, "uint16"), array)
    scene[3, :2] = 9
    task(room, scene, array)
    ran = post(room, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "sentinel2_scl"})
    assert pyogrio.raw.read(ran.path("model_output_vector"))[3][0].tolist() == [1]
    task(room, numpy.full((4, 4, 4), 4, "uint16"), numpy.ones((1, 4, 4), "float32"), predicted={"nodata": -9999})
    assert "model_output_vector" not in post(room).result["artifacts"]


def turned_box(angle: float, long: float = 30, short: float = 20) -> numpy.ndarray:
    shape = shapely.affinity.rotate(shapely.box(30 - long / 2, 30 - short / 2, 30 + long / 2, 30 + short / 2), angle)
    return rasterize([shape], out_shape=(60, 60))[None].astype("int16")


def regular(room, array, technique: str, **more):
    ran = outlines(room, array, regularization={"technique": technique, "classes": [1], "background": 0, "min_pixels": 0, **more})
    assert f"_pred_{technique}_regularized.tif" in ran.path("model_output_regularized_image")
    with open(ran.path("model_output_regularized_vector"), encoding="utf-8") as file:
        features = json.load(file)["features"]
    return ran.pixels("model_output_regularized_image")[0], [in_metres(f["geometry"]) for f in features], ran


def in_metres(geometry: dict):
    return shapely.geometry.shape(transform_geom("EPSG:4326", "EPSG:32630", geometry))


@pytest.mark.parametrize("technique", ["adaptive", "orthogonal", "hybrid"])
@pytest.mark.parametrize("angle", [0, 25])
def test_a_box_with_a_ragged_edge_becomes_a_box(room, technique, angle):
    ragged = turned_box(angle)
    if angle == 0:
        ragged[0, 20, 18:40:4] = 0
    found, shapes, _ = regular(room, ragged, technique)
    assert len(shapes) == 1 and len(shapes[0].exterior.coords) == 5
    box = shapes[0].minimum_rotated_rectangle
    assert shapes[0].area / box.area > 0.95
    truth = turned_box(angle)[0] == 1
    assert ((found == 1) & truth).sum() / ((found == 1) | truth).sum() > 0.85


def test_a_shape_of_no_direction_stays_by_adaptive(room):
    rows, columns = numpy.mgrid[0:60, 0:60]
    star = ((abs(rows - 30) * abs(columns - 30)) < 60).astype("int16")[None]
    found, _, ran = regular(room, star, "adaptive")
    assert numpy.array_equal(found, star[0]) and ran.result["details"]["regularization"]["changed"] == 0


def test_an_l_shape_gets_right_angles_by_orthogonal_and_hybrid_not_a_box(room):
    shape = numpy.zeros((1, 60, 60), "int16")
    shape[0, 10:50, 10:25], shape[0, 35:50, 10:50] = 1, 1
    shape[0, 10:50:7, 24] = 0
    for technique in ("orthogonal", "hybrid"):
        found, shapes, _ = regular(room, shape, technique)
        assert len(shapes[0].exterior.coords) == 7 and (found == 1).sum() < 0.8 * 40 * 40
        assert ((found == 1) & (shape[0] == 1)).sum() / ((found == 1) | (shape[0] == 1)).sum() > 0.85


def test_regularising_writes_over_neither_masks_nor_gaps_nor_other_classes_not_asked_for(room):
    array = turned_box(25)
    array[0, 30, 30], array[0, :, :3], array[0, 0, 5] = -1, 2, 7
    task(room, scene := numpy.full((4, 60, 60), 4, "uint16"), array)
    scene[3, 25, 25:35] = 9
    task(room, scene, array)
    ran = post(
        room, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "sentinel2_scl"},
        regularization={"technique": "adaptive", "classes": [1], "background": 0, "min_pixels": 0},
    )  # fmt: skip
    found = ran.pixels("model_output_regularized_image")[0]
    assert (found[25, 25:35] == 999).all() and found[30, 30] == -9999 and (found[:, :3] == 2).all() and found[0, 5] == 7
    with rasterio.open(ran.path("model_output_regularized_image")) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
