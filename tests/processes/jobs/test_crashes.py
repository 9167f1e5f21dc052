"""Kill -9 at random points, seeded: every finished unit is there exactly once."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.jobs import Jobs
from core.jobs.folder import JobFolder
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import Workspace
from core.types import Split
from tests import tiny
from tests.conftest import Forked, TinyModel, fork

HEADS = tiny.LAYERS * tiny.HEADS
PASSAGES = 24
KILLS = 3  # in each run
LAST_EVENTS = 15  # of a search on the tiny workspace there are about as many

seeds = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 11))]
)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def events_in(folder: JobFolder) -> int:
    return sum(1 for _ in folder.events())


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain"
        time.sleep(0.01)


def kill_points(draw: random.Random, last: int) -> list[int]:
    """After how many events to kill, in ascending order."""
    return sorted(draw.sample(range(1, last), KILLS))


def has_ended(folder: JobFolder) -> bool:
    return any(event["event"] == "end" for _, event in folder.events())


def kill_worker(folder: JobFolder, events: int) -> bool:
    """Kill the worker that is at it once so many events are written; False if it ended before."""
    wait_for(lambda: folder.worker() is not None or has_ended(folder))
    wait_for(lambda: events_in(folder) >= events or has_ended(folder))
    worker = folder.worker()
    if worker is None or has_ended(folder):
        return False
    kill(worker.pid)
    return True


def kill_if_there(folder: JobFolder) -> None:
    """Kill the worker, if there is one, and wait until it is gone."""
    worker = folder.worker()
    if worker is not None:
        kill(worker.pid)
        wait_for(lambda: folder.worker() is None)


def kill_again_and_again(runner: Jobs, job: str, points: list[int]) -> None:
    """Kill a job's worker at each point and resume it; every worker gets a little further than the last."""
    killed, last = 0, 0
    for events in points:
        last = max(events, last + 1)
        killed += kill_worker(runner.folder(job), last)
        wait_for(lambda: runner.refresh()[0].state != "running")
        last = events_in(runner.folder(job))
        if runner.refresh()[0].state == "stopped":
            runner.resume(job)
    assert killed == len(points)


def check_units(workspace: Workspace, job: str, heads: int) -> None:
    """Each unit of a search was announced once, taken in once, and is there."""
    folder = JobFolder(workspace.folder / "jobs" / job)
    results = [event for _, event in folder.events() if event["event"] == "result"]
    announced = [event["file"] for event in results]
    assert max(Counter(announced).values()) == 1
    assert workspace.jobs.last_event(job) == events_in(folder)
    gains = [gain.head for gain in workspace.gains.of_job(job)]
    assert len(gains) == len(set(gains)) == heads
    (model,) = workspace.models.all()
    programs = [folder.result("programs", event["file"]) for event in results if event["what"] == "programs"]
    proposed = {program for result in programs for _, program in result.proposals}
    assert len(proposed) > 0
    assert proposed <= {program.id for program in workspace.library.programs()}
    assert len(workspace.library.best(model.id, Split.TEST)) == heads


@seeds
def test_a_killed_worker_goes_on_where_it_stopped(seed: int, workspace_copy: Path, forked: Forked) -> None:
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, forked(workspace.folder))
    job = runner.start_search(workspace.models.all()[0], None, SearchLimits(rules=2))
    kill_again_and_again(runner, job, kill_points(random.Random(seed), LAST_EVENTS))
    assert runner.wait(job).state == "done"
    check_units(workspace, job, HEADS)
    workspace.close()


@seeds
def test_a_killed_owner_loses_nothing_and_the_same_command_goes_on(
    seed: int, workspace_copy: Path, forked: Forked
) -> None:
    """The owner is the command line; in half of the cases its worker is killed with it."""
    draw = random.Random(100 + seed)
    command = ["synthesize", "--rules", "2", "--workspace", str(workspace_copy), "--device", "cpu"]
    killed = 0
    for events in kill_points(draw, LAST_EVENTS):
        folder, was_alive = kill_owner(command, workspace_copy, events, draw.random() / 2)
        killed += was_alive
        if draw.random() < 0.5:
            kill_if_there(folder)
    assert killed > 0
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, forked(workspace.folder))
    searches = [record for record in runner.refresh() if record.settings.get("limits", {}).get("rules") == 2]
    for record in searches:
        if record.state != "done":
            runner.resume(record.id)
            runner.wait(record.id)
        check_units(workspace, record.id, HEADS)
    workspace.close()


def kill_owner(command: list[str], workspace: Path, events: int, later: float) -> tuple[JobFolder, bool]:
    """Start a command and kill it a little after its job has so many events; the job, and if that hit."""
    owner = fork(command, workspace.parent / "owner.log", HEADSCRIPT_RUNNER="forked")
    wait_for(lambda: not owner.is_running() or newest_search(workspace) is not None)
    folder = newest_search(workspace)
    assert folder is not None
    wait_for(lambda: events_in(folder) >= events or not owner.is_running())
    time.sleep(later)
    was_alive = owner.is_running()
    with suppress(psutil.NoSuchProcess):
        owner.kill()
    owner.wait()
    return folder, was_alive


def newest_search(workspace: Path) -> JobFolder | None:
    found = sorted(
        (workspace / "jobs").glob("*-synthesize-*/spec.json"), key=lambda spec: spec.stat().st_mtime
    )
    limited = [spec.parent for spec in found if json.loads(spec.read_text())["task"]["limits"]["rules"] == 2]
    return JobFolder(limited[-1]) if limited else None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_killed_build_goes_on_from_extraction_to_scores(
    seed: int, tmp_path: Path, tiny_model: TinyModel
) -> None:
    corpus = tmp_path / "passages.jsonl"
    rows = [{"text": s.text, "genre": s.genre} for s in tiny.short_passages(PASSAGES)]
    corpus.write_text("\n".join(json.dumps(row) for row in rows))
    workspace = Workspace.open(tmp_path / "workspace")
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu"))
    job = runner.start_build(str(tiny_model("gpt2")), str(corpus))
    kill_again_and_again(runner, job, kill_points(random.Random(seed), 32))
    runner.wait(job)
    check_units(workspace, job, HEADS)
    (model,) = workspace.models.all()
    for layer in range(model.layers):
        assert len(workspace.attention(model.id).layer(layer)) == PASSAGES
    sentences = workspace.tokens(model.id).read().sentences
    assert len(sentences) == len(set(sentences)) == PASSAGES
    workspace.close()
