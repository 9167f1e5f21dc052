"""Jobs on a real Ray cluster on loopback, whose nodes and workers are killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.processes.jobs.ray_cluster import ENVIRONMENT, LoopbackCluster, cluster

os.environ.update(ENVIRONMENT)  # before Ray is imported, which reads it once
pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")

from core.errors import JobError, SettingsError
from core.jobs import Jobs
from core.jobs.crew.cluster import Cluster, Tally
from core.jobs.crew.node import shortcomings, versions
from core.jobs.crew.on_ray import RayCrew
from core.jobs.folder import JobFolder
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import Workspace
from core.types import HeadId, Split
from tests import tiny
from tests.conftest import ROOT
from tests.processes.jobs.found import Found, audited, check_attention, costed, inline, plain
from tests.processes.jobs.ray_units import stage
from tests.processes.jobs.test_crashes import check_units, kill, wait_for
from tests.servers import s3
from tests.servers.ports import free_port

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

    def show(self, tallies: Mapping[str, Tally]) -> None:
        self.tallies = dict(tallies)


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[LoopbackCluster]:
    os.environ.update(s3.ENVIRONMENT)  # nodes have it, as those of a store do
    with cluster("one", "two") as started:
        yield started


@contextmanager
def crew_on(on: LoopbackCluster, heard: Heard, *paths: str) -> Iterator[RayCrew]:
    crew = RayCrew(Cluster(on.address), heard, heard.show, paths=paths)
    try:
        yield crew
    finally:
        crew.close()


def jobs_on(on: LoopbackCluster, workspace: Workspace) -> Jobs:
    """A workspace's jobs, whose units go to a cluster."""
    return Jobs(workspace, Settings(workspace.folder, device="cpu", runner="ray", ray_address=on.address))


def best_of(workspace: Workspace) -> list[tuple[Any, ...]]:
    (model,) = workspace.models.all()
    best = workspace.library.best(model.id, Split.TEST)
    return sorted((found.score.head, found.program.source, found.score.iou) for found in best)


def searched(workspace: Workspace, jobs: Jobs) -> object:
    """The best programs, after a search."""
    jobs.wait(jobs.start_search(workspace.models.all()[0], None, SearchLimits(rules=1)))
    return best_of(workspace)


# One cluster for what a default run looks at


@pytest.mark.slow  # a cluster on loopback wants the cores to itself; the gate runs it alone
def test_a_search_on_two_nodes_finds_what_one_process_finds_though_a_worker_is_killed(
    shared_cluster: LoopbackCluster, workspace_copy: Path, tmp_path: Path
) -> None:
    expected = inline(Path(shutil.copytree(workspace_copy, tmp_path / "other")), searched)

    workspace = Workspace.open(workspace_copy)
    jobs = jobs_on(shared_cluster, workspace)
    job = jobs.start_search(workspace.models.all()[0], None, SearchLimits(rules=1))
    folder = jobs.folder(job)

    victim = ""
    while not victim and not folder.has_ended():
        time.sleep(0.01)
        victim = next((name for name in ("one", "two") if shared_cluster.kill_hand(name)), "")
    assert victim, "the job ended before any of its processes was seen at work"
    assert jobs.wait(job).state == "done"
    check_units(workspace, job, tiny.LAYERS * tiny.HEADS)
    assert best_of(workspace) == expected
    tallies = jobs.nodes(job)
    assert sum(tally.done for tally in tallies.values()) == len(units_of(folder))
    assert any(f"node {victim} was lost" in note for note in jobs.notes(job))
    workspace.close()


def units_of(folder: JobFolder) -> set[str]:
    return {name for name in folder.finished() if name.count("-") in (1, 3)}


