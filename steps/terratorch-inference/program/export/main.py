"""Runs TerraTorch over a user's model, watched: ``main.py /job /model /in /out``, by root and without network.

The config names Python classes and the checkpoint is a pickle, so ``export.py``, or ``predict.py`` over a scene, runs confined
(``supervise``). What leaves is data: ``model.onnx`` with its tensors and ``runtime.json``, or ``prediction.tif``. ``answer.json``
says how it ended, ``log.txt`` what was printed; it always exits 0, so that the engine keeps a refusal as it keeps a model.
"""

import json
import os
import stat
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from breach import Breach  # noqa: E402
from confine import MB, uid_of  # noqa: E402
from plain import plain, text  # noqa: E402
from supervise import SHARED, supervise  # noqa: E402

MADE, PRIVATE = "/work-made", "/work-tmp"
FILES = ("model.onnx", "model.onnx.data", "runtime.json", "prediction.tif")
CONFIG, CHECKPOINT = "config.yaml", "checkpoint.ckpt"
# import of terratorch, then weights, gradients never, two graphs and their proof: 10 to 17 bytes a parameter were measured.
BASE_MB, BYTES_A_BYTE = 3072, 6
# terratorch holds a scene whole, and its scores: of a file that DEFLATE has made smaller.
SCENE_BYTES_A_BYTE = 30
LONGEST_ANSWER = 1 * MB


def limits_of(checkpoint: int, scenes: int) -> dict:
    """Of a checkpoint of so many bytes, which has at least 4 a parameter, and of scenes of so many."""
    size = checkpoint // MB + 1
    scene = SCENE_BYTES_A_BYTE * scenes // MB
    return {
        **{"wall_seconds": 7200, "cpu_seconds": 14_400, "memory_mb": BASE_MB + BYTES_A_BYTE * size + scene, "processes": 256},
        **{"open_files": 1024, "file_mb": 2 * size + 1024 + scene, "output_mb": 4 * size + 2048 + scene, "log_mb": 10},
    }


def take(name: str, most: int) -> bytes | None:
    """A regular file that the confined program left, never through a link."""
    try:
        handle = os.open(os.path.join(MADE, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or os.fstat(handle).st_size > most:
            return None
        return file.read()


def run(job: dict, model: str, folder: str, out: str, log) -> dict:
    """The answer. Raises ``Breach``."""
    uid = uid_of(job["run"])
    for made in (MADE, PRIVATE):
        os.makedirs(made, exist_ok=True)
        os.chown(made, uid, uid)
    os.makedirs(SHARED, exist_ok=True)
    os.chmod(SHARED, 0o1777)
    paths = [os.path.join(model, name) for name in (CONFIG, CHECKPOINT)]
    scenes = job.get("scenes") or {}
    limits = limits_of(os.path.getsize(paths[1]), sum(os.path.getsize(path) for path in scenes.values()))
    program = "predict.py" if scenes else "export.py"
    command = ["/venv/bin/python", "-B", os.path.join(folder, "program", program), *paths, MADE]
    command += [os.path.join(folder, "job.json")] if scenes else [str(side) for side in job["tile"] or []]
    _, used = supervise(command, limits, (MADE, PRIVATE), uid, log)
    said = json.loads(take("answer.json", LONGEST_ANSWER) or b"{}")
    if not isinstance(said, dict) or "code" not in said:
        raise Breach("processor.failed", "it left no answer")
    if said["code"] is None:
        for name in FILES:
            if (found := take(name, limits["file_mb"] * MB)) is not None:
                with open(os.path.join(out, name), "wb") as file:
                    file.write(found)
    return {"code": said["code"], "message": said.get("message"), "used": used}


BREACHES = {
    "processor.memory": "model.memory",
    "processor.timeout": "model.export_timeout",
    "processor.cpu": "model.export_timeout",
}


def main() -> None:
    folder, model, _, out = sys.argv[1:]
    began = time.monotonic()
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    with open(os.path.join(out, "log.txt"), "wb") as log:
        try:
            answer = run(job, model, folder, out, log)
        except Breach as breach:
            code = BREACHES.get(breach.code, "model.export_failed")
            answer = {"code": code, "message": f"TerraTorch ended before its time: {breach}"}
        except (OSError, ValueError) as failure:
            answer = {"code": "model.export_failed", "message": f"{type(failure).__name__}: {failure}"}
        if answer["code"]:
            answer["message"] = text(str(answer["message"]))[:4000]
            log.write(f"{answer['code']}: {answer['message']}\n".encode(errors="replace"))
    answer["seconds"] = round(time.monotonic() - began, 1)
    with open(os.path.join(out, "answer.json"), "w", encoding="utf-8") as file:
        json.dump(plain(answer), file, allow_nan=False)
    os._exit(0)


if __name__ == "__main__":
    main()
