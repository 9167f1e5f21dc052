"""A search on loopback nodes of one core each, beside the local runner on one core: time, and equal results.

    python -m tests.benchmarks.cluster [--model demo] [--limit N] [--rules 12] [--nodes 1 2 3] [--one-core]

The model is extracted once; each way of running searches a copy of that workspace anew. Time is from the
question to the job's end, with all that a cluster adds: workers that start and import, features that
are sent. A machine with fewer free cores than nodes shows no gain. `--one-core` adds a row in which
one node, the cluster's own processes and the job's owner share the core that the local runner has.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes.jobs.ray_cluster import ENVIRONMENT, cluster

os.environ.update(ENVIRONMENT)  # before Ray is imported, which reads it once

from core.jobs import Jobs
from core.proposers import SearchLimits
from core.settings import Settings
from core.store import Workspace
from core.types import HeadId, Split

Best = dict[tuple[HeadId, Split], tuple[str, float]]  # a program's source and its IoU


@dataclass(frozen=True)
class Run:
    """A search that has ended."""

    name: str
    seconds: float
    best: Best
    nodes: str  # what each did


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _extract(options, folder / "extracted")
        local = _local(folder, options.rules)
        print("| runner | wall time | to local | results | units |")
        print("| --- | --- | --- | --- | --- |")
        _tell(local, local)
        if options.one_core:
            with _on_cores(1):
                _tell(_on_nodes(folder, 1, options.rules, ", all on one core"), local)
        for count in options.nodes:
            _tell(_on_nodes(folder, count, options.rules), local)


def _tell(run: Run, local: Run) -> None:
    results = "the same" if run.best == local.best else "OTHERS"
    print(
        f"| {run.name} | {run.seconds:.1f} s | {run.seconds / local.seconds:.2f} | {results}, "
        f"{len(run.best)} | {run.nodes} |",
        flush=True,
    )


def _extract(options: argparse.Namespace, folder: Path) -> None:
    workspace = Workspace.open(folder)
    jobs = Jobs(workspace, _settings(folder))
    jobs.wait(jobs.start_build(options.model, options.corpus, options.limit, search=False))
    workspace.close()


def _settings(folder: Path, **given: str) -> Settings:
    models = os.environ.get("HEADSCRIPT_MODELS")
    return Settings(folder, device="cpu", models=Path(models) if models else None, **given)  # type: ignore[arg-type]


def _local(folder: Path, rules: int) -> Run:
    with _on_cores(1):
        return _searched("local, 1 core", folder / "extracted", folder / "local" / "workspace", rules)


def _on_nodes(folder: Path, count: int, rules: int, where: str = "") -> Run:
    names = [f"node-{number}" for number in range(1, count + 1)]
    with cluster(*names) as started:
        name = f"ray, {count} x 1 core{where}"
        given = {"runner": "ray", "ray_address": started.address}
        return _searched(
            name, folder / "extracted", Path(tempfile.mkdtemp(dir=folder)) / "workspace", rules, **given
        )


def _searched(name: str, extracted: Path, folder: Path, rules: int, **given: str) -> Run:
    workspace = Workspace.open(Path(shutil.copytree(extracted, folder)))
    jobs = Jobs(workspace, _settings(folder, **given))
    (info,) = workspace.models.all()
    start = time.perf_counter()
    job = jobs.start_search(info, None, SearchLimits(rules=rules))
    jobs.wait(job)
    seconds = time.perf_counter() - start
    best = {
        (one.score.head, split): (one.program.source, one.score.iou.value)
        for split in Split
        for one in workspace.library.best(info.id, split)
    }
    nodes = ", ".join(f"{node} {tally.done}" for node, tally in sorted(jobs.nodes(job).items()))
    workspace.close()
    shutil.rmtree(folder)
    return Run(name, seconds, best, nodes)


@contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """What is started within has so many cores, where the system can be told."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _options(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--corpus", default="bundled")
    parser.add_argument("--limit", type=int, help="at most so many passages")
    parser.add_argument("--rules", type=int, default=SearchLimits().rules)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--one-core", action="store_true", help="also one node with all on one core")
    return parser.parse_args(given)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
