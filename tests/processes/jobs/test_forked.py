"""Workers forked from a process that has imported everything: as those that are started anew, but at once."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from core.errors import JobError
from core.jobs import Jobs
from core.jobs.folder import JobFolder
from core.jobs.kinds import KINDS
from core.jobs.place import Place
from core.jobs.runners.fork_server import Request
from core.jobs.runners.forked import ForkedRunner, ForkServer
from core.jobs.runners.processes import _leave
from core.jobs.tasks import BuildTask
from core.proposers import PROPOSERS
from core.scoring import BASELINES
from core.settings import Settings
from core.store import Workspace
from core.store.jobs import CANCELLED
from tests.conftest import Forked

# Has a program scored in the workspace argv[1], tells the job and its server, and hangs.
OWNER = """
import sys
from pathlib import Path
from core.jobs import Jobs
from core.jobs.runners.forked import ForkedRunner
from core.scoring import BASELINES
from core.settings import Settings
from core.store import Workspace

workspace = Workspace.open(Path(sys.argv[1]))
jobs = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="forked"))
job = jobs.start_scoring(workspace.models.all()[0], [BASELINES["uniform"]])
workspace.close()
print(jobs.folder(job).path, ForkedRunner._own._process.pid, ForkedRunner._own.address, flush=True)
sys.stdin.read()
"""


# Imports what a server does and prints who looked for a GPU meanwhile.
LOOKS = """
import torch
from importlib import import_module
from core.jobs.runners.fork_server import OF_WORKERS

for name in ("is_available", "device_count", "_lazy_init"):
    real = getattr(torch.cuda, name)
    setattr(torch.cuda, name, lambda *given, name=name, real=real: (print(name), real(*given))[1])
for module in OF_WORKERS:
    import_module(module)
"""


@pytest.fixture
def workspace(workspace_copy: Path) -> Iterator[Workspace]:
    opened = Workspace.open(workspace_copy)
    yield opened
    opened.close()


@pytest.fixture
def jobs(workspace: Workspace, forked: Forked) -> Jobs:
    return Jobs(workspace, forked(workspace.folder))


def until(is_so: Callable[[], object]) -> None:
    while not is_so():
        time.sleep(0.01)


def test_a_job_is_done_by_a_process_of_its_own_session(workspace: Workspace, jobs: Jobs) -> None:
    (model,) = workspace.models.all()
    job = jobs.start_search(model)
    until(lambda: jobs.folder(job).worker())
    worker = jobs.folder(job).worker()
    assert worker is not None
    assert worker.cwd() == str(Path(__file__).parents[3])
    assert Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[3] == str(worker.pid)
    assert jobs.wait(job).state == "done"
    until(lambda: not worker.is_running())  # and leaves no zombie


def test_a_job_that_fails_says_why_in_its_own_log(workspace: Workspace, jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.start_build(str(tmp_path / "nowhere"), "bundled")
    with pytest.raises(JobError, match="nowhere does not exist"):
        jobs.wait(job)
    (model,) = workspace.models.all()
    broken = jobs.start_scoring(model, [BASELINES["uniform"]])
    jobs.wait(broken)
    assert jobs.folder(broken).log_tail() == ""


def test_a_cancelled_worker_is_gone_though_it_does_not_listen(workspace: Workspace, jobs: Jobs) -> None:
    (model,) = workspace.models.all()
    job = jobs.start_search(model)
    until(lambda: jobs.folder(job).worker())
    worker = jobs.folder(job).worker()
    assert worker is not None
    worker.suspend()
    jobs.cancel(job)
    assert (workspace.jobs.get(job).state, workspace.jobs.get(job).message) == ("stopped", CANCELLED)
    assert not worker.is_running()
    jobs.resume(job)
    assert jobs.wait(job).state == "done"


def test_a_killed_worker_is_noticed(workspace: Workspace, jobs: Jobs) -> None:
    (model,) = workspace.models.all()
    job = jobs.start_search(model)
    until(lambda: jobs.folder(job).worker())
    worker = jobs.folder(job).worker()
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    until(lambda: jobs.refresh()[0].state != "running")
    assert workspace.jobs.get(job).message == "the worker ended before it was done, as where memory runs out"
    jobs.resume(job)
    assert jobs.wait(job).state == "done"


@pytest.mark.parametrize("runner", ["forked", "local"])
def test_a_worker_goes_on_when_its_owner_is_let_go(runner: str, workspace: Workspace, forked: Forked) -> None:
    """Without a warning, which would be an error here, and what is left of it is gone in the end."""
    settings = replace(forked(workspace.folder), runner=runner)
    jobs = Jobs(workspace, settings)
    folder = jobs.folder(jobs.start_search(workspace.models.all()[0]))
    until(folder.worker)
    worker = folder.worker()
    assert worker is not None
    worker.suspend()
    del jobs
    gc.collect()
    assert worker.is_running()
    worker.resume()
    following = Jobs(workspace, settings)
    assert following.wait(folder.id).state == "done"
    del following
    until(lambda: Jobs(workspace, settings) and not worker.is_running())


def test_no_worker_is_lost_that_is_left_while_others_are_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[object] = []
    monkeypatch.setattr("core.jobs.runners.processes._LEFT", left)
    goes_on = SimpleNamespace(is_alive=lambda: True)
    meanwhile = [{"other": goes_on}]  # what a collection, or another thread, lets go of

    def has_ended() -> bool:
        if meanwhile:
            _leave(meanwhile.pop())
        return False

    _leave({"one": SimpleNamespace(is_alive=has_ended)})
    assert left == [goes_on]


def test_only_the_worker_that_needs_a_secret_sees_it(
    workspace: Workspace, forked: Forked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proposer's key reaches its own job; the owner's environment reaches none but by what is allowed."""
    jobs = Jobs(workspace, forked(workspace.folder, api_key="sk-secret"))
    (model,) = workspace.models.all()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-secret")
    monkeypatch.setenv("HEADSCRIPT_TOLD", "to all")
    monkeypatch.setitem(KINDS._entries, "score", replace(KINDS["score"], proposer=PROPOSERS["claude"]))
    asked: list[Request] = []
    dump = Request.dump
    monkeypatch.setattr(Request, "dump", lambda request: (asked.append(request), dump(request))[1])
    jobs.wait(jobs.start_scoring(model, [BASELINES["uniform"]]))
    jobs.wait(jobs.start_search(model))
    scoring, search = (request.environment for request in asked)
    assert scoring["ANTHROPIC_API_KEY"] == "sk-secret"
    assert "sk-secret" not in str(search)
    assert "ANTHROPIC_AUTH_TOKEN" not in scoring
    assert scoring["HEADSCRIPT_TOLD"] == search["HEADSCRIPT_TOLD"] == "to all"
    for job in jobs.refresh():
        held = [path.read_bytes() for path in jobs.folder(job.id).path.rglob("*") if path.is_file()]
        assert not any(b"sk-secret" in content for content in held)


