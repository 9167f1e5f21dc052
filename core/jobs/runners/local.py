"""A worker process for each job, started anew."""

from __future__ import annotations

import subprocess
import sys

import psutil

from core.jobs.folder import JobFolder
from core.jobs.runners.processes import ROOT, ProcessRunner, Started


class LocalRunner(ProcessRunner):
    """Workers are the owner's children, each `python -m core worker`."""

    def _start_process(self, folder: JobFolder, environment: dict[str, str]) -> Started:
        with folder.log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "core", "worker", str(folder.path.resolve())],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return _Child(child)


class _Child:
    """A child of this process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def process(self) -> psutil.Process | None:
        try:
            return psutil.Process(self._child.pid) if self.is_alive() else None
        except psutil.NoSuchProcess:
            return None

    def wait(self) -> None:
        self._child.wait()
