"""Tasks of a few pixels, as the earlier steps leave them, for the tests of postprocess-generic."""

import json

import numpy
import pytest

PARAMETERS = {"rgb": [2, 1, 0], "masks": {}, "mask_band": None, "classes": {"1": {"label": "Water", "rgb": [0, 0, 255], "opacity": 1}}}
DATED = "2024-08-12_scene"


def task(room, scene=None, prediction=None, stem: str = DATED, predicted: dict | None = None, **profile):
    """A task of a scene and its prediction, as the earlier steps leave it."""
    scene = numpy.full((4, 6, 7), 5, "uint16") if scene is None else scene
    prediction = (numpy.arange(42).reshape(1, 6, 7) % 3 - 1).astype("int16") if prediction is None else prediction
    room.tif(f"{stem}.tif", scene, **profile)
    room.tif(f"{stem}_imputed_pred.tif", prediction, **{**profile, "nodata": -1, **(predicted or {})})
    room.artifacts = {"original_input_image": f"{stem}.tif", "model_output_image": f"{stem}_imputed_pred.tif"}
    return prediction


def post(room, **parameters):
    return room.run("postprocess-generic", {**PARAMETERS, **parameters})


def item_of(room) -> dict:
    with open(post(room).path("item"), encoding="utf-8") as file:
        return json.load(file, parse_constant=lambda word: pytest.fail(word))


def panels(ran, shape) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The two pictures of preview.png, the scene and the scene with the prediction over it: [row, column, 3]."""
    from PIL import Image
    factor = max(1, 400 // max(shape))
    height, width = shape[0] * factor, shape[1] * factor
    with Image.open(ran.path("preview")) as picture:
        pixels = numpy.asarray(picture.convert("RGB")).astype(int)
    return pixels[:height:factor, :width:factor], pixels[:height:factor, width + 8 : 2 * width + 8 : factor]
