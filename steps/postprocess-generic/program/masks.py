"""Masks over the prediction: 999 cloud and shadow, 998 snow, 997 permanent water, 90 a mask by URL, nodata the sea.

Classes: Sentinel-2 L2A scene classification (ESA, Sentinel-2 Products Specification), Fmask of HLS v2.0
(User Guide, table 9), QA_PIXEL of Landsat Collection 2 (USGS LSDS-1619).
"""

import os
from contextlib import ExitStack

import numpy
import shapely
from rasterio.warp import transform_bounds

from footprint import footprint
from geodag.gaps import NODATA
from geodag.place import WGS84
from geodag.program import StepError
from geodag.raster import cog, on_grid, open_scene, read, windows
from geodag.vectors import Burned, around, buffered, moved, read_shapes

# Natural Earth 1:10m, put there by the image.
LAND = os.environ.get("GEODAG_LAND", "/usr/share/geodag/land-10m.json")
VALUES = {"permanent_water_masking": 997, "snow_ice_masking": 998, "cloud_masking": 999}
URL_VALUE = 90
SCL = {"cloud_masking": (3, 8, 9), "snow_ice_masking": (11,), "permanent_water_masking": (6,)}
# HLS: cirrus, cloud, beside one, shadow. Landsat: dilated cloud, cirrus, cloud, shadow.
BITS = {
    "hls_fmask": {"cloud_masking": 0b1111, "snow_ice_masking": 1 << 4, "permanent_water_masking": 1 << 5},
    "landsat_qa_pixel": {"cloud_masking": 0b11110, "snow_ice_masking": 1 << 5, "permanent_water_masking": 1 << 7},
}
FILL = {"sentinel2_scl": 0, "hls_fmask": 255, "landsat_qa_pixel": 1}
NAMED = {"scl": "sentinel2_scl", "fmask": "hls_fmask", "qa": "hls_fmask", "qa_pixel": "landsat_qa_pixel"}
CURES = {
    "cloud_masking": "name a class band (SCL, Fmask, QA_PIXEL) in model_input_data_spec, or give a scene whose spec names the six bands "
    "blue, green, red, nir, swir16, swir22, from which the cloud model makes it",
    "snow_ice_masking": "name a class band (SCL, Fmask, QA_PIXEL) in model_input_data_spec",
    "permanent_water_masking": "name a class band (SCL, Fmask, QA_PIXEL) in model_input_data_spec, or have the operator set PERMANENT_WATER",
}


class Classes:
    """A class band on the prediction's pixels."""

    def __init__(self, raster, band: int, encoding: str) -> None:
        self.raster, self.band, self.encoding = raster, band, encoding

    def read(self, window) -> tuple[numpy.ndarray, numpy.ndarray]:
        """(class numbers, whether there is none) [row, column]; a fill is no class."""
        raw = read(self.raster, self.band, window, "source")
        none = ~numpy.isfinite(raw) if raw.dtype.kind == "f" else numpy.zeros(raw.shape, bool)
        codes = numpy.where(none, 0, raw).astype("int64")
        return codes, none | (codes < 0) | (codes == FILL[self.encoding])

    def hits(self, name: str, codes: numpy.ndarray) -> numpy.ndarray:
        if self.encoding in BITS:
            return (codes & BITS[self.encoding][name]) != 0
        return numpy.isin(codes, SCL[name])


def _class_band(job, scene, prediction, stack: ExitStack) -> Classes | None:
    """The class band that the spec names, of the scene or of a raster of its own, else the one that the scene names."""
    named = job.parameters.get("mask_band")
    raster = scene
    if named and named.get("modality"):
        raster = stack.enter_context(open_scene(job.read(f"original_input_image:{named['modality']}")))
        _check_meets(raster, prediction)
    if named and named["index"] < raster.count:
        band, encoding = named["index"] + 1, named["encoding"]
    else:
        found = [(i + 1, NAMED[text.lower()]) for i, text in enumerate(scene.descriptions) if (text or "").lower() in NAMED]
        if not found:
            return None
        band, encoding = found[0]
    return Classes(stack.enter_context(on_grid(raster, prediction, fill=FILL[encoding])), band, encoding)


