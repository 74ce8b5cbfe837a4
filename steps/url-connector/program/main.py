"""url-connector: one scene in, by URL or as a file; its model input out.

Writes ``<date>_<name>.tif`` as delivered and ``<date>_<name>_imputed.tif``: float32 COG, the bands
of the spec in order, scaled, nodata filled (nearest within 100 px, the rest the band's median).
See contract.md 4.4.
"""

import math
import os
import re
import shutil

import numpy
import rasterio
import rasterio.warp
from rasterio.fill import fillnodata

from archive import tif_of_zip
from fetch import fetch
from geodag.program import StepError, run
from geodag.raster import open_scene, write_cog

NODATA = -9999.0
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def name_of(source: str, date: str | None) -> str:
    """File stem: the source's own, made safe, with the date in front unless it holds one."""
    stem = os.path.splitext(os.path.basename(source.split("?")[0].rstrip("/")))[0] or "scene"
    stem = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9.-]", "_", stem))[:80]
    return stem if DATE.search(stem) or not date else f"{date}_{stem}"


def local_copy(job, target: str) -> None:
    """Puts the GeoTIFF at ``target``, from /in or by URL, out of its zip where it is in one."""
    p = job.parameters
    if p.get("file"):
        path = os.path.join(job.inputs, os.path.basename(p["file"]))
        if not os.path.isfile(path):
            raise StepError("source.not_found", f"{p['file']} is not among the inputs: pass it with --scene or --inputs")
    else:
        path = target + ".download"
        fetch(p["url"], path, p["max_bytes"], p["allow_private_hosts"], job.log)
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        tif_of_zip(path, target, p["max_bytes"])
    else:
        shutil.copyfile(path, target)
    if path.endswith(".download"):
        os.remove(path)


def check(job, scene) -> None:
    bands = job.parameters["bands"]
    name = os.path.basename(scene.name)
    wanted = max((band["index"] for band in bands), default=-1) + 1
    if scene.count < wanted:
        raise StepError(
            "source.too_few_bands",
            f"{name} has {scene.count} bands, model_input_data_spec names band index {wanted - 1} (counted from 0): "
            "give a scene with all bands, or change the indexes",
        )
    if scene.crs is None and job.parameters["require_crs"]:
        raise StepError("source.no_crs", f"{name} has no CRS: set one with gdal_edit.py -a_srs EPSG:<code>")


def impute(array: numpy.ndarray, nodata, name: str) -> tuple[numpy.ndarray, int]:
    """Fills one band [row, column] float32. Fails with ``source.all_nodata`` (1013)."""
    valid = numpy.isfinite(array) & (array != NODATA) & (array < 3.4e38)
    if nodata is not None and not math.isnan(nodata):
        valid &= array != nodata
    missing = int((~valid).sum())
    if missing == array.size:
        raise StepError("source.all_nodata", f"{name} has no valid pixel: choose another date or place")
    if missing:
        median = numpy.float32(numpy.median(array[valid]))
        array = fillnodata(numpy.where(valid, array, 0).astype("float32"), valid.astype("uint8"), max_search_distance=100)
        array[~numpy.isfinite(array)] = median
    return array, missing


def main(job) -> None:
    p = job.parameters
    stem = name_of(p.get("file") or p["url"], p.get("date"))
    delivered = job.write("original_input_image", f"{stem}.tif")
    local_copy(job, delivered)
    with open_scene(delivered) as scene:
        check(job, scene)
        bands = p["bands"] or [{"index": i, "band_name": f"band {i}", "scaling_factor": 1} for i in range(scene.count)]
        job.log(f"{scene.width} x {scene.height} pixels, {scene.count} bands, {scene.crs}, {scene.dtypes[0]}")
        stack = numpy.empty((len(bands), scene.height, scene.width), "float32")
        filled = 0
        nowhere = numpy.ones((scene.height, scene.width), bool)
        for position, band in enumerate(bands):
            try:
                raw = scene.read(band["index"] + 1).astype("float32")
            except rasterio.errors.RasterioIOError as failure:
                raise StepError("source.not_raster", f"{stem}.tif is damaged: {failure}") from failure
            gap = ~numpy.isfinite(raw) | (raw == NODATA)
            if scene.nodata is not None and not math.isnan(scene.nodata):
                gap |= raw == scene.nodata
            nowhere &= gap
            raw, missing = impute(raw, scene.nodata, f"band {band['band_name']} of {stem}.tif")
            filled += missing
            stack[position] = raw * numpy.float32(band.get("scaling_factor", 1))
        write_cog(
            job.write("imputed_input_image", f"{stem}_imputed.tif"), stack, scene, None,
            [band["band_name"] for band in bands],
        )
        bounds = rasterio.warp.transform_bounds(scene.crs, "EPSG:4326", *scene.bounds) if scene.crs else None
        write_cog(os.path.join(job.outputs, "valid.tif"), (~nowhere).astype("uint8")[None], scene, None)
    job.details = {"crs": str(scene.crs) if scene.crs else None, "bbox": bounds, "filled_pixels": filled}
    job.log(f"{len(bands)} bands selected, {filled} pixels without data filled")


if __name__ == "__main__":
    run(main)