def test_a_job_called_off_before_the_server_is_up_is_never_begun(tmp_path: Path) -> None:
    """And the server, which nobody owns any more, ends without leaving its address behind."""
    server = ForkServer(tmp_path / "server.log")
    runner = ForkedRunner(server.address)
    folder = JobFolder.create(
        tmp_path / "jobs",
        "build",
        Place(tmp_path, tmp_path, "cpu"),
        BuildTask(str(tmp_path / "nowhere"), "bundled"),
    )
    runner.start(folder)
    assert runner.is_alive(folder)
    runner.stop(folder)
    server.close()
    assert list(folder.events()) == []
    assert not server.address.parent.exists()
    assert (tmp_path / "server.log").read_text() == ""
    with pytest.raises(JobError, match="no fork server answers"):
        runner.start(folder)


@pytest.mark.slow
def test_the_server_never_looks_for_a_gpu() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, text=True, check=True)
    assert looked.stdout == ""


@pytest.mark.parametrize("is_early", [True, False])
def test_when_its_owner_is_killed_the_server_ends_and_the_job_goes_on(
    is_early: bool, workspace_copy: Path
) -> None:
    """However early: what was asked of a server that was still starting is done."""
    command = [sys.executable, "-c", OWNER, str(workspace_copy)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        path, pid, address = owner.stdout.readline().split()
        folder, server = JobFolder(Path(path)), psutil.Process(int(pid))
        if not is_early:
            until(folder.worker)
        owner.kill()
    until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    assert not Path(address).parent.exists()
    until(folder.has_ended)
    workspace = Workspace.open(workspace_copy)
    Jobs(workspace, Settings(workspace.folder)).refresh()
    assert workspace.jobs.get(folder.id).state == "done"
    workspace.close()
    assert json.loads((folder.path / "worker.json").read_text())["pid"] != server.pid
