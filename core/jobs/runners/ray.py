"""A worker process for each job, as the local runner's, which hands its units to a Ray cluster."""

from __future__ import annotations

from core.jobs.crew.cluster import VARIABLE, Cluster
from core.jobs.folder import JobFolder
from core.jobs.runners.local import LocalRunner
from core.jobs.runners.processes import Started


class RayRunner(LocalRunner):
    """The worker is the cluster's driver: with it, whatever ends it, its work on the nodes ends."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def _start_process(self, folder: JobFolder, environment: dict[str, str]) -> Started:
        return super()._start_process(folder, environment | {VARIABLE: self._cluster.dump()})
