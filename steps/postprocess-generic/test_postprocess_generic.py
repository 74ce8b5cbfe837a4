"""Layers, picture, archive and Item of a task of a few pixels."""

import hashlib
import json
import zipfile

import numpy
import pytest
import rasterio
from rasterio.enums import MaskFlags
from rasterio.transform import Affine, from_origin

from post_scenes import DATED, item_of, panels, post, task


def test_rgb_is_the_scene_with_its_nodata_named(room):
    scene = numpy.arange(4 * 42, dtype="uint16").reshape(4, 6, 7)
    scene[:, 0, 0] = 0
    task(room, scene, nodata=0)
    wanted = scene[[2, 1, 0]].astype("float32")
    wanted[:, 0, 0] = -9999
    assert numpy.array_equal(post(room).pixels("model_input_original_image_rgb"), wanted)


def test_rgb_hides_what_the_files_own_mask_hides_and_each_bands_own_nodata(room):
    scene = numpy.full((4, 6, 7), 500, "uint16")
    scene[2, 1, 1] = 0
    task(room, scene, nodata=0)
    rgb = post(room).pixels("model_input_original_image_rgb")
    assert rgb[0, 1, 1] == -9999 and rgb[1, 1, 1] == 500
    hidden = numpy.full((6, 7), 255, "uint8")
    hidden[5, 6] = 0
    task(room, numpy.full((4, 6, 7), 500, "uint16"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(room.inputs / f"{DATED}.tif", "r+") as raster:
        raster.write_mask(hidden)
    rgb = post(room).pixels("model_input_original_image_rgb")
    assert (rgb[:, 5, 6] == -9999).all() and (rgb == -9999).sum() == 3


def test_the_picture_is_transparent_where_one_of_its_bands_has_no_data(room):
    scene = numpy.full((4, 1100, 1200), 500, "uint16")
    scene[:, :300] = 0
    scene[2, 600:, :400] = 0
    scene[3, :, 900:] = 0  # no band of the picture
    task(room, scene, numpy.zeros((1, 1100, 1200), "int16"), nodata=0)
    shown = numpy.zeros((1100, 1200), bool)
    shown[300:600], shown[300:, 400:] = True, True
    with rasterio.open(post(room).path("model_input_original_image_rgb")) as rgb:
        assert (rgb.nodata, rgb.mask_flag_enums[0]) == (-9999, [MaskFlags.per_dataset])
        assert numpy.array_equal(rgb.dataset_mask() == 255, shown)
        assert numpy.array_equal(rgb.read_masks(1, out_shape=(550, 600)) == 255, shown[::2, ::2])
        assert rgb.read(1, out_shape=(550, 600))[200, 10] == 500


def test_a_prediction_in_another_grid_lies_in_the_picture_where_it_lies_on_the_ground(room):
    scene = numpy.full((4, 100, 100), 5, "uint16")
    scene[:3, :, :50] = 900
    task(room, scene)
    # The model made a quarter of the place, from 30 to 80 pixels, in pixels of 20 m.
    placed = from_origin(500300, 4500000 - 300, 20, 20)
    room.tif(f"{DATED}_imputed_pred.tif", numpy.ones((1, 25, 25), "uint8"), transform=placed)
    before, after = panels(post(room), (100, 100))
    wanted = numpy.zeros((100, 100), bool)
    wanted[30:80, 30:80] = True
    assert numpy.array_equal((before != after).any(axis=-1), wanted)


@pytest.mark.parametrize(
    "crs, place, crossing",
    [
        ("EPSG:3995", from_origin(1e5, 4e6, 1e5, 1e5), False),  # beside the pole: edges bend by degrees
        ("EPSG:3995", from_origin(-2e6, 2e6, 1e5, 1e5), False),  # around the pole
        ("EPSG:3031", from_origin(-2e6, 2e6, 1e5, 1e5), False),
        ("EPSG:3995", from_origin(-2e6, 3.9e6, 1e5, 1e5), True),
        ("EPSG:4326", from_origin(170, 20, 0.5, 0.5), True),
        ("EPSG:4326", from_origin(-190, 20, 0.5, 0.5), True),
        ("EPSG:32601", from_origin(200000, 6000000, 20000, 20000), True),
    ],
)
def test_every_pixel_is_inside_the_footprint(room, crs, place, crossing):
    from rasterio.warp import transform
    from shapely import contains_xy
    from shapely.geometry import shape as shape_of
    size = 30 if crossing else 40
    task(room, numpy.full((4, size, 40), 5, "uint16"), numpy.ones((1, size, 40), "int16"), crs=crs, transform=place)
    item = item_of(room)
    shape = shape_of(item["geometry"])
    assert shape.is_valid and shape.geom_type == ("MultiPolygon" if crossing else "Polygon")
    rows, columns = numpy.mgrid[0:size, 0:40] + 0.5
    lon, lat = transform(crs, "EPSG:4326", *(place * (columns.ravel(), rows.ravel())))
    lon = (numpy.array(lon) + 180) % 360 - 180
    assert contains_xy(shape, lon, lat).all() and -180 <= shape.bounds[0] and shape.bounds[2] <= 180
    west, south, east, north = item["bbox"]
    assert (west > east) == crossing and -90 <= south < north <= 90


def test_the_archive_is_flat_stored_and_the_same_each_time(room):
    task(room)
    first = post(room)
    content = open(first.path("archive"), "rb").read()
    with zipfile.ZipFile(first.path("archive")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"{DATED}.tif", f"{DATED}_imputed_pred.tif", f"{DATED}_pred.geojson", f"{DATED}_pred.gpkg", f"{DATED}_pred_classes.tif",
            f"{DATED}_pred_classes.tif.aux.xml", f"{DATED}_rgb.tif", "stats.csv",
        ]
        assert all(entry.compress_type == zipfile.ZIP_STORED and entry.date_time[0] == 1980 for entry in archive.infolist())
    item = open(first.path("item"), "rb").read()
    second = post(room)
    assert open(second.path("archive"), "rb").read() == content and open(second.path("item"), "rb").read() == item


def test_a_large_prediction_makes_a_small_picture(room):
    task(room, numpy.full((4, 300, 2500), 5, "uint16"), numpy.ones((1, 300, 2500), "uint8"), predicted={"nodata": None})
    from PIL import Image
    with Image.open(post(room).path("preview")) as picture:
        assert picture.size == (834 * 2 + 8, 100 + 92)


def test_the_picture_is_white_without_data(room):
    from PIL import Image
    scene = numpy.random.default_rng(2).integers(500, 3000, (4, 60, 80)).astype("uint16")
    scene[:, :, :20] = 0
    predicted = numpy.ones((1, 60, 80), "int16")
    predicted[:, :, :20] = -1
    task(room, scene, predicted, nodata=0)
    with Image.open(post(room).path("preview")) as picture:
        side, gap = 400 // 80, 8
        for x in (10, 80 + gap // side + 10):
            assert picture.getpixel((x * side, 5 * side)) == (255, 255, 255)
            assert picture.getpixel(((x + 30) * side, 5 * side)) != (255, 255, 255)


def test_a_continuous_prediction_is_painted_in_the_style_of_its_layer(room):
    values = numpy.tile(numpy.linspace(0, 100, 7, dtype="float32"), (1, 6, 1))
    values[0, 0, 0] = numpy.nan
    task(room, prediction=values, predicted={"nodata": -9999})
    stops = [{"value": 0, "rgb": [255, 0, 0], "label": "none"}, {"value": 100, "rgb": [0, 0, 255], "label": "dense"}]
    before, after = panels(post(room, ramp=stops, classes={}), (6, 7))
    for column, ends in ((0, (255, 0, 0)), (3, (127, 0, 127)), (6, (0, 0, 255))):
        assert abs(after[2, column] - (before[2, column] * 0.2 + numpy.multiply(ends, 0.8))).max() <= 2
    assert (after[0, 0] == before[0, 0]).all()


def test_a_million_classes_do_not_hang(room):
    task(room, numpy.full((4, 1000, 1000), 5, "uint16"), numpy.arange(1000000, dtype="int32").reshape(1, 1000, 1000))
    assert post(room).result["status"] == "FINISHED"


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "float64", "int8"])
def test_predictions_of_any_type(room, dtype):
    task(room, prediction=numpy.ones((1, 6, 7), dtype), predicted={"nodata": None})
    assert post(room).result["status"] == "FINISHED"


def test_a_prediction_that_a_processor_spoilt_is_named(room):
    task(room)
    path = room.inputs / f"{DATED}_imputed_pred.tif"
    content = path.read_bytes()
    for spoilt in (b"", b"<html>", content[: len(content) - 60]):
        path.write_bytes(spoilt)
        ran = post(room)
        assert ran.error["code"] == "prediction.not_raster" and path.name in ran.error["message"] and "Traceback" not in ran.log
    task(room, prediction=numpy.ones((1, 6, 7), "complex64"), predicted={"nodata": None})
    assert post(room).error["code"] == "prediction.complex"
    task(room, prediction=numpy.ones((1, 5, 5), "int16"), crs=None)
    ran = post(room, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "hls_fmask"})
    assert ran.error["code"] == "source.no_crs"


