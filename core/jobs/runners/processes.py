"""What every runner shares whose workers are processes: to tell, to stop and to let go of them."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

from core.jobs.folder import JobFolder
from core.proposers import PROPOSERS

ROOT = Path(__file__).resolve().parents[3]  # where workers work
_START_GRACE = 30.0  # seconds a new worker may take to claim its folder before it counts as dead
_STOP_GRACE = 1.5  # seconds between asking a worker to stop and killing it
_LEFT: list[Started] = []  # workers whose owner was let go before they ended
_NEVER = {"ANTHROPIC_AUTH_TOKEN"}  # read by an SDK, but no setting of ours


def withheld_names() -> set[str]:
    """The environment variables that no worker sees but the one that is handed them."""
    return _NEVER.union(*(proposer.secrets for proposer in PROPOSERS.values()))


def worker_environment(secrets: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with these `secrets` alone, whatever others it holds."""
    withheld = withheld_names()
    kept = {name: value for name, value in os.environ.items() if name not in withheld}
    return kept | dict(secrets or {})


class Started(Protocol):
    """A worker process that this owner started."""

    def is_alive(self) -> bool:
        """Whether it runs, or will."""

    def process(self) -> psutil.Process | None:
        """It, once it runs and while it does."""

    def wait(self) -> None:
        """Return when it has ended."""


def _leave(started: Mapping[str, Started]) -> None:
    """Keep hold of what goes on without its owner, and let go of what has ended by now.

    While it looks another owner may be let go, here or in another thread, and this be called within itself.
    """
    _LEFT.extend(started.values())
    for one in list(_LEFT):
        if not one.is_alive():
            with suppress(ValueError):  # the other has let go of it
                _LEFT.remove(one)


class ProcessRunner:
    """Stops workers, and tells which are alive: its own, and those that a dead owner left behind."""

    slots = 1

    def __init__(self) -> None:
        self._started: dict[str, Started] = {}
        _leave({})
        weakref.finalize(self, _leave, self._started)

    def start(self, folder: JobFolder, secrets: Mapping[str, str] | None = None) -> None:
        """A worker for this job. Its environment holds these `secrets` alone, whatever the owner's does."""
        folder.forget_worker()
        self._started[folder.id] = self._start_process(folder, worker_environment(secrets))

    def _start_process(self, folder: JobFolder, environment: dict[str, str]) -> Started:
        """A process of its own session that works on the job and writes what it prints to its log."""
        raise NotImplementedError

    def is_alive(self, folder: JobFolder) -> bool:
        """Whether a process works on the job, or was started just now and will."""
        started = self._started.get(folder.id)
        if started is not None and started.is_alive():
            return True
        if folder.worker() is not None:
            return True
        claimed = (folder.path / "worker.json").is_file()
        age = time.time() - folder.path.stat().st_mtime
        # A folder of the future was made while the clock was ahead: nobody knows when.
        return started is None and not claimed and 0 <= age < _START_GRACE

    def stop(self, folder: JobFolder) -> None:
        """End the job's worker with all its children: asked first, killed soon after."""
        folder.call_off()
        started = self._started.get(folder.id)
        known = (folder.worker(), started.process() if started is not None else None)
        family = {worker for worker in known if worker is not None}
        for worker in list(family):
            with suppress(psutil.NoSuchProcess):
                family.update(worker.children(recursive=True))
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(family, _STOP_GRACE)
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.reap(folder.id)

    def reap_ended(self) -> None:
        """Let go of workers that ended, so that nothing of them stays behind."""
        for job, started in list(self._started.items()):
            if not started.is_alive():
                self.reap(job)

    def reap(self, job: str) -> None:
        """Wait for a worker that is ending."""
        started = self._started.pop(job, None)
        if started is not None:
            started.wait()
