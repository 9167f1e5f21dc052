"""Where jobs run: a door of runners, each an entry that makes one.

A runner is handed a job's folder and nothing else; what it did is in the folder's events. Its `slots` say how
many jobs that need the device it works on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.doors import Door
from core.jobs.folder import JobFolder
from core.settings import Settings


class Runner(Protocol):
    """Starts and stops jobs, and tells which are being worked on."""

    slots: int  # jobs that need the device, at once

    def start(self, folder: JobFolder, secrets: Mapping[str, str] | None = None) -> None:
        """Work on this job. The work sees these `secrets` alone, whatever the owner's environment holds."""

    def is_alive(self, folder: JobFolder) -> bool:
        """Whether the job is worked on, or was started just now and will be."""

    def stop(self, folder: JobFolder) -> None:
        """End the work on this job."""

    def reap_ended(self) -> None:
        """Let go of what has ended."""

    def reap(self, job: str) -> None:
        """Wait for work that is ending."""


@dataclass(frozen=True)
class RunnerEntry:
    """A way to run jobs; what it needs is imported when it makes a runner."""

    name: str
    title: str  # for people
    make: Callable[[Settings], Runner]


def _local(settings: Settings) -> Runner:
    from core.jobs.runners.local import LocalRunner

    return LocalRunner()


def _forked(settings: Settings) -> Runner:
    from core.jobs.runners.forked import ForkedRunner

    return ForkedRunner(settings.fork_server)


def _inline(settings: Settings) -> Runner:
    from core.jobs.runners.inline import InlineRunner

    return InlineRunner()


def _ray(settings: Settings) -> Runner:
    from core.jobs.crew.cluster import Cluster
    from core.jobs.runners.ray import RayRunner

    return RayRunner(
        Cluster(
            settings.ray_address or "auto",
            settings.ray_cpus,
            settings.ray_gpus,
            settings.ray_memory,
        )
    )


RUNNERS: Door[RunnerEntry] = Door(
    "runner",
    RunnerEntry("local", "A process of its own for each job", _local),
    RunnerEntry("forked", "A process for each job, forked from one that has imported everything", _forked),
    RunnerEntry("ray", "A process for each job, whose units the nodes of a Ray cluster work on", _ray),
    RunnerEntry("inline", "The owner's own process, one job after the other", _inline),
)
