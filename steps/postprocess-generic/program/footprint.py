"""Where a raster lies in longitude and latitude (RFC 7946): dense edges, cut at 180 degrees, a pole enclosed."""

import antimeridian
import numpy
import shapely

from geodag.place import on_earth

# An edge of a 100 km scene in UTM bends by some hundred metres; a segment of 1/64 by less than one.
PARTS = 64
# Degrees, about 0.1 m: points that a straight line replaces say nothing.
STRAIGHT = 1e-6


def footprint(raster) -> tuple[list[float] | None, dict | None]:
    """(bbox, GeoJSON geometry) in EPSG:4326; None where the CRS does not lead there, or an edge is off the earth.

    West is greater than east in a bbox across 180 degrees (RFC 7946, 5.2).
    """
    if raster.crs is None:
        return None, None
    lon, lat = on_earth(raster, *_edges(raster))
    if not (numpy.isfinite(lon).all() and numpy.isfinite(lat).all()):
        return None, None
    if raster.crs.is_geographic and numpy.ptp(lon) >= 360 - STRAIGHT:
        shape = shapely.box(-180, lat.min(), 180, lat.max())
    else:
        # Of a raster of centimetres no corner can be left out.
        near = STRAIGHT if min(numpy.ptp(lon), numpy.ptp(lat)) > 10 * STRAIGHT else 0
        ring = shapely.simplify(shapely.LinearRing([*zip(lon, lat)]), near, preserve_topology=True)
        try:
            shape = antimeridian.fix_polygon(shapely.Polygon(ring), great_circle=False, fix_winding=False)
        except ValueError:  # it covers nothing
            return None, None
    decimals = 7 if min(numpy.ptp(lon), numpy.ptp(lat)) > 10 * STRAIGHT else 12
    bounds = antimeridian.bbox(shape)
    return [round(v, decimals) for v in bounds], _plain(shapely.geometry.mapping(shape), decimals)


def _edges(raster) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(column, row) around the raster, counterclockwise as GeoJSON wants it."""
    part = numpy.linspace(0, 1, PARTS, endpoint=False)
    none, whole = numpy.zeros(PARTS), numpy.ones(PARTS)
    column = numpy.concatenate([part, whole, 1 - part, none]) * raster.width
    row = numpy.concatenate([none, part, whole, 1 - part]) * raster.height
    if raster.transform.determinant < 0:  # north-up: this way round is clockwise
        column, row = column[::-1], row[::-1]
    return column, row


def _plain(shape: dict, decimals: int) -> dict:
    """GeoJSON with lists and rounded numbers; seven decimals are about a centimetre."""

    def lists(value):
        return [lists(v) for v in value] if isinstance(value, (list, tuple)) else round(value, decimals)

    return {"type": shape["type"], "coordinates": lists(shape["coordinates"])}