@pytest.mark.slow  # a cluster on loopback wants the cores to itself; the gate runs it alone
def test_a_unit_that_fails_is_named_with_its_node_and_what_it_printed_is_in_the_log(
    shared_cluster: LoopbackCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    heard = Heard()
    with (
        crew_on(shared_cluster, heard) as crew,
        pytest.raises(
            JobError, match=r"^node (one|two): unit-03 failed: ZeroDivisionError: this unit fails$"
        ),
    ):
        list(crew.run(stage(fails_on=3), UNITS))
    assert "in work\n" in capfd.readouterr().err


@pytest.mark.slow  # a cluster on loopback wants the cores to itself; the gate runs it alone
def test_a_path_that_no_node_sees_is_named_before_any_work(
    shared_cluster: LoopbackCluster, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        crew_on(shared_cluster, Heard(), "/not/shared") as crew,
        pytest.raises(
            JobError, match=r"node one does not see /not/shared; node two does not see /not/shared\. Put that"
        ),
    ):
        list(crew.run(stage(log=log), UNITS))
    assert not log.exists()


def in_both(on: LoopbackCluster, workspace: Path, copy: Path, found: Found) -> tuple[object, object]:
    """What the same jobs come to on a cluster and in this process."""
    expected = inline(Path(shutil.copytree(workspace, copy)), found)
    shared = Workspace.open(workspace)
    there = found(shared, jobs_on(on, shared))
    shared.close()
    return there, expected


@pytest.mark.slow  # a cluster on loopback wants the cores to itself; the gate runs it alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("found", [audited, costed, plain])
def test_audits_costs_and_plain_python_on_two_nodes_come_to_what_one_process_finds(
    found: Found, shared_cluster: LoopbackCluster, workspace_copy: Path, tmp_path: Path, locks: None
) -> None:
    there, expected = in_both(shared_cluster, workspace_copy, tmp_path / "other", found)
    assert there == expected
    assert there


@pytest.mark.slow  # a cluster on loopback wants the cores to itself; the gate runs it alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["s3", "path"])
def test_nodes_share_attention_that_lies_in_a_store_or_a_folder_of_its_own(
    kind: str, shared_cluster: LoopbackCluster, built: Path, small_corpus: Path, tmp_path: Path
) -> None:
    """Both nodes see the machine's disks here; of the workspace they are asked nothing but its passages."""
    with s3.bucket() if kind == "s3" else nullcontext(str(tmp_path / "mounted")) as elsewhere:
        workspace = Workspace.open(tmp_path / "workspace")
        given = Settings(
            workspace.folder,
            device="cpu",
            runner="ray",
            ray_address=shared_cluster.address,
            attention=elsewhere,
        )
        jobs = Jobs(workspace, given)
        model, corpus = str(built.parent / "llama"), str(small_corpus)
        extracted = jobs.start_build(model, corpus, search=False)
        assert jobs.wait(extracted).state == "done"
        (info,) = workspace.models.all()
        search = jobs.start_search(info, [HeadId(0, 0), HeadId(2, 1)], SearchLimits(rules=1))
        assert jobs.wait(search).state == "done"
        check_attention(workspace, info, built)
        assert not list(workspace.folder.rglob("layer=*"))
        assert sum(tally.done for tally in jobs.nodes(search).values()) > 0
        workspace.close()


# What does not need a cluster


def test_hands_share_a_node_by_cores_and_by_gpus() -> None:
    assert Cluster("auto").shares(8, 0) == [(8, 0.0)]
    assert Cluster("auto", cpus=3).shares(8, 0) == [(3, 0.0)] * 2
    assert Cluster("auto").shares(8, 2) == [(4, 1.0)] * 2
    assert Cluster("auto", gpus=0.5).shares(8, 1) == [(4, 0.5)] * 2
    assert Cluster("auto", cpus=2).shares(1, 0) == []
    assert Cluster("auto").shares(0, 0) == []


def test_what_a_node_lacks_is_said_in_words() -> None:
    here = versions()
    assert shortcomings(here, [str(ROOT)]) == []
    assert shortcomings(here | {"torch": "0.1", "Headscript": "other"}, ["/not/shared"]) == [
        f"has torch {here['torch']} instead of 0.1",
        f"has Headscript {here['Headscript']} instead of other",
        "does not see /not/shared",
    ]


def test_no_cluster_at_an_address_is_said_in_words() -> None:
    for address in ("nowhere", "127.0.0.1:1", "ray://127.0.0.1:1"):
        crew = RayCrew(Cluster(address), Heard())
        with pytest.raises(
            JobError, match=rf"no Ray cluster answers at {address} .*; start one with `ray sta"
        ):
            list(crew.run(stage(), UNITS))


def test_a_budget_that_is_no_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="HEADSCRIPT_RAY_CPUS is 'many'; it takes a number"):
        Settings.read({"HEADSCRIPT_RAY_CPUS": "many"})
    with pytest.raises(JobError, match="HEADSCRIPT_RAY_GPUS is 0; it takes a number above 0"):
        Cluster("auto", gpus=0.0)


