"""A job done in the owner's own process."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import JobError, PluginError
from core.jobs import Jobs
from core.jobs.crew import Stage
from core.jobs.crew.local import LocalCrew
from core.proposers import SearchLimits
from core.scoring import BASELINES
from core.settings import Settings
from core.store import Workspace


def test_a_job_is_over_when_it_is_started_and_the_next_follows(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))
    (model,) = workspace.models.all()
    jobs = [runner.start_scoring(model, [BASELINES[name]]) for name in ("uniform", "same token")]
    assert all(runner.folder(job).has_ended() for job in jobs)
    assert [runner.wait(job).state for job in jobs] == ["done", "done"]
    assert all(runner.folder(job).worker() is None for job in jobs)
    workspace.close()


class Travelling(LocalCrew):
    """Sends a stage away as to a process that helps, and works on what comes back."""

    def run(self, stage: Stage[Any, Any], units: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        return super().run(pickle.loads(pickle.dumps(stage)), units)


def test_what_processes_help_with_can_be_sent_to_them(
    workspace_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))
    (model,) = workspace.models.all()
    jobs = []
    for crew in (LocalCrew, Travelling):
        monkeypatch.setattr("core.jobs.worker.LocalCrew", crew)
        jobs.append(runner.start_search(model, limits=SearchLimits(rules=2)))
        runner.wait(jobs[-1])
    here, sent = (
        {f.name: f.read_bytes() for f in (runner.folder(job).path / "results").iterdir()} for job in jobs
    )
    assert here == sent
    assert any(name.endswith(".parquet") for name in here)
    workspace.close()


def test_a_job_that_fails_can_be_tried_again(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    runner = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))
    job = runner.start_build(str(tmp_path / "nowhere"), "bundled")
    for _ in range(2):
        with pytest.raises(JobError, match="nowhere does not exist"):
            runner.wait(job)
        runner.resume(job)
    assert sum(event["event"] == "start" for _, event in runner.folder(job).events()) == 3
    workspace.close()


def test_a_runner_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    with pytest.raises(PluginError, match="no runner called 'moon'; there are local, forked, ray, inline"):
        Jobs(workspace, Settings(workspace.folder, runner="moon"))
    workspace.close()
