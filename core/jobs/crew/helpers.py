"""Processes of this machine that help with the units of a stage, each on one core."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pickle import PicklingError
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from core.jobs.crew import Bench, Heard, Stage
from core.types import Told

_LOOK = 0.5  # seconds to wait for a helper's unit
_GONE = (EOFError, OSError)  # what a connection raises whose other end is gone
_CANNOT_TRAVEL = (PicklingError, AttributeError, TypeError)  # what pickling raises: then nobody helps


@dataclass(frozen=True)
class Brought:
    """What a helper made of a unit, and what was said meanwhile."""

    name: str
    found: Any
    notes: tuple[str, ...] = ()


class Helpers:
    """Take units from `waiting` until none is left; one that is lost is put back there.

    A context: at its end no helper is left. Nor is one when this process ends, however it does.
    """

    def __init__(
        self,
        count: int,
        stage: Stage[Any, Any],
        units: Mapping[str, Any],
        waiting: deque[str],
        prepare: Callable[[], None] | None,
        told: Told,
    ) -> None:
        self._units, self._waiting = units, waiting
        self._brought: SimpleQueue[Brought] = SimpleQueue()
        self._at_work, self._lock = 0, Lock()
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit locks that threads hold
        self._processes = []
        for _ in range(count):
            here, there = spawn.Pipe()
            process = spawn.Process(target=_help, args=(there, stage, prepare), daemon=True)
            try:
                process.start()
            except _CANNOT_TRAVEL as error:
                told.note(f"{stage.title}: no process helps, for this cannot be sent to one ({error})")
                return
            there.close()
            self._processes.append(process)
            Thread(target=self._attend, args=(here,), daemon=True).start()

    def __enter__(self) -> Helpers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def brought(self) -> Iterator[Brought]:
        """What they have done since; waits a moment for it where no unit waits to be taken."""
        with suppress(Empty):
            if not self._waiting and not self.have_ended():
                yield self._brought.get(timeout=_LOOK)
            while True:
                yield self._brought.get_nowait()

    def have_ended(self) -> bool:
        """Whether everything that they took is brought and handed on, and nothing waits."""
        with self._lock:
            return not self._at_work and not self._waiting and self._brought.empty()

    def _attend(self, helper: Connection) -> None:
        with helper, suppress(*_GONE):
            helper.recv()  # it has opened its station
            while (name := self._taken()) is not None:
                try:
                    helper.send(self._units[name])
                    found, notes = helper.recv()
                except Exception:  # it failed there, is lost, or cannot travel
                    self._end(name, None)
                    return
                self._end(name, Brought(name, found, notes))

    def _taken(self) -> str | None:
        with self._lock:
            if not self._waiting:
                return None
            self._at_work += 1
            return self._waiting.popleft()

    def _end(self, name: str, brought: Brought | None) -> None:
        with self._lock:
            self._at_work -= 1
            if brought is None:
                self._waiting.append(name)
            else:
                self._brought.put(brought)


def _help(asked: Connection, stage: Stage[Any, Any], prepare: Callable[[], None] | None) -> None:
    """A helper's process: opens the stage's station and works on units, as long as there is who asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this process
    Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    import torch

    torch.set_num_threads(1)
    heard = Heard()
    station = stage.station(Bench(heard))
    heard.taken()  # the job's own process has said the same
    with suppress(*_GONE):
        asked.send("ready")
        while True:
            unit = asked.recv()
            asked.send((station.work(unit), heard.taken()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
