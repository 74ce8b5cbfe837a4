"""Fetches what a script's block of dependencies names, and never sees the script or its data.

Called as ``fetch_libraries.py block.json /out`` with network: wheels only, so that nothing of theirs
runs here. Leaves ``/out/site``, ``/out/bin`` and ``/out/answer.json``: ``{"installed": [...]}``, or
``{"code", "message"}``. Only where the package index does not answer it ends with 1, so that the
engine does not keep that.
"""

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time

from pip._vendor.packaging.specifiers import SpecifierSet

MOST_MB, MOST_SECONDS = 1024, 300
PREFIX, SAID = "/fetched", "/pip.txt"
UNREACHABLE = re.compile(r"NewConnectionError|Max retries exceeded|ReadTimeoutError|ConnectTimeoutError|ProtocolError|HTTP error 5\d\d|Name or service")


class Refused(Exception):
    """``processor.dependencies``, with the cure."""


def version() -> str:
    return platform.python_version()


def check_python(wanted: str | None) -> None:
    if wanted and not SpecifierSet(wanted).contains(version()):
        raise Refused(f"the script asks for Python {wanted}, and it is run by Python {version()}: let requires-python admit that")


def _megabytes(*folders: str) -> float:
    said = subprocess.run(["du", "-scm", *(f for f in folders if os.path.isdir(f))], capture_output=True, text=True, check=False).stdout
    return int(said.split()[-2]) if said else 0


def _limit() -> None:
    most = MOST_MB * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def install(dependencies: list[str]) -> str:
    """What pip said. Raises ``Refused`` for too much or too slow."""
    command = [sys.executable, "-I", "-m", "pip", "install", "--isolated", "--prefix", PREFIX, "--only-binary", ":all:", "--no-compile"]
    command += ["--no-input", "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off", "--retries", "2", "--timeout", "20"]
    os.makedirs("/tmp/pip", exist_ok=True)
    with open(SAID, "wb") as said:
        pip = subprocess.Popen(
            [*command, "--", *dependencies], stdout=said, stderr=subprocess.STDOUT, preexec_fn=_limit, env={**os.environ, "TMPDIR": "/tmp/pip"}
        )
        deadline = time.monotonic() + MOST_SECONDS
        while pip.poll() is None:
            try:
                pip.wait(0.5)
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > deadline or _megabytes(PREFIX, "/tmp/pip") > MOST_MB:
                pip.kill()
                pip.wait()
                raise Refused(f"the libraries take more than {MOST_MB} MB or {MOST_SECONDS} s to fetch: ask for fewer or smaller ones")
    with open(SAID, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if pip.returncode:
        _explain(text)
    return text


def _explain(text: str) -> None:
    """Raises ``Refused``, or ends this program where another try may help."""
    errors = " ".join(line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR"))[:600]
    if UNREACHABLE.search(text) and "ResolutionImpossible" not in text:
        print(f"processor.unreachable: the package index does not answer: try again later ({errors[:300]})", file=sys.stderr)
        sys.exit(1)
    raise Refused(f"{errors or text[-300:]}: there must be a wheel for Python {version()} on Linux {platform.machine()}")


def move(out: str) -> list[str]:
    """Names and versions of what was fetched, now below ``out``."""
    site = f"{PREFIX}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    for source, target in ((site, f"{out}/site"), (f"{PREFIX}/bin", f"{out}/bin")):
        if os.path.isdir(source):
            shutil.move(source, target)
    names = sorted(os.listdir(f"{out}/site")) if os.path.isdir(f"{out}/site") else []
    infos = [name for name in names if name.endswith(".dist-info")]
    for info in infos:  # PEP 610: a package that named a URL for what it depends on
        if os.path.exists(f"{out}/site/{info}/direct_url.json"):
            raise Refused(f"{info.removesuffix('.dist-info')} comes from a URL: only packages of the index are taken")
    return [info.removesuffix(".dist-info").replace("-", "==", 1) for info in infos]


def main(path: str, out: str) -> None:
    with open(path, encoding="utf-8") as file:
        block = json.load(file)
    os.makedirs(out, exist_ok=True)
    try:
        check_python(block["requires_python"])
        if block["dependencies"]:
            install(block["dependencies"])
        answer = {"installed": move(out)}
    except Refused as refused:
        shutil.rmtree(f"{out}/site", ignore_errors=True)
        answer = {"code": "processor.dependencies", "message": str(refused)}
    with open(f"{out}/answer.json", "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
