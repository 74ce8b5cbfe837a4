"""Runs TerraTorch over a user's model, watched: ``main.py /job /model /in /out``, by root and without network.

The config names Python classes and the checkpoint is a pickle, so ``export.py``, or ``predict.py`` over a scene, runs confined
(``supervise``). What leaves is data: ``model.onnx`` with its tensors and ``runtime.json``, or ``prediction.tif``. ``answer.json``
says how it ended, ``log.txt`` what was printed; it always exits 0, so that the engine keeps a refusal as it keeps a model.
"""

import json
import os
import shutil
import stat
import sys
import time
from typing import BinaryIO

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from breach import Breach  # noqa: E402
from confine import MB, uid_of  # noqa: E402
from live import LiveLog  # noqa: E402
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


def left(name: str, most: int) -> BinaryIO | None:
    """A regular file that the confined program left, of at most so many bytes, never through a link."""
    try:
        handle = os.open(os.path.join(MADE, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    file = open(handle, "rb")
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return file
    file.close()
    return None


def answer_of() -> dict:
    """What the confined program says of its end. Raises ``Breach`` where it says nothing that can be read."""
    file = left("answer.json", LONGEST_ANSWER)
    if file:
        with file:
            said = json.loads(file.read())
        if isinstance(said, dict) and "code" in said:
            return said
    raise Breach("processor.failed", "it left no answer")


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
    said = answer_of()
    for name in FILES if said["code"] is None else ():
        if found := left(name, limits["file_mb"] * MB):
            with found, open(os.path.join(out, name), "wb") as file:
                shutil.copyfileobj(found, file, MB)
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
    with LiveLog(os.path.join(out, "log.txt"), os.path.join(folder, "live")) as log:
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
