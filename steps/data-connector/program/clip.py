"""The area of interest on the grid: which pixels lie outside of the polygon."""

from __future__ import annotations

import numpy
from rasterio.features import geometry_mask
from rasterio.warp import transform_geom
from rasterio.windows import transform as window_transform

# Straight in longitude and latitude is not straight on the grid: corners are set so close, degrees.
STEP = 0.01
MOST_PARTS = 1000


class Clip:
    """A GeoJSON Polygon or MultiPolygon, EPSG:4326 (RFC 7946), on the grid."""

    def __init__(self, geometry: dict, grid) -> None:
        single = geometry["type"] == "Polygon"
        polygons = [geometry["coordinates"]] if single else geometry["coordinates"]
        dense = {"type": "MultiPolygon", "coordinates": [[_dense(ring) for ring in polygon] for polygon in polygons]}
        self._grid, self._geometry = grid, transform_geom("EPSG:4326", grid.crs, dense)

    def outside(self, window) -> numpy.ndarray:
        """True where the pixel's centre is outside, [row, column]."""
        return geometry_mask([self._geometry], (window.height, window.width), window_transform(window, self._grid.transform))


def _dense(ring: list) -> list:
    points = [tuple(ring[0][:2])]
    for (x0, y0), (x1, y1) in zip((p[:2] for p in ring), (p[:2] for p in ring[1:])):
        parts = max(1, min(MOST_PARTS, int(max(abs(x1 - x0), abs(y1 - y0)) / STEP)))
        points += [(x0 + (x1 - x0) * n / parts, y0 + (y1 - y0) * n / parts) for n in range(1, parts + 1)]
    return points
