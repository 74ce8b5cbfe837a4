"""Starts the confined script, watches it, stops it at its first breach, leaves nothing running."""

import ctypes
import os
import re
import select
import signal
import time

from breach import Breach
from confine import MB, confine
from count import Use, own_cgroup, processes_of

POLL_SECONDS = 0.05
SHARED = "/dev/shm"
TAIL = 16_384
ENVIRONMENT = {
    "PATH": "/libraries/bin:/venv/bin:/usr/bin:/bin", "PYTHONPATH": "/libraries/site", "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1", "GEODAG_PARAMETERS": "/script/parameters.json",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "MPLBACKEND": "Agg", "MKL_NUM_THREADS": "2",
    "NUMEXPR_MAX_THREADS": "2", "NUMBA_NUM_THREADS": "2", "LOKY_MAX_CPU_COUNT": "2",
}  # fmt: skip


def _kill_all(uid: int) -> None:
    """A fork bomb outruns one look: it is stopped first, so that it cannot grow, then killed."""
    deadline = time.monotonic() + 30
    while (pids := processes_of(uid)) and time.monotonic() < deadline:
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, how)
                except OSError:
                    pass
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        time.sleep(0.01)


def _start(command: list[str], limits: dict, folders: tuple[str, ...], uid: int, counted: bool) -> tuple[int, int]:
    """(pid, read end of its stdout and stderr)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.closerange(3, 4096)
        confine(limits, (*folders, SHARED), uid, counted)
        # The last folder is for what libraries keep for themselves: it is not what the script leaves.
        own = {"HOME": folders[-1], "TMPDIR": folders[-1], "MPLCONFIGDIR": f"{folders[-1]}/matplotlib"}
        os.execve(command[0], command, {**ENVIRONMENT, **own})
    except BaseException as failure:
        os.write(2, f"sandbox: {type(failure).__name__}: {failure}\n".encode())
        os._exit(125)


class _Watch:
    """What was seen so far, and the breach that it makes, if any."""

    def __init__(self, limits: dict, folders: tuple[str, ...], uid: int, log) -> None:
        self.limits, self.uid, self.log = limits, uid, log
        cgroup = own_cgroup()
        self.counted = cgroup is not None
        self.use = Use(folders, uid, ctypes.CDLL(None, use_errno=True), cgroup)
        self.deadline = time.monotonic() + limits["wall_seconds"]
        self.printed, self.tail, self.crowd, self._next = 0, b"", 0, 0.0

    def take(self, chunk: bytes) -> int:
        """Length of ``chunk``, which goes to the log as far as there is room."""
        room = self.limits["log_mb"] * MB - self.printed
        self.log.write(chunk[: max(room, 0)])
        self.printed += len(chunk)
        self.tail = (self.tail + chunk)[-TAIL:]
        return len(chunk)

    def breach(self) -> Breach | None:
        """Looks at all that is limited, every ``POLL_SECONDS``; at the log each time."""
        if self.printed > self.limits["log_mb"] * MB:
            return Breach("processor.log_size", f"it printed more than {self.limits['log_mb']} MB: print less")
        if time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + POLL_SECONDS
        try:
            return self._over()
        except Breach as breach:
            return breach

    def _over(self) -> Breach | None:
        limits = self.limits
        self.crowd = max(self.crowd, len(processes_of(self.uid)))
        if self.use.memory() > limits["memory_mb"] * MB:
            return Breach("processor.memory", f"it used more than {limits['memory_mb']} MB: work window by window")
        if self.use.cpu() > limits["cpu_seconds"]:
            return self.slow()
        if self.use.bytes() > limits["output_mb"] * MB:
            return Breach("processor.output_size", f"it wrote more than {limits['output_mb']} MB: write less, or compress it")
        if time.monotonic() > self.deadline:
            if self.crowd >= limits["processes"] - 1:
                return self.crowded()
            return Breach("processor.timeout", f"it ran longer than {limits['wall_seconds']} s: do less, or ask for more wall_seconds")
        return None

    def slow(self) -> Breach:
        return Breach("processor.cpu", f"its processes used more than {self.limits['cpu_seconds']} s of processor time together")

    def crowded(self) -> Breach:
        return Breach("processor.processes", f"it started more than {self.limits['processes']} processes or threads")

    def ended(self, status: int) -> Breach | None:
        """The name of a bad end, read off its signal or the last lines that it printed."""
        if status == 0:
            return None
        text = self.tail.decode("utf-8", "replace")
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")
        how = f"signal {killed}" if killed else f"exit code {os.WEXITSTATUS(status)}"
        if killed == signal.SIGXCPU:
            return self.slow()
        if killed == signal.SIGXFSZ or "[Errno 27]" in text or "File too large" in text:
            return Breach("processor.file_size", f"it wrote a file larger than {self.limits['file_mb']} MB")
        for code, pattern, cure in SIGNS:
            if re.search(pattern, text):
                return Breach(code, f"{cure} ({last[:300]})")
        if self.crowd >= self.limits["processes"] - 1 or "[Errno 11]" in text or "can't start new thread" in text:
            return self.crowded()
        return Breach("processor.failed", f"it ended with {how}: {last[:500]}")


SIGNS = (
    ("processor.memory", r"(?m)^(\S*\.)?_?(Array)?MemoryError|Cannot allocate memory|std::bad_alloc", "it ran out of memory"),
    ("processor.network", r"Network is unreachable|\[Errno 101\]|[Nn]ame resolution|\bgaierror\b", "the sandbox has no network"),
    ("processor.input_readonly", r"Read-only file system|Permission denied: '/in", "the input is read-only: write below --output"),
    ("processor.parameters", r"(?m)^usage: (.|\n)*error: ", "the parameters do not fit the script's options"),
)  # fmt: skip


def supervise(command: list[str], limits: dict, folders: tuple[str, ...], uid: int, log) -> tuple[str, dict]:
    """Runs ``command`` to its end: (the last text that it printed, the most that it used). Raises ``Breach``."""
    watch, breach, status = _Watch(limits, folders, uid, log), None, None
    pid, reader = _start(command, limits, folders, uid, watch.counted)
    readers = [reader]
    try:
        while breach is None and status is None:
            if select.select(readers, [], [], POLL_SECONDS)[0]:
                watch.take(os.read(reader, 1 << 20)) or readers.clear()  # closed: nothing more is printed
            breach = watch.breach()
            ended, code = os.waitpid(pid, os.WNOHANG)
            status = code if ended else None
        while status is not None and select.select([reader], [], [], 0)[0] and (chunk := os.read(reader, 1 << 20)):
            watch.take(chunk)
            if watch.printed > limits["log_mb"] * MB:
                breach = breach or watch.breach()
                break
    finally:
        _kill_all(uid)
        os.close(reader)
    breach = breach or watch.ended(status)
    if breach:
        raise breach
    return watch.tail.decode("utf-8", "replace"), watch.use.most
