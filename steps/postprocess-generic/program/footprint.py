"""Where a raster lies in longitude and latitude (RFC 7946): dense edges, cut at 180 degrees, a pole enclosed."""

import math

import antimeridian
import numpy
import rasterio.warp
import shapely

# An edge of a 100 km scene in UTM bends by some hundred metres; a segment of 1/64 by less than one.
PARTS = 64
# Degrees, about 0.1 m: points that a straight line replaces say nothing.
STRAIGHT = 1e-6


def footprint(raster) -> tuple[list[float] | None, dict | None]:
    """(bbox, GeoJSON geometry) in EPSG:4326; None where the CRS does not lead there.

    West is greater than east in a bbox across 180 degrees (RFC 7946, 5.2).
    """
    if raster.crs is None:
        return None, None
    try:
        lon, lat = rasterio.warp.transform(raster.crs, "EPSG:4326", *_edges(raster))
    except Exception:  # PROJ knows many ways to refuse; the rasters are still good
        return None, None
    if not all(map(math.isfinite, [*lon, *lat])):
        return None, None
    if max(lon) - min(lon) >= 360 and max(lon) - min(lon) < 361 and raster.crs.is_geographic:
        shape = shapely.box(-180, min(lat), 180, max(lat))
    else:
        ring = shapely.simplify(shapely.LinearRing([*zip(lon, lat)]), STRAIGHT, preserve_topology=True)
        shape = antimeridian.fix_polygon(shapely.Polygon(ring), great_circle=False, fix_winding=False)
    bounds = antimeridian.bbox(shape)
    return [round(v, 7) for v in bounds], _plain(shapely.geometry.mapping(shape))


def _edges(raster) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(x, y) around the raster, counterclockwise as GeoJSON wants it."""
    part = numpy.linspace(0, 1, PARTS, endpoint=False)
    none, whole = numpy.zeros(PARTS), numpy.ones(PARTS)
    column = numpy.concatenate([part, whole, 1 - part, none]) * raster.width
    row = numpy.concatenate([none, part, whole, 1 - part]) * raster.height
    if raster.transform.determinant < 0:  # north-up: this way round is clockwise
        column, row = column[::-1], row[::-1]
    return raster.transform * (column, row)


def _plain(shape: dict) -> dict:
    """GeoJSON with lists and seven decimals, about a centimetre."""

    def lists(value):
        return [lists(v) for v in value] if isinstance(value, (list, tuple)) else round(value, 7)

    return {"type": shape["type"], "coordinates": lists(shape["coordinates"])}
