"""generic-python-processor: a stranger's script, watched.

Called as ``main.py /job /in /out`` by root, without network. The script runs as a uid of its own without
capabilities; this supervisor stops it at its first breach, names the breach, and leaves nothing
running. It decodes nothing of the script's itself. It always exits 0: ``/out/result.json`` says how
it ended (``steps/contract.ts``).
"""

import datetime
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from breach import Breach  # noqa: E402
from check import command_of  # noqa: E402
from collect import answer_of, collect  # noqa: E402
from confine import uid_of  # noqa: E402
from live import LiveLog  # noqa: E402
from plain import plain, text  # noqa: E402
from supervise import SHARED, supervise  # noqa: E402

WORK, MADE, PRIVATE, LIBRARIES = "/work", "/work-made", "/work-tmp", "/libraries"
CHECK = "/venv/bin/python", "-I", "-S", "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)), "check.py")


def prepare(job: dict, script: str, uid: int) -> str:
    """Private folders of ``uid``, and the script under its own name."""
    for folder in (WORK, MADE, PRIVATE):
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, uid, uid)
        os.chmod(folder, 0o700)
    os.makedirs(SHARED, exist_ok=True)
    os.chmod(SHARED, 0o1777)
    if os.path.isdir("/venv/matplotlib"):  # its list of fonts, which takes longer to make than most scripts run
        shutil.copytree("/venv/matplotlib", f"{PRIVATE}/matplotlib", copy_function=shutil.copyfile)
        for parent, folders, names in os.walk(f"{PRIVATE}/matplotlib"):
            for path in [parent, *(os.path.join(parent, name) for name in names)]:
                os.chown(path, uid, uid)
    path = os.path.join("/script", job["file_name"])
    os.makedirs("/script", exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(script)
    with open("/script/parameters.json", "w", encoding="utf-8") as file:
        json.dump(job["processor_parameters"], file)
    os.chmod(path, 0o444)
    return path


def clear(*folders: str) -> None:
    """What the script left must not reach the engine's snapshot: names and depths there are a stranger's."""
    for folder in folders:
        if os.path.isdir(folder):
            subprocess.run(["find", folder, "-mindepth", "1", "-delete"], stderr=subprocess.DEVNULL, check=False)


def said_of_libraries(log) -> dict:
    """What was fetched for the script's own block of dependencies. Raises ``processor.dependencies`` and the like."""
    path = os.path.join(LIBRARIES, "answer.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        answer = json.load(file)
    if "code" in answer:
        raise Breach(answer["code"], answer["message"])
    if answer["installed"]:
        log.write(f"Libraries: {' '.join(answer['installed'])}\n".encode())
    return {"libraries": answer["installed"]}


def run(job: dict, folder: str, inputs: str, outputs: str, log) -> tuple[dict, dict]:
    """(artifacts, details). Raises ``Breach``."""
    details = said_of_libraries(log)
    with open(os.path.join(folder, "script.py"), encoding="utf-8", newline="") as file:
        script = file.read()
    with open(os.path.join(folder, "live"), encoding="ascii") as file:
        uid = uid_of(file.read().strip())
    path, limits = prepare(job, script, uid), job["limits"]
    checked = answer_of([*CHECK, path, job["file_name"]], limits, (PRIVATE,), uid, "while the script was parsed", "make it shorter")
    if "code" in checked:
        raise Breach(checked["code"], checked["message"])
    prediction = job["artifacts"].get("model_output_image")
    given = os.path.join(inputs, prediction or "")
    command = command_of(checked.get("positional") is True, path, job["processor_parameters"], given, WORK)
    log.write(f"Command: {json.dumps(command[1:])}\n".encode())
    tail, used = supervise(command, limits, (WORK, PRIVATE), uid, log)
    clear(SHARED)
    artifacts, left = collect(job, inputs, outputs, (WORK, MADE, PRIVATE), uid, tail)
    return artifacts, {**left, **details, "used": used}


def _age() -> float:
    """Seconds since this process began: its own time includes the loading of Python."""
    with open("/proc/self/stat", encoding="ascii") as file:
        began = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def write_result(outputs: str, result: dict) -> None:
    """Always JSON that every reader takes, whatever the script printed and named."""
    with open(os.path.join(outputs, "result.json"), "w", encoding="utf-8") as file:
        json.dump(plain(result), file, allow_nan=False)


def main() -> None:
    folder, inputs, outputs = sys.argv[1:]
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=_age())
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    artifacts, details, error = {}, {}, None
    with LiveLog(os.path.join(outputs, "log.txt"), os.path.join(folder, "live")) as log:
        try:
            artifacts, details = run(job, folder, inputs, outputs, log)
            if "note" in details:
                log.write(f"{details['note']}\n".encode())
        except Breach as breach:
            error = {"code": breach.code, "message": text(str(breach))}
        except Exception as failure:  # the boundary: a defect of ours must not look like the user's
            error = {"code": "step.crashed", "message": text(f"{type(failure).__name__}: {failure}"[:2000])}
        if error:
            log.write(f"\n{error['code']}: {error['message']}\n".encode(errors="replace"))
    result = {
        "status": "FAILED" if error else "FINISHED",
        "error": error,
        "started_at": started.isoformat().replace("+00:00", "Z"),
        "seconds": round(_age(), 3),
        "artifacts": artifacts,
        "details": details,
    }
    clear(WORK, MADE, PRIVATE, SHARED)
    write_result(outputs, result)
    # All is on disk: what the interpreter would still tidy up ends with the container.
    os._exit(0)


if __name__ == "__main__":
    main()
