"""How many square metres a pixel covers on the ground."""

import numpy
import rasterio.warp
from rasterio.crs import CRS

# A projection whose own square metres are that close to the ground's is taken at its word: UTM is.
CLOSE = 0.002


def row_areas(raster) -> numpy.ndarray | None:
    """[row] float64, m² of a pixel in each row, at the raster's middle column; None without a CRS.

    Measured in a Lambert azimuthal equal-area projection around the raster's centre (WGS 84).
    """
    if raster.crs is None:
        return None
    rows = numpy.arange(raster.height + 1, dtype=float)
    left = numpy.full(rows.shape, raster.width // 2, float)
    x, y = raster.transform * (numpy.concatenate([left, left + 1]), numpy.concatenate([rows, rows]))
    try:
        x, y = (numpy.array(v) for v in rasterio.warp.transform(raster.crs, equal_area(raster), x, y))
    except Exception:  # PROJ knows many ways to refuse
        return None
    a, b = (numpy.stack([v[: len(rows)], v[len(rows) :]]) for v in (x, y))
    # The shoelace over the four corners of each pixel.
    corners = [(a[0, :-1], b[0, :-1]), (a[1, :-1], b[1, :-1]), (a[1, 1:], b[1, 1:]), (a[0, 1:], b[0, 1:])]
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


def equal_area(raster) -> CRS:
    """Lambert azimuthal equal-area around the raster's centre."""
    middle = raster.transform * (raster.width / 2, raster.height / 2)
    lon, lat = rasterio.warp.transform(raster.crs, CRS.from_epsg(4326), [middle[0]], [middle[1]])
    return CRS.from_proj4(f"+proj=laea +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m")
