"""terratorch-inference: runs the model that the export made, by the same program as onnx-inference.

Where TerraTorch itself had to run, its prediction is checked and written as every other.
"""

import json
import os
from contextlib import ExitStack

import numpy
from geodag.inference.outputs import NO_CLASS, Outputs
from geodag.inference.run import CRASHED, infer
from geodag.program import Job, StepError, run
from geodag.raster import open_scene, read, same_grid
from rasterio.windows import Window

MODEL = "/model"
PREDICTION = os.path.join(MODEL, "prediction.tif")
ROWS = 256


def take_over(job: Job) -> None:
    """``prediction.tif`` of ``terratorch predict``, [1, row, column], as the step's own. Fails with ``model.bad_output``."""
    with ExitStack() as stack:
        first = stack.enter_context(open_scene(job.read("imputed_input_image"), "input"))
        valid = stack.enter_context(open_scene(os.path.join(job.inputs, "valid.tif"), "input"))
        made = stack.enter_context(open_scene(PREDICTION, "model"))
        if not same_grid(made, first):
            raise StepError("model.bad_output", f"terratorch gives {made.height} x {made.width} pixels for {first.height} x {first.width}")
        labels = made.dtypes[0].startswith("int")
        stem = os.path.splitext(os.path.basename(first.name))[0]
        task = "segmentation" if labels else "regression"
        outputs = Outputs(job, stack.enter_context(ExitStack()), first, valid, stem, task, "classes" if labels else "logits", 0, [])
        outputs.open(1 if labels else made.count)
        for row in range(0, made.height, ROWS):
            window = Window(0, row, made.width, min(ROWS, made.height - row))
            scores = read(made, None, window, "model").astype("float32")
            scores[scores == (NO_CLASS if made.nodata is None else made.nodata)] = numpy.nan
            outputs.write(row, scores)
        outputs.check()
        outputs.stack.close()
        if outputs.counted:
            job.details["classes"] = {str(value): outputs.counted[value] for value in sorted(outputs.counted)}


def main(job: Job) -> None:
    """Fails with what the export ended with, or with what ``infer`` does."""
    answer_path = os.path.join(MODEL, "answer.json")
    if os.path.exists(answer_path):  # a tune kept as ONNX has none
        with open(os.path.join(MODEL, "log.txt"), encoding="utf-8", errors="replace") as file:
            job.log(file.read().strip())
        with open(answer_path, encoding="utf-8") as file:
            answer = json.load(file)
        if answer["code"]:
            raise StepError(answer["code"], answer["message"])
        job.details["export_seconds"] = answer["seconds"]
    if os.path.exists(PREDICTION):
        job.log("this model is not exported: TerraTorch itself ran it")
        take_over(job)
    else:
        infer(job)


if __name__ == "__main__":
    run(main, timeout_seconds=7200, crashed=CRASHED)
