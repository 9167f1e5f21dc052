"""The process that guests are forked from: started once, asked for a guest at a time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import SandboxError

_GUEST = Path(__file__).with_name("guest.py")
# All that the process knows of the environment: one thread, and the same order of sets every time.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_PATIENCE = 60.0  # seconds for it to begin, and to answer


@dataclass(frozen=True)
class Limits:
    """What one program may use."""

    seconds: float = 2.0  # of the processor, for one passage
    patience: float = 10.0  # seconds that may pass meanwhile, for one passage
    memory: int = 2**29  # bytes beside what Python and numpy take
    timeouts: int = 5  # passages on which it may run out of time before the rest is not tried
    total: int = 600  # seconds of the processor for all passages that a guest is given


class Zygote:
    """A running one; `close` ends it, as does the end of this process. Several threads may ask it."""

    def __init__(self, tokenizer: Mapping[str, Any], limits: Limits, trust: bool) -> None:
        """Raises SandboxError if it does not begin."""
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", "-X", "utf8", str(_GUEST), str(theirs.fileno())],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt at the terminal is ours to tell it
            )
        orders = {
            "trust": trust,
            "tokenizer": dict(tokenizer),
            "seconds": limits.total,
            "memory": limits.memory,
        }
        try:
            frame = json.dumps(orders).encode()
            self._control.sendall(struct.pack("<I", len(frame)) + frame)
            told = json.loads(self._exactly(None))
        except (OSError, ValueError) as error:
            self.close()
            raise SandboxError(
                "the process that runs plain Python did not begin; the package `tokenizers` has to read the "
                "model's tokenizer"
            ) from error
        self.has_namespaces = bool(told["namespaces"])

    def fork(self) -> tuple[int, int, int]:
        """A new guest: its process, the pipe it reads and the pipe it writes. Raises OSError."""
        their_orders, orders = os.pipe()
        replies, their_replies = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._control, [b"F" + bytes(4)], [their_orders, their_replies])
                (guest,) = struct.unpack("<i", self._exactly(4))
        except OSError:
            os.close(orders)
            os.close(replies)
            raise
        finally:
            os.close(their_orders)
            os.close(their_replies)
        os.set_blocking(orders, False)
        return guest, orders, replies

    def reap(self, guest: int) -> int:
        """How a guest that has ended did, as `waitpid` gives it. Raises OSError."""
        with self._lock:
            self._control.sendall(b"R" + struct.pack("<i", guest))
            (status,) = struct.unpack("<i", self._exactly(4))
            return int(status)

    def close(self) -> None:
        """End it, and with it every guest."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()

    def _exactly(self, count: int | None) -> bytes:
        """So many bytes of its answer, or a line."""
        read = b""
        while len(read) != count and not (count is None and read.endswith(b"\n")):
            part = self._control.recv(1 if count is None else count - len(read))
            if not part:
                raise OSError("the process that guests are forked from has ended")
            read += part
        return read
