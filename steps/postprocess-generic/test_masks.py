"""Each mask on a scene made for it: exact pixels, exact values."""

import json
import os

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform

from post_scenes import DATED, post, task

CLOUD, SNOW, WATER, URL, NONE = 999, 998, 997, 90, -9999
LAND = os.environ.get("GEODAG_LAND", "/usr/share/geodag/land-10m.json")
ALL = dict.fromkeys(("cloud_masking", "snow_ice_masking", "permanent_water_masking"), True)


def masked(room, **parameters) -> numpy.ndarray:
    ran = post(room, **parameters)
    assert ran.result["status"] == "FINISHED", ran.error
    return ran.pixels("model_output_image_masked")[0]


@pytest.mark.parametrize(
    "encoding, codes, wanted",
    [
        ("sentinel2_scl", range(12), [NONE, 1, 1, CLOUD, 1, 1, WATER, 1, CLOUD, CLOUD, 1, SNOW]),
        (
            "hls_fmask", [0, 1, 2, 4, 8, 16, 32, 64, 192, 34, 48, 255],
            [1, CLOUD, CLOUD, CLOUD, CLOUD, SNOW, WATER, 1, 1, CLOUD, SNOW, NONE],
        ),
        (
            "landsat_qa_pixel", [1, 21824, 21826, 21828, 21832, 21840, 21856, 21952],
            [NONE, 1, CLOUD, CLOUD, CLOUD, CLOUD, SNOW, WATER],
        ),
    ],
)  # fmt: skip
def test_every_class_of_a_class_band_has_its_value(room, encoding, codes, wanted):
    scene = numpy.full((2, 1, len(codes)), 5, "uint16")
    scene[1, 0] = list(codes)
    task(room, scene, numpy.ones((1, 1, len(codes)), "int16"))
    found = masked(room, rgb=None, masks=ALL, mask_band={"index": 1, "encoding": encoding})
    assert found[0].tolist() == wanted


def test_masks_lie_over_the_prediction_cloud_last_and_a_pixel_without_data_stays_so(room):
    scene = numpy.full((4, 1200, 40), 4, "uint16")
    scene[3, 3, :], scene[3, 4, :], scene[3, 1100, :], scene[3, 0, 0] = 9, 6, 11, 9
    prediction = numpy.ones((1, 1200, 40), "int16")
    prediction[0, 0, 0] = -1
    task(room, scene, prediction)
    ran = post(room, masks=ALL, mask_band={"index": 3, "encoding": "sentinel2_scl"})
    assert {name: ran.result["details"][name] for name in ALL} == dict.fromkeys(ALL, 40)
    made = ran.pixels("model_output_image_masked")[0]
    assert [made[row, 1] for row in (2, 3, 4, 1100, 1199)] == [1, CLOUD, WATER, SNOW, 1] and made[0, 0] == NONE


def test_the_edge_of_an_hls_swath_is_no_cloud(room):
    """Beyond the swath the bands hold -9999 and Fmask 255, all its bits: cloud, snow and water at once."""
    room.tif("hls.tif", scene := numpy.full((3, 4, 8), 500, "int16"), nodata=-9999)
    scene[2], scene[:, :, 5:], scene[2, :, 5:], scene[2, 0, 0] = 64, -9999, 255, 2
    room.tif("hls.tif", scene, nodata=-9999)
    ran = room.fetch("hls.tif", bands=2)
    with rasterio.open(room.inputs / "valid.tif") as valid:
        assert valid.read(1).sum() == 4 * 5
    assert ran.result["details"]["filled_pixels"] == 2 * 4 * 3
    prediction = numpy.ones((1, 4, 8), "int16")
    prediction[0, :, 5:] = -1
    room.tif("p.tif", prediction, nodata=-1)
    room.artifacts["model_output_image"] = "p.tif"
    found = masked(room, rgb=None, masks=ALL, mask_band={"index": 2, "encoding": "hls_fmask"})
    assert (found[:, 5:] == NONE).all() and found[0, 0] == CLOUD and (found[:, :5] == 1).sum() == 19


