"""What the child does to itself between fork and exec: after it, nothing can be taken back."""

import contextlib
import ctypes
import errno
import os
import resource
import socket
import struct

import seccomp

# A user a run: the kernel counts processes a user over all containers of the engine, so that under
# one uid a neighbour's forks would fail another's script (measured). Below 65536, which a rootless
# engine maps, and above what an image gives to its own.
FIRST_UID, UIDS = 20_000, 40_000
MB = 1024 * 1024
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_DUMPABLE = 38, 24, 4
# Kernel doors that a raster script never needs: other processes, namespaces, mounts, modules,
# and io_uring, which opens sockets past a filter of socket(2).
REFUSED = (
    "ptrace", "process_vm_readv", "process_vm_writev", "unshare", "setns", "mount", "umount2", "pivot_root",
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "kexec_load", "init_module",
    "finit_module", "delete_module", "io_uring_setup", "open_by_handle_at", "personality", "quotactl", "acct",
    "swapon", "swapoff", "reboot", "settimeofday", "chroot", "mknod", "mknodat",
)  # fmt: skip
# Memory that only a cgroup counts: refused where none can be read.
UNCOUNTED = ("memfd_create", "memfd_secret", "shmget", "msgget")
MAP_SHARED_ANONYMOUS = 0x21
# Landlock ABI 1 (Linux 5.13): execute, write_file, read_file, read_dir, then nine kinds of change.
LL_ALL, LL_READ = (1 << 13) - 1, 0b1101
# A program of its own making could forbid others to read it, and hide what it holds open.
LL_WRITE = LL_ALL & ~1
LL_CREATE, LL_ADD, LL_SELF = 444, 445, 446


def limit(limits: dict) -> None:
    """rlimits. Address space has 2 GiB over the memory limit: libraries reserve what they never touch."""
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_mb"] * MB + 2048 * MB),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * MB),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        # At the soft CPU limit comes SIGXCPU, which has a name; at the hard one SIGKILL, which has none.
        hard = value + 5 if kind == resource.RLIMIT_CPU else value
        resource.setrlimit(kind, (value, hard))


def landlock(writable: tuple[str, ...], libc) -> None:
    """Reads everywhere, writes below ``writable`` only; a kernel without Landlock is left as it is."""
    attribute = ctypes.create_string_buffer(struct.pack("Q", LL_ALL))
    ruleset = libc.syscall(LL_CREATE, attribute, 8, 0)
    if ruleset < 0:
        return
    for path, access in [("/", LL_READ), ("/dev/null", 0b110), *((folder, LL_WRITE) for folder in writable)]:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, parent))
        if libc.syscall(LL_ADD, ruleset, 1, rule, 0) < 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule", path)
        os.close(parent)
    if libc.syscall(LL_SELF, ruleset, 0) < 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def filter_calls(counted: bool) -> None:
    """Every socket family but AF_UNIX answers ENETUNREACH, as a machine without a network would."""
    rules = seccomp.SyscallFilter(defaction=seccomp.ALLOW)
    rules.add_rule(seccomp.ERRNO(errno.ENETUNREACH), "socket", seccomp.Arg(0, seccomp.NE, socket.AF_UNIX))
    for name in REFUSED:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
    rules.add_rule(seccomp.ERRNO(errno.EPERM), "prctl", seccomp.Arg(0, seccomp.EQ, PR_SET_DUMPABLE), seccomp.Arg(1, seccomp.EQ, 0))
    if not counted:
        for name in UNCOUNTED:
            rules.add_rule(seccomp.ERRNO(errno.ENOSYS), name)
        shared = seccomp.Arg(3, seccomp.MASKED_EQ, MAP_SHARED_ANONYMOUS, MAP_SHARED_ANONYMOUS)
        rules.add_rule(seccomp.ERRNO(errno.ENOMEM), "mmap", shared)
    rules.load()


def uid_of(run: str) -> int:
    """The uid of a run by its name (hex); the same run is the same uid, so that it stays pure."""
    return FIRST_UID + int(run[:12] or "0", 16) % UIDS


def confine(limits: dict, writable: tuple[str, ...], uid: int, counted: bool) -> None:
    """Drops everything that the child could misuse. Runs in the child, as root, before exec.

    ``counted`` says that a cgroup counts memory which no process shows.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.setsid()
    os.umask(0o077)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL past the kernel's last one
    limit(limits)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # a machine without memory ends the script, not its supervisor, which keeps the log
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    landlock(writable, libc)
    filter_calls(counted)
    os.chdir(writable[0])
