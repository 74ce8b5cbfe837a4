"""Odd and hostile scenes: each is read rightly, or refused by a code, the file named, and no stack trace."""

import gzip
import os
import struct
import subprocess
import sys
import warnings

import numpy
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.fill import fillnodata
from rasterio.transform import Affine

warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)


def ramp(bands: int = 1, height: int = 8, width: int = 9, dtype: str = "uint16") -> numpy.ndarray:
    return (numpy.arange(bands * height * width).reshape(bands, height, width) % 100 + 1).astype(dtype)


def refused(ran, code: str, *words: str) -> None:
    assert ran.error["code"] == code, ran.error
    for word in words:
        assert word in ran.error["message"], ran.error
    assert "Traceback" not in ran.log and "/tmp/" not in ran.error["message"]
    assert not [name for name in os.listdir(ran.folder) if name.endswith((".part.tif", ".download"))]


# What is not a raster

@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "empty"),
        (b"hello", "not a GeoTIFF"),
        (b"\n<!DOCTYPE html><html>404", "HTML, not a GeoTIFF"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "XML, not a GeoTIFF"),
        (b"<VRTDataset rasterXSize='1'/>", "VRT, not a GeoTIFF"),
        (b'{"detail": "no"}', "JSON, not a GeoTIFF"),
        (gzip.compress(b"II*\0", mtime=0), "gzip"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"II*\0\x08\0\0\0", "GeoTIFF"),
        (b"II*\0\xff\xff\xff\xff", "GeoTIFF"),
        (b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", "GeoTIFF"),
    ],
)
def test_what_is_no_geotiff_is_called_what_it_is(room, content, said):
    (room.inputs / "scene.tif").write_bytes(content)
    refused(room.fetch("scene.tif"), "source.not_raster", "scene.tif", said)


def test_a_truncated_file(room):
    path = room.tif("scene.tif", ramp(3, 300, 300), tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(room.fetch("scene.tif", 3), "source.not_raster", "2024-08-12_scene.tif", "cut off")


def tiff_header(width: int, height: int, count: int = 1, rows: int = 0) -> bytes:
    """A little-endian TIFF of one directory and no pixel."""
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 8), (262, 3, 1), (273, 4, 8), (277, 3, count), (278, 4, rows or height),
        (279, 4, 8), (284, 3, 1),
    ]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0\x10\0\0\0" + b"\0" * 8 + struct.pack("<H", len(tags)) + body + b"\0\0\0\0"


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (2**31, 2**31), (100000, 100000), (2**31 - 1, 1)])
def test_declared_sizes_that_cannot_be(room, size):
    (room.inputs / "scene.tif").write_bytes(tiff_header(*size))
    ran = room.fetch("scene.tif")
    assert ran.error["code"] in ("source.not_raster", "source.too_large"), ran.error
    refused(ran, ran.error["code"], "scene.tif")


@pytest.mark.parametrize(
    "profile",
    [
        {"count": 13, "width": 10980, "height": 10980, "dtype": "float32", "tiled": True},
        {"count": 1, "width": 30000, "height": 30000, "dtype": "uint8", "tiled": True},
        {"count": 200, "width": 5000, "height": 5000, "dtype": "float64", "tiled": True},
        {"count": 13, "width": 100, "height": 100, "dtype": "float32", "tiled": True, "blockxsize": 16000, "blockysize": 16000},
        {"count": 2, "width": 10000, "height": 10000, "dtype": "uint8", "blockysize": 10000, "compress": "deflate"},
    ],
)
def test_a_tiny_file_that_declares_much_is_refused_before_it_takes_memory(room, profile):
    with rasterio.open(room.inputs / "bomb.tif", "w", driver="GTiff", SPARSE_OK=True, BIGTIFF="YES", **profile):
        pass
    # GDAL reads one long strip line by line, so that it is small in memory; but this one has no line.
    code = "source.all_nodata" if "blockysize" in profile and "tiled" not in profile else "source.too_large"
    refused(room.fetch("bomb.tif"), code, "bomb.tif")


def test_several_images_in_one_file(room):
    for append in ("NO", "YES"):
        room.tif("pages.tif", ramp(), APPEND_SUBDATASET=append)
    refused(room.fetch("pages.tif"), "source.subdatasets", "pages.tif", "GTIFF_DIR:1")


