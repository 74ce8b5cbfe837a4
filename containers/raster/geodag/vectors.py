"""Vector files: read as polygons in a raster's CRS, burned window by window, buffered in metres on the ground."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import zipfile
import zlib
from urllib.parse import quote

import numpy
import pyogrio
import pyogrio.raw
import rasterio.warp
import shapely
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.windows import transform as window_transform

from geodag.place import WGS84, transformed
from geodag.program import StepError

# Degrees: a longer edge would cut a corner when it is bent into another CRS.
LONGEST = 0.02
MAX_VERTICES = 20_000_000
# The first four bytes of a .shp (ESRI Shapefile Technical Description, 1998).
SHAPEFILE = b"\0\0\x27\x0a"
# Metres to the other side.
HALF_GLOBE = 20_000_000


def path_of(path: str) -> str:
    """What GDAL is to open: the .shp inside a zip, else the file. Fails with ``mask.not_vector``."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head[:4] == b"PK\x03\x04":
        return f"/vsizip/{path}/{_shapefile_in(path)}"
    if head.startswith(b"SQLite format 3\0") or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return path
    raise _refused(path, "neither GeoJSON, GeoPackage nor a zipped Shapefile")


def _shapefile_in(path: str) -> str:
    """Name of the one .shp in a zip. GDAL goes by the content: under this name may be what leads it to other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [info for info in archive.infolist() if info.filename.lower().endswith(".shp") and not info.filename.startswith("__MACOSX/")]
            if len(found) != 1:
                raise _refused(path, f"the zip holds {len(found)} .shp: put one Shapefile (.shp, .shx, .dbf, .prj) into it")
            [info] = found
            if info.file_size > MAX_VERTICES * 16:
                raise _refused(path, f"{info.filename} is {info.file_size} bytes, more than {MAX_VERTICES} vertices: simplify it")
            with archive.open(info) as member:
                if member.read(4) != SHAPEFILE:
                    raise _refused(path, f"{info.filename} is no Shapefile")
            return info.filename
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as failure:
        raise _refused(path, f"the zip cannot be read: {failure}") from failure


def _refused(path: str, why: str) -> StepError:
    return StepError("mask.not_vector", f"{os.path.basename(path)} is no vector file that can be read ({why}): give GeoJSON, .gpkg or a zipped .shp")


def _layer_of(path: str, opened: str) -> str:
    """The one layer with shapes, a table: a view is a program of its writer's. Fails with ``mask.not_vector``."""
    layers = [name for name, kind in pyogrio.list_layers(opened) if kind]
    if len(layers) != 1:
        raise _refused(path, f"it has {len(layers)} layers with shapes, {', '.join(layers)[:200]}: give one layer")
    with open(path, "rb") as file:
        if not file.read(6) == b"SQLite":
            return layers[0]
    with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)) as database:
        kind, text = database.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", layers).fetchone() or ("missing", "")
    if kind != "table" or (text or "").upper().startswith("CREATE VIRTUAL"):
        raise _refused(path, f"{layers[0]} is a {'virtual table' if kind == 'table' else kind}: store it as a table")
    return layers[0]


def _crs_of(path: str, said: str | None, shapes: numpy.ndarray) -> CRS:
    """The CRS that a file names, else longitude and latitude. Fails with ``mask.not_vector`` where the coordinates are of another."""
    crs = CRS.from_user_input(said) if said else WGS84
    if not (crs.is_geographic or crs.is_projected):
        raise _refused(path, "its CRS is on no map: name another (ogr2ogr -a_srs EPSG:<code>)")
    if crs.is_geographic and len(shapes):
        west, south, east, north = shapely.total_bounds(shapes)
        if south < -90 - 1e-6 or north > 90 + 1e-6 or west < -540 or east > 540:
            named = crs.to_string()[:40] if said else "no CRS that is known"
            raise _refused(path, f"it names {named} and its coordinates, to {east:.10g} {north:.10g}, are no degrees: name their CRS")
    return crs


def read_shapes(path: str, box=None) -> tuple[numpy.ndarray, CRS]:
    """(geometries, CRS) of the one layer, those that meet ``box`` (west, south, east, north in EPSG:4326) if given.

    A file that names no CRS is in longitude and latitude. Open rings are closed; what has no place is left out.
    Fails with ``mask.not_vector``.
    """
    opened = path_of(path)
    try:
        layer = _layer_of(path, opened)
        if box:
            said = pyogrio.read_info(opened, layer)["crs"]
            box = rasterio.warp.transform_bounds(WGS84, CRS.from_user_input(said), *box) if said else box
        meta, _, wkb, _ = pyogrio.raw.read(opened, layer, columns=[], bbox=box, force_2d=True)
        shapes = shapely.from_wkb(wkb, on_invalid="fix")
    except StepError:
        raise
    except Exception as failure:  # GDAL names many kinds; the file is a stranger's
        raise _refused(path, str(failure).replace(os.path.dirname(path) + "/", "")) from failure
    features = len(shapes)
    shapes = shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)]
    if shapely.get_num_coordinates(shapes).sum() > MAX_VERTICES:
        raise _refused(path, f"more than {MAX_VERTICES} vertices: simplify it")
    shapes = shapely.get_parts(shapely.get_parts(shapes))  # of a collection, each of its own
    if not numpy.isfinite(shapely.get_coordinates(shapes)).all():
        raise _refused(path, "it has coordinates that are no numbers")
    flat = (shapely.get_dimensions(shapes) == 2) & (shapely.area(shapes) == 0)
    flat[flat] = shapely.area(shapely.make_valid(shapes[flat])) == 0  # the halves of a bow tie are +1 and -1
    shapes = shapes[~flat]
    if features and not len(shapes) and not box:
        raise _refused(path, f"none of its {features} features has a shape")
    return shapes, _crs_of(path, meta.get("crs"), shapes)


