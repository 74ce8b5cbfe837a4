"""What a run uses, as the kernel counts it: memory, processor time, bytes and names on disk."""

import os
import re
import stat
import time

from breach import Breach

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
MOST_NAMES, MOST_DEPTH, LONGEST_PATH = 100_000, 32, 2048
# Kernel memory that belongs to the run and cannot be reclaimed (cgroup v2, Documentation/admin-guide/cgroup-v2.rst).
CHARGED = ("anon", "shmem", "sock", "kernel_stack", "pagetables", "percpu", "slab_unreclaimable")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _fields(path: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in _read(path).splitlines())}


class Cgroup:
    """Memory and processor time of all that runs in this container, ended processes included."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        self.two = os.path.exists(f"{root}/cgroup.controllers")
        self._memory = root if self.two else f"{root}/memory"
        self._cpu = root if self.two else f"{root}/cpuacct"
        for folder in (self._memory, self._cpu):
            pids = [int(pid) for pid in _read(f"{folder}/cgroup.procs").split()]
            if os.getpid() not in pids or 0 in pids:  # 0: a process that this container does not see
                raise OSError(f"{folder} is not this container's own")
        self.memory(), self.cpu()  # raises here, not in the middle of a run

    def memory(self) -> int:
        """Bytes: anonymous, shared (tmpfs, memfd, SysV), swapped and the kernel's own; not the page cache."""
        said = _fields(f"{self._memory}/memory.stat")
        if self.two:
            swap = f"{self._memory}/memory.swap.current"
            return sum(said.get(name, 0) for name in CHARGED) + (int(_read(swap)) if os.path.exists(swap) else 0)
        kernel = int(_read(f"{self._memory}/memory.kmem.usage_in_bytes"))
        return said["total_rss"] + said["total_shmem"] + said.get("total_swap", 0) + kernel

    def cpu(self) -> float:
        """Seconds."""
        if self.two:
            return _fields(f"{self._cpu}/cpu.stat")["usage_usec"] / 1e6
        return int(_read(f"{self._cpu}/cpuacct.usage")) / 1e9


class Processes:
    """The same by /proc, where no cgroup of our own can be read.

    What no process maps is not seen: ``confine`` refuses memfd, SysV shm and shared anonymous memory then.
    """

    def __init__(self, uid: int, shared: str = "/dev/shm") -> None:
        self._uid, self._shared, self._seconds = uid, shared, {}

    def memory(self) -> int:
        space = os.statvfs(self._shared)
        total = (space.f_blocks - space.f_bfree) * space.f_frsize
        for pid in processes_of(self._uid):
            try:
                total += int(_read(f"/proc/{pid}/statm").split()[1]) * PAGE
            except (OSError, IndexError):
                pass  # it ended between the two looks
        return total

    def cpu(self) -> float:
        for pid in processes_of(self._uid):
            try:
                words = _read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
                self._seconds[pid, words[19]] = (int(words[11]) + int(words[12])) / TICK
            except (OSError, IndexError):
                pass
        return sum(self._seconds.values())


def own_cgroup() -> Cgroup | None:
    try:
        return Cgroup()
    except (OSError, ValueError, KeyError):
        return None


