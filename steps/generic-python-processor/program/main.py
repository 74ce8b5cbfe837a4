"""generic-python-processor: a stranger's script, watched.

Called as ``main.py /job /in /out`` by root, without network. The script runs as a uid of its own without
capabilities; this supervisor stops it at its first breach, names the breach, and leaves nothing
running. It always exits 0: ``/out/result.json`` says how it ended (``steps/contract.ts``).
"""

import datetime
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

from check import Breach, check_script, command_of  # noqa: E402
from collect import collect  # noqa: E402
from confine import uid_of  # noqa: E402
from live import LiveLog  # noqa: E402
from supervise import supervise  # noqa: E402

WORK, TEMPORARY = "/work", "/work-tmp"


def prepare(job: dict, script: str, uid: int) -> str:
    """Private folders of ``uid``, and the script under its own name."""
    for folder in (WORK, TEMPORARY):
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, uid, uid)
        os.chmod(folder, 0o700)
    path = os.path.join("/script", job["file_name"])
    os.makedirs("/script", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    with open("/script/parameters.json", "w", encoding="utf-8") as file:
        json.dump(job["processor_parameters"], file)
    os.chmod(path, 0o444)
    return path


def run(job: dict, folder: str, inputs: str, outputs: str, log) -> tuple[dict, dict]:
    """(artifacts, details). Raises ``Breach``."""
    with open(os.path.join(folder, "script.py"), encoding="utf-8") as file:
        script = file.read()
    tree = check_script(script, job["file_name"])
    with open(os.path.join(folder, "live"), encoding="ascii") as file:
        uid = uid_of(file.read().strip())
    path = prepare(job, script, uid)
    prediction = job["artifacts"].get("model_output_image")
    command = command_of(tree, path, job["processor_parameters"], os.path.join(inputs, prediction or ""), WORK)
    log.write(f"Command: {json.dumps(command[1:])}\n".encode())
    tail = supervise(command, job["limits"], (WORK, TEMPORARY), uid, log)
    return collect(WORK, outputs, prediction, tail)


def _age() -> float:
    """Seconds since this process began: its own time includes the loading of Python and GDAL."""
    with open("/proc/self/stat", encoding="ascii") as file:
        began = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


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
            error = {"code": breach.code, "message": str(breach)}
            log.write(f"\n{breach.code}: {breach}\n".encode())
        except Exception as failure:  # the boundary: a defect of ours must not look like the user's
            error = {"code": "step.crashed", "message": f"{type(failure).__name__}: {failure}"}
    result = {
        "status": "FAILED" if error else "FINISHED",
        "error": error,
        "started_at": started.isoformat().replace("+00:00", "Z"),
        "seconds": round(_age(), 3),
        "artifacts": artifacts,
        "details": details,
    }
    with open(os.path.join(outputs, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)
    # All is on disk: what the interpreter would still tidy up ends with the container.
    os._exit(0)


if __name__ == "__main__":
    main()