def test_a_band_too_few(room):
    room.tif("scene.tif", ramp(3))
    refused(room.fetch("scene.tif", 4), "source.too_few_bands", "3 bands", "index 3")


def test_bands_that_the_file_itself_calls_otherwise(room):
    path = room.tif("scene.tif", ramp(3))
    with rasterio.open(path, "r+") as scene:
        scene.descriptions = ("B01", "B02", "B8A")
    spec = [{"index": 0, "band_name": "blue", "scaling_factor": 1}]
    refused(_with(room, spec), "source.wrong_bands", "scene.tif", "index 0 B01", "blue")
    right = [{"index": 1, "band_name": "blue", "scaling_factor": 1}, {"index": 2, "band_name": "nir", "scaling_factor": 1}]
    assert _with(room, right).result["status"] == "FINISHED"


def _with(room, bands):
    return room.run("url-connector", {
        "file": "scene.tif", "date": None, "bands": bands, "require_crs": False,
        "max_bytes": 4_000_000_000, "allow_private_hosts": False,
    })  # fmt: skip


def test_complex_numbers(room):
    room.tif("scene.tif", ramp(dtype="complex64"))
    refused(room.fetch("scene.tif"), "source.complex", "scene.tif", "amplitude")


def test_a_palette_is_no_reflectance_but_may_be_a_layer(room):
    with rasterio.open(room.tif("scene.tif", ramp(dtype="uint8")), "r+") as raster:
        raster.write_colormap(1, {1: (1, 2, 3, 255)})
    refused(room.fetch("scene.tif"), "source.palette", "scene.tif", "-expand rgb")
    assert room.fetch("scene.tif", bands=0).result["status"] == "FINISHED"


def test_control_points_alone(room):
    points = [GroundControlPoint(0, 0, 0, 50), GroundControlPoint(0, 9, 1, 50), GroundControlPoint(8, 0, 0, 49)]
    room.tif("scene.tif", ramp(), transform=None, gcps=points)
    refused(room.fetch("scene.tif"), "source.no_geotransform", "scene.tif", "gdalwarp")


def test_no_crs_is_refused_only_where_one_is_needed(room):
    room.tif("scene.tif", ramp(), crs=None)
    refused(room.fetch("scene.tif", require_crs=True), "source.no_crs", "scene.tif", "gdal_edit.py")
    ran = room.fetch("scene.tif")
    assert ran.result["details"]["crs"] is None and ran.result["details"]["bbox"] is None


@pytest.mark.parametrize("place, code, word", [
    ({"transform": Affine(1, 2, 0, 2, 4, 0)}, "source.no_geotransform", "no size"),
    ({"transform": Affine(float("nan"), 0, 0, 0, -10, 0)}, "source.no_geotransform", "no size"),
    ({"crs": 'LOCAL_CS["a plan",UNIT["metre",1]]'}, "source.no_crs", "on no map"),
    ({"crs": "EPSG:4978"}, "source.no_crs", "on no map"),
    ({"crs": "EPSG:4326", "transform": Affine(0.1, 0, 3, 0, -0.1, 90.4)}, "source.no_geotransform", "beyond a pole"),
    ({"crs": "EPSG:4326", "transform": Affine(0.1, 0, 3, 0, -0.1, -95)}, "source.no_geotransform", "beyond a pole"),
])
def test_a_place_that_no_map_has(room, place, code, word):
    room.tif("scene.tif", ramp(), **place)
    refused(room.fetch("scene.tif"), code, "scene.tif", word)


@pytest.mark.parametrize("factor", [0, float("nan"), float("inf")])
def test_a_scale_that_loses_the_values(room, factor):
    room.tif("scene.tif", ramp())
    refused(room.fetch("scene.tif", scaling_factor=factor), "source.bad_scale", "B0", "2024-08-12_scene.tif")


def test_one_band_without_a_valid_pixel_is_named(room):
    scene = ramp(3)
    scene[1] = 0
    room.tif("scene.tif", scene, nodata=0)
    refused(room.fetch("scene.tif", 3), "source.all_nodata", "band B1 of 2024-08-12_scene.tif")


# What is odd and right

