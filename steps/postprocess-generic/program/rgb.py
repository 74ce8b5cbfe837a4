"""Red, green and blue of the scene as delivered."""

import numpy
import rasterio

from geodag.gaps import NODATA, Source
from geodag.program import StepError
from geodag.raster import cog, windows


def write_rgb(job, scene, stem: str) -> str | None:
    """Writes ``<stem>_rgb.tif``: float32 [3, row, column], nodata -9999 a band; None when the spec names no RGB.

    A mask inside the file hides the pixels that lack a band: GeoServer stretches the nodata of a picture to black, and
    makes transparent what a mask hides.
    """
    index = job.parameters["rgb"]
    if index is None:
        return None
    if max(index) >= scene.count:
        raise StepError("source.too_few_bands", f"RGB_band names band index {max(index)}, the scene has {scene.count}")
    model = [i + 1 for i in job.parameters.get("bands") or [] if i < scene.count]
    bands = [i + 1 for i in index]
    source = Source(scene, bands, read_by_model=model + bands)
    path = job.write("model_input_original_image_rgb", f"{stem}_rgb.tif")
    picture = cog(path, scene, 3, "float32", NODATA, ["red", "green", "blue"])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), picture as target:
        for window in windows(scene, 3):
            rgb, hidden = source.read(bands, window).astype("float32"), source.mask(window)
            gaps = numpy.stack([source.gaps(band, hidden) for band in rgb])
            rgb[gaps] = NODATA
            target.write(rgb, window=window)
            target.write_mask(~gaps.any(0), window=window)
    return path
