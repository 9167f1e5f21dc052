"""The record of jobs: state, pace and yield, from events with hand-written times."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.jobs.folder import EventWriter, JobFolder
from core.jobs.intake import Intake
from core.jobs.results import NewProgram, ProgramsFound
from core.language import parse
from core.scoring import BASELINES
from core.store import Workspace
from core.store.gains import JobYield
from core.types import Estimate, HeadId, Score, Split

JOB = "20260101-000000-synthesize-abc"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    opened.jobs.add(JOB, "synthesize", "model", {"heads": ["L0H1"]})
    yield opened
    opened.close()


def hear(workspace: Workspace, *events: dict[str, object]) -> None:
    first = workspace.jobs.last_event(JOB) + 1
    workspace.jobs.ingest(JOB, list(enumerate(events, first)), lambda cursor, number, event: None)


def progress(at: float, done: int, stage: str = "finding programs") -> dict[str, object]:
    return {"event": "progress", "stage": stage, "done": done, "total": 10, "at": at}


def test_a_job_waits_until_it_is_started(workspace: Workspace) -> None:
    job = workspace.jobs.get(JOB)
    assert (job.state, job.is_active, job.settings) == ("queued", True, {"heads": ["L0H1"]})
    assert [found.id for found in workspace.jobs.queue()] == [JOB]


def test_a_resumed_job_waits_behind_the_others(workspace: Workspace) -> None:
    workspace.jobs.set_state(JOB, "failed", "no space")
    workspace.jobs.add("another", "score")
    workspace.jobs.enqueue(JOB)
    assert [found.id for found in workspace.jobs.queue()] == ["another", JOB]
    assert workspace.jobs.get(JOB).message == ""


def test_the_time_left_follows_from_the_pace_of_the_stage(workspace: Workspace) -> None:
    workspace.jobs.set_state(JOB, "running")
    hear(workspace, {"event": "start", "at": 90.0}, progress(100, 2), progress(104, 4))
    job = workspace.jobs.get(JOB)
    assert job.rate == pytest.approx(0.5)  # 2 in 4 s
    assert job.seconds_left(104) == pytest.approx(12)  # 6 more
    assert job.seconds_left(110) == pytest.approx(6)


def test_a_new_stage_has_a_pace_of_its_own(workspace: Workspace) -> None:
    workspace.jobs.set_state(JOB, "running")
    hear(workspace, progress(100, 0), progress(110, 10), progress(111, 0, "scoring"))
    assert workspace.jobs.get(JOB).rate is None
    hear(workspace, progress(112, 3, "scoring"))
    assert workspace.jobs.get(JOB).rate == pytest.approx(3)


def test_a_pause_counts_neither_as_work_nor_for_the_pace(workspace: Workspace) -> None:
    workspace.jobs.set_state(JOB, "running")
    start = {"event": "start", "at": 5000.0}  # hours after the kill
    hear(workspace, {"event": "start", "at": 100.0}, progress(110, 1), progress(120, 2), start)
    hear(workspace, progress(5001, 2), progress(5003, 6))
    job = workspace.jobs.get(JOB)
    assert job.worked == pytest.approx(23)
    assert job.rate == pytest.approx(2)


def test_the_latest_cost_is_the_cost(workspace: Workspace) -> None:
    hear(workspace, {"event": "cost", "usd": 0.25, "at": 1.0}, {"event": "cost", "usd": 0.75, "at": 2.0})
    assert workspace.jobs.get(JOB).cost == pytest.approx(0.75)


def test_an_event_counts_once(workspace: Workspace) -> None:
    applied: list[int] = []
    events = [(1, {"event": "start", "at": 1.0}), (2, progress(11, 1))]
    for _ in range(2):
        workspace.jobs.ingest(JOB, events, lambda cursor, number, event: applied.append(number))
    assert applied == [1, 2]
    assert workspace.jobs.get(JOB).worked == pytest.approx(10)


def result(events: EventWriter, name: str, source: str, iou: float, origin: str) -> None:
    """A result as a worker writes it: one program, proposed for L0H1 unless it is a baseline."""
    program = parse(source).id
    score = Score(program, HeadId(0, 1), Split.VALIDATION, Estimate(iou, iou, iou), 0.5, 8, 0)
    proposals = () if origin == "baseline" else ((HeadId(0, 1), program),)
    written = events.scores(name, [score])
    events.result(name, ProgramsFound("model", (NewProgram(source, origin),), proposals, written))


def test_what_a_run_gained_is_counted_from_the_best_there_was(workspace: Workspace) -> None:
    folder = JobFolder(workspace.folder / "jobs" / JOB)
    (folder.path / "results").mkdir(parents=True)
    with EventWriter(folder) as events:
        events.start()
        result(events, "a", BASELINES["uniform"], 0.4, "baseline")
        result(events, "b", "def attend(q, k):\n    return 2 + k.is_first\n", 0.6, "search")
        result(events, "c", "def attend(q, k):\n    return 3 + k.is_first\n", 0.5, "search")
        result(events, "d", "def attend(q, k):\n    return 4 + k.is_first\n", 0.7, "search")
    for _ in range(2):
        workspace.jobs.ingest(JOB, folder.events(), Intake(folder, workspace.folder))
    steps = [(step.before, step.after) for step in workspace.gains.of_job(JOB)]
    assert steps == [pytest.approx(step) for step in [(0.4, 0.6), (0.6, 0.6), (0.6, 0.7)]]
    found = workspace.gains.by_job("model")[JOB]
    assert found == JobYield(1, *(pytest.approx(number) for number in (0.4, 0.7, 0.3)))
