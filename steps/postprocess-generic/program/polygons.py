"""Polygons of every class, simplified as one coverage: neighbours keep one common line, without gap or overlap."""

import numpy
import pyogrio.raw
import rasterio.features
import rasterio.warp
import shapely
from rasterio.transform import Affine

from areas import equal_area, planar, row_areas
from geodag.program import StepError
from geodag.raster import read

MOST = 500_000
# Written into every GeoPackage as its time of change: the same run gives the same bytes.
pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00Z"})


def shapes_of(array: numpy.ndarray, mask: numpy.ndarray, transform) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(polygons, values) of the 4-connected regions of ``array`` [row, column]. Fails with ``postprocess.too_many_polygons``."""
    polygons, values = [], []
    for shape, value in rasterio.features.shapes(array, mask=mask, transform=transform):
        polygons.append(shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:]))
        values.append(value)
        if len(polygons) > MOST:
            raise StepError(
                "postprocess.too_many_polygons", f"the prediction has more than {MOST} regions: smooth it by a processor "
                "(examples/processors/majority_filter.py), or give post_processing.polygons: false"
            )
    return numpy.array(polygons, dtype=object), numpy.array(values)


def class_polygons(raster, values: list[int], tolerance_pixels: float) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(polygons in the raster's CRS, class) of every region of ``values``, simplified by Visvalingam-Whyatt as a coverage.

    ``tolerance_pixels``: no corner is dropped whose triangle is larger than the square of this.
    """
    array = read(raster, 1, None, "prediction")
    mask = (raster.read_masks(1) > 0) & numpy.isin(array, values)
    shapes, found = shapes_of(array.astype("int32", copy=False), mask, Affine.identity())
    if len(shapes) and tolerance_pixels:
        # A corner at every pixel: where three regions meet, the straight edge of one has none, and a gap would open there.
        shapes = shapely.coverage_simplify(shapely.segmentize(shapes, 1), tolerance_pixels, simplify_boundary=True)
    kept = ~shapely.is_empty(shapes) if len(shapes) else numpy.zeros(0, bool)
    placed = shapely.transform(shapes[kept], lambda xy: numpy.column_stack(raster.transform * (xy[:, 0], xy[:, 1])))
    return placed, found[kept].astype("int32")


def areas_of(shapes: numpy.ndarray, raster) -> numpy.ndarray:
    """m² on the ground of polygons in the raster's CRS; NaN without a CRS."""
    if raster.crs is None or not len(shapes):
        return numpy.full(len(shapes), numpy.nan)
    rows, own = row_areas(raster), planar(raster)
    if own and rows is not None and (rows == own).all():
        return shapely.area(shapes) * own / abs(raster.transform.determinant)
    return shapely.area(shapely.transform(shapes, _mover(raster)))


def _mover(raster):
    target = equal_area(raster)

    def move(xy):
        return numpy.column_stack(rasterio.warp.transform(raster.crs, target, xy[:, 0], xy[:, 1]))

    return move


def write_gpkg(path: str, shapes, classes, legend, raster) -> None:
    """Writes a GeoPackage in the raster's CRS: ``class`` the value, ``label`` its name, ``area_m2`` on the ground."""
    crs = raster.crs.to_wkt() if raster.crs else None
    pyogrio.raw.write(path, driver="GPKG", layer="prediction", geometry_type="Polygon", crs=crs, **_fields(shapes, classes, legend, raster))


def write_geojson(path: str, shapes, classes, legend, raster) -> None:
    """Writes the same as GeoJSON in EPSG:4326, cut at 180 degrees (RFC 7946); without a CRS in the raster's own numbers."""
    crs = raster.crs.to_wkt() if raster.crs else None
    rfc = {"RFC7946": "YES", "COORDINATE_PRECISION": "7"} if crs else {"COORDINATE_PRECISION": "3"}
    said = _fields(shapes, classes, legend, raster)
    pyogrio.raw.write(path, driver="GeoJSON", layer="prediction", geometry_type="Polygon", crs=crs, layer_options=rfc, **said)


def _fields(shapes, classes, legend, raster) -> dict:
    labels = numpy.array([legend.label(int(value)) for value in classes], dtype=object)
    areas = numpy.round(areas_of(shapes, raster), 2)
    return {
        "geometry": shapely.to_wkb(shapes), "fields": ["class", "label", "area_m2"],
        "field_data": [numpy.asarray(classes, "int32"), labels, areas],
    }  # fmt: skip