def processes_of(uid: int) -> list[int]:
    """Pids that run as ``uid``."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(re.search(r"^Uid:\s+(\d+)", _read(f"/proc/{name}/status"), re.M).group(1)) == uid:
                found.append(int(name))
        except (OSError, AttributeError):
            pass  # it ended between the two looks
    return found


def files_below(folder: str):
    """(path, lstat) of all below ``folder``, links not followed. Raises ``processor.output_names``."""
    pending, seen = [(folder, 0)], 0
    while pending:
        parent, depth = pending.pop()
        if depth > MOST_DEPTH or len(os.fsencode(parent)) > LONGEST_PATH:
            raise Breach("processor.output_names", f"it nested folders deeper than {MOST_DEPTH}, or {LONGEST_PATH} bytes: use fewer and shorter")
        try:
            entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
        except OSError:
            continue  # it went away between the two looks
        for entry in entries:
            seen += 1
            if seen > MOST_NAMES:
                raise Breach("processor.output_names", f"it made more than {MOST_NAMES} files and folders: make fewer")
            try:
                what = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield entry.path, what
            if stat.S_ISDIR(what.st_mode):
                pending.append((entry.path, depth + 1))


class Disk:
    """Bytes that a run holds below ``folders``, files that it removed but keeps open or mapped included."""

    def __init__(self, folders: tuple[str, ...], uid: int, libc) -> None:
        self._folders, self._uid, self._libc = folders, uid, libc
        self._largest: dict[str, int] = {}

    def bytes(self) -> int:
        inodes = {}
        for folder in self._folders:
            for path, what in files_below(folder):
                if stat.S_ISREG(what.st_mode):
                    inodes[what.st_dev, what.st_ino] = size = what.st_blocks * 512
                    if size > 1 << 20:
                        self._largest[path] = max(size, self._largest.get(path, 0))
        return sum(inodes.values()) + sum(self._removed().values())

    def _removed(self) -> dict[str, int]:
        """Path to bytes of removed files that a process still holds."""
        held: dict[str, int] = {}
        seen = set()
        # To look at another user's files needs that user's rights (ptrace(2)), or CAP_SYS_PTRACE, which a build lacks.
        self._libc.setfsuid(self._uid), self._libc.setfsgid(self._uid)
        try:
            for pid in processes_of(self._uid):
                try:
                    mapped = self._mapped(pid)
                    for number in os.listdir(f"/proc/{pid}/fd"):
                        self._add_open(f"/proc/{pid}/fd/{number}", held, seen)
                except OSError:
                    continue
                for path, size in mapped.items():  # a map keeps the whole file, of which it shows a part
                    held[path] = max(held.get(path, 0), size, self._largest.get(path, 0))
        finally:
            self._libc.setfsuid(0), self._libc.setfsgid(0)
        return held

    def _ours(self, path: str) -> bool:
        return any(path.startswith(folder + "/") for folder in self._folders)

    def _add_open(self, link: str, held: dict[str, int], seen: set) -> None:
        try:
            path, what = os.readlink(link), os.stat(link)
        except OSError:
            return
        key = (what.st_dev, what.st_ino)
        if what.st_nlink == 0 and stat.S_ISREG(what.st_mode) and self._ours(path) and key not in seen:
            seen.add(key)
            path, size = path.removesuffix(" (deleted)"), what.st_blocks * 512
            held[path] = held.get(path, 0) + size
            self._largest[path] = max(size, self._largest.get(path, 0))

    def _mapped(self, pid: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for line in _read(f"/proc/{pid}/maps").splitlines():
            words = line.split(None, 5)
            if len(words) == 6 and words[5].endswith(" (deleted)") and self._ours(words[5]):
                low, high = (int(value, 16) for value in words[0].split("-"))
                path = words[5].removesuffix(" (deleted)")
                found[path] = found.get(path, 0) + high - low
        return found


class Use:
    """What the run used since this was made, this supervisor's own part taken off."""

    def __init__(self, folders: tuple[str, ...], uid: int, libc, cgroup: Cgroup | None) -> None:
        self._counter, self._own = cgroup or Processes(uid), cgroup is not None
        self._disk = Disk(folders, uid, libc)
        self._memory = self._counter.memory() if self._own else 0
        self._cpu = self._counter.cpu() - time.process_time() if self._own else 0.0
        self._next_disk, self._bytes = 0.0, 0
        self.most = {"memory_mb": 0, "cpu_seconds": 0.0, "output_mb": 0}

    def _peak(self, name: str, value):
        self.most[name] = max(self.most[name], round(value, 1))
        return value

    def memory(self) -> int:
        used = max(0, self._counter.memory() - self._memory)
        self._peak("memory_mb", used / 1048576)
        return used

    def cpu(self) -> float:
        return self._peak("cpu_seconds", max(0.0, self._counter.cpu() - self._cpu - (time.process_time() if self._own else 0.0)))

    def bytes(self) -> int:
        """Looked at no more than a tenth of the time, however many files there are."""
        began = time.monotonic()
        if began >= self._next_disk:
            self._bytes = self._disk.bytes()
            self._next_disk = began + 10 * (time.monotonic() - began)
            self._peak("output_mb", self._bytes / 1048576)
        return self._bytes
