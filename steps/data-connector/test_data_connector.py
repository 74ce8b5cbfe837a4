"""Pixels of frozen items: which item wins, on which grid, with which values. Numbers are exact."""

import hashlib
import json

import numpy
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

from range_server import RangeServer
from scenes import G, band, cog_bytes, full, item, modality, parameters, spec


@pytest.fixture
def server():
    server = RangeServer()
    yield server
    server.close()


def counts(array) -> dict[int, int]:
    return {int(value): int(count) for value, count in zip(*numpy.unique(array, return_counts=True))}


def put(server, name: str, data: bytes, **more) -> dict:
    server.files[f"/{name}.tif"] = data
    return band(server.url(f"/{name}.tif"), **more)


def a_and_b(server) -> list[dict]:
    """A west with DN 1000, B 4 km east with DN 2000; they share 57,344 pixels."""
    return [
        item("A", {"blue": put(server, "A", cog_bytes(full(1000), (500000, 5000000)))}),
        item("B", {"blue": put(server, "B", cog_bytes(full(2000), (504000, 5000000)))}, datetime="2024-06-10T10:50:45.024Z"),
    ]


def finished(room, *modalities, **more):
    ran = room.run("data-connector", parameters(*modalities, **more))
    assert ran.result["status"] == "FINISHED", ran.log
    return ran


