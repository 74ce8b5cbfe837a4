"""cloud-mask: clouds and shadows of a scene without a class band, by a model of six bands.

The model (ukis-csmask, DLR) was trained at about 30 m, so a finer scene is averaged to that first; the
mask stays on the coarser grid, whose pixels are whole multiples of the scene's.
"""

import os
import tempfile

import numpy
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geodag.inference.run import infer
from geodag.program import Job, StepError, run
from geodag.raster import cog, open_scene, read, windows

# Where the step mounts the graph.
MODEL = os.environ.get("GEODAG_MODEL", "/model")
METRES = 30
# A reflectance above that is a cloud in the sun; a median above it is another unit.
BRIGHTEST = 3
EMPTY = 255


def factor_of(scene) -> int:
    """How many of the scene's pixels, a side, make one of about 30 m; 1 where nobody knows their size."""
    if not scene.crs or not scene.crs.is_projected:
        return 1
    size = abs(scene.transform.determinant) ** 0.5 * scene.crs.linear_units_factor[1]
    return max(1, round(METRES / size)) if size < METRES else 1


def coarser(raster, factor: int, resampling: Resampling):
    """The raster by pixels ``factor`` times as large, itself for a factor of 1."""
    if factor == 1:
        return raster
    transform = raster.transform * raster.transform.scale(factor, factor)
    size = {"width": -(-raster.width // factor), "height": -(-raster.height // factor)}
    return WarpedVRT(raster, crs=raster.crs, transform=transform, resampling=resampling, **size)


def write_input(job, folder: str) -> None:
    """Writes ``six.tif``, float32 reflectance, and ``valid.tif``. Fails with ``mask.not_reflectance``."""
    bands = [position + 1 for position in job.parameters["bands"]]
    with open_scene(job.read("imputed_input_image"), "input") as scene, open_scene(os.path.join(job.inputs, "valid.tif"), "input") as mask:
        factor = factor_of(scene)
        fine, seen = coarser(scene, factor, Resampling.average), coarser(mask, factor, Resampling.max)
        job.log(f"{fine.width} x {fine.height} pixels, each {factor} x {factor} of the scene's")
        middles = []
        with (
            cog(os.path.join(folder, "six.tif"), fine, 6, "float32", None) as target,
            cog(os.path.join(folder, "valid.tif"), fine, 1, "uint8", None) as valid,
        ):
            for window in windows(fine, 6):
                values = read(fine, bands, window, "input").astype("float32")
                middles.append(float(numpy.median(values)))
                target.write(values, window=window)
                valid.write(read(seen, 1, window, "input"), 1, window=window)
    if numpy.median(middles) > BRIGHTEST:
        raise StepError(
            "mask.not_reflectance", f"cloud_masking: the model input has a median of {numpy.median(middles):g}, the cloud model reads reflectance "
            "0 to 1: give scaling_factor 0.0001 (or what the product says) in model_input_data_spec, or name a class band"
        )


def main(job) -> None:
    with tempfile.TemporaryDirectory(dir=job.outputs) as folder:
        write_input(job, folder)
        block = {key: value for key, value in job.parameters.items() if key != "bands"}
        made = os.path.join(folder, "made")
        os.mkdir(made)
        part = Job({"parameters": block, "artifacts": {"imputed_input_image": "six.tif"}}, folder, made)
        infer(part, MODEL)
        counts = dict.fromkeys((0, 1, 2), 0)
        with open_scene(os.path.join(made, part.made["model_output_image"]), "prediction") as found:
            with cog(job.write("cloud_mask_image", "cloud_mask.tif"), found, 1, "uint8", EMPTY, ["cloud 1, shadow 2"]) as target:
                for window in windows(found, 1):
                    classes = read(found, 1, window, "prediction")
                    target.write(numpy.where(classes < 0, EMPTY, classes).astype("uint8"), 1, window=window)
                    for value in counts:
                        counts[value] += int(numpy.count_nonzero(classes == value))
    job.details = {"classes": {str(value): count for value, count in counts.items()}}
    job.log(f"{counts[1]} pixels of cloud, {counts[2]} of shadow, {counts[0]} clear")


if __name__ == "__main__":
    run(main, timeout_seconds=7200)
