"""Where points of a raster lie on the earth, whatever PROJ refuses of them."""

from __future__ import annotations

import math

import numpy
import rasterio.warp
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio._err import CPLE_BaseError  # what PROJ's refusals are raised as

WGS84 = CRS.from_epsg(4326)
# One point that PROJ refuses fails its whole array, which is then tried in halves: at most so many times.
MOST_TRIES = 20_000
# Metres: the other pole of a polar stereographic map lies no farther than that.
FARTHEST = 1e8


def transformed(source: CRS, target: CRS, x, y) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(x, y) float64 [point] in ``target``; infinity where a point has no place there."""
    x, y = numpy.asarray(x, "float64"), numpy.asarray(y, "float64")
    made = numpy.full((2, len(x)), numpy.inf)
    parts, tries = [slice(0, len(x))] if len(x) else [], 0
    while parts and tries < MOST_TRIES:
        part, tries = parts.pop(), tries + 1
        try:
            made[:, part] = rasterio.warp.transform(source, target, x[part], y[part])
        except (CPLE_BaseError, RasterioError):
            middle = (part.start + part.stop) // 2
            if part.stop - part.start > 1:
                parts += [slice(middle, part.stop), slice(part.start, middle)]
            elif tries == 1:
                break
    made[:, ~numpy.isfinite(made).all(axis=0)] = numpy.inf
    return made[0], made[1]


def on_earth(raster, columns, rows) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(longitude, latitude) float64 [point] in EPSG:4326 of places of ``raster`` in pixels; infinity off the earth.

    Off it is what has no longitude and latitude, and what another longitude and latitude would lead back to: a
    projection may go on beyond its edge, and lies there. A cylinder goes on around the earth, and does not. Longitudes
    of a geographic CRS stay as they are; latitudes half a pixel beyond a pole, as grids of points have them, are the pole.
    """
    x, y = (numpy.asarray(v, "float64") for v in raster.transform * (numpy.asarray(columns, "float64"), numpy.asarray(rows, "float64")))
    pixel = max(numpy.hypot(raster.transform.a, raster.transform.d), numpy.hypot(raster.transform.b, raster.transform.e))
    if raster.crs.is_geographic:
        over = numpy.abs(y) * degrees(raster.crs) - 90
        y = numpy.where((over > 0) & (over <= 0.51 * pixel * degrees(raster.crs)), numpy.sign(y) * 90 / degrees(raster.crs), y)
    lon, lat = transformed(raster.crs, WGS84, x, y)
    if raster.crs.is_geographic:
        return lon, lat
    found = numpy.isfinite(lon) & (numpy.maximum(abs(x), abs(y)) * raster.crs.linear_units_factor[1] <= FARTHEST)
    back_x, back_y = transformed(WGS84, raster.crs, lon[found], lat[found])
    off = numpy.maximum(abs(back_x - x[found]), abs(back_y - y[found])) > pixel
    turns = abs(back_x - x[found])[off]
    cylinder = off.any() and numpy.isfinite(turns).all() and numpy.ptp(turns) < pixel and (abs(back_y - y[found])[off] < pixel).all()
    if not cylinder:
        found[numpy.flatnonzero(found)[off]] = False
    return numpy.where(found, lon, numpy.inf), numpy.where(found, lat, numpy.inf)


def degrees(crs: CRS) -> float:
    """Degrees of a geographic CRS's unit: 1, or 0.9 for grads."""
    return float(numpy.degrees(crs.units_factor[1]))


def pixel_metres(raster) -> tuple[float, float]:
    """(width, height) of a pixel, metres; 111,320 to a degree."""
    t = raster.transform
    unit = 111_320 * degrees(raster.crs) if raster.crs.is_geographic else raster.crs.linear_units_factor[1]
    return float(numpy.hypot(t.a, t.d)) * unit, float(numpy.hypot(t.b, t.e)) * unit


def places(raster) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(column, row) of 9 x 9 places from corner to corner."""
    columns, rows = numpy.meshgrid(numpy.linspace(0, raster.width, 9), numpy.linspace(0, raster.height, 9))
    return columns.ravel(), rows.ravel()


def corners_of(raster) -> list[tuple[float, float]]:
    """(x, y) in the raster's CRS."""
    return [raster.transform * corner for corner in ((0, 0), (raster.width, 0), (0, raster.height), (raster.width, raster.height))]


def bbox_of(raster) -> list[float] | None:
    """West, south, east, north; None when the CRS is unknown, or a part lies off the earth.

    West is greater than east across 180 degrees in a projection; a geographic CRS goes on beyond 180.
    """
    if not raster.crs or not numpy.isfinite(on_earth(raster, *places(raster))).all():
        return None
    x, y = zip(*corners_of(raster))
    try:
        west, south, east, north = rasterio.warp.transform_bounds(raster.crs, WGS84, min(x), min(y), max(x), max(y))
    except Exception:  # PROJ knows many ways to refuse; the raster itself is still good
        return None
    if not all(map(math.isfinite, (west, south, east, north))):
        return None
    if raster.crs.is_geographic:
        turn = 360 * math.floor((west + 180) / 360)
        west, east = (-180.0, 180.0) if east - west >= 360 else (west - turn, east - turn)
        south, north = max(south, -90.0), min(north, 90.0)
    return [west, south, east, north]
