"""url-connector: one scene in, by URL or as a file; its model input out.

Writes ``<date>_<name>.tif`` as delivered and ``<date>_<name>_imputed.tif``: float32 COG, the bands
of the spec in order, scaled, nodata filled (nearest within 100 px, the rest the band's median).
Works window by window: a full Sentinel-2 tile takes no more memory than a part of it.
"""

import datetime
import math
import os
import re
import shutil

import rasterio
import rasterio.warp
from rasterio.enums import ColorInterp

from archive import tif_of_zip
from geodag.content import refuse_other
from geodag.fetch import fetch
from geodag.gaps import Source
from geodag.impute import Radiometry, model_input
from geodag.program import StepError, run
from geodag.raster import open_scene

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


SENTINEL_2 = {
    "coastal": ("B01",), "blue": ("B02",), "green": ("B03",), "red": ("B04",), "rededge1": ("B05",), "rededge2": ("B06",),
    "rededge3": ("B07",), "nir": ("B08", "B8A"), "nir08": ("B8A",), "nir09": ("B09",), "swir16": ("B11",), "swir22": ("B12",),
}  # fmt: skip


def has_date(text: str) -> bool:
    """Whether a day of the calendar is in ``text``: 2024-13-45 is none."""
    for found in DATE.findall(text):
        try:
            datetime.date.fromisoformat(found)
            return True
        except ValueError:
            continue
    return False


def name_of(source: str, date: str | None) -> str:
    """File stem: the source's own, made safe, with the date in front unless it holds one."""
    stem = os.path.splitext(os.path.basename(source.split("?")[0].rstrip("/")))[0]
    stem = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9.-]", "_", stem))[:80].lstrip(".-") or "scene"
    stem = stem if has_date(stem) or not date else f"{date}_{stem}"
    return "valid_scene" if stem == "valid" else stem  # valid.tif is the step's own


def local_copy(job, target: str) -> None:
    """Puts the GeoTIFF at ``target``, from /in or by URL, out of its zip where it is in one."""
    p = job.parameters
    if p.get("file"):
        path, said = os.path.join(job.inputs, os.path.basename(p["file"])), p["file"]
        if not os.path.isfile(path):
            raise StepError("source.not_found", f"{p['file']} is not among the inputs: pass it with --scene or --inputs")
    else:
        path, said = target + ".download", f"the answer of the URL for {os.path.basename(target)}"
    try:
        if not p.get("file"):
            fetch(p["url"], path, p["max_bytes"], p["allow_private_hosts"], job.log)
        if refuse_other(path, said) == "zip":
            tif_of_zip(path, target, p["max_bytes"])
            refuse_other(target, f"the .tif in {said}")
        elif p.get("file"):
            shutil.copyfile(path, target)
        else:
            os.replace(path, target)
    finally:
        if path.endswith(".download") and os.path.exists(path):
            os.remove(path)


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


def check(job, scene) -> None:
    """Whether the spec fits the scene. Fails with ``source.*``, the file named."""
    bands = job.parameters["bands"]
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
    if scene.crs is None and job.parameters["require_crs"]:
        raise StepError("source.no_crs", f"{name} has no CRS: set one with gdal_edit.py -a_srs EPSG:<code>")
    if any(scene.colorinterp[band["index"]] == ColorInterp.palette for band in bands):
        raise StepError("source.palette", f"{name} holds numbers of colours, not values: use gdal_translate -expand rgb, or the original")


def impute(job, scene, bands: list[dict], stem: str, radiometry: Radiometry) -> int:
    """Writes ``<stem>_imputed.tif`` and ``valid.tif``; the pixels filled. Fails with ``source.all_nodata`` (1013)."""
    source = Source(scene, [band["index"] + 1 for band in bands])
    return model_input(
        source, [band["band_name"] for band in bands], radiometry.apply, job.write("imputed_input_image", f"{stem}_imputed.tif"),
        os.path.join(job.outputs, "valid.tif"), f"{stem}.tif", tags={"RADIOMETRY": radiometry.note()} if radiometry.tagged else {},
    )


def bbox_of(scene) -> list[float] | None:
    """West, south, east, north; None when the CRS is unknown or does not lead to longitude and latitude."""
    try:
        bounds = rasterio.warp.transform_bounds(scene.crs, "EPSG:4326", *scene.bounds) if scene.crs else None
    except Exception:  # PROJ knows many ways to refuse; the scene itself is still good
        return None
    return bounds if bounds and all(map(math.isfinite, bounds)) else None


def main(job) -> None:
    p = job.parameters
    stem = name_of(p.get("file") or p["url"], p.get("date"))
    delivered = job.write("original_input_image", f"{stem}.tif")
    local_copy(job, delivered)
    with open_scene(delivered) as scene:
        check(job, scene)
        bands = p["bands"] or [{"index": i, "band_name": f"band {i}", "scaling_factor": 1} for i in range(scene.count)]
        job.log(f"{scene.width} x {scene.height} pixels, {scene.count} bands, {scene.crs}, {scene.dtypes[0]}")
        radiometry = Radiometry(scene, bands, p.get("radiometry", "stored"))
        filled = impute(job, scene, bands, stem, radiometry)
        job.details = {"crs": str(scene.crs) if scene.crs else None, "bbox": bbox_of(scene), "filled_pixels": filled}
        if radiometry.tagged:
            job.details["radiometry"] = radiometry.note()
            job.log(radiometry.note())
    job.log(f"{len(bands)} bands selected, {filled} pixels without data filled")


if __name__ == "__main__":
    run(main)
