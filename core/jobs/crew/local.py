"""Units worked on by this machine: by the job's own process, and by helpers where they are worth their start.

Threads of one process wait for one another wherever Python itself computes; processes do not. A unit that a
helper fails at, or is lost with, is done here, where its error is raised.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from core.jobs.crew import Bench, Stage, Station
from core.jobs.crew.helpers import Helpers
from core.settings import cores
from core.types import Told

Unit = TypeVar("Unit")
Found = TypeVar("Found")

START = 20.0  # seconds that a helper takes until it begins


@dataclass(frozen=True)
class _Taken:
    """What a unit took."""

    seconds: float
    memory: int  # bytes of the process after it


class LocalCrew:
    """This process takes unit after unit, and hires helpers for a stage that takes them side by side.

    How many follows from the cores, from the memory that is left, and from the work that is left, against the
    seconds of `start`, by what the first unit of a stage of that title took. A helper calls `prepare` first;
    without that there are none.
    """

    begins_alone = True

    def __init__(self, told: Told, prepare: Callable[[], None] | None = None, start: float = START) -> None:
        self.bench = Bench(told)
        self._prepare, self._start = prepare, start
        self._open: tuple[Stage[Any, Any], Station[Any, Any]] | None = None
        self._first: dict[str, _Taken] = {}  # by a stage's title

    def run(self, stage: Stage[Unit, Found], units: Mapping[str, Unit]) -> Iterator[tuple[str, Found]]:
        """What each unit comes to, by its name; in their order unless others help."""
        if not units:
            return
        if self._open is None or self._open[0] is not stage:
            self._open = None  # its memory first
            self._open = stage, stage.station(self.bench)
        station: Station[Unit, Found] = self._open[1]
        if not station.side_by_side:
            for name, unit in units.items():
                yield name, station.work(unit)
            return
        waiting = deque(units)
        with _one_thread():
            if stage.title not in self._first:
                began, name = time.monotonic(), waiting.popleft()
                found = station.work(units[name])
                taken = _Taken(time.monotonic() - began, psutil.Process().memory_info().rss)
                self._first[stage.title] = taken
                yield name, found
            hired = self._worth_hiring(len(waiting), self._first[stage.title])
            hiring = (hired, stage, units, waiting, self._prepare, self.bench.told)
            with Helpers(*hiring) if hired else nullcontext() as helpers:
                yield from self._work(station, units, waiting, helpers)

    def _worth_hiring(self, units: int, each: _Taken) -> int:
        """How many helpers so many units are worth each of which takes this."""
        if self._prepare is None or units * each.seconds <= 2 * self._start:
            return 0
        in_memory = int(psutil.virtual_memory().available / each.memory)
        return max(0, min(cores() - 1, units - 1, in_memory - 1))

    def _work(
        self,
        station: Station[Unit, Found],
        units: Mapping[str, Unit],
        waiting: deque[str],
        helpers: Helpers | None,
    ) -> Iterator[tuple[str, Found]]:
        """Take what waits, while helpers do, too, and hand on what they bring."""
        while True:
            for brought in helpers.brought() if helpers else ():
                for note in brought.notes:
                    self.bench.told.note(note)
                yield brought.name, brought.found
            if waiting:
                try:
                    name = waiting.popleft()
                except IndexError:  # a helper was quicker
                    continue
                yield name, station.work(units[name])
            elif helpers is None or helpers.have_ended():
                return


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch computes with one thread in here, as helpers do."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