def _check_meets(raster, prediction) -> None:
    """Fails with ``mask.outside`` where a class band of its own lies somewhere else: all would be unknown."""
    name = os.path.basename(raster.name)
    if (raster.crs is None) != (prediction.crs is None):
        raise StepError("mask.no_place", f"{name}: one of scene and class band has no CRS: set it with gdal_edit.py -a_srs EPSG:<code>")
    west, south, east, north = raster.bounds if raster.crs is None else transform_bounds(raster.crs, prediction.crs, *raster.bounds)
    left, bottom, right, top = prediction.bounds
    turns = (-360, 0, 360) if prediction.crs and prediction.crs.is_geographic else (0,)
    east += 360 if turns[1:] and west > east else 0
    if not any(west + by < right and left < east + by and south < top and bottom < north for by in turns):
        raise StepError("mask.outside", f"{name}, the class band, does not cover the scene: give that of the same scene")


class Values:
    """A mask that an earlier step made, on the prediction's pixels: True where it holds one of ``values``."""

    def __init__(self, job, key: str, values, prediction, stack: ExitStack) -> None:
        raster = stack.enter_context(open_scene(job.read(key), "mask"))
        self.raster, self.values = stack.enter_context(on_grid(raster, prediction, "mask", fill=255)), values

    def read(self, window) -> numpy.ndarray:
        return numpy.isin(read(self.raster, 1, window, "mask"), self.values)


def land(job, prediction) -> Burned:
    """Land over the prediction, from the operator's polygons or Natural Earth's. Fails with ``mask.no_place``, ``mask.no_land``."""
    _, place = footprint(prediction)
    if place is None:
        raise StepError("mask.no_place", "ocean_masking needs to know where on the earth all of the prediction lies: give a scene with a CRS, cut to the earth")
    path = job.read("land_polygons") if "land_polygons" in job.artifacts else LAND
    if not os.path.isfile(path):
        raise StepError("mask.no_land", f"ocean_masking: there are no land polygons at {path}: have the operator set LAND_POLYGONS")
    found = []
    for part in shapely.get_parts(shapely.geometry.shape(place)):
        west, south, east, north = part.bounds
        box = (west - 0.1, max(south - 0.1, -90), east + 0.1, min(north + 0.1, 90))
        shapes, crs = read_shapes(path, box)
        near = moved(shapes, crs, WGS84)
        near = shapely.make_valid(near[shapely.intersects(shapely.envelope(near), shapely.box(*box))])
        cut = shapely.intersection(near, shapely.box(*box))
        found.append(around(moved(cut[~shapely.is_empty(cut)], WGS84, prediction.crs), prediction))
    return Burned(numpy.concatenate(found), prediction)


def mask_polygons(job, prediction) -> Burned:
    """The user's polygons over the prediction, grown. Fails with ``mask.not_vector``, ``mask.no_place``."""
    if prediction.crs is None:
        raise StepError("mask.no_place", "mask_from_url needs a CRS on the prediction: give a scene that has one")
    shapes, crs = read_shapes(job.read("mask_polygons"))
    near = buffered(shapes, crs, prediction, job.parameters["masks"]["mask_from_url"]["buffer_size_m"])
    west, south, east, north = prediction.bounds
    if not shapely.intersects(near, shapely.box(min(west, east), min(south, north), max(west, east), max(south, north))).any():
        job.log(f"mask_from_url: none of its {len(shapes)} polygons meets the scene")
    return Burned(near, prediction)


