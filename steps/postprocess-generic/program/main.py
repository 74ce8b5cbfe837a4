"""postprocess-generic: RGB of the scene, masks on the prediction, a preview and archive.zip.

Masks follow contract.md 4.9: cloud 999, snow 998, permanent water 997, from a class band of the
scene (``sentinel2_scl`` or ``hls_fmask``). Outputs are COG; the archive is flat and deterministic.
"""

import os
import zipfile

import numpy
import rasterio

from geodag.program import StepError, run
from geodag.raster import write_cog
from preview import write_preview

NODATA = -9999
ZIPPED = (".tif", ".gpkg", ".shp", ".shx", ".dbf", ".cpg", ".prj", ".nc", ".geojson")
VALUES = {"cloud_masking": 999, "snow_ice_masking": 998, "permanent_water_masking": 997}
SCL = {"cloud_masking": (3, 8, 9), "snow_ice_masking": (11,), "permanent_water_masking": (6,)}
# HLS v2 Fmask: bits 0-3 cirrus, cloud, adjacent, shadow; 4 snow or ice; 5 water.
FMASK = {"cloud_masking": 0b1111, "snow_ice_masking": 1 << 4, "permanent_water_masking": 1 << 5}


def write_rgb(job, scene, stem: str):
    """The scene's red, green, blue as delivered, nodata -9999; None when the spec names none."""
    index = job.parameters["rgb"]
    if index is None:
        return None
    if max(index) >= scene.count:
        raise StepError("source.too_few_bands", f"RGB_band names band index {max(index)}, the scene has {scene.count}")
    rgb = scene.read([i + 1 for i in index]).astype("float32")
    if scene.nodata is not None:
        rgb[:, numpy.all(rgb == scene.nodata, axis=0)] = NODATA
    rgb[~numpy.isfinite(rgb)] = NODATA
    write_cog(job.write("model_input_original_image_rgb", f"{stem}_rgb.tif"), rgb, scene, NODATA, ["red", "green", "blue"])
    return rgb


def mask_prediction(job, scene, prediction, array: numpy.ndarray, stem: str) -> None:
    """Writes ``<stem>_masked.tif`` when a mask was asked for. Fails with ``postprocess.no_mask_band``."""
    asked = [name for name in VALUES if job.parameters["masks"].get(name)]
    if not asked:
        return
    mask = job.parameters["mask_band"]
    if mask is None or mask["index"] >= scene.count:
        raise StepError(
            "postprocess.no_mask_band",
            f"{', '.join(asked)} needs a class band: name one of the spec's bands scl or Fmask, or switch the mask off",
        )
    codes = scene.read(mask["index"] + 1).astype("int64")
    if codes.shape != array.shape:
        raise StepError("postprocess.shape", f"prediction {array.shape} and scene {codes.shape} differ")
    masked = array.astype("int16" if array.dtype.kind in "iu" else "float32")
    if prediction.nodata is not None:
        masked[array == prediction.nodata] = NODATA
    for name in reversed(asked):  # cloud is written last: it hides what is below
        hit = (codes & FMASK[name]) != 0 if mask["encoding"] == "hls_fmask" else numpy.isin(codes, SCL[name])
        masked[hit] = VALUES[name]
        job.details[name] = int(hit.sum())
    write_cog(job.write("model_output_image_masked", f"{stem}_pred_masked.tif"), masked[None], prediction, NODATA)


def write_archive(job) -> None:
    """Everything of the task, flat, in name order, with a fixed time: same bytes for same inputs."""
    found = {}
    for folder in (job.inputs, job.outputs):
        for name in sorted(os.listdir(folder)):
            if name.endswith(ZIPPED) and name != "valid.tif":
                found[name] = os.path.join(folder, name)
    with zipfile.ZipFile(job.write("archive", "archive.zip"), "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            with open(found[name], "rb") as file:
                archive.writestr(entry, file.read())


def main(job) -> None:
    source = job.read("original_input_image")
    stem = os.path.splitext(os.path.basename(source))[0]
    with rasterio.open(source) as scene, rasterio.open(job.read("model_output_image")) as prediction:
        rgb = write_rgb(job, scene, stem)
        array = prediction.read(1)
        mask_prediction(job, scene, prediction, array, stem)
        write_preview(job.write("preview", "preview.png"), rgb, array, prediction.nodata, job.parameters["colors"])
    write_archive(job)
    job.log(f"made {', '.join(sorted(job.made.values()))}")


if __name__ == "__main__":
    run(main)