def test_the_item_says_what_where_and_when_and_nothing_of_the_run(room):
    task(room, predicted={"tiled": True})
    item = item_of(room)
    assert (item["stac_version"], item["id"]) == ("1.1.0", DATED)
    assert {key: value for key, value in item["properties"].items() if key.startswith(("datetime", "proj"))} == {
        "datetime": "2024-08-12T00:00:00Z", "proj:code": "EPSG:32630", "proj:shape": [6, 7],
        "proj:transform": [10, 0, 500000, 0, -10, 4500000],
    }
    ring = item["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] and len(ring) == 5
    assert sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in zip(ring, ring[1:])) < 0  # counterclockwise
    west, south, east, north = item["bbox"]
    assert -3.001 < west < east < -2.99 and 40.6 < south < north < 40.7
    band = item["assets"]["prediction"]["bands"][0]
    assert item["assets"]["prediction"]["classification:classes"][1] == {"value": 1, "name": "Water", "title": "Water", "description": "Water", "color_hint": "0000FF"}
    assert band == {"name": "band 1", "data_type": "int16", "nodata": -1, "raster:sampling": "area"}
    digest = hashlib.sha256((room.inputs / "preview.png").read_bytes()).hexdigest()
    assert item["assets"]["thumbnail"]["file:checksum"] == f"1220{digest}"
    assert item["assets"]["rgb"]["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert item["assets"]["rgb"]["roles"] == ["visual", "overview"] and item["assets"]["thumbnail"]["roles"] == ["thumbnail"]
    assert all(asset["href"].startswith("./") and (room.inputs / asset["href"]).exists() for asset in item["assets"].values())


def test_an_item_without_crs_has_no_geometry(room):
    task(room, crs=None)
    item = item_of(room)
    assert item["geometry"] is None and "bbox" not in item and item["properties"]["proj:code"] is None


@pytest.mark.parametrize("stem", ["scene", "scene_2024-13-45"])
def test_no_item_without_a_date_and_the_log_says_so(room, stem):
    task(room, stem=stem)
    ran = post(room)
    assert "item" not in ran.result["artifacts"] and "no STAC Item" in ran.log


def test_an_item_across_the_antimeridian_and_one_of_a_south_up_raster(room):
    task(room, crs="EPSG:32601", transform=from_origin(200000, 6000000, 60000, 60000))
    geometry = item_of(room)["geometry"]
    assert geometry["type"] == "MultiPolygon" and len(geometry["coordinates"]) == 2
    task(room, transform=Affine(10, 0, 5e5, 0, 10, 45e5))
    assert item_of(room)["geometry"]["type"] == "Polygon"


def test_nodata_that_is_no_number_is_a_word(room):
    task(room, prediction=numpy.ones((1, 6, 7), "float32"), predicted={"nodata": float("nan")})
    assert item_of(room)["assets"]["prediction"]["bands"][0]["nodata"] == "nan"
