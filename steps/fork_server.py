"""Runs programs in forks of one interpreter that has loaded GDAL: loading it takes longer than most of them run.

`python fork_server.py` reads an order a line, `{main, arguments, env, stderr, timeout}`, and answers a line each:
the exit status, or -9 after the timeout.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import time

LOADED = ("numpy", "PIL.Image", "pyogrio", "rasterio", "rasterio.features", "rasterio.warp", "shapely")


def _become(order: dict) -> None:
    os.environ.clear()
    os.environ.update(order["env"])
    quiet = os.open(os.devnull, os.O_RDWR)
    said = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for target, source in ((0, quiet), (1, quiet), (2, said)):
        os.dup2(source, target)
    sys.argv = [order["main"], *order["arguments"]]
    sys.path[0] = os.path.dirname(order["main"])
    runpy.run_path(order["main"], run_name="__main__")


def _run(order: dict) -> int:
    child = os.fork()
    if child == 0:
        try:
            _become(order)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    until = time.monotonic() + order["timeout"]
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


if __name__ == "__main__":
    for name in LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        print(_run(json.loads(line)), flush=True)