def digest(ran, key="original_input_image") -> str:
    with open(ran.path(key), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_the_first_item_in_the_stated_order_wins(room, server):
    ran = finished(room, modality(a_and_b(server)))
    assert counts(ran.pixels("original_input_image")) == {1000: 262_144, 2000: 204_800}
    assert ran.result["artifacts"] == {
        "original_input_image": "f-task_0_S2L2A_2024-06-10.tif", "imputed_input_image": "f-task_0_S2L2A_2024-06-10_imputed.tif",
    }
    assert ran.result["details"]["modalities"][0]["coverage"] == 1.0
    with rasterio.open(ran.path("original_input_image")) as raster:
        assert (raster.dtypes, raster.nodata, raster.descriptions) == (("uint16",), 0, ("blue",))
        assert (raster.crs.to_epsg(), raster.transform.to_gdal()) == (32631, tuple(G["transform"]))
        assert raster.tags()["radiometry"] == "harmonised"
        assert [one["id"] for one in json.loads(raster.tags()["items"])] == ["A", "B"]
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(ran.path("imputed_input_image")) as raster:
        assert raster.dtypes == ("float32",)


def test_the_same_items_give_the_same_bytes_whatever_the_threads(room, server):
    items = a_and_b(server)
    for one in items:
        one["bands"]["red"] = one["bands"]["blue"]
    asked = modality(items, ("red", "blue"))
    digests = {digest(finished(room, asked, threads=threads)) for threads in (1, 2, 2, 4)}
    assert len(digests) == 1
    assert digest(finished(room, modality(items[::-1], ("red", "blue")))) not in digests


L = {"origin": (731700, 5009400), "epsg": 32631}
R = {"origin": (260460, 5009700), "epsg": 32632}
ZONE_32 = {"epsg": 32632, "transform": [261730, 10, 0, 5007420, 0, -10], "width": 650, "height": 580}
ZONE_31 = {"epsg": 32631, "transform": [733340, 10, 0, 5007480, 0, -10], "width": 651, "height": 580}


def l_and_r(server) -> list[dict]:
    """Neighbours over the border of UTM zones 31 and 32; the west of L is empty."""
    left = full(1100, (1024, 1024))
    left[:, :256] = 0
    classes = full(4, (512, 512), "uint8")
    classes[:, 256:] = 9
    return [
        item("L", {
            "blue": put(server, "L", cog_bytes(left, L["origin"], L["epsg"])),
            "scl": put(server, "L_scl", cog_bytes(classes, L["origin"], L["epsg"], pixel=20), class_band=True),
        }),
        item("R", {
            "blue": put(server, "R", cog_bytes(full(2100, (1024, 1024)), R["origin"], R["epsg"])),
            "scl": put(server, "R_scl", cog_bytes(full(7, dtype="uint8"), R["origin"], R["epsg"], pixel=20), class_band=True),
        }),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "grid, wanted", [(ZONE_32, {1100: 324_253, 2100: 52_747}), (ZONE_31, {1100: 324_220, 2100: 53_360})]
)
def test_items_of_two_zones_lie_on_one_grid(room, server, grid, wanted):
    assert counts(finished(room, modality(l_and_r(server), grid=grid)).pixels("original_input_image")) == wanted


def test_classes_alone_are_read_nearest_whatever_is_asked(room, server):
    ran = finished(room, modality(l_and_r(server), (spec("scl", class_band=True),), grid=ZONE_32, resampling="bilinear"))
    pixels = ran.pixels("original_input_image")
    assert pixels.dtype == "uint8" and counts(pixels) == {4: 201_637, 9: 175_363}


def test_a_class_comes_from_the_item_that_gave_the_pixel(room, server):
    ran = finished(room, modality(l_and_r(server), ("blue", spec("scl", class_band=True, model=False)), grid=ZONE_32))
    blue, scl = ran.pixels("original_input_image")
    assert counts(scl[blue == 2100]) == {7: 52_747} and set(counts(scl[blue == 1100])) == {4, 9}
    assert ran.result["details"]["modalities"][0]["clear"] == (scl != 9).mean()
    with rasterio.open(ran.path("imputed_input_image")) as raster:
        assert raster.descriptions == ("blue",)
    left, right = l_and_r(server)
    del right["bands"]["scl"]
    blue, scl = finished(room, modality([left, right], ("blue", spec("scl", class_band=True)), grid=ZONE_32)).pixels("original_input_image")
    assert counts(scl) == {4: 201_637, 9: 175_363}


def test_nodata_of_the_catalogue_counts_where_the_file_has_no_tag(room, server):
    array = full(1000, (256, 256))
    array[:, :64] = 0
    one = item("N", {"blue": put(server, "N", cog_bytes(array, (500000, 5000000), pixel=20, nodata=None), nodata=0)})
    ran = finished(room, modality([one], grid={**G, "width": 512}, resampling="bilinear"))
    assert counts(ran.pixels("original_input_image")) == {0: 65_536, 1000: 196_608}
    assert ran.result["details"]["modalities"][0]["coverage"] == 0.75


@pytest.mark.parametrize("tag, dtype", [(65535, "uint16"), (-9999, "float32"), (numpy.nan, "float32")])
def test_what_the_file_calls_nodata_is_none_though_the_catalogue_says_another(room, server, tag, dtype):
    values = full(1000, dtype=dtype)
    values[:, :64], values[:, 64:96] = 0, tag
    items = [item("A", {"blue": put(server, "A", cog_bytes(values, (500000, 5000000), nodata=tag), nodata=0)})]
    ran = finished(room, modality(items, grid={**G, "width": 512}))
    with rasterio.open(ran.path("original_input_image")) as raster:
        assert counts(raster.read()) == {int(raster.nodata): 96 * 512, 1000: 416 * 512}
    assert ("neither is data" in ran.log) is not numpy.isnan(tag)


def test_a_class_band_makes_no_pixel_valid(room, server):
    items = [item("A", {
        "blue": put(server, "A", cog_bytes(full(1000, (512, 256)), (500000, 5000000))),
        "scl": put(server, "S", cog_bytes(full(5, (256, 256), "uint8"), (500000, 5000000), pixel=20), class_band=True),
    })]  # fmt: skip
    ran = finished(room, modality(items, ("blue", spec("scl", class_band=True)), grid={**G, "width": 512}))
    assert counts(ran.pixels("original_input_image")[1]) == {0: 131_072, 5: 131_072}
    with rasterio.open(room.inputs / "valid.tif") as valid:
        assert counts(valid.read()) == {0: 131_072, 1: 131_072}
    assert counts(ran.pixels("imputed_input_image")[1]) == {0: 131_072, 5: 131_072}


OFFSET = {"offset": -1000}


@pytest.mark.parametrize("name, dn, more", [("c1", 1500, OFFSET), ("shifted", 500, {}), ("old", 500, {}), ("raw", 1500, OFFSET)])
def test_sentinel_2_is_harmonised_by_the_items_offset(room, server, name, dn, more):
    one = item(name, {"blue": put(server, name, cog_bytes(full(dn), (500000, 5000000)), **more)})
    assert counts(finished(room, modality([one], grid={**G, "width": 512})).pixels("original_input_image")) == {500: 262_144}


def test_an_offset_makes_neither_huge_numbers_nor_nodata(room, server):
    array = full(700)
    array[:, :256] = 0
    one = item("c1", {"blue": put(server, "f", cog_bytes(array, (500000, 5000000)), **OFFSET)}, collection="sentinel_aws/sentinel-2-c1-l2a")
    ran = finished(room, modality([one], grid={**G, "width": 512}))
    assert counts(ran.pixels("original_input_image")) == {0: 131_072, 1: 131_072}


def test_an_offset_that_was_applied_already_is_seen(room, server):
    one = item("twice", {"blue": put(server, "t", cog_bytes(full(500), (500000, 5000000)), **OFFSET)})
    ran = room.run("data-connector", parameters(modality([one])))
    assert ran.error["code"] == "source.offset_applied" and "twice" in ran.error["message"]


def test_halves_of_a_tile_make_a_whole(room, server):
    left, right = full(0), full(0)
    left[:, :261], right[:, 251:] = 20, 20
    items = [item(f"Y_{n}", {"blue": put(server, f"Y{n}", cog_bytes(half, (500000, 5000000)))}) for n, half in enumerate((left, right))]
    ran = finished(room, modality(items, grid={**G, "width": 512}))
    assert counts(ran.pixels("original_input_image")) == {20: 262_144} and ran.result["details"]["modalities"][0]["coverage"] == 1.0


def test_bands_come_in_the_order_asked_with_the_models_scale(room, server):
    items = [item("A", {
        "red": put(server, "red", cog_bytes(full(3000), (500000, 5000000))),
        "scl": put(server, "S", cog_bytes(full(5, (256, 256), "uint8"), (500000, 5000000), pixel=20), class_band=True),
        "blue": put(server, "blue", cog_bytes(full(1000), (500000, 5000000))),
    })]  # fmt: skip
    asked = (spec("red", scaling_factor=0.0001), spec("scl", class_band=True, model=False), spec("blue", scaling_factor=0.0001))
    ran = finished(room, modality(items, asked, grid={**G, "width": 512}))
    with rasterio.open(ran.path("original_input_image")) as raster:
        assert raster.descriptions == ("red", "scl", "blue") and [counts(one) for one in raster.read()] == [{v: 262_144} for v in (3000, 5, 1000)]
    assert numpy.allclose(ran.pixels("imputed_input_image")[:, 0, 0], (0.3, 0.1))


def of(server, name, values, x=500000, **more):
    """One band of 512 x 512 pixels of one value."""
    return item(name, {"blue": put(server, name, cog_bytes(values, (x, 5000000), nodata=None), **more)})


@pytest.mark.parametrize(
    "second, more, dtype, wanted",
    [
        (full(40_000), {}, "uint16", 40_000),
        (full(-300, dtype="int16"), {"nodata": None}, "int16", -300),
        (full(0.25, dtype="float32"), {"nodata": None}, "float32", 0.25),
        (full(2500, dtype="uint16"), {"scale": 0.0001}, "float32", 0.25),
        (full(7, dtype="uint32"), {}, "float32", 7),
    ],
)
def test_a_later_file_of_another_type_or_scale_keeps_its_values(room, server, second, more, dtype, wanted):
    """The first file holds bytes: what the second one has would be clipped to 255, or rounded to 0."""
    items = [of(server, "A", full(200, dtype="uint8")), of(server, "B", second, 504000, **more)]
    ran = finished(room, modality(items))
    with rasterio.open(ran.path("original_input_image")) as raster:
        assert raster.dtypes == (dtype,)
        found = zip(*numpy.unique(raster.read(), return_counts=True))
        assert {float(value): int(count) for value, count in found} == {200: 262_144, wanted: 204_800}


@pytest.mark.parametrize("turn", [Affine.scale(1, -1), Affine.rotation(30), Affine.rotation(200)])
def test_a_file_that_is_turned_reaches_where_its_corners_do(room, server, turn):
    """Around the middle of the grid, larger than it: every pixel of the grid lies in the file."""
    transform = Affine.translation(504_560, 4_997_440) * turn * Affine.translation(-10_000, 10_000) * Affine.scale(10, -10)
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=2000, width=2000, dtype="uint16", crs="EPSG:32631", transform=transform, nodata=0, tiled=True) as raster:
            raster.write(full(7, (2000, 2000)), 1)
        items = [item("T", {"blue": put(server, "turned", memory.read())})]
    assert counts(finished(room, modality(items)).pixels("original_input_image")) == {7: G["width"] * G["height"]}


