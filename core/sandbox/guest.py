"""The process that programs run in: it imports what they may use, then forks a locked guest for each.

Started by its path, with `zygote.py` at the other end of a socket; it imports nothing of Headscript. A guest
holds two pipes and runs one program: a passage in, a matrix out. What it replies is the program's own say and
judged at the other end (`protocol.py`); what is laid down here keeps honest programs reproducible.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import random
import runpy
import signal
import socket
import struct
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PRELOADED = [
    "abc",
    "bisect",
    "calendar",
    "cmath",
    "codecs",
    "collections",
    "collections.abc",
    "colorsys",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "_strptime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "html",
    "html.entities",
    "itertools",
    "json",
    "keyword",
    "locale",
    "math",
    "numbers",
    "operator",
    "pprint",
    "random",
    "re",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "textwrap",
    "time",
    "timeit",
    "token",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "unicodedata",
    "warnings",
    "weakref",
    "zlib",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_8",
    "encodings.utf_16",
    "encodings.utf_32",
    "encodings.idna",
    "numpy",
    "numpy.fft",
    "numpy.linalg",
    "numpy.ma",
    "numpy.matlib",
    "numpy.polynomial",
    "numpy.random",
    "numpy.typing",
    "numpy.lib.stride_tricks",
    "numpy.exceptions",
]
_KEPT_BACK = ("ctypes", "_ctypes", "socket", "_socket", "resource", "signal", "runpy", "subprocess")
_REPLY = struct.Struct("<IBIII")  # number, sort, rows, columns, bytes that follow
_MATRIX, _FAILURE = 0, 1
_MOST_TOLD = 400  # characters of what went wrong


class NoMatrix(Exception):
    """What a program returned is not what it should have."""


_KINDS: dict[str, type[BaseException]] = {
    "memory": MemoryError,
    "shape": NoMatrix,
    "import": ImportError,
    "refused": PermissionError,
}


class Sink:
    """What stands for stdout and stderr: takes anything and keeps nothing."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Forget the text."""
        return len(text)

    def flush(self) -> None:
        """Nothing is held."""

    def isatty(self) -> bool:
        """It is no terminal."""
        return False


def main() -> None:
    """Answer until the other end is gone: `F` and two descriptors forks a guest, `R` tells how one ended."""
    control = socket.socket(fileno=int(sys.argv[1]))
    orders = json.loads(_frame(control.recv))
    lockdown = runpy.run_path(str(HERE / "lockdown.py"))
    is_trusted = bool(orders["trust"])
    stand_ins = runpy.run_path(str(HERE / "stand_ins.py"))
    with contextlib.suppress(ImportError):
        _import_all()
    world = stand_ins["World"](orders["tokenizer"])
    os.environ.clear()  # what libraries read there, such as how many threads to start, they have read
    has_namespaces = not is_trusted and bool(lockdown["own_namespaces"]())
    gc.collect()
    gc.freeze()  # pages that guests share stay shared
    control.sendall(json.dumps({"namespaces": has_namespaces}).encode() + b"\n")
    while True:
        asked, descriptors, _, _ = socket.recv_fds(control, 5, 2)
        if not asked:
            return
        (number,) = struct.unpack("<i", asked[1:])
        if asked[:1] == b"F":
            guest = os.fork()
            if guest == 0:
                _become_guest(descriptors, control, None if is_trusted else lockdown, orders, world)
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(struct.pack("<i", guest))
        else:
            control.sendall(struct.pack("<i", os.waitpid(number, 0)[1]))


def _import_all() -> None:
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)


def _become_guest(
    descriptors: list[int],
    control: socket.socket,
    lockdown: dict[str, Any] | None,
    orders: dict[str, Any],
    world: Any,
) -> None:
    """Run one program on passages until the pipe closes; never returns."""
    import resource  # not on every system that imports this file

    try:
        control.close()
        for place, descriptor in enumerate(descriptors):
            os.dup2(descriptor, place)
        os.closerange(2, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.chdir("/")
        sys.stdout = sys.stderr = Sink()
        sys.stdin = None
        if lockdown is not None:
            lockdown["limit"](*_limits(orders))
            lockdown["lock"]()
        for name in _KEPT_BACK:
            sys.modules.pop(name, None)
        _serve(world)
    except BaseException:
        os._exit(3)
    os._exit(0)


def _limits(orders: dict[str, Any]) -> tuple[int, int]:
    """Seconds of the processor for all passages, and bytes of memory."""
    return int(orders["seconds"]), int(orders["memory"])


def _serve(world: Any) -> None:
    """The program first, then passage by passage: each gets a reply of its number."""
    program = json.loads(_frame(_receive))
    while True:
        try:
            passage = json.loads(_frame(_receive))
        except EOFError:
            return
        try:
            sort, rows, columns, content = _MATRIX, *_matrix(program, passage, world)
        except BaseException as error:
            sort, rows, columns, content = _FAILURE, 0, 0, _told(error)
        _send(_REPLY.pack(passage["number"], sort, rows, columns, len(content)) + content)


def _matrix(program: dict[str, str], passage: dict[str, Any], world: Any) -> tuple[int, int, bytes]:
    """What the program gives for a passage: rows, columns and the float64 numbers row by row.

    Every passage finds the program as new, and the same random numbers.
    """
    import numpy as np

    random.seed(0)
    np.random.seed(0)
    sentence, tokenizer = world.of(passage)
    names: dict[str, Any] = {"__name__": "program"}
    exec(_compiled(program["source"]), names)
    returned = names[program["name"]](sentence, tokenizer)
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise NoMatrix(f"it returned a {type(returned).__name__}, not (name, matrix)")
    matrix = np.asarray(returned[1])
    if matrix.dtype.kind not in "biuf":
        raise NoMatrix(f"its matrix holds {matrix.dtype}, not numbers")
    n = len(passage["ids"])
    if matrix.shape != (n, n):
        shape = " x ".join(map(str, matrix.shape)) or "a single number"
        raise NoMatrix(f"its matrix is {shape}; the passage has {n} tokens")
    content = np.ascontiguousarray(matrix, "<f8")
    return n, n, content.tobytes()


@functools.cache
def _compiled(source: str) -> types.CodeType:
    return compile(source, "<program>", "exec")


def _told(error: BaseException) -> bytes:
    """A failure as `kind`, a line break, and what went wrong."""
    kind = next((name for name, types in _KINDS.items() if isinstance(error, types)), "exception")
    text = f"{type(error).__name__}: {error}" if kind in ("exception", "refused") else str(error)
    text = text or "out of memory"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<program>"
    ]
    where = f"line {lines[-1]}: " if lines else ""
    return f"{kind}\n{where}{text[:_MOST_TOLD]}".encode("utf-8", "replace")


def _frame(receive: Callable[[int], bytes]) -> bytes:
    """The next frame: its length, then that many bytes. Raises EOFError where there is none."""
    (length,) = struct.unpack("<I", _exactly(receive, 4))
    return _exactly(receive, length)


def _exactly(receive: Callable[[int], bytes], count: int) -> bytes:
    parts = []
    while count:
        part = receive(min(count, 2**16))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _receive(count: int) -> bytes:
    return os.read(0, count)


def _send(content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main()
