"""Where a scene lies, and what its file says of its values: read rightly, or refused by a name, the file and the cure in it."""

import warnings

import numpy
import pytest
import rasterio
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_origin

from test_url_connector import ramp, refused

warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)

MOON, MARS = "+proj=longlat +R=1737400 +no_defs", "+proj=eqc +R=3396190"
GEOSTATIONARY = "+proj=geos +h=35785831 +lon_0=0 +sweep=y"


@pytest.mark.parametrize("crs, transform, code, word", [
    ("EPSG:4326", from_origin(5000, 50, 1, 1), "source.no_geotransform", "longitude 5000 to 5009"),
    ("EPSG:4326", from_origin(-180, 50, 30, 1), "source.no_geotransform", "once around the earth"),
    ("EPSG:4326", from_origin(5e5, 4.5e6, 10, 10), "source.no_geotransform", "beyond a pole"),
    ("EPSG:4326", from_origin(1, 1, 1e-12, 1e-12), "source.no_geotransform", "pixels of 1.11e-07"),
    ("EPSG:4326", from_origin(0, 90.6, 1, 1), "source.no_geotransform", "beyond a pole"),
    ("EPSG:32630", from_origin(1e9, 1e9, 10, 10), "source.no_geotransform", "all off the earth"),
    ("EPSG:32630", from_origin(5e5, 3e7, 10, 10), "source.no_geotransform", "all off the earth"),
    ("EPSG:32630", from_origin(5e5, 1e7, 4e6, 4e6), "source.no_geotransform", "partly off the earth"),
    ("EPSG:32630", from_origin(5e5, 4.5e6, 1e-7, 1e-7), "source.no_geotransform", "pixels of 1e-07"),
    ("EPSG:32630", from_origin(5e5, 4.5e6, 1e7, 1e7), "source.no_geotransform", "pixels of 1e+07"),
    ("EPSG:32630", Affine.identity(), "source.no_geotransform", "no transform"),
    ("EPSG:3857", from_origin(1e12, 1e12, 10, 10), "source.no_geotransform", "all off the earth"),
    ("EPSG:3995", from_origin(1e9, 1e9, 10, 10), "source.no_geotransform", "all off the earth"),
    (GEOSTATIONARY, from_origin(5.4e6, 5.4e6, 1000, 1000), "source.no_geotransform", "all off the earth"),
    (MOON, from_origin(0, 8, 1, 1), "source.no_crs", "on the earth"),
    (MARS, from_origin(0, 1e6, 1e4, 1e4), "source.no_geotransform", "off the earth"),
])
def test_a_scene_off_the_earth_is_refused(room, crs, transform, code, word):
    room.tif("scene.tif", ramp(1, 8, 24 if "once" in word else 9), crs=crs, transform=transform)
    refused(room.fetch("scene.tif"), code, "scene.tif", word, "gdal")


@pytest.mark.parametrize("size, crs, transform, bbox", [
    ((18, 36), "EPSG:4326", from_origin(0, 90, 10, 10), [-180, -90, 180, 90]),
    ((19, 36), "EPSG:4326", from_origin(-5, 95, 10, 10), [-180, -90, 180, 90]),  # a grid of points, as reanalyses have it
    ((18, 36), "EPSG:4326", Affine(10, 0, -180, 0, 10, -90), [-180, -90, 180, 90]),
    ((8, 9), "EPSG:4326", from_origin(300, 50, 1, 1), [-60, 42, -51, 50]),
    ((8, 9), "EPSG:4326", from_origin(-190, 50, 1, 1), [170, 42, 179, 50]),
    ((8, 9), "EPSG:4326", from_origin(176, 50, 1, 1), [176, 42, 185, 50]),
    ((8, 9), "EPSG:4326", from_origin(1, 1, 1e-7, 1e-7), [1, 1, 1, 1]),
    ((8, 9), "EPSG:3857", from_origin(2.01e7, 1e6, 10, 10), [-179.4, 9, -179.4, 9]),
    ((8, 9), GEOSTATIONARY, from_origin(-5.5e6, 5.5e6, 1.2e6, 1.3e6), None),  # its corners see space
    ((1, 1), "EPSG:32630", from_origin(500000, 4500000, 10, 10), [-3, 40.65, -3, 40.65]),
])
def test_grids_around_the_earth_and_small_ones_keep_their_place(room, size, crs, transform, bbox):
    scene = ramp(2, *size)
    room.tif("scene.tif", scene, crs=crs, transform=transform)
    ran = room.fetch("scene.tif", 2)
    with rasterio.open(ran.path("imputed_input_image")) as made:
        assert made.transform.almost_equals(transform, 1e-9) and numpy.array_equal(made.read(), scene.astype("float32"))
    found = ran.result["details"]["bbox"]
    assert found == (None if bbox is None else pytest.approx(bbox, abs=0.1)) or crs == "EPSG:3857"
    assert found is None or (-180 <= found[0] <= 180 and -90 <= found[1] <= found[3] <= 90)


