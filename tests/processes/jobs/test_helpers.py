"""Processes that help with the units of a stage: each unit once, whatever becomes of a helper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from core.jobs.crew import Bench, Heard, Stage, Station
from core.jobs.crew.local import LocalCrew
from core.plugins import prepare_process


@dataclass(frozen=True)
class Opening:
    """A station whose units say who worked on them, and what a helper does at a unit besides."""

    owner: int
    begun: Path  # a file, there once a helper has worked
    in_helper: Callable[[Path], None] = Path.touch

    def __call__(self, bench: Bench) -> Station[int, tuple[int, int]]:
        bench.told.note("opened")

        def work(unit: int) -> tuple[int, int]:
            if os.getpid() != self.owner:
                self.in_helper(self.begun)
                bench.told.note(f"unit {unit}")
            elif unit:  # the first is done before there are helpers
                wait_for(self.begun)
            return unit * unit, os.getpid()

        return Station(work, side_by_side=True)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)


def die(begun: Path) -> None:
    begun.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def fail(begun: Path) -> None:
    begun.touch()
    raise ValueError("no")


def worked(opening: Opening, units: int) -> tuple[Heard, list[tuple[str, tuple[int, int]]]]:
    heard = Heard()
    crew = LocalCrew(heard, prepare_process, start=0)
    found = list(crew.run(Stage("squares", opening), {str(n): n for n in range(units)}))
    assert Counter(name for name, _ in found) == Counter(str(n) for n in range(units))
    assert {name: square for name, (square, _) in found} == {str(n): n * n for n in range(units)}
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    return heard, found


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.jobs.crew.local.cores", lambda: 2)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    return tmp_path / "begun"


def test_a_helper_takes_units_and_its_notes_are_heard(begun: Path) -> None:
    heard, found = worked(Opening(os.getpid(), begun), 100)
    workers = Counter(process for _, (_, process) in found)
    assert len(workers) == 2
    assert heard.notes.count("opened") == 1
    assert len(heard.notes) == 1 + sum(workers.values()) - workers[os.getpid()]


@pytest.mark.parametrize("in_helper", [die, fail])
def test_what_a_helper_loses_is_done_here(begun: Path, in_helper: Callable[[Path], None]) -> None:
    _, found = worked(Opening(os.getpid(), begun, in_helper), 20)
    assert begun.exists()
    assert {process for _, (_, process) in found} == {os.getpid()}


def test_a_stage_that_cannot_travel_gets_no_helpers(begun: Path) -> None:
    begun.touch()
    heard, found = worked(Opening(os.getpid(), begun, lambda path: None), 20)
    assert {process for _, (_, process) in found} == {os.getpid()}
    (_, told) = heard.notes
    assert told.startswith("squares: no process helps, for this cannot be sent to one (Can't pickle")


def test_little_work_gets_no_helpers(begun: Path) -> None:
    begun.touch()
    crew = LocalCrew(Heard(), prepare_process, start=60)
    found = list(crew.run(Stage("squares", Opening(os.getpid(), begun)), {str(n): n for n in range(9)}))
    assert [name for name, _ in found] == [str(n) for n in range(9)]
    assert {process for _, (_, process) in found} == {os.getpid()}


def test_what_a_stage_takes_is_known_where_another_of_its_title_follows(begun: Path) -> None:
    crew, title = LocalCrew(Heard(), prepare_process, start=0), "squares"
    opened = Opening(os.getpid(), begun)
    assert dict(crew.run(Stage(title, opened), {"0": 0})) == {"0": (0, os.getpid())}
    assert not begun.exists()
    units = {str(n): n for n in range(1, 20)}  # the first waits for a helper here
    found = dict(crew.run(Stage(title, opened), units))
    assert begun.exists()
    assert {name: square for name, (square, _) in found.items()} == {name: n * n for name, n in units.items()}


def test_helpers_end_with_the_process_they_help(begun: Path) -> None:
    script = (
        "from tests.processes.jobs.test_helpers import *\n"
        "if __name__ == '__main__':\n"
        "    stage = Stage('squares', Opening(os.getpid(), Path(sys.argv[1])))\n"
        "    units = {str(n): n for n in range(10**6)}\n"
        "    for _ in LocalCrew(Heard(), prepare_process, start=0).run(stage, units):\n"
        "        pass\n"
    )
    helped = subprocess.Popen([sys.executable, "-c", script, str(begun)], cwd=Path(__file__).parents[3])
    try:
        family = psutil.Process(helped.pid)
        wait_for(begun)
        children = family.children(recursive=True)
        assert children
    finally:
        helped.kill()
        helped.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