def test_radar_becomes_decibels_in_the_model_input(room, server):
    array = numpy.full((2, 512, 512), 0.1, "float32")
    array[:, :, :10] = 0
    data = cog_bytes(array, (500000, 5000000), nodata=None)
    bands = {name: put(server, "sar", data, file_band=n, nodata=None) for n, name in enumerate(("VV", "VH"), 1)}
    asked = modality([item("S", bands)], ("VV", "VH"), name="S1GRD", transform="to_decibels", grid={**G, "width": 512}, file_suffix="sar")
    ran = finished(room, asked)
    assert ran.result["artifacts"]["imputed_input_image"] == "f-task_0_S1GRD_2024-06-10_imputed_sar.tif"
    assert counts(numpy.rint(ran.pixels("original_input_image")[0] * 10)) == {-99990: 5120, 1: 257_024}
    assert numpy.allclose(ran.pixels("imputed_input_image"), -10, atol=1e-5)


def test_two_modalities_share_the_grid(room, server):
    radar = item("S", {"VV": put(server, "vv", cog_bytes(full(1, dtype="float32"), (500000, 5000000), nodata=None), nodata=None)})
    grid = {**G, "width": 512}
    ran = finished(room, modality(a_and_b(server), grid=grid), modality([radar], ("VV",), name="S1GRD", grid=grid))
    made = ran.result["artifacts"]
    assert made["original_input_image"] == made["original_input_image:S2L2A"]
    assert made["imputed_input_image:S1GRD"] == "f-task_0_S1GRD_2024-06-10_imputed.tif"
    with rasterio.open(ran.path("imputed_input_image:S1GRD")) as one, rasterio.open(ran.path("imputed_input_image")) as two:
        assert (one.shape, one.transform) == (two.shape, two.transform)


