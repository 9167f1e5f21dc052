"""A job done in the owner's own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import JobError, PluginError
from core.jobs import Jobs
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
