"""How much memory there is, and what a run asks of it: said before it is taken."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource

from geodag.program import StepError


def megabytes(size: float) -> int:
    return round(size / 1e6)


def _number(path: str, key: str = "") -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                words = line.replace(":", " ").split()
                if words and words[0] == (key or words[0]):
                    return int(words[1 if key else 0])
    except (OSError, ValueError, IndexError):
        pass  # no such limit here
    return None


def available() -> int:
    """Bytes that this process may still take: of the machine, its cgroup and its own limit, the least."""
    free = _number("/proc/meminfo", "MemAvailable")
    found = [free * 1024] if free is not None else []
    most, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if most is not None:
        # What the kernel caches of files is given back when it is needed.
        cached = _number("/sys/fs/cgroup/memory.stat", "file") or 0
        found.append(most - max(0, (used or 0) - cached))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        taken = _number("/proc/self/statm") or 0
        found.append(limit - taken * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(found)) if found else 1 << 62


def peak_mb() -> int | None:
    """The most that this process ever had resident; getrusage would count the one that started it, too."""
    high = _number("/proc/self/status", "VmHWM")
    return None if high is None else high // 1024


def give_back_large_blocks() -> None:
    """Lets glibc return blocks of 1 MB and more when they are freed, instead of keeping some for each thread."""
    m_mmap_threshold = -3
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such call
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 1 << 20)


class Memory:
    """What was asked so far, against ``limit`` bytes."""

    def __init__(self, limit_mb: int | None) -> None:
        self.limit = min(available(), limit_mb * 1_000_000 if limit_mb else 1 << 62)
        self.parts: dict[str, int] = {}

    def need(self, what: str, size: int) -> None:
        """Fails with ``model.memory``, with numbers, where ``size`` bytes more are too many."""
        self.parts[what] = size
        total = sum(self.parts.values())
        if total > self.limit:
            parts = ", ".join(f"{name} {megabytes(part)} MB" for name, part in self.parts.items())
            raise StepError(
                "model.memory",
                f"{megabytes(total)} MB are needed ({parts}), {megabytes(self.limit)} MB can be had: "
                "ask for a smaller area, give the model a smaller tile or batch, or run it on a larger machine",
            )
