"""Takes every scene out of a zip, once for all its tasks: ``scenes.py <JSON> /scenes`` or fails.

The JSON has ``url`` or ``path``, ``max_bytes`` and ``allow_private_hosts``. Writes ``<n>.tif`` and ``scenes.json``, a list of
``{member, file, date, bytes}`` in order of the members' names; what is no zip, or holds no scene, gives an
empty list. Run apart from the step, as the planner asks before there is a task; a failure is no result
that the engine may keep, so it is an exit code, with ``code: message`` on stderr.
"""

import json
import os
import sys

from archive import Archive
from deliver import date_in, download
from geodag.content import refuse_other
from geodag.program import StepError


def unpack(path: str, max_bytes: int, folder: str) -> list[dict]:
    """Fails with ``source.*``."""
    with Archive(path, max_bytes) as archive:
        found = []
        for number, name in enumerate(archive.scenes()):
            target = os.path.join(folder, f"{number}.tif")
            with open(target, "wb") as file:
                archive.copy(name, file)
            found.append({"member": name, "file": f"{number}.tif", "date": date_in(name), "bytes": os.path.getsize(target)})
        return found


def main() -> None:
    wanted, folder = json.loads(sys.argv[1]), sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    path = wanted.get("path") or os.path.join(folder, "download")
    try:
        if wanted.get("url"):
            download(wanted, wanted["url"], path, lambda text: print(text, file=sys.stderr))
        found = unpack(path, wanted["max_bytes"], folder) if _is_zip(path) else []
    finally:
        if wanted.get("url") and os.path.exists(path):
            os.remove(path)
    with open(os.path.join(folder, "scenes.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, sort_keys=True)


def _is_zip(path: str) -> bool:
    try:
        return refuse_other(path, "the file") == "zip"
    except StepError:
        return False  # the step itself says what is wrong with it


if __name__ == "__main__":
    try:
        main()
    except StepError as failure:
        sys.exit(f"{failure.code}: {failure}")
