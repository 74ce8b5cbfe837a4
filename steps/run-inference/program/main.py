"""run-inference: the model input to a server that runs the model, its prediction back on the scene's grid."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

from geodag.program import StepError, run
from geodag.raster import open_scene

from inputs import Given, Secrets, request_data
from prediction import save, write_prediction
from pooling import Server

SECONDS = 1700  # of the whole step, below the alarm


def main(job) -> None:
    """One request a task, with every input of the model. Fails with ``model.server_*``."""
    p, started = job.parameters, time.monotonic()
    mask = os.path.join(job.inputs, "valid.tif")
    if not os.path.isfile(mask):
        raise StepError("artifact.missing", "valid.tif is not among the inputs: give the whole folder that url-connector made")
    names = p.get("modalities") or [None]
    paths = [job.read(f"imputed_input_image:{name}" if name else "imputed_input_image") for name in names]
    with ExitStack() as stack:
        scenes = [stack.enter_context(open_scene(path, "input")) for path in paths]
        valid, secrets = stack.enter_context(open_scene(mask, "input")), Secrets()
        given = [Given(name, path, scene.count) for name, path, scene in zip(names, paths, scenes)]
        server = Server(p["url"], secrets, p["allow_private_hosts"], started + SECONDS, job.log)
        data = request_data(given, p, secrets, started + SECONDS, job.log)
        sent = time.monotonic()
        pixels = scenes[0].width * scenes[0].height
        answer = server.predict(p["model"], data, p["timeout_seconds"], p["pause_seconds"], 64_000_000 + 12 * pixels)
        answered = time.monotonic()
        got = os.path.join(job.outputs, "answer.part.tif")
        try:
            save(answer, got, p, 64_000_000 + 12 * pixels, job.log)
            write_prediction(job, got, scenes[0], valid, p["values"])
        finally:
            if os.path.exists(got):
                os.remove(got)
    job.details |= {
        "seconds": {"server": round(answered - sent, 3), "wall": round(time.monotonic() - started, 3)},
        "tries": server.tries,
        "request_id": str(answer.get("request_id") or "")[:200],
    }
    job.log(f"prediction {job.details}")


if __name__ == "__main__":
    run(main, timeout_seconds=1800)