def test_scl_at_20_m_lies_under_pixels_of_10_m(room):
    task(room, numpy.full((3, 8, 8), 5, "uint16"), numpy.ones((1, 8, 8), "int16"))
    scl = numpy.full((1, 4, 4), 4, "uint8")
    scl[0, 1, 2], scl[0, 3, 0], scl[0, 0, 0] = 9, 11, 0
    room.tif("scl.tif", scl, transform=from_origin(500000, 4500000, 20, 20))
    room.artifacts["original_input_image:SCL"] = "scl.tif"
    found = masked(room, rgb=None, masks=ALL, mask_band={"index": 0, "encoding": "sentinel2_scl", "modality": "SCL"})
    wanted = numpy.ones((8, 8), int)
    wanted[2:4, 4:6], wanted[6:8, 0:2], wanted[0:2, 0:2] = CLOUD, SNOW, NONE
    assert numpy.array_equal(found, wanted)


def test_beyond_a_class_band_in_another_grid_nobody_knows_of_clouds(room):
    task(room, numpy.full((3, 8, 8), 5, "uint16"), numpy.ones((1, 8, 8), "int16"))
    room.tif("fmask.tif", numpy.full((1, 2, 4), 64, "uint8"), transform=from_origin(500000, 4500000, 20, 20))
    room.artifacts["original_input_image:QA"] = "fmask.tif"
    found = masked(room, rgb=None, masks={"cloud_masking": True}, mask_band={"index": 0, "encoding": "hls_fmask", "modality": "QA"})
    assert (found[:4] == 1).all() and (found[4:] == NONE).all()


@pytest.mark.parametrize("more, code", [({"transform": from_origin(900000, 4500000, 20, 20)}, "mask.outside"), ({"crs": None}, "mask.no_place")])
def test_a_class_band_of_another_place_is_told(room, more, code):
    task(room, numpy.full((3, 8, 8), 5, "uint16"), numpy.ones((1, 8, 8), "int16"))
    room.tif("scl.tif", numpy.full((1, 4, 4), 4, "uint8"), **more)
    room.artifacts["original_input_image:SCL"] = "scl.tif"
    ran = post(room, rgb=None, masks={"cloud_masking": True}, mask_band={"index": 0, "encoding": "sentinel2_scl", "modality": "SCL"})
    assert ran.error["code"] == code and "scl.tif" in ran.error["message"]


def test_a_band_that_the_scene_itself_calls_scl_is_found(room):
    scene = numpy.full((2, 2, 2), 9, "uint16")
    task(room, scene, numpy.ones((1, 2, 2), "int16"))
    with rasterio.open(room.inputs / f"{DATED}.tif", "r+") as raster:
        raster.set_band_description(2, "SCL")
    assert (masked(room, rgb=None, masks={"cloud_masking": True}) == CLOUD).all()


def test_what_the_cloud_model_says_at_30_m(room):
    task(room, numpy.full((3, 6, 6), 5, "uint16"), numpy.zeros((1, 6, 6), "int16"))
    room.tif("c.tif", numpy.array([[[0, 1], [2, 255]]], "uint8"), transform=from_origin(500000, 4500000, 30, 30), nodata=255)
    room.artifacts["cloud_mask_image"] = "c.tif"
    found = masked(room, rgb=None, masks={"cloud_masking": True})
    assert (found[:3, :3] == 0).all() and (found[:3, 3:] == CLOUD).all() and (found[3:, :3] == CLOUD).all() and (found[3:, 3:] == 0).all()


def test_permanent_water_of_the_operators_wins_over_the_class_band(room):
    scene = numpy.full((2, 4, 4), 6, "uint16")
    task(room, scene, numpy.zeros((1, 4, 4), "int16"))
    room.tif("w.tif", numpy.eye(4, dtype="uint8")[None] * 80, nodata=255)
    room.artifacts["permanent_water_image"] = "w.tif"
    masks = {"permanent_water_masking": True}
    found = masked(room, rgb=None, masks=masks, mask_band={"index": 1, "encoding": "sentinel2_scl"}, water_values=[80])
    assert numpy.array_equal(found == WATER, numpy.eye(4, dtype=bool))


@pytest.mark.parametrize(
    "name, cure", [("cloud_masking", "swir22"), ("snow_ice_masking", "class band"), ("permanent_water_masking", "PERMANENT_WATER")]
)
def test_a_mask_that_cannot_be_made_is_named_with_what_would_make_it(room, name, cure):
    task(room)
    ran = post(room, masks={name: True})
    assert ran.error["code"] == "postprocess.no_mask_band" and name in ran.error["message"] and cure in ran.error["message"]


