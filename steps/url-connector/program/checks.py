"""Whether a scene is what the model's spec says, before a pixel is read."""

import math
import os
import re

import numpy
from rasterio.enums import ColorInterp

from geodag.place import corners_of, degrees, on_earth, pixel_metres, places
from geodag.program import StepError

SENTINEL_2 = {
    "coastal": ("B01",), "blue": ("B02",), "green": ("B03",), "red": ("B04",), "rededge1": ("B05",), "rededge2": ("B06",),
    "rededge3": ("B07",), "nir": ("B08", "B8A"), "nir08": ("B8A",), "nir09": ("B09",), "swir16": ("B11",), "swir22": ("B12",),
}  # fmt: skip
# Metres: less is the error of a coordinate, more is no part of the earth.
PIXELS = (1e-4, 5e6)
# Projections of strips: no scene in one goes over the edge of the earth.
STRIPS = ("utm", "tmerc")


def check_names(scene, bands: list[dict], name: str) -> None:
    """Fails with ``source.wrong_bands`` where a Sentinel-2 file calls a band another than the spec reads it as."""
    named = [(text or "").strip().upper() for text in scene.descriptions]
    if "B8A" not in named:  # only Sentinel-2 has this name; others number their bands in other ways
        return
    for band in bands:
        found, wanted = named[band["index"]], SENTINEL_2.get(band["band_name"].lower(), (band["band_name"].upper(),))
        if re.fullmatch(r"B\d[\dA]", found) and re.fullmatch(r"B\d[\dA]", wanted[0]) and found not in wanted:
            raise StepError(
                "source.wrong_bands",
                f"{name} calls band index {band['index']} {found}, model_input_data_spec reads it as {band['band_name']}: "
                "give a scene with the bands in the spec's order, or change the spec's indexes",
            )


def check(scene, bands: list[dict], require_crs: bool, values: bool = True) -> None:
    """Whether the spec fits the scene, whose pixels are ``values`` or classes. Fails with ``source.*``, the file named."""
    name = os.path.basename(scene.name)
    wanted = max((band["index"] for band in bands), default=-1) + 1
    if scene.count < wanted:
        raise StepError(
            "source.too_few_bands",
            f"{name} has {scene.count} bands, model_input_data_spec names band index {wanted - 1} (counted from 0): "
            "give a scene with all bands, or change the indexes",
        )
    check_names(scene, bands, name)
    for band in bands:
        factor = band.get("scaling_factor", 1)
        if not math.isfinite(factor) or abs(factor) > 1e30 or abs(factor) < 1e-30:
            raise StepError(
                "source.bad_scale", f"scaling_factor of band {band['band_name']} is {factor}, {name} would lose its values: name another"
            )
    if scene.transform.is_identity and (scene.gcps[0] or scene.rpcs):
        raise StepError(
            "source.no_geotransform", f"{name} is placed by control points or RPC only: warp it with gdalwarp -t_srs EPSG:<code>"
        )
    check_place(scene, name)
    check_stored(scene, [band["index"] + 1 for band in bands], name)
    if scene.crs is None and require_crs:
        raise StepError("source.no_crs", f"{name} has no CRS: set one with gdal_edit.py -a_srs EPSG:<code>")
    # GDAL gives a file of one bit a palette of black and white: its numbers are values.
    numbers = [band["index"] for band in bands if scene.tags(band["index"] + 1, ns="IMAGE_STRUCTURE").get("NBITS") != "1"]
    if values and any(scene.colorinterp[index] == ColorInterp.palette for index in numbers):
        raise StepError("source.palette", f"{name} holds numbers of colours, not values: use gdal_translate -expand rgb, or the original")


def check_place(scene, name: str) -> None:
    """Fails where no map has the scene's place: later steps divide by its pixels, and ask for its longitudes."""
    values = list(scene.transform)[:6]
    if not all(math.isfinite(value) for value in values) or scene.transform.determinant == 0:
        raise _misplaced(f"{name} has the transform {values}, whose pixels have no size: set it with gdal_edit.py -a_ullr")
    if scene.crs is None:
        return
    if not (scene.crs.is_geographic or scene.crs.is_projected):
        raise _unmapped(scene, name, "that is on no map")
    if scene.transform.is_identity:
        raise _misplaced(f"{name} has a CRS and no transform, so that it would lie at 0, 0: set it with gdal_edit.py -a_ullr")
    width, height = pixel_metres(scene)
    if not (PIXELS[0] <= min(width, height) and max(width, height) <= PIXELS[1]):
        raise _misplaced(
            f"{name} has pixels of {width:.3g} x {height:.3g} m, by its CRS {scene.crs.to_string()[:100]}: from {PIXELS[0]:g} to {PIXELS[1]:g} m "
            "can be mapped; set its place with gdal_edit.py -a_ullr, or its CRS with -a_srs EPSG:<code>"
        )
    check_degrees(scene, name) if scene.crs.is_geographic else check_earth(scene, name)