# Clusters that do not survive


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rays_own_client_reaches_a_cluster_through_its_port() -> None:
    port = free_port()
    heard = Heard()
    with cluster(ray_client_server_port=port) as on:
        for name in ("one", "two"):  # such a client tells workers no place to import from
            on.add(name, PYTHONPATH=str(ROOT))
        crew = RayCrew(Cluster(f"ray://127.0.0.1:{port}"), heard, heard.show)
        try:
            found = dict(crew.run(stage(0.05), UNITS))
        finally:
            crew.close()
    assert {name: square for name, (square, _) in found.items()} == {n: u * u for n, u in UNITS.items()}
    assert sum(tally.done for tally in heard.tallies.values()) == len(UNITS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_unit_is_there_once_after_ten_kills_of_nodes_and_workers() -> None:
    draw, names, heard = random.Random(0), [f"node-{number}" for number in range(20)], Heard()
    with cluster("node-0", "node-1", "node-2") as on, crew_on(on, heard) as crew:
        left, kills, hits, found = names[3:], 0, 0, list[str]()
        units = {f"unit-{number:03}": number for number in range(120)}
        for name, (square, _) in crew.run(stage(0.25), units):
            assert square == units[name] ** 2
            found.append(name)
            if len(found) % 8 == 0 and kills < 12:
                kills += 1
                victim = draw.choice(sorted(on.nodes))
                if kills % 2:
                    on.kill(victim)
                    on.add(left.pop(0))
                else:
                    hits += on.kill_hand(victim)
    assert kills >= 10
    assert hits > 0
    assert Counter(found) == dict.fromkeys(units, 1)
    assert sum(tally.done for tally in heard.tallies.values()) == 120
    assert sum(tally.lost for tally in heard.tallies.values()) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_whose_disk_is_full_is_left_out_and_with_the_last_the_job_says_so() -> None:
    heard = Heard()
    with cluster("one") as on, crew_on(on, heard) as crew:
        on.add("full", TEST_SPOOL="/dev/full", TEST_MARK="full")
        found = dict(crew.run(stage(0.1), UNITS))
        assert {mark for _, mark in found.values()} == {""}
        assert len(found) == len(UNITS)
        (note,) = [note for note in heard.notes if "disk" in note]
        assert note.startswith(
            "node full is left out, because its disk takes nothing more (OSError: [Errno 28]"
        )
        on.kill("one")
        with pytest.raises(JobError, match="no node of the cluster can work"):
            list(crew.run(stage(), UNITS))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_without_the_model_is_named_before_any_work(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with cluster("one") as on:
        on.add("bare", TEST_MARK="bare")
        with (
            crew_on(on, Heard()) as crew,
            pytest.raises(JobError, match=r"^node bare: the model is not here$"),
        ):
            list(crew.run(stage(0.1, lacks="bare", log=log), UNITS))
        assert not log.exists()


def of_another_version(folder: Path) -> str:
    """A path for Python on which torch is of another version."""
    told = folder / "torch-0.1.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0.1\n")
    return str(folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_of_another_version_is_named_before_any_work_and_left_out_where_it_joins_later(
    tmp_path: Path,
) -> None:
    path, heard, log = of_another_version(tmp_path / "path"), Heard(), tmp_path / "log"
    with cluster("one") as on:
        with crew_on(on, heard) as crew:
            for _ in crew.run(stage(0.1), UNITS):
                if "old" not in on.nodes:
                    on.add("old", PYTHONPATH=path)
        (note,) = [note for note in heard.notes if "old" in note]
        assert re.fullmatch(r"node old has torch 0\.1 instead of \S+, so it is left out", note)
        assert heard.tallies.keys() == {"one"}
        with (
            crew_on(on, Heard()) as crew,
            pytest.raises(JobError, match=r"^node old has torch 0\.1 instead of \S+\. Put that right"),
        ):
            list(crew.run(stage(log=log), UNITS))
        assert not log.exists()


class Sender(Heard):
    """Sends for a node where none is left."""

    def __init__(self, send: Callable[[], object]) -> None:
        super().__init__()
        self._send, self.sent = send, 0

    def progress(self, stage: str, done: int, total: int) -> None:
        if "waiting for a node" in stage and not self.sent:
            self.sent += 1
            self._send()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_has_lost_all_nodes_waits_for_one_and_goes_on_with_it() -> None:
    with cluster("one") as on:
        heard = Sender(lambda: on.add("two"))
        with crew_on(on, heard) as crew:
            found = list[str]()
            for name, _ in crew.run(stage(0.1), UNITS):
                found.append(name)
                if len(found) == 5:
                    on.kill("one")
    assert heard.sent == 1
    assert Counter(found) == dict.fromkeys(UNITS, 1)
    assert heard.tallies["two"].done == len(UNITS) - heard.tallies["one"].done


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_unit_that_ends_every_worker_that_takes_it_ends_the_job() -> None:
    with (
        cluster("one") as on,
        crew_on(on, Heard()) as crew,
        pytest.raises(JobError, match=r"^unit-03 ended 8 workers, on node one the last; see the log$"),
    ):
        list(crew.run(stage(ends_on=3), UNITS))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_goes_on_after_its_driver_and_then_the_head_were_killed(workspace_copy: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    with cluster("one", "two") as on:
        jobs = jobs_on(on, workspace)
        job = jobs.start_search(workspace.models.all()[0], None, SearchLimits(rules=1))
        folder = jobs.folder(job)
        wait_for(lambda: folder.worker() is not None and "layer-000.json" in folder.finished())
        worker = folder.worker()
        assert worker is not None
        kill(worker.pid)
        wait_for(lambda: jobs.refresh()[0].state == "stopped")
        wait_for(lambda: not on.hands("one") and not on.hands("two"), 10)
        done = folder.finished()
        jobs.resume(job)
        wait_for(lambda: len(folder.finished()) > len(done) or folder.has_ended())
        on.kill_head()
        wait_for(lambda: jobs.refresh()[0].state in ("stopped", "failed", "done"))
    before = folder.finished()
    if jobs.refresh()[0].state != "done":
        with cluster("three") as on:
            later = jobs_on(on, workspace)
            later.resume(job)
            assert later.wait(job).state == "done"
    assert before <= folder.finished()
    check_units(workspace, job, tiny.LAYERS * tiny.HEADS)
    workspace.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cancelled_job_leaves_nothing_running_on_the_nodes_within_five_seconds(
    workspace_copy: Path,
) -> None:
    workspace = Workspace.open(workspace_copy)
    with cluster("one", "two") as on:
        jobs = jobs_on(on, workspace)
        job = jobs.start_search(workspace.models.all()[0], None, SearchLimits(rules=32))
        wait_for(lambda: bool(on.hands("one")) and bool(on.hands("two")))
        jobs.cancel(job)
        wait_for(lambda: not on.hands("one") and not on.hands("two"), 5)
        assert workspace.jobs.get(job).state == "stopped"
    workspace.close()