def moved(shapes: numpy.ndarray, source: CRS, target: CRS) -> numpy.ndarray:
    """The geometries in another CRS, long edges cut first so that they bend with it; what has no place there is left out."""
    if source == target:
        return shapes
    metres = 1 if source.is_geographic else source.linear_units_factor[1]
    shapes = shapely.segmentize(shapes, LONGEST if source.is_geographic else LONGEST * 100_000 / metres)

    def move(xy):
        return numpy.column_stack(transformed(source, target, xy[:, 0], xy[:, 1]))

    placed = shapely.transform(shapes, move)
    return placed[numpy.isfinite(shapely.bounds(placed)).all(axis=1)]


def metric(raster) -> CRS:
    """A CRS in which a metre is a metre where the raster lies: azimuthal equidistant around its centre."""
    middle = raster.transform * (raster.width / 2, raster.height / 2)
    lon, lat = transformed(raster.crs, WGS84, [middle[0]], [middle[1]])
    return CRS.from_proj4(f"+proj=aeqd +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m")


def _reach(raster, ground: CRS) -> float:
    """Metres from the raster's centre to its farthest edge; as far as the globe goes where that is not to be said."""
    steps = numpy.linspace(0, 1, 9)
    edge = [(x, y) for x in steps for y in (0, 1)] + [(x, y) for x in (0, 1) for y in steps]
    x, y = zip(*(raster.transform * (x * raster.width, y * raster.height) for x, y in edge))
    far = numpy.hypot(*transformed(raster.crs, ground, x, y)).max()
    return far if numpy.isfinite(far) else HALF_GLOBE


def _near(shapes: numpy.ndarray, source: CRS, raster, metres: float) -> numpy.ndarray:
    """What of longitudes and latitudes lies within so many metres of the raster's centre, in one piece beside 180 degrees.

    Far away a map turns inside out: the ring of the whole world is a line there.
    """
    middle = raster.transform * (raster.width / 2, raster.height / 2)
    lon, lat = (values[0] for values in transformed(raster.crs, source, [middle[0]], [middle[1]]))
    high = min(metres / 110_000 + 0.01, 180)
    north, south = min(lat + high, 90), max(lat - high, -90)
    widest = math.cos(math.radians(max(abs(north), abs(south))))
    wide = min(high / widest, 180) if widest > 1e-3 else 180
    box = shapely.box(lon - wide, south, lon + wide, north)
    found = []
    for by in (-720, -360, 0, 360, 720):
        turned = shapely.transform(shapes, lambda xy, by=by: xy + (by, 0)) if by else shapes
        near = turned[shapely.intersects(shapely.envelope(turned), box)]
        cut = shapely.intersection(shapely.make_valid(near), box)
        found.append(cut[~shapely.is_empty(cut)])
    return numpy.concatenate(found)


def buffered(shapes: numpy.ndarray, source: CRS, raster, metres: float) -> numpy.ndarray:
    """The geometries near a raster in its CRS, grown by ``metres`` on the ground. Fails with ``mask.no_place``."""
    ground = metric(raster)
    reach = _reach(raster, ground)
    if metres and reach > HALF_GLOBE / 2:
        raise StepError("mask.no_place", "buffer_size_m around polygons of half the globe and more is no circle on any map: set it to 0")
    if source == raster.crs and source.is_projected:
        near = shapely.make_valid(shapes)
    else:
        if source.is_projected:
            shapes, source = moved(shapes, source, WGS84), WGS84
        near = _near(shapes, source, raster, reach + metres)
    if metres:
        near, source = shapely.buffer(shapely.make_valid(moved(near, source, ground)), metres), ground
    placed = moved(near, source, raster.crs)
    if not raster.crs.is_geographic or source == raster.crs or reach > HALF_GLOBE / 2:
        return placed
    # Longitudes that jump from 180 to -180 go on instead, on the raster's side.
    west = (raster.transform * (raster.width / 2, raster.height / 2))[0] - 180
    return shapely.transform(placed, lambda xy: numpy.column_stack((west + (xy[:, 0] - west) % 360, xy[:, 1])))


def around(shapes: numpy.ndarray, raster) -> numpy.ndarray:
    """The geometries in the raster's CRS, once more a turn to the west and to the east where it may go on beyond 180 degrees."""
    if not raster.crs.is_geographic:
        return shapes
    return numpy.concatenate([shapely.transform(shapes, lambda xy, by=by: xy + (by, 0)) for by in (0, -360, 360)])


class Burned:
    """Polygons over a raster: True where a pixel's centre lies inside one."""

    def __init__(self, shapes: numpy.ndarray, raster, all_touched: bool = False) -> None:
        self.raster, self.touched = raster, all_touched
        self.tree = shapely.STRtree(shapes[~shapely.is_empty(shapes)])

    def read(self, window) -> numpy.ndarray:
        """bool [row, column] of the window."""
        place, shape = window_transform(window, self.raster.transform), (int(window.height), int(window.width))
        corners = [place * corner for corner in ((0, 0), (shape[1], 0), (0, shape[0]), (shape[1], shape[0]))]
        box = shapely.box(*numpy.min(corners, axis=0), *numpy.max(corners, axis=0))
        near = self.tree.geometries.take(numpy.sort(self.tree.query(box)))
        if not len(near):
            return numpy.zeros(shape, bool)
        return rasterize(near, out_shape=shape, transform=place, all_touched=self.touched, dtype="uint8") > 0
