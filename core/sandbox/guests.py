"""One guest at work: a program sent in, then passage by passage a reply within its time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from core.sandbox.protocol import HEADER, announced, content_of
from core.sandbox.zygote import Limits, Zygote
from core.types import Failure


class Overdue(Exception):
    """A program has used up its time on a passage."""


class Gone(Exception):
    """The guest has ended."""


class Guest:
    """A process that runs one program; a context manager, after which it is no more."""

    def __init__(self, zygote: Zygote, limits: Limits, program: Mapping[str, str]) -> None:
        """`program` holds its source and the name of its function. Raises OSError."""
        self._zygote = zygote
        self._limits = limits
        self._process, self._orders, self._replies = zygote.fork()
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        self._begun = self._used = 0.0
        self._first = _frame(program)
        self.status = 0  # how it ended, as `waitpid` gives it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._orders)
        os.close(self._replies)
        if kind is Gone:
            self._wait()
        with contextlib.suppress(ProcessLookupError):  # not waited for yet, so the number is still its own
            os.kill(self._process, signal.SIGKILL)
        with contextlib.suppress(OSError):  # it has gone with the process that it was forked from
            self.status = self._zygote.reap(self._process)

    def matrix(self, passage: Mapping[str, Any]) -> np.ndarray | Failure:
        """What the program gives for a passage: float64 [query, key].

        Raises Overdue, Gone or Forged; the guest is then of no more use.
        """
        self._begun, self._used = time.monotonic(), self._processor()
        self._send(self._first + _frame(passage))
        self._first = b""
        reply = announced(self._read(HEADER.size), passage["number"], len(passage["ids"]))
        return content_of(reply, self._read(reply.size))

    def _wait(self) -> None:
        """For it to end by itself, as it does a moment after its pipe is closed."""
        with contextlib.suppress(OSError, AttributeError):
            ended = os.pidfd_open(self._process)
            select.select([ended], [], [], 1)
            os.close(ended)

    def _send(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            try:
                view = view[os.write(self._orders, view) :]
            except BlockingIOError:
                if not select.select([], [self._orders], [], 0.1)[1]:
                    self._check_time()
            except BrokenPipeError:
                raise Gone from None

    def _read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            if not self._poll.poll(int(1000 * min(self._limits.seconds, 0.2)) + 1):
                self._check_time()
                continue
            part = os.read(self._replies, min(count, 2**16))
            if not part:
                raise Gone
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _check_time(self) -> None:
        if time.monotonic() - self._begun > self._limits.patience:
            raise Overdue
        if self._processor() - self._used > self._limits.seconds:
            raise Overdue

    def _processor(self) -> float:
        """Seconds of the processor that it has used; what has passed where that is not told."""
        try:
            return time.clock_gettime(~self._process << 3 | 2)  # the clock of a process by its number
        except OSError:
            return time.monotonic()


def _frame(content: Mapping[str, Any]) -> bytes:
    packed = json.dumps(content).encode()
    return struct.pack("<I", len(packed)) + packed


def in_words(status: int) -> str:
    """How a process ended, as `waitpid` gives it."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(number).name}"
        return f"its process was ended by signal {number}"
    return f"its process ended with exit code {os.waitstatus_to_exitcode(status)}"
