"""How many square metres a pixel, or a polygon, covers on the ground."""

import numpy
from rasterio.crs import CRS

from geodag.place import WGS84, degrees, transformed

# A projection whose own square metres are that close to the ground's is taken at its word: UTM is.
CLOSE = 0.002
# WGS 84: semi-major axis in metres, first eccentricity.
AXIS, ECCENTRICITY = 6_378_137.0, 0.0818191908426215


def row_areas(raster) -> numpy.ndarray | None:
    """[row] float64, m² of a pixel in each row, at the raster's middle column; None without a CRS, or off the earth."""
    if raster.crs is None:
        return None
    rows = numpy.arange(raster.height + 1, dtype=float)
    left = numpy.full(rows.shape, raster.width // 2, float)
    x, y = raster.transform * (numpy.concatenate([left, left + 1]), numpy.concatenate([rows, rows]))
    move = to_equal_area(raster)
    if move is None:
        return None
    x, y = move(x, y)
    a, b = (numpy.stack([v[: len(rows)], v[len(rows) :]]) for v in (x, y))
    # The shoelace over the four corners of each pixel.
    corners = [(a[0, :-1], b[0, :-1]), (a[1, :-1], b[1, :-1]), (a[1, 1:], b[1, 1:]), (a[0, 1:], b[0, 1:])]
    with numpy.errstate(invalid="ignore"):  # infinity is off the earth
        found = abs(sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(corners, corners[1:] + corners[:1]))) / 2
    own = planar(raster)
    if own and numpy.all(abs(found / own - 1) < CLOSE):
        return numpy.full(raster.height, own)
    return found if numpy.isfinite(found).all() else None


def planar(raster) -> float | None:
    """m² of a pixel in the raster's own projection; None where that is not in metres."""
    if not raster.crs or not raster.crs.is_projected:
        return None
    factor = raster.crs.linear_units_factor[1]
    return abs(raster.transform.determinant) * factor * factor


def to_equal_area(raster):
    """A function of (x, y) in the raster's CRS to metres whose areas are those of the ground (WGS 84); None without one.

    Longitude and latitude go to Lambert's cylinder, which has no edge: a raster may go around the earth. A projection
    goes to the azimuthal map around its centre.
    """
    if raster.crs.is_geographic:
        unit = degrees(raster.crs)
        return lambda x, y: cylinder(numpy.asarray(x) * unit, numpy.asarray(y) * unit)
    middle = raster.transform * (raster.width / 2, raster.height / 2)
    lon, lat = transformed(raster.crs, WGS84, [middle[0]], [middle[1]])
    if not numpy.isfinite(lon[0]):
        return None
    target = CRS.from_proj4(f"+proj=laea +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m")
    return lambda x, y: transformed(raster.crs, target, x, y)


def cylinder(lon, lat) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Degrees to metres of Lambert's cylindrical equal-area projection (Snyder 1987, 10-13 to 10-15 and 3-12); beyond a pole is the pole."""
    e, sine = ECCENTRICITY, numpy.sin(numpy.radians(numpy.clip(lat, -90, 90)))
    q = (1 - e * e) * (sine / (1 - (e * sine) ** 2) + numpy.arctanh(e * sine) / e)
    return AXIS * numpy.radians(lon), AXIS * q / 2
