"""What a guest gives up before it runs a line of a stranger's: Landlock, seccomp, capabilities, limits.

Only the standard library is used: the guest runs this file by its path. A lock cannot be opened again and
holds for whatever the process does later, in Python or below it. What is not on the list of system calls is
refused with EPERM, so no file, folder, socket, process or thread can be had, by whatever library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

MEGABYTE = 2**20
_REPLIES, _ORDERS = 1, 0  # the two descriptors that a guest keeps

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _DROP_BOUND, _SET_DUMPABLE, _DIE_WITH_PARENT = 38, 22, 24, 4, 1
_FILTER_MODE = 2
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the numbers of Landlock's calls, on every machine
_NEW_USER, _NEW_NET, _NEW_IPC, _NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
_CAPABILITIES = 0x20080522  # version 3

# By machine: its name in seccomp, then the number of each call that a guest may make.
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "nanosleep": 35,
            "exit": 60,
            "gettimeofday": 96,
            "time": 201,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_getres": 229,
            "clock_nanosleep": 230,
            "exit_group": 231,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "read": 63,
            "write": 64,
            "mmap": 222,
            "mprotect": 226,
            "munmap": 215,
            "brk": 214,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "sched_yield": 124,
            "mremap": 216,
            "madvise": 233,
            "nanosleep": 101,
            "exit": 93,
            "gettimeofday": 169,
            "futex": 98,
            "restart_syscall": 128,
            "clock_gettime": 113,
            "clock_getres": 114,
            "clock_nanosleep": 115,
            "exit_group": 94,
        },
    ),
}
_PROT_EXEC, _MAP_ANONYMOUS = 4, 0x20
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # EPERM
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: load a word, compare, test bits, give
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # where seccomp's data holds them; an argument has 8 bytes


class Refused(Exception):
    """The kernel or the machine does not lock a process in; says which part."""


def why_not() -> str:
    """What this machine lacks for a sandbox; empty where nothing is missing."""
    if not sys.platform.startswith("linux"):
        return f"{platform.system()} has neither Landlock nor seccomp"
    if platform.machine() not in _CALLS or sys.byteorder != "little" or sys.maxsize < 2**32:
        return f"the list of system calls is not written for {platform.machine()}"
    if landlock_version() < 1:
        return "the kernel has no Landlock (Linux 5.13 and later, switched on)"
    return ""


def landlock_version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def own_namespaces() -> bool:
    """Enter user, network and IPC namespaces of one's own, as far as the kernel lets one; whether it did.

    Only a process of one thread may.
    """
    libc = _libc()
    return 0 in (libc.unshare(_NEW_USER | _NEW_NET | _NEW_IPC | _NEW_UTS), libc.unshare(_NEW_USER))


def limit(cpu_seconds: int, memory: int) -> None:
    """Bound what is used from here on: seconds of the processor, and bytes beside those held already."""
    import resource  # not on every system that imports this file

    held = 0
    with contextlib.suppress(OSError):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    bounds = {
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_AS": held + memory if held else None,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": 8,
    }
    for name, most in bounds.items():
        kind = getattr(resource, name, None)
        if kind is not None and most is not None:
            with contextlib.suppress(ValueError, OSError):  # a hard limit below it stands
                resource.setrlimit(kind, (most, most))


def lock() -> None:
    """Give up everything but two descriptors, memory and the processor's time; raises Refused."""
    libc = _libc()
    _ask(libc.prctl(_DIE_WITH_PARENT, 9, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    _ask(libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")
    _ask(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    _forbid_files(libc)
    _drop_capabilities(libc)
    _filter_calls(libc)


def program_of(machine: str) -> list[tuple[int, int, int, int]]:
    """The seccomp filter of a machine, as BPF instructions (code, jump if true, jump if false, value)."""
    name, calls = _CALLS[machine]
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, name),
        (_RETURN, 0, 0, _KILL),  # a call by the numbers of another machine
        (_LOAD, 0, 0, _NUMBER),
    ]
    for call, number in calls.items():
        block = _CHECKS.get(call, [(_RETURN, 0, 0, _ALLOW)])
        lines += [(_EQUAL, 0, len(block), number), *block]
    return [*lines, (_RETURN, 0, 0, _REFUSE)]


def _only(argument: int, value: int) -> list[tuple[int, int, int, int]]:
    """Allowed where the argument is this value, of 64 bits."""
    place = _ARGUMENTS + 8 * argument
    return [
        (_LOAD, 0, 0, place),
        (_EQUAL, 0, 3, value),
        (_LOAD, 0, 0, place + 4),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


_NEVER_RUNS = [  # the third argument, what the memory is for: never to be run
    (_LOAD, 0, 0, _ARGUMENTS + 16),
    (_ANY_BIT, 1, 0, _PROT_EXEC),
    (_RETURN, 0, 0, _ALLOW),
    (_RETURN, 0, 0, _REFUSE),
]
_CHECKS = {
    "read": _only(0, _ORDERS),
    "write": _only(0, _REPLIES),
    "mprotect": _NEVER_RUNS,
    "mmap": [
        (_LOAD, 0, 0, _ARGUMENTS + 16),
        (_ANY_BIT, 3, 0, _PROT_EXEC),
        (_LOAD, 0, 0, _ARGUMENTS + 24),
        (_ANY_BIT, 0, 1, _MAP_ANONYMOUS),  # no file
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ],
}


def _forbid_files(libc: ctypes.CDLL) -> None:
    """Landlock with no rule: no file, whatever is to be done with it; no TCP port, no process outside."""
    version = landlock_version()
    files = (1 << 13) - 1
    files |= (
        (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0) | (1 << 15 if version >= 5 else 0)
    )
    ruleset = struct.pack("=QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    made = libc.syscall(_CREATE_RULESET, ruleset, ctypes.c_size_t(size), ctypes.c_uint32(0))
    _ask(min(made, 0), "landlock_create_ruleset")
    _ask(libc.syscall(_RESTRICT_SELF, ctypes.c_int(made), ctypes.c_uint32(0)), "landlock_restrict_self")
    os.close(made)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    for capability in range(64):  # those that there are; without the right to, there is nothing to drop
        if libc.prctl(_DROP_BOUND, capability, 0, 0, 0) != 0:
            break
    header = struct.pack("=Ii", _CAPABILITIES, 0)
    _ask(libc.capset(header, bytes(24)), "capset")


def _filter_calls(libc: ctypes.CDLL) -> None:
    lines = program_of(platform.machine())
    packed = b"".join(struct.pack("=HBBI", *line) for line in lines)
    program = ctypes.create_string_buffer(packed, len(packed))
    described = struct.pack("@HP", len(lines), ctypes.addressof(program))
    _ask(libc.prctl(_SET_SECCOMP, _FILTER_MODE, described, 0, 0), "prctl(PR_SET_SECCOMP)")


def _ask(answer: int, what: str) -> None:
    if answer != 0:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
