"""Vector files as strangers give them: right pixels, or an error by name."""

import json
import sqlite3
import struct
import zipfile
from contextlib import closing

import numpy
import pyogrio
import pytest
import shapely
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.warp import transform
from rasterio.windows import Window

from geodag.program import StepError
from geodag.vectors import Burned, buffered, read_shapes

UTM = "urn:ogc:def:crs:EPSG::32630"
PLACE = from_origin(500000, 4500000, 10, 10)


def square(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def area(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


SQUARE = square(500200, 4499400, 500600, 4499800)  # 40 x 40 pixels


def degrees(ring, by=0):
    lon, lat = transform("EPSG:32630", "EPSG:4326", *zip(*ring))
    return [[x + by, y] for x, y in zip(lon, lat)]


def geojson(path, *shapes, crs=UTM):
    features = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in shapes]
    named = {"crs": {"type": "name", "properties": {"name": crs}}} if crs else {}
    path.write_text(json.dumps({"type": "FeatureCollection", **named, "features": features}))
    return str(path)


def hits(path: str, metres: float = 0, crs="EPSG:32630", place=PLACE, shape=(100, 100)) -> numpy.ndarray:
    """bool [row, column] of a raster of 100 x 100 pixels."""
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": shape[0], "width": shape[1], "crs": crs, "transform": place}
    with MemoryFile() as memory, memory.open(**profile) as raster:
        return Burned(buffered(*read_shapes(path), raster, metres), raster).read(Window(0, 0, shape[1], shape[0]))


POINT = {"type": "Point", "coordinates": [500900, 4499100]}
SHAPES = {
    "a hole": ([area(SQUARE, square(500300, 4499500, 500400, 4499600))], UTM, 1500),
    "a bow tie": ([area([[500200, 4499400], [500600, 4499800], [500600, 4499400], [500200, 4499800], [500200, 4499400]])], UTM, 800),
    "heights": ([area([point + [5.0] for point in SQUARE])], UTM, 1600),
    "no feature": ([], UTM, 0),
    "a feature without a shape beside another": ([None, {"type": "Polygon", "coordinates": []}, area(SQUARE)], UTM, 1600),
    "an open ring": ([area(SQUARE[:-1])], UTM, 1600),
    "a collection": ([{"type": "GeometryCollection", "geometries": [area(SQUARE), POINT]}], UTM, 1601),
    "the URN of EPSG:4326, longitude first": ([area(degrees(SQUARE))], "urn:ogc:def:crs:EPSG::4326", 1600),
    "no CRS": ([area(degrees(SQUARE))], None, 1600),
    "longitudes a turn further": ([area(degrees(SQUARE, 360))], None, 1600),
    "the world": ([area(square(-180, -90, 180, 90))], None, 10_000),
    "the world from 0 to 360": ([area(square(0, -90, 360, 90))], None, 10_000),
    "all south of 60 degrees": ([area(square(-180, -90, 180, 60))], None, 10_000),
    "the northern half": ([area(square(-180, 0, 180, 90))], None, 10_000),
    "the world of EPSG:3857": ([area(square(-20037508, -20037508, 20037508, 20037508))], "EPSG:3857", 10_000),
    "a far place beside it": ([area(square(170, 50, 171, 51)), area(degrees(SQUARE))], None, 1600),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_their_pixels(tmp_path, name):
    shapes, crs, wanted = SHAPES[name]
    assert hits(geojson(tmp_path / "m.geojson", *shapes, crs=crs)).sum() == wanted


def test_a_buffer_around_the_world_is_the_world(tmp_path):
    assert hits(geojson(tmp_path / "m.geojson", area(square(-180, -90, 180, 90)), crs=None), 1000).all()


def test_a_hundred_thousand_vertices(tmp_path):
    turn = numpy.linspace(0, 2 * numpy.pi, 100_001)
    far = 200 + 20 * numpy.sin(turn * 500)
    ring = numpy.column_stack((500500 + far * numpy.cos(turn), 4499500 + far * numpy.sin(turn)))
    ring[-1] = ring[0]
    assert hits(geojson(tmp_path / "m.geojson", area(ring.tolist()))).sum() == pytest.approx(numpy.pi * 20**2, abs=10)


@pytest.mark.parametrize(
    "shape, crs, told",
    [
        (area(SQUARE), None, "are no degrees"),
        (area(SQUARE), "EPSG:999999", "are no degrees"),
        (area(SQUARE), "hello", "are no degrees"),
        (area(SQUARE[:2]), UTM, "none of its 1 features"),
        ({"type": "Polygon"}, UTM, "none of its 1 features"),
        (area([[float("nan"), 1], [2, 3], [4, 5], [float("nan"), 1]]), None, "none of its 1 features"),
    ],
)
def test_what_has_no_place_is_told(tmp_path, shape, crs, told):
    with pytest.raises(StepError, match=told) as failed:
        hits(geojson(tmp_path / "m.geojson", shape, crs=crs))
    assert failed.value.code == "mask.not_vector"


@pytest.mark.parametrize(
    "west, rings, metres, wanted",
    [
        (179.9, [square(179.95, 9.93, 180.05, 9.97)], 0, (slice(30, 70), slice(50, 100))),
        (179.9, [square(179.95, 9.93, 180.0, 9.97)], 1106, (slice(20, 80), slice(40, 100))),
        (179.95, [square(179.95, 9.93, 180.0, 9.97), square(-180, 9.93, -179.95, 9.97)], 0, (slice(30, 70), slice(0, 100))),
        (-180.05, [square(179.95, 9.93, 180.0, 9.97), square(-180, 9.93, -179.95, 9.97)], 0, (slice(30, 70), slice(0, 100))),
        (539.95, [square(179.95, 9.93, 180.05, 9.97)], 0, (slice(30, 70), slice(0, 100))),
    ],
)
def test_both_sides_of_180_degrees_are_one_place(tmp_path, west, rings, metres, wanted):
    path = geojson(tmp_path / "m.geojson", *map(area, rings), crs=None)
    found = hits(path, metres, "EPSG:4326", from_origin(west, 10, 0.001, 0.001))
    hoped = numpy.zeros((100, 100), bool)
    hoped[wanted] = True
    if not metres:
        assert numpy.array_equal(found, hoped)
    else:  # corners are round, and a degree of longitude is shorter
        assert found[30:70, 50:].all() and (found & ~hoped).sum() == 0 and found.sum() > 0.93 * hoped.sum()


def test_over_a_pole_and_in_the_first_zone(tmp_path):
    path = geojson(tmp_path / "m.geojson", area(square(-180, -90, 180, -80)), crs=None)
    assert hits(path, 0, "EPSG:3031", from_origin(-500, 500, 10, 10)).all()
    ring = square(165200, 1099300, 165800, 1099800)
    lon, lat = transform("EPSG:32601", "EPSG:4326", *zip(*ring))
    assert min(lon) > 179  # west of the zone's own side
    place = from_origin(165000, 1100000, 10, 10)
    for by in (0, -360):
        path = geojson(tmp_path / "m.geojson", area([[x + by, y] for x, y in zip(lon, lat)]), crs=None)
        assert hits(path, 0, "EPSG:32601", place).sum() == pytest.approx(3000, abs=5)


def test_a_buffer_on_a_raster_of_the_globe_is_refused_and_polygons_are_not(tmp_path):
    path = geojson(tmp_path / "m.geojson", area(square(0, 0, 90, 45)), crs=None)
    place, shape = from_origin(-180, 90, 3.6, 1.8), (100, 100)
    assert hits(path, 0, "EPSG:4326", place, shape).sum() == 25 * 25
    with pytest.raises(StepError, match="set it to 0") as failed:
        hits(path, 100, "EPSG:4326", place, shape)
    assert failed.value.code == "mask.no_place"


def geopackage(path, layers=("a",), crs="EPSG:32630", shape=None):
    for n, layer in enumerate(layers):
        wkb = numpy.array([shapely.to_wkb(shape or shapely.Polygon(SQUARE))], dtype=object)
        pyogrio.raw.write(str(path), wkb, field_data=[], fields=[], crs=crs, geometry_type="Polygon", layer=layer, append=n > 0)
    return path


def changed(path, *statements, wkb: bytes | None = None):
    with closing(sqlite3.connect(path)) as database:
        for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
            database.create_function(name, 1, lambda _: 0)
        for statement in statements:
            database.execute(statement)
        if wkb:
            database.execute("UPDATE a SET geom = ?", (b"GP\0\x01" + struct.pack("<i", 32630) + wkb,))
        database.commit()
    return str(path)


def test_a_trigger_is_not_run_and_arcs_are_followed(tmp_path):
    path = geopackage(tmp_path / "t.gpkg")
    assert hits(changed(path, "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END")).sum() == 1600
    circle = [(500700, 4499500), (500500, 4499700), (500300, 4499500), (500500, 4499300), (500700, 4499500)]
    arcs = struct.pack("<BII", 1, 8, 5) + b"".join(struct.pack("<dd", *point) for point in circle)
    curved = struct.pack("<BII", 1, 10, 1) + arcs
    for wkb in (curved, struct.pack("<BII", 1, 12, 1) + curved):  # CurvePolygon, MultiSurface
        assert hits(changed(path, wkb=wkb)).sum() == pytest.approx(numpy.pi * 20**2, abs=15)


@pytest.mark.parametrize(
    "more, statements, told",
    [
        ({"layers": ("a", "b")}, [], "2 layers with shapes, a, b"),
        ({}, ["UPDATE gpkg_contents SET srs_id = -1", "UPDATE gpkg_geometry_columns SET srs_id = -1"], "on no map"),
        ({}, ["ALTER TABLE a RENAME TO c", "CREATE VIEW a AS WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM q) SELECT c.* FROM c, q"], "a is a view"),
    ],
)  # fmt: skip
def test_a_geopackage_that_is_not_one_layer_on_a_map_is_told(tmp_path, more, statements, told):
    path = changed(geopackage(tmp_path / "g.gpkg", **more), *statements)
    with pytest.raises(StepError, match=told) as failed:
        read_shapes(path)
    assert failed.value.code == "mask.not_vector"


@pytest.fixture
def parts(tmp_path):
    """The files of a Shapefile, by name."""
    (tmp_path / "s").mkdir()
    geopackage(tmp_path / "s/m.shp")
    return {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def test_a_zip_is_one_shapefile_and_leads_nowhere_else(tmp_path, parts):
    path = tmp_path / "m.zip"
    assert hits(zipped(path, parts)).sum() == 1600
    elsewhere = f'<OGRVRTDataSource><OGRVRTLayer name="m"><SrcDataSource>{tmp_path}/s/m.shp</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    huge = parts["m.shp"][:100] + bytes(321 * 2**20)
    for files, told in (
        ({"m.shp": elsewhere.encode()}, "m.shp is no Shapefile"),
        ({**parts, "m.shp": huge}, "simplify it"),
        ({"doc.kml": b"<kml/>"}, "holds 0 .shp"),
        ({**parts, "b.shp": parts["m.shp"]}, "holds 2 .shp"),
        ({f"a/../../{name}": content for name, content in parts.items()}, "m.zip is no vector file"),
        ({name: content for name, content in parts.items() if name != "m.shx"}, "shx"),
        ({name: content for name, content in parts.items() if name != "m.prj"}, "are no degrees"),
    ):
        with pytest.raises(StepError, match=told) as failed:
            hits(zipped(path, files))
        assert failed.value.code == "mask.not_vector"
    assert path.stat().st_size < 2**20  # what was huge was a megabyte on the wire
