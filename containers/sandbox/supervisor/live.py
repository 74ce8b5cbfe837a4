"""The log of a run, and its copy where a reader outside the sandbox follows it."""

import os
import time

LIVE = "/live"
KEPT_SECONDS = 3600


class LiveLog:
    """Writes to the file ``path`` and, unbuffered, to ``/live/<name>``; ``<name>.end`` says that it is whole.

    ``/live`` is a cache volume that every run shares: it is the supervisor's alone (mode 0700), and a
    copy that cannot be written (a full disk) must not fail the run.
    """

    def __init__(self, path: str, name_file: str) -> None:
        self._log = open(path, "wb")
        self._copy, self._end = None, ""
        try:
            with open(name_file, encoding="ascii") as file:
                target = os.path.join(LIVE, os.path.basename(file.read().strip()))
            os.chmod(LIVE, 0o700)
            self._sweep()
            self._copy, self._end = open(target, "wb", buffering=0), target + ".end"
            if os.path.exists(self._end):
                os.remove(self._end)
        except OSError:
            pass

    @staticmethod
    def _sweep() -> None:
        """Old logs of runs that nobody followed to their end."""
        for name in os.listdir(LIVE):
            path = os.path.join(LIVE, name)
            try:
                if time.time() - os.lstat(path).st_mtime > KEPT_SECONDS:
                    os.remove(path)
            except OSError:
                pass  # another run was faster

    def write(self, chunk: bytes) -> None:
        self._log.write(chunk)
        try:
            if self._copy:
                self._copy.write(chunk)
        except OSError:
            self._copy = None

    def __enter__(self) -> "LiveLog":
        return self

    def __exit__(self, *_exception) -> None:
        self._log.close()
        if self._copy:
            self._copy.close()
            with open(self._end, "wb"):
                pass
