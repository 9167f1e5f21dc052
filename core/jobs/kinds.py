"""The kinds of jobs, and the work of each in the worker's process. Each skips what is already done.

A proposer has its kind by being in the table of proposers. To add another kind: give it a Task in
`tasks.py`, write a function of a Job below that imports what it needs (transformers and spaCy take longer
than a small search), and add a line to KINDS. If it announces results of a new sort, add its type to RESULTS
in `results.py` and a case to `intake.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.doors import Door
from core.jobs.folder import Job
from core.jobs.tasks import (
    AuditTask,
    BuildTask,
    ConvertTask,
    CurveTask,
    DownstreamTask,
    ExtractTask,
    HybridTask,
    MeasureTask,
    ProposeTask,
    ResolveTask,
    ScoreTask,
    Task,
)
from core.proposers import PROPOSERS, LanguageModel, Proposer
from core.store.passages import read_passages


@dataclass(frozen=True)
class JobKind:
    """A kind of job."""

    name: str
    title: str  # for people
    task: type[Task]  # what it is asked
    run: Callable[[Job[Any]], None]  # what its folder shows as finished is not done again
    needs_device: bool = True  # one such job runs at a time; others run beside it
    finds_programs: bool = False  # heads may have other best programs after it
    proposer: Proposer | None = None  # the one it runs, whose secrets its worker is handed


def _extract(job: Job[ExtractTask]) -> None:
    from core.jobs.work.extract import annotate_and_extract, load_to_extract, read_corpus

    corpus = read_corpus(job)
    annotate_and_extract(job, load_to_extract(job), corpus)


def _build(job: Job[BuildTask]) -> None:
    from core.jobs.work.build import build_workspace

    build_workspace(job)


def _propose(proposer: Proposer, job: Job[ProposeTask[Any]]) -> None:
    passages = read_passages(job.place.workspace, job.task.passages)
    if isinstance(proposer.way, LanguageModel):
        from core.jobs.work.llm import propose_programs

        propose_programs(job, proposer.name, proposer.way, passages)
    else:
        from core.jobs.work.search import find_programs

        find_programs(job, job.task, proposer, passages)


def _score(job: Job[ScoreTask]) -> None:
    from core.jobs.work.search import score_programs

    passages = read_passages(job.place.workspace, job.task.passages)
    score_programs(job, job.task.info, passages, job.task.programs, job.task.origin)


def _convert(proposer: Proposer, job: Job[ConvertTask[Any]]) -> None:
    from core.jobs.work.convert import convert_programs

    convert_programs(job, proposer)


def _resolve(job: Job[ResolveTask]) -> None:
    from core.jobs.work.resolve import resolve_programs

    resolve_programs(job)


def _hybrid(job: Job[HybridTask]) -> None:
    from core.jobs.work.hybrid import build_hybrid

    build_hybrid(job)


def _measure(job: Job[MeasureTask]) -> None:
    from core.jobs.work.hybrid import measure_again

    measure_again(job)


def _curve(job: Job[CurveTask]) -> None:
    from core.jobs.work.curve import measure_curve

    measure_curve(job)


def _audit(job: Job[AuditTask]) -> None:
    from core.jobs.work.audit import run_audits

    run_audits(job)


def _downstream(job: Job[DownstreamTask]) -> None:
    from core.jobs.work.hybrid import measure_downstream

    measure_downstream(job)


def kind_of_proposer(proposer: Proposer) -> JobKind:
    """The kind of job that runs a proposer."""
    task = ProposeTask.__class_getitem__(proposer.limits)  # type: ignore[attr-defined]
    run = partial(_propose, proposer)
    return JobKind(proposer.job_kind, proposer.job, task, run, proposer.needs_device, True, proposer)


def kind_of_conversion(proposer: Proposer) -> JobKind:
    """The kind of job in which a proposer converts plain Python."""
    task = ConvertTask.__class_getitem__(proposer.limits)  # type: ignore[attr-defined]
    run = partial(_convert, proposer)
    return JobKind(
        f"convert-{proposer.name}", "Convert plain Python", task, run, proposer.needs_device, True, proposer
    )


KINDS = Door(
    "kind of job",
    JobKind("build", "Build a workspace", BuildTask, _build, finds_programs=True),
    JobKind("extract", "Extract attention", ExtractTask, _extract),
    JobKind("score", "Score programs", ScoreTask, _score, finds_programs=True),
    JobKind("resolve", "Resolve references", ResolveTask, _resolve, needs_device=False),
    JobKind("hybrid", "Build and measure a hybrid", HybridTask, _hybrid),
    JobKind("measure", "Measure a hybrid", MeasureTask, _measure),
    JobKind("curve", "Measure a curve", CurveTask, _curve),
    JobKind("audit", "Audit", AuditTask, _audit),
    JobKind("downstream", "Answer questions", DownstreamTask, _downstream),
)


for _proposer in PROPOSERS.values():
    KINDS.add(kind_of_proposer(_proposer))
    KINDS.add(kind_of_conversion(_proposer))


def kind_of(task: Task) -> JobKind:
    """The kind of job that is asked this."""
    if isinstance(task, ConvertTask):
        return KINDS[f"convert-{PROPOSERS.named(task.proposer).name}"]
    if isinstance(task, ProposeTask):
        return KINDS[PROPOSERS.named(task.proposer).job_kind]
    return next(kind for kind in KINDS.values() if kind.task is type(task))
