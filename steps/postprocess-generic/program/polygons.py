"""Polygons of every class, simplified as one coverage: neighbours keep one common line, without gap or overlap."""

import numpy
import pyogrio.raw
import rasterio.features
import shapely
from rasterio.transform import Affine

from areas import planar, row_areas, to_equal_area
from footprint import footprint
from geodag.place import degrees, on_earth, places
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
    """m² on the ground of polygons in the raster's CRS; NaN without a CRS, or off the earth."""
    if raster.crs is None or not len(shapes):
        return numpy.full(len(shapes), numpy.nan)
    rows, own = row_areas(raster), planar(raster)
    if own and rows is not None and (rows == own).all():
        return shapely.area(shapes) * own / abs(raster.transform.determinant)
    move = to_equal_area(raster)
    if move is None:
        return numpy.full(len(shapes), numpy.nan)
    with numpy.errstate(invalid="ignore"):
        found = shapely.area(shapely.transform(shapes, lambda xy: numpy.column_stack(move(xy[:, 0], xy[:, 1]))))
    return numpy.where(numpy.isfinite(found), found, numpy.nan)


def on_ground(shapes: numpy.ndarray, raster) -> numpy.ndarray:
    """The polygons without what lies off the earth, as GeoJSON has no place for it; empty where nothing is left."""
    if not numpy.isfinite(on_earth(raster, *places(raster))).any():
        return numpy.full(len(shapes), shapely.Polygon())
    if raster.crs.is_geographic:
        pole = 90 / degrees(raster.crs)
        return shapely.transform(shapes, lambda xy: numpy.column_stack([xy[:, 0], xy[:, 1].clip(-pole, pole)]))
    if footprint(raster)[1]:
        return shapes
    coordinates, of = shapely.get_coordinates(shapes, return_index=True)
    on = numpy.isfinite(on_earth(raster, *(~raster.transform * tuple(coordinates.T)))[0])
    cut = shapes.copy()
    for n in numpy.unique(of[~on]):
        rings = [shapes[n].exterior, *shapes[n].interiors]
        flags = numpy.split(on[of == n], numpy.cumsum([len(ring.coords) for ring in rings])[:-1])
        left = [numpy.asarray(ring.coords)[flag] for ring, flag in zip(rings, flags)]
        outer, *inner = [ring if len(numpy.unique(ring, axis=0)) > 2 else None for ring in left]
        cut[n] = shapely.Polygon() if outer is None else shapely.Polygon(outer, [ring for ring in inner if ring is not None])
    return cut


def write_gpkg(path: str, shapes, classes, legend, raster) -> None:
    """Writes a GeoPackage in the raster's CRS: ``class`` the value, ``label`` its name, ``area_m2`` on the ground."""
    crs = raster.crs.to_wkt() if raster.crs else None
    pyogrio.raw.write(path, driver="GPKG", layer="prediction", geometry_type="Polygon", crs=crs, **_fields(shapes, classes, legend, raster))


def write_geojson(path: str, shapes, classes, legend, raster) -> None:
    """Writes the same as GeoJSON in EPSG:4326, cut at 180 degrees (RFC 7946); without a CRS in the raster's own numbers."""
    crs = raster.crs.to_wkt() if raster.crs else None
    rfc = {"RFC7946": "YES", "COORDINATE_PRECISION": "7"} if crs else {"COORDINATE_PRECISION": "3"}
    said = _fields(shapes, classes, legend, raster)
    if raster.crs:
        placed = on_ground(shapes, raster)
        kept = ~shapely.is_empty(placed) if len(placed) else numpy.zeros(0, bool)
        said |= {"geometry": shapely.to_wkb(placed[kept]), "field_data": [values[kept] for values in said["field_data"]]}
        crs = crs if kept.any() else "EPSG:4326"  # another planet's does not lead there
    pyogrio.raw.write(path, driver="GeoJSON", layer="prediction", geometry_type="Polygon", crs=crs, layer_options=rfc, **said)


def _fields(shapes, classes, legend, raster) -> dict:
    labels = numpy.array([legend.label(int(value)) for value in classes], dtype=object)
    areas = numpy.round(areas_of(shapes, raster), 2)
    return {
        "geometry": shapely.to_wkb(shapes), "fields": ["class", "label", "area_m2"],
        "field_data": [numpy.asarray(classes, "int32"), labels, areas],
    }  # fmt: skip
