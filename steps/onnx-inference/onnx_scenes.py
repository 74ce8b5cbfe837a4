"""A model input without its connector, and the step's program run in this process."""

import json

import numpy
import rasterio
from onnx_graphs import saved
from rasterio.transform import from_origin

from geodag.inference.run import infer
from geodag.program import Job, StepError


class Scene:
    """A folder with the model input [band, row, column] and its ``valid.tif``."""

    def __init__(self, folder, array, valid=None, **more) -> None:
        self.folder, self.artifacts = folder, {}
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        self.add("imputed_input_image", "scene_imputed.tif", array.astype("float32"))
        self.add(None, "valid.tif", numpy.ones((1, *array.shape[1:]), "uint8") if valid is None else valid[None].astype("uint8"))

    def add(self, key, name, array, **profile) -> None:
        count, height, width = array.shape
        like = {"crs": "EPSG:32630", "transform": from_origin(500000, 4500000, 10, 10), **profile}
        with rasterio.open(
            self.folder / "in" / name, "w", driver="GTiff", count=count, height=height, width=width, dtype=array.dtype, **like
        ) as raster:
            raster.write(array)
        if key:
            self.artifacts[key] = name

    def run(self, model, runtime=None, **parameters):
        """(details, pixels by artifact key); the log stays in ``log``. Raises StepError."""
        path = saved(model, self.folder / "model/model.onnx") if not isinstance(model, str) else model
        if runtime is not None:
            (self.folder / "model/runtime.json").write_text(runtime if isinstance(runtime, str) else json.dumps(runtime))
        job = Job({"parameters": {"weights": str(path), **parameters}, "artifacts": self.artifacts}, str(self.folder / "in"), str(self.folder / "out"))
        try:
            infer(job)
        finally:
            self.log = (self.folder / "out/log.txt").read_text()
        made = {}
        for key, name in job.made.items():
            with rasterio.open(self.folder / "out" / name) as raster:
                made[key] = raster.read()
        return job.details, made

    def prediction(self, model, runtime=None, **parameters):
        return self.run(model, runtime, **parameters)[1]["model_output_image"]

    def failure(self, model, runtime=None, **parameters) -> StepError:
        try:
            self.run(model, runtime, **parameters)
        except StepError as failure:
            return failure
        raise AssertionError("it ran")


def noise(bands: int, height: int, width: int, low: float = -2, high: float = 2) -> numpy.ndarray:
    return numpy.random.default_rng(7).uniform(low, high, (bands, height, width)).astype("float32")
