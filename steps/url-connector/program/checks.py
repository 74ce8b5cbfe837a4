"""Whether a scene is what the model's spec says, before a pixel is read."""

import math
import os
import re

import rasterio.warp
from rasterio.enums import ColorInterp

from geodag.program import StepError

SENTINEL_2 = {
    "coastal": ("B01",), "blue": ("B02",), "green": ("B03",), "red": ("B04",), "rededge1": ("B05",), "rededge2": ("B06",),
    "rededge3": ("B07",), "nir": ("B08", "B8A"), "nir08": ("B8A",), "nir09": ("B09",), "swir16": ("B11",), "swir22": ("B12",),
}  # fmt: skip


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


def check(scene, bands: list[dict], require_crs: bool) -> None:
    """Whether the spec fits the scene. Fails with ``source.*``, the file named."""
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
    if scene.crs is None and require_crs:
        raise StepError("source.no_crs", f"{name} has no CRS: set one with gdal_edit.py -a_srs EPSG:<code>")
    if any(scene.colorinterp[band["index"]] == ColorInterp.palette for band in bands):
        raise StepError("source.palette", f"{name} holds numbers of colours, not values: use gdal_translate -expand rgb, or the original")


def check_place(scene, name: str) -> None:
    """Fails where no map has the scene's place: later steps divide by its pixels, and ask for its longitudes."""
    values = list(scene.transform)[:6]
    if not all(math.isfinite(value) for value in values) or scene.transform.determinant == 0:
        raise StepError(
            "source.no_geotransform", f"{name} has the transform {values}, whose pixels have no size: set it with gdal_edit.py -a_ullr"
        )
    if scene.crs is None:
        return
    if not (scene.crs.is_geographic or scene.crs.is_projected):
        raise StepError(
            "source.no_crs", f"{name} has a CRS that is on no map, {scene.crs.to_string()[:100]}: warp it with gdalwarp -t_srs EPSG:<code>"
        )
    if scene.crs.is_geographic and max(abs(scene.bounds.top), abs(scene.bounds.bottom)) > 90 + 1e-6:
        raise StepError(
            "source.no_geotransform", f"{name} reaches from latitude {scene.bounds.bottom:.10g} to {scene.bounds.top:.10g}, beyond a pole: "
            "cut it with gdalwarp -te <west> -90 <east> 90, or set its place with gdal_edit.py -a_ullr",
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


def bbox_of(scene) -> list[float] | None:
    """West, south, east, north; None when the CRS is unknown or does not lead to longitude and latitude."""
    try:
        bounds = rasterio.warp.transform_bounds(scene.crs, "EPSG:4326", *scene.bounds) if scene.crs else None
    except Exception:  # PROJ knows many ways to refuse; the scene itself is still good
        return None
    return bounds if bounds and all(map(math.isfinite, bounds)) else None