@pytest.mark.parametrize(
    "dtype, nodata",
    [("int8", -1), ("uint8", 0), ("int16", -9999), ("uint32", 4294967295), ("float64", float("nan")), ("float32", 1e20), ("uint8", None)],
)
def test_types_and_nodata(room, dtype, nodata):
    scene = ramp(dtype=dtype)
    if nodata is not None:
        scene[0, 3, 3] = nodata
    room.tif("scene.tif", scene, nodata=nodata)
    ran = room.fetch("scene.tif")
    assert ran.result["details"]["filled_pixels"] == (nodata is not None)
    pixels = ran.pixels("imputed_input_image")
    assert pixels.dtype == numpy.float32 and numpy.isfinite(pixels).all()
    keep = numpy.ones(scene.shape, bool)
    keep[0, 3, 3] = nodata is None
    assert numpy.array_equal(pixels[keep], scene[keep].astype("float32"))


@pytest.mark.parametrize("text", [b"-99", b"nan", b"1e9"])
def test_nodata_that_the_type_cannot_hold_is_no_nodata(room, text):
    path = room.tif("scene.tif", ramp(dtype="uint8"), nodata=255)
    path.write_bytes(path.read_bytes().replace(b"255\0", text + b"\0"))
    assert room.fetch("scene.tif").result["details"]["filled_pixels"] == 0


@pytest.mark.parametrize("transform", [Affine(10, 3, 5e5, 3, -10, 45e5), Affine(10, 0, 5e5, 0, 10, 45e5)])
def test_rotated_and_south_up_keep_their_place(room, transform):
    room.tif("scene.tif", ramp(), transform=transform)
    ran = room.fetch("scene.tif")
    west, south, east, north = ran.result["details"]["bbox"]
    assert west < east and south < north
    with rasterio.open(ran.path("imputed_input_image")) as raster:
        assert raster.transform == transform and numpy.array_equal(raster.read(), ramp().astype("float32"))


def test_an_internal_mask_hides_pixels(room):
    mask = numpy.ones((8, 9), bool)
    mask[2, 2] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(room.tif("scene.tif", ramp(2)), "r+") as raster:
            raster.write_mask(mask)
    ran = room.fetch("scene.tif", 2)
    assert ran.result["details"]["filled_pixels"] == 2
    with rasterio.open(ran.folder / "valid.tif") as valid:
        assert numpy.array_equal(valid.read(1), mask)


def test_alpha_hides_pixels_unless_the_model_reads_it(room):
    scene = ramp(4, dtype="uint8")
    scene[3] = 255
    scene[3, 1, 1] = 0
    room.tif("scene.tif", scene, photometric="RGB", alpha="YES")
    assert room.fetch("scene.tif", 3).result["details"]["filled_pixels"] == 3
    assert room.fetch("scene.tif", 4).result["details"]["filled_pixels"] == 0