def polygons(room, name: str, ring, crs: str = "EPSG:32630") -> None:
    lon, lat = transform(crs, "EPSG:4326", *zip(*ring))
    shape = {"type": "Polygon", "coordinates": [[list(point) for point in zip(lon, lat)]]}
    (room.inputs / name).write_text(json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": shape}]}))


def box(west, south, east, north):
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


@pytest.mark.parametrize("north", [4_500_000, 7_700_000])  # 41 and 69 degrees: a metre of EPSG:3857 is 0.76 and 0.35 of one
def test_inside_a_mask_by_url_and_its_buffer_is_90(room, north):
    place = from_origin(500000, north, 10, 10)
    prediction = numpy.zeros((1, 100, 100), "int16")
    prediction[0, 50, 50] = -1
    task(room, numpy.full((3, 100, 100), 5, "uint16"), prediction, transform=place)
    polygons(room, "m.geojson", box(500400, north - 600, 500600, north - 400))
    room.artifacts["mask_polygons"] = "m.geojson"
    by = {"mask_from_url": {"url": "https://a.test/m", "buffer_size_m": 0}}
    found = masked(room, masks=by)
    wanted = numpy.zeros((100, 100), int)
    wanted[40:60, 40:60] = URL
    wanted[50, 50] = NONE
    assert numpy.array_equal(found, wanted)
    by["mask_from_url"]["buffer_size_m"] = 100
    found = masked(room, masks=by)
    assert (found[45, :] == URL).sum() == 40 and (found[:, 45] == URL).sum() == 40  # 200 m and 100 m on both sides
    assert found[31, 31] == 0 and found[50, 50] == NONE  # corners are round


@pytest.mark.parametrize("content", [b"<html>", b"PK\x03\x04nothing", b"{}", b""])
def test_a_mask_that_is_no_vector_file_is_named(room, content):
    task(room)
    (room.inputs / "m.geojson").write_bytes(content)
    room.artifacts["mask_polygons"] = "m.geojson"
    ran = post(room, masks={"mask_from_url": {"url": "https://a.test/m", "buffer_size_m": 0}})
    assert ran.error["code"] == "mask.not_vector" and "m.geojson" in ran.error["message"]


@pytest.mark.parametrize("crs, place", [("EPSG:32630", from_origin(500000, 4500000, 10, 10)), ("EPSG:4326", from_origin(-3, 40.6, 1e-4, 1e-4))])
def test_the_sea_is_nodata(room, crs, place):
    task(room, numpy.full((3, 40, 40), 5, "uint16"), numpy.ones((1, 40, 40), "int16"), crs=crs, transform=place)
    west, north = place * (10, 10)
    east, south = place * (30, 30)
    polygons(room, "land.geojson", box(west, south, east, north), crs)
    room.artifacts["land_polygons"] = "land.geojson"
    found = masked(room, masks={"ocean_masking": True})
    wanted = numpy.full((40, 40), NONE)
    wanted[10:30, 10:30] = 1
    assert numpy.array_equal(found, wanted)


def test_the_sea_on_both_sides_of_180_degrees(room):
    place = from_origin(179.98, 10, 0.001, 0.001)
    task(room, numpy.full((3, 10, 40), 5, "uint16"), numpy.ones((1, 10, 40), "int16"), crs="EPSG:4326", transform=place)
    polygons(room, "land.geojson", box(-180, 9, -179.99, 11), "EPSG:4326")
    room.artifacts["land_polygons"] = "land.geojson"
    found = masked(room, masks={"ocean_masking": True})
    assert (found[:, :20] == NONE).all() and (found[:, 20:30] == 1).all() and (found[:, 30:] == NONE).all()


@pytest.mark.skipif(not os.path.exists(LAND), reason="land-10m.json is in the image; elsewhere GEODAG_LAND names it")
def test_natural_earth_knows_brittany_from_the_sea(room):
    place = from_origin(-6, 49, 0.02, 0.02)
    task(room, numpy.full((3, 75, 100), 5, "uint16"), numpy.ones((1, 75, 100), "int16"), crs="EPSG:4326", transform=place)
    found = masked(room, masks={"ocean_masking": True})
    at = {name: found[int((49 - lat) / 0.02), int((lon + 6) / 0.02)] for name, lat, lon in (
        ("Quimper", 47.99, -4.1), ("Landerneau", 48.45, -4.25), ("Iroise", 48.2, -5.6), ("Audierne", 47.8, -4.9), ("Channel", 48.9, -4.5),
    )}  # fmt: skip
    assert at == {"Quimper": 1, "Landerneau": 1, "Iroise": NONE, "Audierne": NONE, "Channel": NONE}
