"""A worker process for each job: the owner's own children, and those that a dead owner left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from core.jobs.folder import JobFolder
from core.proposers import PROPOSERS

_ROOT = Path(__file__).resolve().parents[3]
_START_GRACE = 30.0  # seconds a new worker may take to claim its folder before it counts as dead
_STOP_GRACE = 1.5  # seconds between asking a worker to stop and killing it
_NEVER = {"ANTHROPIC_AUTH_TOKEN"}  # read by an SDK, but no setting of ours


def withheld_names() -> set[str]:
    """The environment variables that no worker sees but the one that is handed them."""
    return _NEVER.union(*(proposer.secrets for proposer in PROPOSERS.values()))


class LocalRunner:
    """Starts and stops workers, and tells which are alive."""

    slots = 1

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, folder: JobFolder, secrets: Mapping[str, str] | None = None) -> None:
        """A worker for this job. Its environment holds these `secrets` alone, whatever the owner's does."""
        folder.forget_worker()
        withheld = withheld_names()
        environment = {name: value for name, value in os.environ.items() if name not in withheld}
        with folder.log.open("ab") as log:
            self._children[folder.id] = subprocess.Popen(
                [sys.executable, "-m", "core", "worker", str(folder.path.resolve())],
                cwd=_ROOT,
                env=environment | dict(secrets or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_alive(self, folder: JobFolder) -> bool:
        """Whether a process works on the job, or was started just now and will."""
        child = self._children.get(folder.id)
        if child is not None and child.poll() is None:
            return True
        if folder.worker() is not None:
            return True
        claimed = (folder.path / "worker.json").is_file()
        return child is None and not claimed and time.time() - folder.path.stat().st_mtime < _START_GRACE

    def stop(self, folder: JobFolder) -> None:
        """End the job's worker with all its children: asked first, killed soon after."""
        folder.call_off()
        family = {worker for worker in (folder.worker(), self._child(folder.id)) if worker is not None}
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
        """Let go of children that ended, so that no zombie stays behind."""
        for job, child in list(self._children.items()):
            if child.poll() is not None:
                self._children.pop(job, None)

    def reap(self, job: str) -> None:
        """Wait for a child that is ending."""
        child = self._children.pop(job, None)
        if child is not None:
            child.wait()

    def _child(self, job: str) -> psutil.Process | None:
        child = self._children.get(job)
        try:
            return psutil.Process(child.pid) if child is not None and child.poll() is None else None
        except psutil.NoSuchProcess:
            return None