def test_outside_of_the_clip_polygon_there_is_no_data(room, server):
    with rasterio.open(room.tif("g.tif", full(1)[None], crs="EPSG:32631", transform=rasterio.transform.from_origin(500000, 5000000, 10, 10))) as g:
        west, south, east, north = transform_bounds(g.crs, "EPSG:4326", *g.bounds)
    middle = (west + east) / 2
    ring = [[west - 1, south - 1], [middle, south - 1], [middle, north + 1], [west - 1, north + 1], [west - 1, south - 1]]
    ran = finished(room, modality(a_and_b(server), grid={**G, "width": 512}), clip={"type": "Polygon", "coordinates": [ring]})
    found = counts(ran.pixels("original_input_image"))
    assert found.keys() == {0, 1000} and abs(found[0] - 131_072) < 1500
    assert ran.result["details"]["modalities"][0]["coverage"] == 1.0
    assert not (ran.pixels("imputed_input_image") == 0).any()


def test_an_item_without_the_band_is_left_out_and_said(room, server):
    first, second = a_and_b(server)
    ran = finished(room, modality([{**first, "bands": {"red": first["bands"]["blue"]}, "warnings": ["odd"]}, second]))
    assert counts(ran.pixels("original_input_image")) == {0: 204_800, 2000: 262_144}
    assert ran.result["details"]["modalities"][0]["warnings"] == ["A: odd", "A has no file of blue: left out for that band"]


def test_sensor_geometry_and_empty_places_are_refused(room, server):
    gcps = [rasterio.control.GroundControlPoint(r, c, 3 + c / 512, 45 - r / 512) for r in (0, 512) for c in (0, 512)]
    with rasterio.io.MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=512, width=512, dtype="uint16", gcps=gcps, crs="EPSG:4326") as raster:
            raster.write(full(9)[None])
        data = memory.read()
    items = [item("GRD", {"VV": put(server, "grd", data, transform=[500000, 10, 0, 5000000, 0, -10], epsg=4326)})]
    assert room.run("data-connector", parameters(modality(items, ("VV",)))).error["code"] == "source.no_geotransform"
    far = modality(a_and_b(server), grid={**G, "transform": [700000, 10, 0, 5000000, 0, -10]})
    assert room.run("data-connector", parameters(far)).error["code"] == "source.all_nodata"


def test_the_log_counts_items_and_bytes(room, server):
    ran = finished(room, modality(a_and_b(server)))
    lines = [line for line in ran.log.splitlines() if line.startswith("item ")]
    assert [line.split(":")[0] for line in lines] == ["item 1 of 2", "item 2 of 2"] and "bytes" in lines[0]
