"""Red, green and blue of the scene as delivered."""

import numpy

from geodag.gaps import NODATA, Source
from geodag.program import StepError
from geodag.raster import cog, windows


def write_rgb(job, scene, stem: str) -> str | None:
    """Writes ``<stem>_rgb.tif``: float32 [3, row, column], nodata -9999 a band; None when the spec names no RGB."""
    index = job.parameters["rgb"]
    if index is None:
        return None
    if max(index) >= scene.count:
        raise StepError("source.too_few_bands", f"RGB_band names band index {max(index)}, the scene has {scene.count}")
    model = [i + 1 for i in job.parameters.get("bands") or [] if i < scene.count]
    bands = [i + 1 for i in index]
    source = Source(scene, bands, read_by_model=model + bands)
    path = job.write("model_input_original_image_rgb", f"{stem}_rgb.tif")
    with cog(path, scene, 3, "float32", NODATA, ["red", "green", "blue"]) as target:
        for window in windows(scene, 3):
            rgb, hidden = source.read(bands, window).astype("float32"), source.mask(window)
            rgb[numpy.stack([source.gaps(band, hidden) for band in rgb])] = NODATA
            target.write(rgb, window=window)
    return path