def check_degrees(scene, name: str) -> None:
    """A geographic CRS: between the poles, half a pixel over for grids of points, and once around the earth."""
    unit, corners = degrees(scene.crs), corners_of(scene)
    x, y = (sorted(value * unit for value in values) for values in zip(*corners))
    over = 0.5 * pixel_metres(scene)[1] / 111_320 + 1e-6
    if max(-y[0], y[-1]) > 90 + over:
        raise _misplaced(
            f"{name} reaches from latitude {y[0]:.10g} to {y[-1]:.10g}, beyond a pole: "
            "cut it with gdalwarp -te <west> -90 <east> 90, or set its place with gdal_edit.py -a_ullr"
        )
    if x[0] < -540 or x[-1] > 540 or x[-1] - x[0] > 360 + pixel_metres(scene)[0] / 111_320 + 1e-6:
        raise _misplaced(
            f"{name} reaches from longitude {x[0]:.10g} to {x[-1]:.10g}: once around the earth at most, between -540 and 540; "
            "cut it with gdalwarp -te -180 <south> 180 <north>, or set its place with gdal_edit.py -a_ullr"
        )
    if not numpy.isfinite(on_earth(scene, [scene.width / 2], [scene.height / 2])).all():
        raise _unmapped(scene, name, "that does not lead to longitude and latitude on the earth")


def check_earth(scene, name: str) -> None:
    """A projection: the corners of a picture of a whole hemisphere are off the earth, not all of a scene."""
    found = numpy.isfinite(on_earth(scene, *places(scene))[0])
    if found.all() or (found.any() and scene.crs.to_dict().get("proj") not in STRIPS):
        return
    left, top = scene.transform * (0, 0)
    right, bottom = scene.transform * (scene.width, scene.height)
    raise _misplaced(
        f"{name} reaches from {left:.10g}, {top:.10g} to {right:.10g}, {bottom:.10g}, {'partly' if found.any() else 'all'} off the earth by its CRS "
        f"{scene.crs.to_string()[:100]}: set its place with gdal_edit.py -a_ullr, or its CRS with -a_srs EPSG:<code>"
    )


def _misplaced(message: str) -> StepError:
    return StepError("source.no_geotransform", message)


def _unmapped(scene, name: str, why: str) -> StepError:
    return StepError("source.no_crs", f"{name} has a CRS {why}, {scene.crs.to_string()[:100]}: warp it with gdalwarp -t_srs EPSG:<code>")


def check_stored(scene, bands: list[int], name: str) -> None:
    """Fails where no block of pixels is stored, only overviews or nothing: what is left out reads as 0."""
    if scene.nodata is not None:
        return
    rows, columns = (range(-(-side // block)) for side, block in zip(scene.shape, scene.block_shapes[0]))
    for band in bands or range(1, scene.count + 1):
        for row in rows:
            if any(scene.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band) for column in columns):
                return
    raise StepError(
        "source.all_nodata", f"{name} holds no pixels at full size{', only overviews' if scene.overviews(1) else ''}: copy or write the file again"
    )


def check_grid(scene, primary, name: str, first: str) -> None:
    """Modalities are read pixel by pixel together. Fails with ``source.grids_differ``."""
    if (scene.width, scene.height, scene.crs) == (primary.width, primary.height, primary.crs):
        if scene.transform.almost_equals(primary.transform, precision=abs(primary.transform.a) * 1e-3):
            return
    west, south, east, north = primary.bounds
    raise StepError(
        "source.grids_differ",
        f"{os.path.basename(scene.name)} ({name}) lies in another grid than {os.path.basename(primary.name)} ({first}): warp it with gdalwarp "
        f"-t_srs {primary.crs} -te {west:.10g} {south:.10g} {east:.10g} {north:.10g} -ts {primary.width} {primary.height}",
    )