class Masks:
    """All masks that were asked for, ready to be read. Fails by the name of the first that cannot be made."""

    def __init__(self, job, scene, prediction, stack: ExitStack) -> None:
        masks = job.parameters["masks"]
        self.asked = [name for name in VALUES if masks.get(name)]  # later ones hide what is below
        self.classes = _class_band(job, scene, prediction, stack) if self.asked else None
        self.others = {}
        if "permanent_water_masking" in self.asked and "permanent_water_image" in job.artifacts:
            values = job.parameters.get("water_values") or [1]
            self.others["permanent_water_masking"] = Values(job, "permanent_water_image", values, prediction, stack)
        if "cloud_masking" in self.asked and not self.classes and "cloud_mask_image" in job.artifacts:
            self.others["cloud_masking"] = Values(job, "cloud_mask_image", [1, 2], prediction, stack)
        lacking = [name for name in self.asked if not self.classes and name not in self.others]
        if lacking:
            raise StepError("postprocess.no_mask_band", f"{lacking[0]} cannot be made of this scene: {CURES[lacking[0]]}, or switch it off")
        self.land = land(job, prediction) if masks.get("ocean_masking") else None
        self.polygons = mask_polygons(job, prediction) if masks.get("mask_from_url") else None
        self.hits = dict.fromkeys(self.asked, 0)
        self.hits |= {"ocean_masking": 0} if self.land else {}
        self.hits |= {"mask_from_url": 0} if self.polygons else {}

    def __bool__(self) -> bool:
        return bool(self.hits)

    def apply(self, masked: numpy.ndarray, valid: numpy.ndarray, window) -> None:
        """Writes the masks over the valid pixels of ``masked`` [row, column]; one without data stays so."""
        codes = none = None
        if self.classes:
            codes, none = self.classes.read(window)
            if any(name not in self.others for name in self.asked):
                masked[none] = NODATA  # nobody knows whether this pixel is clear
                valid = valid & ~none
        for name in self.asked:
            hit = self.others[name].read(window) if name in self.others else self.classes.hits(name, codes)
            self._write(name, masked, valid & hit, VALUES[name])
        if self.land:
            self._write("ocean_masking", masked, valid & ~self.land.read(window), NODATA)
        if self.polygons:
            self._write("mask_from_url", masked, valid & self.polygons.read(window), URL_VALUE)

    def _write(self, name: str, masked: numpy.ndarray, hit: numpy.ndarray, value: int) -> None:
        masked[hit] = value
        self.hits[name] += int(numpy.count_nonzero(hit))


def dtype_of(prediction) -> str:
    """What holds every class beside 999 and -9999."""
    found = numpy.dtype(prediction.dtypes[0])
    if found.kind not in "iu":
        return "float64" if found == "float64" else "float32"
    return "int16" if found in ("int8", "uint8", "int16") else "int32"


def check_range(prediction, values: numpy.ndarray, dtype: str) -> None:
    """Fails with ``prediction.bad_value`` where ``dtype`` cannot hold an integer."""
    if numpy.dtype(dtype).kind != "i" or not values.size:
        return
    worst = max(int(values.max()), -int(values.min()) - 1)
    if worst > numpy.iinfo(dtype).max:
        found = values.max() if int(values.max()) == worst else values.min()
        raise StepError(
            "prediction.bad_value", f"{os.path.basename(prediction.name)} has the value {found}, which {dtype} of a masked prediction cannot hold: "
            f"write classes up to {numpy.iinfo(dtype).max}, or switch the masks off"
        )


def mask_prediction(job, scene, prediction) -> str | None:
    """Writes ``<stem>_pred_masked.tif`` when a mask was asked for: integers or floats, nodata -9999."""
    with ExitStack() as stack:
        masks = Masks(job, scene, prediction, stack)
        if not masks:
            return None
        stem = os.path.splitext(os.path.basename(scene.name))[0]
        dtype = dtype_of(prediction)
        path = job.write("model_output_image_masked", f"{stem}_pred_masked.tif")
        with cog(path, prediction, 1, dtype, NODATA, ["prediction"]) as target:
            for window in windows(prediction, 2):
                array = read(prediction, 1, window, "prediction")
                valid = prediction.read_masks(1, window=window) > 0
                valid &= numpy.isfinite(array) if array.dtype.kind == "f" else True
                check_range(prediction, array[valid], dtype)
                masked = numpy.where(valid, array, array.dtype.type(0)).astype(dtype)
                masked[~valid] = NODATA
                masks.apply(masked, valid, window)
                target.write(masked, 1, window=window)
        job.details.update(masks.hits)
        return path
