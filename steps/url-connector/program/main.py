"""url-connector: one scene in, by URL or as a file; its model input out. Of several modalities, each.

Writes ``<date>_<name>.tif`` as delivered and ``<date>_<name>_imputed.tif``: float32 COG, the bands
of the spec in order, scaled, nodata filled (nearest within 100 px, the rest the band's median).
Works window by window: a full Sentinel-2 tile takes no more memory than a part of it.
A vector or NetCDF file that is only to be published is delivered as it is.
"""

import os

from checks import check, check_grid
from deliver import deliver, name_of
from geodag.gaps import Source
from geodag.impute import Radiometry, model_input
from geodag.place import bbox_of
from geodag.program import run
from geodag.raster import open_scene

KEYS = ("original_input_image", "imputed_input_image")


def one(job, wanted: dict, primary: str | None, several: bool) -> str:
    """Delivers and imputes one scene; the path that it was delivered to. Fails with ``source.*``."""
    p, name = job.parameters, wanted.get("name", "")
    stem = name_of(wanted.get("member") or wanted.get("file") or wanted["url"], p.get("date"), name)
    file = deliver(job, wanted, stem, p.get("layer", False))
    original, imputed = (f"{key}:{name}" if several else key for key in KEYS)
    delivered = job.write(original, file)
    if not file.endswith(".tif"):
        job.log(f"{file}: delivered as it is")
        return delivered
    with open_scene(delivered) as scene:
        check(scene, wanted["bands"], p.get("require_crs", False), not wanted.get("mask"))
        if wanted.get("mask"):
            return masks(job, scene, wanted, delivered)
        if primary:
            with open_scene(primary) as first:
                check_grid(scene, first, name, p["modalities"][0]["name"])
        bands = wanted["bands"] or [{"index": i, "band_name": f"band {i}", "scaling_factor": 1} for i in range(scene.count)]
        job.log(f"{scene.width} x {scene.height} pixels, {scene.count} bands, {scene.crs}, {scene.dtypes[0]}")
        radiometry = Radiometry(scene, bands, wanted.get("radiometry", "stored"))
        filled = model_input(
            Source(scene, [band["index"] + 1 for band in bands]), [band["band_name"] for band in bands], radiometry.apply,
            job.write(imputed, f"{stem}_imputed.tif"), os.path.join(job.outputs, "other_valid.tif" if primary else "valid.tif"),
            f"{stem}.tif", tags={"RADIOMETRY": radiometry.note()} if radiometry.tagged else {},
        )  # fmt: skip
        said = {"crs": str(scene.crs) if scene.crs else None, "bbox": bbox_of(scene), "filled_pixels": filled}
        if radiometry.tagged:
            said["radiometry"] = radiometry.note()
            job.log(radiometry.note())
    job.log(f"{len(bands)} bands selected, {filled} pixels without data filled")
    if several:
        job.details.setdefault("modalities", {})[name] = said
    job.details = {**said, **job.details}  # the primary's own stand first and stay
    return delivered


def masks(job, scene, wanted: dict, delivered: str) -> str:
    """Classes lie on a grid of their own, and no model reads them: they stay as they are."""
    job.log(f"{os.path.basename(delivered)}: {scene.width} x {scene.height} pixels, classes for masks")
    job.details.setdefault("modalities", {})[wanted["name"]] = {"crs": str(scene.crs) if scene.crs else None, "bbox": bbox_of(scene)}
    return delivered


def main(job) -> None:
    several = job.parameters.get("modalities") or []
    primary = None
    for wanted in several or [job.parameters]:
        delivered = one(job, wanted, primary, bool(several))
        primary = primary or delivered
    if several:
        for key in KEYS:
            job.made[key] = job.made[f"{key}:{several[0]['name']}"]
        if sum(not one.get("mask") for one in several) > 1:
            os.remove(os.path.join(job.outputs, "other_valid.tif"))


if __name__ == "__main__":
    run(main)
