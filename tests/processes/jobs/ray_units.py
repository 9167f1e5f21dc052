"""Stages whose units are made for tests of a cluster."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelError
from core.jobs.crew import Bench, Stage, Station


@dataclass(frozen=True)
class Counting:
    """A unit is a number, and comes to its square and the node's own mark."""

    seconds: float
    fails_on: int | None = None
    ends_on: int | None = None  # with it the process ends, as where memory runs out
    lacks: str = ""  # a mark of nodes that have no model
    log: Path | None = None  # a line for each time a unit was worked on

    def __call__(self, bench: Bench) -> Station[int, tuple[int, str]]:
        mark = os.environ.get("TEST_MARK", "")
        if self.lacks and mark == self.lacks:
            raise ModelError("the model is not here")
        bench.told.note("ready to count")

        def work(unit: int) -> tuple[int, str]:
            if unit == self.fails_on:
                raise ZeroDivisionError("this unit fails")
            if unit == self.ends_on:
                os._exit(1)
            time.sleep(self.seconds)
            if (spool := os.environ.get("TEST_SPOOL")) is not None:
                Path(spool).write_text("some")  # /dev/full is a disk that is full
            if self.log is not None:
                with self.log.open("a") as lines:
                    lines.write(f"{unit} {mark}\n")
            return unit * unit, mark

        return Station(work)


def stage(seconds: float = 0.0, **given: object) -> Stage[int, tuple[int, str]]:
    return Stage("counting", Counting(seconds, **given))  # type: ignore[arg-type]
