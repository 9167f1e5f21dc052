"""What a stranger's program may try, and how it ends: refused, and the next program unharmed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.sandbox import Limits, Sandbox
from core.types import Failure
from tests.sandboxed import CTYPES, PASSAGE, needs_locks, ran, sandbox

pytestmark = needs_locks


def _refused(lines: str) -> tuple[str, str, str]:
    return lines, "refused", "PermissionError"


def _by_c(lines: str) -> tuple[str, str, str]:
    """The same by a call of C, past whatever Python might keep from a program."""
    return f"{CTYPES}\n{lines}", "refused", "C says no"


def _forged(header: str, says: str, rest: str = "b''") -> tuple[str, str, str]:
    """A reply of its own making."""
    return f"import os, struct; os.write(1, struct.pack('<IBIII', {header}) + {rest})", "protocol", says


SOCKETS = [
    ("IPv4", 2, 1),
    ("IPv6", 10, 1),
    ("unix", 1, 1),
    ("netlink", 16, 3),
    ("packet", 17, 3),
    ("vsock", 40, 1),
    ("datagrams", 2, 2),
    ("raw", 2, 3),
]

# What is tried -> the program's lines, the kind of failure it ends in, and what that says.
PROBES: dict[str, tuple[str, str, str]] = {
    "read a file": _refused("open('/etc/passwd').read()"),
    "read a file by its descriptor": _refused("import os; os.open('/etc/hostname', os.O_RDONLY)"),
    "read its own source": _refused("import numpy; open(numpy.__file__).read()"),
    "read the workspace": _refused(f"open({str(Path.cwd() / 'README.md')!r}).read()"),
    "ask for a file's size": _refused("import os; os.stat('/etc/passwd')"),
    "ask whether a file may be read": _refused(
        "import os\nif not os.access('/', os.R_OK): raise PermissionError"
    ),
    "write a file": _refused("open('/tmp/headscript-probe', 'w')"),
    "append to a file": _refused("open('/tmp/headscript-probe', 'a')"),
    "write a file in memory": _refused("import os; os.memfd_create('x')"),
    "make a folder": _refused("import os; os.mkdir('/tmp/headscript-probe')"),
    "remove a file": _refused("import os; os.unlink('/tmp/headscript-probe')"),
    "rename a file": _refused("import os; os.rename('/tmp/a', '/tmp/b')"),
    "link to a file": _refused("import os; os.symlink('/etc/passwd', '/tmp/a')"),
    "make a device": _refused("import os; os.mknod('/tmp/a')"),
    "change a file's mode": _refused("import os; os.chmod('/tmp', 0o777)"),
    "change a file's owner": _refused("import os; os.chown('/tmp', 0, 0)"),
    "cut a file": _refused("import os; os.truncate('/tmp/a', 0)"),
    "list a folder": _refused("import os; os.listdir('/')"),
    "walk a folder": _refused("import os; os.scandir('.')"),
    "ask where it is": _refused("import os; os.getcwd()"),
    "go elsewhere": _refused("import os; os.chdir('/tmp')"),
    "change its root": _refused("import os; os.chroot('/tmp')"),
    "fork": _refused("import os; os.fork()"),
    "fork a terminal": _refused("import os; os.forkpty()"),
    "exec": _refused("import os; os.execv('/bin/true', ['true'])"),
    "spawn": _refused("import os; os.posix_spawn('/bin/true', ['true'], {})"),
    "run a command": _refused("import os\nif os.system('true') != 0: raise PermissionError('no command')"),
    "run a subprocess": ("import subprocess; subprocess.run(['true'])", "import", ""),
    "start a thread": (
        "import _thread; _thread.start_new_thread(print, ())",
        "exception",
        "can't start new thread",
    ),
    "kill the process it comes from": _refused("import os; os.kill(os.getppid(), 9)"),
    "kill everything": _refused("import os; os.kill(-1, 9)"),
    "kill itself by a signal": _refused("import os; os.kill(os.getpid(), 9)"),
    "hold its time limit off": _refused("import os; os.sched_setscheduler(0, 0, os.sched_param(0))"),
    "be nicer than it is": _refused("import os; os.nice(-20)"),
    "become another user": _refused("import os; os.setuid(0)"),
    "open a pipe": _refused("import os; os.pipe()"),
    "double a descriptor": _refused("import os; os.dup(0)"),
    "give a descriptor another place": _refused("import os; os.dup2(1, 5)"),
    "write to a descriptor of its parent": _refused(
        "import os\nfor d in range(2, 64):\n    os.write(d, b'x')"
    ),
    "read a descriptor of its parent": _refused("import os\nfor d in range(2, 64):\n    os.read(d, 1)"),
    "read its replies": _refused("import os; os.read(1, 1)"),
    "write its orders": _refused("import os; os.write(0, b'x')"),
    "close its replies": _refused("import os; os.close(1)"),
    "make its pipe wait for nobody": _refused("import os; os.set_blocking(0, False)"),
    "read /proc/self/mem": _refused("open('/proc/self/mem', 'rb')"),
    "read /proc/self/environ": _refused("open('/proc/self/environ', 'rb')"),
    "read another's command line": _refused("open('/proc/1/cmdline', 'rb')"),
    "list its descriptors": _refused("import os; os.listdir('/proc/self/fd')"),
    "read the environment": ("import os; os.environ['HOME']", "exception", "KeyError"),
    "read the environment past Python": (
        f"{CTYPES}\nlibc.getenv.restype = ctypes.c_char_p\n"
        "raise KeyError(str([libc.getenv(name) for name in (b'HOME', b'PATH', b'ANTHROPIC_API_KEY')]))",
        "exception",
        "[None, None, None]",
    ),
    "import Headscript": ("import core.types", "import", "core"),
    "import the model's library": ("import safetensors", "import", ""),
    "use torch": ("import torch; torch.load('/tmp/model')", "exception", "torch is not in the sandbox"),
    "load a model": (
        "from transformers import AutoModel; AutoModel.from_pretrained('gpt2')",
        "exception",
        "not in the",
    ),
    "import ctypes": ("import ctypes", "import", ""),
    "import sockets": ("import socket", "import", ""),
    "load a library": (
        f"{CTYPES}\nctypes.CDLL('/usr/lib/x86_64-linux-gnu/libz.so.1')",
        "exception",
        "OSError",
    ),
    "load a library by its name": (f"{CTYPES}\nctypes.CDLL('libsqlite3.so.0')", "exception", "OSError"),
    "load an extension": (
        "import _imp, importlib.machinery as m, importlib.util as u\n"
        "loader = m.ExtensionFileLoader('x', '/tmp/x.so')\n"
        "_imp.create_dynamic(u.spec_from_loader('x', loader, origin='/tmp/x.so'))",
        "import",
        "",
    ),
    **{
        f"open a socket: {name}": _by_c(f"call('socket', {family}, {kind}, 0)")
        for name, family, kind in SOCKETS
    },
    "open a pair of sockets": _by_c("call('socketpair', 1, 1, 0, (ctypes.c_int * 2)())"),
    "trace another process": _by_c("call('ptrace', 16, 1, 0, 0)"),
    "be traced": _by_c("call('ptrace', 0, 0, 0, 0)"),
    "read another's memory": _by_c("call('process_vm_readv', 1, 0, 0, 0, 0, 0)"),
    "take another's descriptor": _by_c("call('syscall', 438, 3, 1, 0)"),
    "make memory that runs": _by_c("call('mmap', None, 4096, 7, 34, -1, 0)"),
    "make memory run later": (
        f"{CTYPES}\nm = libc.mmap; m.restype = ctypes.c_void_p\n"
        "at = m(None, 4096, 3, 34, -1, 0)\ncall('mprotect', ctypes.c_void_p(at), 4096, 5)",
        "refused",
        "C says no",
    ),
    "map a file": _by_c("call('mmap', None, 4096, 1, 2, 0, 0)"),
    "have reading mean running": _by_c("call('personality', 0x0400000)"),
    "enter another namespace": _by_c("call('unshare', 0x10000000)"),
    "mount": _by_c("call('mount', b'none', b'/tmp', b'tmpfs', 0, None)"),
    "raise its limits": _by_c("call('setrlimit', 9, (ctypes.c_ulong * 2)(2**40, 2**40))"),
    "take the lock off": _by_c("call('prctl', 22, 0, 0, 0, 0)"),
    "load a program into the kernel": _by_c("call('syscall', 321, 0, 0, 0)"),
    "use a ring of calls": _by_c("call('syscall', 425, 1, 0)"),
    "hold a key": _by_c("call('syscall', 248, b'user', b'a', b'b', 1, -2)"),
    "share memory": _by_c("call('shmget', 1, 4096, 0o1600)"),
    "watch the machine": _by_c("call('syscall', 298, 0, 0, -1, -1, 0)"),
    "take all memory": (
        "blocks = []\nwhile True:\n    blocks.append(bytes(2**22))",
        "memory",
        "out of memory",
    ),
    "take all memory at once": ("np.ones(2**40)", "memory", "allocate"),
    "a matrix without end": (
        "return 'it', np.broadcast_to(0, (2**14, 2**13))",
        "shape",
        "the passage has 4 tokens",
    ),
    "leave without a word": ("import os; os._exit(0)", "crash", "exit code 0"),
    "leave by an exception": ("raise SystemExit(0)", "exception", "SystemExit"),
    "break its process": (f"{CTYPES}\nctypes.string_at(8)", "crash", "SIGSEGV"),
    "abort": ("import os; os.abort()", "crash", "SIG"),
    "recurse without end": ("f = lambda x: f(x)\nf(0)", "exception", "RecursionError"),
    "an exception that lies": (
        "class Lie(Exception):\n    def __str__(self):\n        raise Lie()\nraise Lie()",
        "crash",
        "exit code 3",
    ),
    "announce another passage": _forged("7, 0, 4, 4, 128", "passage 7"),
    "announce a giant": _forged("0, 0, 4, 4, 2**31", "2147483648 bytes"),
    "announce another shape": _forged("0, 0, 2**16, 2**16, 2**31", "65536"),
    "announce a sort there is not": _forged("0, 9, 4, 4, 128", "sort 9"),
    "a failure of its own making": _forged("0, 1, 0, 0, 9", "no known kind", "b'timeout\\nx'"),
    "a failure that is no text": _forged("0, 1, 0, 0, 2", "no text", "b'\\xff\\xfe'"),
    "numbers that are none": ("return 'it', np.full((4, 4), np.nan)", "non-finite", "row 0"),
    "one number beyond all": (
        "return 'it', np.array([[0] * 4] * 3 + [[0, 0, 0, np.inf]])",
        "non-finite",
        "row 3",
    ),
    "text for numbers": ("return 'it', np.array([['a'] * 4] * 4)", "shape", "not numbers"),
    "objects for numbers": ("return 'it', [[print] * 4] * 4", "shape", "object"),
    "complex numbers": ("return 'it', np.ones((4, 4)) * 1j", "shape", "complex"),
    "nothing": ("return None", "shape", "NoneType"),
    "a matrix alone": ("return np.ones((4, 4))", "shape", "not (name, matrix)"),
    "rows that differ": ("return 'it', [[1], [1, 2]]", "exception", "ValueError"),
    "another text's annotations": (
        "import spacy; spacy.load('en_core_web_sm')('other')",
        "exception",
        "no spaCy pipeline",
    ),
    "random bytes": ("import os; os.urandom(4)", "refused", ""),
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    made = sandbox(Limits(memory=2**27))
    yield made
    made.close()


def test_there_are_at_least_sixty_probes() -> None:
    assert len(PROBES) >= 60


def test_guests_have_namespaces_of_their_own_where_the_kernel_gives_them(box: Sandbox) -> None:
    given = (
        subprocess.run(["unshare", "--user", "--net", "--ipc", "--uts", "true"], check=False).returncode == 0
    )
    assert box.has_namespaces == given


@pytest.mark.parametrize("tried", PROBES)
def test_a_probe_is_refused_and_the_next_program_unharmed(box: Sandbox, tried: str) -> None:
    lines, kind, says = PROBES[tried]
    (ended,) = ran(box, lines)
    assert isinstance(ended, Failure), "it came to its end"
    assert (ended.kind, says in ended.detail) == (kind, True), ended
    (after,) = ran(box, f"after = {tried!r}")
    assert isinstance(after, np.ndarray)
    assert after.tolist() == [[1, 0, 0, 0]] * 4


def test_no_call_of_the_kernel_is_open_but_those_listed(box: Sandbox) -> None:
    from core.sandbox import lockdown

    allowed = set(lockdown._CALLS[os.uname().machine][1].values())
    allowed |= {335, 336}  # of the kernel's own probes: no filter sees them, and who calls them is ended
    numbers = [n for n in range(700) if n not in allowed] + [2**30 + n for n in range(600)]
    (ended,) = ran(
        box,
        f"{CTYPES}\nopen_ones = []\nfor n in {numbers}:\n"
        "    if libc.syscall(n, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: open_ones.append(n)\n"
        "raise ValueError(str(open_ones))",
    )
    assert isinstance(ended, Failure)
    assert ended.detail.endswith("ValueError: []")


def test_a_program_without_end_is_ended_and_the_rest_not_tried() -> None:
    box = sandbox(Limits(seconds=0.15, patience=2.0, timeouts=2))
    passages = (PASSAGE,) * 5
    try:
        for body in (
            "while True: pass",
            "import time; time.sleep(60)",
            "while True: print('x' * 10**6)",
            "import os\nwhile True: os.read(0, 1) if False else None",
        ):
            ended = ran(box, body, passages)
            assert [one.kind for one in ended if isinstance(one, Failure)] == ["timeout"] * 5
            assert isinstance(ended[4], Failure)
            assert ended[4].detail == "not tried: it ran out of time on 2 passages before"
        (after,) = ran(box, "pass")
        assert isinstance(after, np.ndarray)
    finally:
        box.close()


def test_nothing_is_kept_from_one_program_to_the_next_or_one_passage_to_the_next(box: Sandbox) -> None:
    leave = "import builtins, numpy, sys\nbuiltins.kept = numpy.kept = sys.kept = 1"
    assert isinstance(ran(box, leave)[0], np.ndarray)
    (found,) = ran(
        box,
        "import builtins, numpy, sys\nif any(hasattr(m, 'kept') for m in (builtins, numpy, sys)): return 0",
    )
    assert isinstance(found, np.ndarray)
    counted = (
        "globals().setdefault('seen', []).append(1)\nif len(seen) > 1: return 0\n"
        "if np.random.rand() != 0.5488135039273248: return 1\n"
        "if np.random.default_rng().random() != np.random.default_rng(0).random(): return 2"
    )
    assert all(isinstance(one, np.ndarray) for one in ran(box, counted, (PASSAGE,) * 3))


def test_what_it_forges_is_its_own_reply_and_no_other_s(box: Sandbox) -> None:
    forged = (
        "import os, struct\n"
        "os.write(1, struct.pack('<IBIII', 0, 0, 4, 4, 128) + np.ones((4, 4)).tobytes())\n"
        "os.write(1, struct.pack('<IBIII', 1, 0, 4, 4, 128) + np.ones((4, 4)).tobytes())"
    )
    first, second, *_ = ran(box, forged, (PASSAGE,) * 2)
    assert isinstance(first, np.ndarray)
    assert np.allclose(first.sum(axis=1), 1)
    assert np.triu(first, 1).max() == 0
    assert isinstance(second, np.ndarray)  # what it says of itself, as it might have returned it
    (honest,) = ran(box, "forged = 0")
    assert isinstance(honest, np.ndarray)
    assert honest.tolist() == [[1, 0, 0, 0]] * 4
