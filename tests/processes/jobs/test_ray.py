"""Jobs on a real Ray cluster on loopback, whose nodes and workers are killed."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")

from core.errors import JobError, WorkspaceError
from core.jobs import Jobs
from core.jobs.crew.cluster import Cluster, Tally
from core.jobs.crew.on_ray import RayCrew
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import Workspace
from core.types import Split
from tests.conftest import ROOT
from tests.processes.jobs.ray_cluster import LoopbackCluster, cluster
from tests.processes.jobs.ray_units import stage
from tests.processes.jobs.test_crashes import check_units, kill, wait_for

# Ray's own code leaves sockets and files to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.xdist_group("ray"),
]
UNITS = {f"unit-{number:02}": number for number in range(30)}


class Heard:
    """What a crew tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.tallies: dict[str, Tally] = {}

    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def crew_of() -> Iterator[Callable[[LoopbackCluster, Heard], RayCrew]]:
    crews: list[RayCrew] = []

    def made(on: LoopbackCluster, heard: Heard, *paths: str) -> RayCrew:
        crews.append(RayCrew(Cluster(on.address), heard, heard.tallies.update, paths=paths))
        return crews[-1]

    yield made
    for crew in crews:
        crew.close()


def best_of(workspace: Path, corpus_split: Split) -> list[tuple[Any, ...]]:
    opened = Workspace.open(workspace)
    (model,) = opened.models.all()
    found = [(b.score.head, b.program.source, b.score.iou) for b in opened.library.best(model.id, corpus_split)]
    opened.close()
    return sorted(found)


def test_a_search_on_two_nodes_finds_what_one_process_finds_though_a_node_and_a_worker_are_killed(
    workspace_copy: Path, tmp_path: Path
) -> None:
    pass