def test_a_sensor_model_alone_is_no_place(room):
    first, line = [1.0] + [0.0] * 19, [0.0, 0.0, 1.0] + [0.0] * 17
    rpcs = RPC(0, 1, 0, 1, first, line, 0, 1, 0, 1, first, [0.0, 1.0] + [0.0] * 18, 0, 1)
    for crs in (None, "EPSG:4326"):
        room.tif("scene.tif", ramp(), transform=None, crs=crs, rpcs=rpcs)
        refused(room.fetch("scene.tif"), "source.no_geotransform", "scene.tif", "RPC", "gdalwarp")


def tagged(room, scales, offsets):
    with rasterio.open(room.tif("scene.tif", ramp(2)), "r+") as scene:
        scene.scales, scene.offsets = scales, offsets


@pytest.mark.parametrize("scale, offset", [(float("nan"), 0), (1, float("inf")), (float("-inf"), 0), (0, 0), (1e300, 0), (1e-300, 0), (1, 1e300)])
def test_radiometry_of_a_file_that_is_no_number_is_left_aside_or_refused(room, scale, offset):
    tagged(room, [1, scale], [0, offset])
    ran = room.fetch("scene.tif", 2)
    assert numpy.array_equal(ran.pixels("imputed_input_image"), ramp(2).astype("float32"))
    assert "was not applied" in ran.result["details"]["radiometry"]
    refused(room.fetch("scene.tif", 2, radiometry="scaled"), "source.bad_scale", "scene.tif", "B1", "gdal_edit.py -scale 1")


@pytest.mark.parametrize("overviews", [False, True])
def test_a_file_without_pixels_at_full_size_is_refused(room, overviews):
    profile = {"driver": "GTiff", "count": 2, "height": 600, "width": 700, "dtype": "uint16", "tiled": True, "SPARSE_OK": True}
    place = {"crs": "EPSG:32630", "transform": from_origin(5e5, 45e5, 10, 10)}
    with rasterio.open(room.inputs / "scene.tif", "w", **profile, **place):
        pass
    if overviews:
        with rasterio.open(room.inputs / "scene.tif", "r+") as scene:
            scene.build_overviews([2, 4])
    refused(room.fetch("scene.tif", 2), "source.all_nodata", "scene.tif", "only overviews" if overviews else "no pixels")
    with rasterio.open(room.inputs / "scene.tif", "r+") as scene:
        scene.write(numpy.full((1, 1), 7, "uint16"), 2, window=((0, 1), (0, 1)))
    assert room.fetch("scene.tif", 2).pixels("imputed_input_image").sum() == 7


@pytest.mark.parametrize("bands, profile", [
    (1, {"nbits": 1}),
    (4, {"nbits": 12, "dtype": "uint16"}),
    (4, {"nbits": 16, "dtype": "float32"}),
    (3, {"compress": "JPEG", "photometric": "YCBCR", "tiled": True, "blockxsize": 16, "blockysize": 16}),
    (4, {"photometric": "CMYK"}),
    (3, {"photometric": "CIELAB"}),
    (3, {"compress": "WEBP", "interleave": "pixel", "WEBP_LOSSLESS": True}),
    (4, {"compress": "LERC", "dtype": "float32"}),
    (2, {"BIGTIFF": "YES", "ENDIANNESS": "BIG", "dtype": "int16"}),
    (2, {"dtype": "int64"}),
])
def test_what_tiff_can_hold_is_read_as_gdal_reads_it(room, bands, profile):
    scene = ramp(bands, 48, 64, profile.pop("dtype", "uint8"))
    path = room.tif("scene.tif", scene % 2 if profile.get("nbits") == 1 else scene, **profile)
    with rasterio.open(path) as given:
        wanted = given.read()[:bands].astype("float32")
    assert numpy.array_equal(room.fetch("scene.tif", bands).pixels("imputed_input_image"), wanted)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 100_000)])
def test_long_and_thin(room, size):
    room.tif("scene.tif", ramp(2, *size))
    assert numpy.array_equal(room.fetch("scene.tif", 2).pixels("imputed_input_image"), ramp(2, *size).astype("float32"))
