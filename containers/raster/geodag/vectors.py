"""Vector files: read as polygons in a raster's CRS, burned window by window, buffered in metres on the ground."""

from __future__ import annotations

import os
import zipfile

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


def path_of(path: str) -> str:
    """What GDAL is to open: the .shp inside a zip, else the file. Fails with ``mask.not_vector``."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head[:4] == b"PK\x03\x04":
        try:
            names = [name for name in zipfile.ZipFile(path).namelist() if name.lower().endswith(".shp") and not name.startswith("__MACOSX/")]
        except zipfile.BadZipFile as failure:
            raise _refused(path, f"the zip cannot be read: {failure}") from failure
        if len(names) != 1:
            raise _refused(path, f"the zip holds {len(names)} .shp: put one Shapefile (.shp, .shx, .dbf, .prj) into it")
        return f"/vsizip/{path}/{names[0]}"
    if head.startswith(b"SQLite format 3\0") or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return path
    raise _refused(path, "neither GeoJSON, GeoPackage nor a zipped Shapefile")


def _refused(path: str, why: str) -> StepError:
    return StepError("mask.not_vector", f"{os.path.basename(path)} is no vector file that can be read ({why}): give GeoJSON, .gpkg or a zipped .shp")


def read_shapes(path: str, box=None) -> tuple[numpy.ndarray, CRS]:
    """(geometries, CRS) of the first layer, those that meet ``box`` (west, south, east, north in EPSG:4326) if given.

    A file that names no CRS is in longitude and latitude. Fails with ``mask.not_vector``.
    """
    opened = path_of(path)
    try:
        if box:
            said = pyogrio.read_info(opened)["crs"]
            box = rasterio.warp.transform_bounds(WGS84, CRS.from_user_input(said), *box) if said else box
        meta, _, wkb, _ = pyogrio.raw.read(opened, columns=[], bbox=box, force_2d=True)
        shapes = shapely.from_wkb(wkb, on_invalid="ignore")
    except Exception as failure:  # GDAL names many kinds; the file is a stranger's
        raise _refused(path, str(failure).replace(os.path.dirname(path) + "/", "")) from failure
    shapes = shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)]
    if shapely.get_num_coordinates(shapes).sum() > MAX_VERTICES:
        raise _refused(path, f"more than {MAX_VERTICES} vertices: simplify it")
    return shapely.get_parts(shapes), CRS.from_user_input(meta["crs"]) if meta.get("crs") else WGS84


def moved(shapes: numpy.ndarray, source: CRS, target: CRS) -> numpy.ndarray:
    """The geometries in another CRS, long edges cut first so that they bend with it; what has no place there is left out."""
    if source == target:
        return shapes
    if source.is_geographic:
        shapes = shapely.segmentize(shapes, LONGEST)

    def move(xy):
        return numpy.column_stack(transformed(source, target, xy[:, 0], xy[:, 1]))

    placed = shapely.transform(shapes, move)
    return placed[numpy.isfinite(shapely.bounds(placed)).all(axis=1)]


def metric(raster) -> CRS:
    """A CRS in which a metre is a metre where the raster lies: azimuthal equidistant around its centre."""
    middle = raster.transform * (raster.width / 2, raster.height / 2)
    lon, lat = transformed(raster.crs, WGS84, [middle[0]], [middle[1]])
    return CRS.from_proj4(f"+proj=aeqd +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m")


def buffered(shapes: numpy.ndarray, source: CRS, raster, metres: float) -> numpy.ndarray:
    """The geometries in the raster's CRS, grown by ``metres`` on the ground."""
    ground = metric(raster)
    grown = shapely.buffer(shapely.make_valid(moved(shapes, source, ground)), metres) if metres else shapely.make_valid(moved(shapes, source, ground))
    return around(moved(grown, ground, raster.crs), raster)


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