def test_files_beside_the_scene_are_not_read(room):
    scene = ramp()
    path = str(room.tif("scene.tif", scene))
    room.tif("scene.tif.ovr", ramp()), room.tif("scene.tif.msk", scene * 0)
    pam = '<PAMDataset><SRS>EPSG:4326</SRS><PAMRasterBand band="1"><NoDataValue>3</NoDataValue></PAMRasterBand></PAMDataset>'
    with open(path + ".aux.xml", "w", encoding="utf-8") as file:
        file.write(pam)
    probe = "import sys; from geodag.raster import open_scene; d = open_scene(sys.argv[1]); print(d.nodata, d.crs, d.overviews(1), d.read_masks(1).min())"
    env = {**os.environ, "PYTHONPATH": os.path.join(os.path.dirname(__file__), "../../containers/raster")}
    env.pop("GDAL_DISABLE_READDIR_ON_OPEN", None)
    said = subprocess.run([sys.executable, "-c", probe, path], env=env, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["None", "EPSG:32630", "[]", "255"]


@pytest.mark.parametrize("size", [(1, 1), (5, 700), (700, 5)])
def test_scenes_of_any_size(room, size):
    scene = ramp(2, *size)
    room.tif("scene.tif", scene)
    assert numpy.array_equal(room.fetch("scene.tif", 2).pixels("imputed_input_image"), scene.astype("float32"))


@pytest.mark.parametrize(
    "name, stem",
    [
        ("räume & más.tif", "2024-08-12_r_ume_m_s"),
        ("日本.tif", "2024-08-12__"),
        ("x" * 240 + ".tif", "2024-08-12_" + "x" * 80),
        ("..tif", "2024-08-12_tif"),
        ("S2_2023-01-05.tif", "S2_2023-01-05"),
        ("S2_2024-13-45.tif", "2024-08-12_S2_2024-13-45"),
        ("-rf.tif", "2024-08-12_rf"),
    ],
)
def test_names(room, name, stem):
    room.tif(name, ramp())
    assert room.fetch(name).result["artifacts"]["original_input_image"] == stem + ".tif"


def test_a_scene_called_valid_is_not_taken_for_the_mask(room):
    room.tif("valid.tif", ramp())
    assert room.fetch("valid.tif", date=None).result["artifacts"]["original_input_image"] == "valid_scene.tif"


def test_of_two_inputs_the_named_one_is_read(room):
    room.tif("a.tif", ramp()), room.tif("b.tif", ramp() + 1)
    assert room.fetch("b.tif").pixels("imputed_input_image")[0, 0, 0] == 2
    refused(room.fetch("c.tif"), "source.not_found", "c.tif", "--inputs")


# Windows

@pytest.mark.parametrize("tiled", [True, False])
def test_windows_fill_as_the_whole_scene_would(room, tiled):
    random = numpy.random.default_rng(3)
    scene = random.integers(1, 9999, (2, 1300, 260), "uint16")
    scene[:, random.random((1300, 260)) < 0.02] = 0
    scene[0, 480:560, 20:200] = 0  # over the seam at 512
    scene[1, 700:, :] = 0  # farther than 100 px
    room.tif("scene.tif", scene, nodata=0, tiled=tiled)
    pixels = room.fetch("scene.tif", 2).pixels("imputed_input_image")
    for band, made in zip(scene.astype("float32"), pixels):
        valid = band != 0
        whole = fillnodata(numpy.where(valid, band, numpy.nan), valid.astype("uint8"), max_search_distance=100)
        whole[numpy.isnan(whole)] = numpy.median(band[valid])
        assert numpy.array_equal(whole, made)


@pytest.mark.parametrize("count", [401, 400])
def test_the_median_of_floats_below_and_above_zero_is_exact(room, count):
    random = numpy.random.default_rng(4)
    scene = numpy.full((1, 400, 400), -9999, "float32")
    scene[0].flat[:count] = random.normal(0, 1, count)
    room.tif("scene.tif", scene, nodata=-9999)
    made = room.fetch("scene.tif").pixels("imputed_input_image")
    assert made[0, 399, 399] == numpy.median(scene[0].flat[:count])


# Radiometry and fill

@pytest.mark.parametrize(
    "mode, more, wanted",
    [("stored", {}, [0.2, 0.5]), ("scaled", {}, [0.1, 0.4]), ("stored", {"offset": -0.1}, [0.1, 0.4]), ("scaled", {"offset": 1}, [1.1, 1.4])],
)
def test_the_files_own_radiometry_is_applied_where_asked_and_said_where_not(room, mode, more, wanted):
    path = room.tif("s.tif", numpy.full((1, 4, 4), 2000, "uint16"))
    with rasterio.open(path, "r+") as raster:
        raster.scales, raster.offsets = [0.0001], [-0.1]
        raster.write(numpy.full((4, 4), 5000, "uint16"), 1, window=((0, 2), (0, 4)))
    factor = 1 if mode == "scaled" else 0.0001
    bands = [{"index": 0, "band_name": "B2", "scaling_factor": factor, **more}]
    ran = room.run("url-connector", {"file": "s.tif", "bands": bands, "radiometry": mode, "date": None, "max_bytes": 10**9})
    assert numpy.allclose(ran.pixels("imputed_input_image")[0][[3, 0], 0], wanted)
    said = "was applied" if mode == "scaled" else "was not applied: give radiometry: scaled"
    assert "scale 0.0001, offset -0.1" in ran.log and said in ran.log and said in ran.result["details"]["radiometry"]


@pytest.mark.parametrize("nodata", [None, -3.4e38, 0.0])
@pytest.mark.parametrize("fill", [-3.4028234663852886e38, 3.4028234663852886e38, -3.4e38, float("-inf"), float("nan")])
def test_the_ends_of_float32_are_no_data(room, nodata, fill):
    scene = numpy.full((1, 5, 5), 7, "float32")
    scene[0, 2, 2] = fill
    room.tif("s.tif", scene, nodata=nodata)
    ran = room.fetch("s.tif")
    assert ran.result["details"]["filled_pixels"] == 1 and (ran.pixels("imputed_input_image") == 7).all()
    assert rasterio.open(room.inputs / "valid.tif").read(1).sum() == 24
