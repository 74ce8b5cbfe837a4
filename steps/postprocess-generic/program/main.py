"""postprocess-generic: RGB of the scene, masks on the prediction, a preview, a STAC Item and archive.zip.

Masks follow contract.md 4.9: cloud 999, snow 998, permanent water 997, from a class band of the
scene (``sentinel2_scl`` or ``hls_fmask``). Outputs are COG, written window by
window; the archive is flat and deterministic.
"""

import json
import os
import shutil
import zipfile

import numpy

from geodag.program import StepError, run
from geodag.raster import cog, open_scene, read, windows
from item import item_of
from preview import write_preview
from rgb import write_rgb

NODATA = -9999
ZIPPED = (".tif", ".gpkg", ".shp", ".shx", ".dbf", ".cpg", ".prj", ".nc", ".geojson")
VALUES = {"cloud_masking": 999, "snow_ice_masking": 998, "permanent_water_masking": 997}
SCL = {"cloud_masking": (3, 8, 9), "snow_ice_masking": (11,), "permanent_water_masking": (6,)}
# HLS v2 Fmask: bits 0-3 cirrus, cloud, adjacent, shadow; 4 snow or ice; 5 water.
FMASK = {"cloud_masking": 0b1111, "snow_ice_masking": 1 << 4, "permanent_water_masking": 1 << 5}


def mask_prediction(job, scene, prediction) -> None:
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
    if scene.shape != prediction.shape:
        raise StepError("postprocess.shape", f"prediction {prediction.shape} and scene {scene.shape} differ")
    stem = os.path.splitext(os.path.basename(scene.name))[0]
    dtype = "int16" if numpy.dtype(prediction.dtypes[0]).kind in "iu" else "float32"
    hits = dict.fromkeys(reversed(asked), 0)  # cloud is written last: it hides what is below
    with cog(job.write("model_output_image_masked", f"{stem}_pred_masked.tif"), prediction, 1, dtype, NODATA) as target:
        for window in windows(scene, 2):
            codes, array = read(scene, mask["index"] + 1, window).astype("int64"), read(prediction, 1, window, "prediction")
            masked = array.astype(dtype)
            if prediction.nodata is not None:
                masked[array == prediction.nodata] = NODATA
            for name in hits:
                hit = (codes & FMASK[name]) != 0 if mask["encoding"] == "hls_fmask" else numpy.isin(codes, SCL[name])
                masked[hit] = VALUES[name]
                hits[name] += int(hit.sum())
            target.write(masked, 1, window=window)
    job.details.update(hits)


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
            entry.file_size = os.path.getsize(found[name])  # says beforehand whether the entry must be Zip64
            with open(found[name], "rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)


def main(job) -> None:
    source = job.read("original_input_image")
    stem = os.path.splitext(os.path.basename(source))[0]
    with open_scene(source) as scene, open_scene(job.read("model_output_image"), "prediction") as prediction:
        rgb = write_rgb(job, scene, stem)
        mask_prediction(job, scene, prediction)
        write_preview(job.write("preview", "preview.png"), rgb, prediction, job.parameters["colors"])
        made = {key: os.path.join(job.inputs, name) for key, name in job.artifacts.items()}
        made |= {key: os.path.join(job.outputs, name) for key, name in job.made.items()}
        item = item_of(stem, prediction, made)
    if item:
        with open(job.write("item", "item.json"), "w", encoding="utf-8") as file:
            json.dump(item, file, indent=2, allow_nan=False)
    else:
        job.log("no STAC Item: no date is known; give one in temporal_domain or in the file's name")
    write_archive(job)
    job.log(f"made {', '.join(sorted(job.made.values()))}")


if __name__ == "__main__":
    run(main)
