"""Runs a step's program and writes down how it ended.

A program is called ``main.py parameters.json /in /out``. It always exits 0: a failure is data,
``/out/result.json`` says which (contract: ``steps/contract.ts``, ``stepResult``).
"""

from __future__ import annotations

import ctypes
import datetime
import json
import math
import os
import resource
import signal
import sys
import time
import traceback


class StepError(Exception):
    """A failure with a stable dotted code and a message that names the cure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Job:
    """What a program was given: ``parameters``, ``artifacts`` (key to file name), ``/in``, ``/out``."""

    def __init__(self, document: dict, inputs: str, outputs: str) -> None:
        self.parameters = document["parameters"]
        self.artifacts = document["artifacts"]
        self.inputs, self.outputs = inputs, outputs
        self.made: dict[str, str] = {}
        self.details: dict = {}
        self._log = open(os.path.join(outputs, "log.txt"), "a", encoding="utf-8")

    def log(self, text: str) -> None:
        print(text, flush=True)
        self._log.write(text + "\n")
        self._log.flush()

    def read(self, key: str) -> str:
        """Path of the artifact ``key``. Fails with ``artifact.missing``."""
        if key not in self.artifacts:
            raise StepError("artifact.missing", f"no earlier step made {key}; check pipeline_steps")
        return os.path.join(self.inputs, self.artifacts[key])

    def write(self, key: str, name: str) -> str:
        """Path to write the artifact ``key`` to; the later steps will find it as ``name``."""
        self.made[key] = name
        return os.path.join(self.outputs, name)


def _age() -> float:
    """Seconds since this process began: a program's own time includes the loading of GDAL."""
    with open("/proc/self/stat", encoding="ascii") as file:
        began = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def _late(seconds: int) -> tuple[str, str]:
    return "step.timeout", f"took longer than {seconds} s; ask for a smaller area"


def _alarm(seconds: int):
    def ring(_signal, _frame):
        raise StepError(*_late(seconds))

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)


def _limit_memory() -> None:
    """Half of the machine: a raster or a model that asks for all ends its step, not the engine.

    Dagger has no limit of its own. Never below 8 GB of addresses, most of which are never touched.
    """
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    most = max(half, 8_000_000_000)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


# After its time for what a program tidies up; a library that does not come back to Python is not told that it is over.
GRACE_SECONDS = 30
PR_SET_PDEATHSIG = 1  # prctl(2): the child does not outlive its parent
# Seconds of processor that the parent used before it forked: loading the libraries is the program's own time.
loading = 0.0
# Code and message of a program whose library, GDAL or onnxruntime, was ended by the kernel.
CRASHED = ("step.crashed", "a library ended the program by {signal}: report it with this log and the file")


def run(main, timeout_seconds: int = 1800, crashed: tuple[str, str] = CRASHED) -> None:
    """Calls ``main(job)`` in a process of its own and writes ``result.json``; never raises, so that a log is always kept.

    ``crashed``: code and message where the kernel ends that process, as a library divides by zero or reads what is not there.
    """
    global loading
    age, clock, loading = _age(), time.monotonic(), time.process_time()
    started = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age)
    os.makedirs(sys.argv[3], exist_ok=True)
    with open(sys.argv[1], encoding="utf-8") as file:
        job = Job(json.load(file), sys.argv[2], sys.argv[3])
    sys.stdout.flush()
    child = os.fork()
    if child:
        code, late = _wait(child, timeout_seconds + GRACE_SECONDS)
        if code >= 0:
            os._exit(code)
        if late:
            ended = _late(timeout_seconds)
        elif code == -signal.SIGKILL:
            ended = ("step.memory", "the program was killed, most likely for lack of memory; ask for a smaller area")
        else:
            ended = (crashed[0], crashed[1].format(signal=signal.Signals(-code).name))
        error = dict(zip(("code", "message"), ended))
    else:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        error = _error(main, job, timeout_seconds)
    if error:
        job.log(f"{error['code']}: {error['message']}")
    result = {
        "status": "FAILED" if error else "FINISHED",
        "error": error,
        "started_at": started.isoformat().replace("+00:00", "Z"),
        "seconds": round(age + time.monotonic() - clock, 3),
        "artifacts": {} if error else job.made,
        "details": plain(job.details),
    }
    with open(os.path.join(job.outputs, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, allow_nan=False)
    # All is on disk: what the interpreter and GDAL would still tidy up ends with the container.
    sys.stdout.flush()
    os._exit(0)


def _wait(child: int, seconds: int) -> tuple[int, bool]:
    """(exit code of ``child``, whether it had to be killed because it took longer)"""
    killed = []

    def ring(_signal, _frame):
        killed.append(child)
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    return code, bool(killed)


def _error(main, job: Job, timeout_seconds: int) -> dict | None:
    """How ``main(job)`` failed; None where it did not."""
    error = None
    try:
        if not job.parameters.get("gpu"):  # CUDA maps the whole of its memory as addresses
            _limit_memory()
        _alarm(timeout_seconds)
        main(job)
    except StepError as failure:
        error = {"code": failure.code, "message": str(failure)}
    except MemoryError:
        error = {"code": "step.memory", "message": "out of memory; ask for a smaller area"}
    except Exception as failure:  # the boundary: everything else is a defect, with its log kept
        job.log(traceback.format_exc())
        error = {"code": "step.crashed", "message": f"{type(failure).__name__}: {failure}"}
    signal.alarm(0)
    return error


def plain(value):
    """``value`` as JSON has it: a number that is none is null."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
