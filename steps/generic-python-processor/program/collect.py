"""What the script left: regular files only, names made safe, the new raster found and written as COG."""

import itertools
import json
import os
import re
import stat

from breach import Breach
from confine import MB
from count import files_below
from plain import plain
from supervise import supervise

MAX_FILES, MAX_KEYS, LONGEST_NAME = 1000, 100, 100
OWN = {"result.json", "log.txt", "valid.tif", "preview.png", "item.json", "archive.zip", "manifest.json", "artifacts.json", "logs"}
RASTER = "/venv/bin/python", "-I", "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "raster.py")


class Left:
    """One file that the script left: its ``path``, its safe flat ``name``, ``size`` in bytes, ``changed`` in ns."""

    def __init__(self, path: str, what: os.stat_result) -> None:
        self.path, self.size, self.changed = path, what.st_size, what.st_mtime_ns
        self.name = safe(os.path.basename(path))


def safe(name: str) -> str:
    """Of ``name`` what every file system, URL and archive takes; the ending is kept."""
    plain_name = re.sub(r"[^A-Za-z0-9._-]", "_", name.encode(errors="replace").decode()).lstrip(".") or "file"
    stem, dot, ending = plain_name.rpartition(".")
    if len(plain_name) <= LONGEST_NAME or not dot or len(ending) > 20:
        return plain_name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def left_below(folder: str, output_mb: int) -> list[Left]:
    """In the order of their paths. A sparse file counts as long as it is: whoever copies it on writes all of it."""
    found = [Left(path, what) for path, what in files_below(folder) if stat.S_ISREG(what.st_mode)]
    if len(found) > MAX_FILES:
        raise Breach("processor.output_size", f"it left {len(found)} files, at most {MAX_FILES}: write fewer, or one zip")
    total = sum(one.size for one in found)
    if total > output_mb * MB:
        raise Breach("processor.output_size", f"the files that it left are {total // MB} MB long, at most {output_mb}: write less, or compress it")
    return sorted(found, key=lambda one: one.path)


class _Silent:
    def write(self, chunk: bytes) -> None:
        pass


def answer_of(command: list[str], limits: dict, folders: tuple[str, ...], uid: int, during: str, cure: str) -> dict:
    """The JSON object that a program of ours prints at last, run with the script's own limits."""
    try:
        tail, _ = supervise(command, limits, folders, uid, _Silent())
        answer = json.loads(tail.strip().splitlines()[-1])
    except Breach as breach:
        raise Breach(breach.code.replace("processor.failed", "processor.bad_output"), f"{during}: {breach}: {cure}") from breach
    except (ValueError, IndexError, RecursionError) as failure:
        raise Breach("processor.bad_output", f"{during}: it gave no answer: {cure}") from failure
    return answer if isinstance(answer, dict) else {}


def write_cog(raster: Left, given: str, folders: tuple[str, str], limits: dict, uid: int) -> tuple[str, dict]:
    """(path of the COG, its grid). Raises ``processor.bad_output``, or the breach of a limit."""
    target = os.path.join(folders[0], "cog.tif")
    asked = {"path": raster.path, "name": raster.name, "input": given, "target": target, "memory_mb": limits["memory_mb"]}
    cure = "write it tiled, with fewer bands, or ask for more"
    answer = answer_of([*RASTER, json.dumps(asked)], limits, folders, uid, f"while {raster.name} was read and written as COG", cure)
    if "grid" not in answer or not os.path.exists(target) or not stat.S_ISREG(os.lstat(target).st_mode):
        raise Breach("processor.bad_output", str(answer.get("message", f"{raster.name} cannot be written as COG"))[:2000])
    return target, plain(answer["grid"])


def printed_object(tail: str) -> dict:
    """The JSON object on the last line, which a script may print as its result."""
    lines = [line for line in tail.splitlines() if line.strip()]
    try:
        value = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return {}
    return {"result": plain(value)} if isinstance(value, dict) else {}


def chosen_of(files: list[Left], prediction: str | None) -> Left | None:
    """The raster named as the prediction wins, else the newest one."""
    rasters = [one for one in files if one.name.lower().endswith((".tif", ".tiff"))]
    named = next((one for one in rasters if one.name == prediction), None)
    return named or max(rasters, key=lambda one: (one.changed, one.name), default=None)


def free_name(name: str, pipeline: set[str], taken: set[str], stem: str) -> str:
    """``name``, or one beside it where the pipeline has or will have a file of that name, or the script two."""
    ours = name in pipeline or (stem and re.fullmatch(rf"{re.escape(stem)}(_.*)?\.tiff?", name))
    wanted = f"processor_{name}" if ours else name
    start, dot, ending = wanted.rpartition(".")
    tries = itertools.chain([wanted], (f"{start or ending}_{n}{dot + ending if start else ''}" for n in itertools.count(2)))
    return next(one for one in tries if one not in taken and one not in pipeline)


def hand_out(path: str, target: str) -> None:
    """Moved, not copied; nothing of the script's runs any more."""
    os.chown(path, 0, 0, follow_symlinks=False)
    os.chmod(path, 0o644)
    os.replace(path, target)


def collect(job: dict, inputs: str, outputs: str, folders: tuple[str, str, str], uid: int, tail: str) -> tuple[dict, dict]:
    """(artifacts, details); ``folders``: where the script wrote, where the COG is made, a private one."""
    work, made, private = folders
    limits, artifacts, details = job["limits"], {}, printed_object(tail)
    prediction, scene = job["artifacts"].get("model_output_image"), job["artifacts"].get("original_input_image", "")
    files = left_below(work, limits["output_mb"])
    pipeline, taken = {*OWN, *os.listdir(inputs)}, set()
    chosen = chosen_of(files, prediction)
    if chosen:
        given = os.path.join(inputs, prediction) if prediction else ""
        path, details["grid"] = write_cog(chosen, given, (made, private), limits, uid)
        name = re.sub(r"(_pred)?\.tiff?$", "", prediction or chosen.name) + "_processed_pred.tif"
        artifacts = {"model_output_image": name, **({"model_output_image_raw": prediction} if prediction else {})}
        hand_out(path, os.path.join(outputs, name))
        pipeline.add(name)
    else:
        details["note"] = "the script left no raster below --output: the prediction stays as it was"
    for one in files:
        if one is not chosen:
            name = free_name(one.name, pipeline, taken, re.sub(r"\.[^.]*$", "", scene))
            taken.add(name)
            hand_out(one.path, os.path.join(outputs, name))
            if sum(key.startswith("processor/") for key in artifacts) < MAX_KEYS:
                artifacts[f"processor/{name}"] = name
    details["files"] = len(files)
    return artifacts, details
