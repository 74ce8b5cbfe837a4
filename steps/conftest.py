"""Runs the raster programs as the steps do, one process each: `python -m pytest steps` in an environment
with `containers/raster/requirements.txt` and pytest.
"""

import json
import os
import subprocess
import sys
import time

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../containers/raster"))
NORTH_UP = from_origin(500000, 4500000, 10, 10)


class Ran:
    """What a program left."""

    def __init__(self, folder, result: dict, log: str, output: str) -> None:
        self.folder, self.result, self.log, self.output = folder, result, log, output
        self.error = result["error"] or {"code": None, "message": ""}

    def path(self, key: str) -> str:
        return str(self.folder / self.result["artifacts"][key])

    def pixels(self, key: str) -> numpy.ndarray:
        with rasterio.open(self.path(key)) as raster:
            return raster.read()


class Programs:
    """The server that programs are forked from: one a session of tests, started by the first."""

    def __init__(self) -> None:
        self.server = None

    def run(self, main: str, arguments: list, timeout: int, said) -> None:
        """Runs ``main`` in a process of its own. Raises where it does not exit with 0 in time."""
        env = {**os.environ, "PYTHONPATH": os.path.join(HERE, "../containers/raster"), "PYTHONDONTWRITEBYTECODE": "1"}
        if self.server is None:
            server = [sys.executable, os.path.join(HERE, "fork_server.py")]
            self.server = subprocess.Popen(server, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        order = {"main": main, "arguments": [str(one) for one in arguments], "env": env, "stderr": str(said), "timeout": timeout}
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        status = self.server.stdout.readline().strip()
        if status != "0":
            raise AssertionError(f"{main} exited with {status or 'its server'}: {said.read_text() if said.exists() else ''}")

    def close(self) -> None:
        if self.server:
            self.server.stdin.close()
            self.server.wait(10)


@pytest.fixture(scope="session")
def programs():
    made = Programs()
    yield made
    made.close()


class Room:
    """An /in and an /out, and programs to run between them."""

    def __init__(self, folder, programs: Programs) -> None:
        self.inputs, self.folder, self.programs = folder / "in", folder, programs
        self.inputs.mkdir()
        self.artifacts: dict = {}

    def tif(self, name: str, array: numpy.ndarray, **profile):
        """Writes [band, row, column] to /in."""
        profile = {"crs": "EPSG:32630", "transform": NORTH_UP, **profile}
        count, height, width = array.shape
        with rasterio.open(
            self.inputs / name, "w", driver="GTiff", count=count, height=height, width=width, dtype=array.dtype, **profile
        ) as raster:
            raster.write(array)
        return self.inputs / name

    def run(self, step: str, parameters: dict, timeout: int = 600) -> Ran:
        """Runs a step; what it made is in /in for the next, as the pipeline does it."""
        out = self.folder / f"{step}-{time.monotonic_ns()}"
        document = self.folder / "parameters.json"
        document.write_text(json.dumps({"parameters": parameters, "artifacts": self.artifacts}))
        said = self.folder / "stderr.txt"
        self.programs.run(os.path.join(HERE, step, "program/main.py"), [document, self.inputs, out], timeout, said)
        result, log = json.loads((out / "result.json").read_text()), (out / "log.txt").read_text()
        if result["status"] == "FINISHED":
            self.artifacts |= result["artifacts"]
            for path in out.iterdir():
                if path.name not in ("result.json", "log.txt"):
                    os.replace(path, self.inputs / path.name)
            return Ran(self.inputs, result, log, said.read_text())
        return Ran(out, result, log, said.read_text())

    def fetch(self, file: str, bands: int | list[dict] = 1, scaling_factor: float = 1, **more) -> Ran:
        """url-connector over a file of /in."""
        made = [{"index": i, "band_name": f"B{i}", "scaling_factor": scaling_factor} for i in range(bands if isinstance(bands, int) else 0)]
        named = made if isinstance(bands, int) else bands
        parameters = {
            "file": file, "date": "2024-08-12", "bands": named, "require_crs": False,
            "max_bytes": 4_000_000_000, "allow_private_hosts": False,
        }
        return self.run("url-connector", {**parameters, **more})


@pytest.fixture
def room(tmp_path, programs) -> Room:
    return Room(tmp_path, programs)
