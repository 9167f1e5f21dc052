"""The kinds of jobs, and the work of each in the worker's process. Each skips what is already done.

To add a kind: give it a Task in `tasks.py`, write a function of a Job below that imports what it needs
(transformers and spaCy take longer than a small search), and add a line to KINDS. If it announces results
of a new sort, add its type to RESULTS in `results.py` and a case to `intake.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.corpus import require_splits
from core.doors import Door
from core.jobs.folder import Job
from core.jobs.tasks import (
    AuditTask,
    BuildTask,
    ClaudeTask,
    CurveTask,
    DownstreamTask,
    ExtractTask,
    HybridTask,
    MeasureTask,
    ScoreTask,
    SearchTask,
    Task,
)
from core.store.passages import read_passages


@dataclass(frozen=True)
class JobKind:
    """A kind of job."""

    name: str
    title: str  # for people
    task: type[Task]  # what it is asked
    run: Callable[[Job[Any]], None]  # what its folder shows as finished is not done again
    needs_device: bool = True  # one such job runs at a time; others run beside it and are handed the API key


def _extract(job: Job[ExtractTask]) -> None:
    from core.jobs.work.extract import annotate_and_extract, load_model, read_corpus

    corpus = read_corpus(job)
    annotate_and_extract(job, load_model(job, job.task.model), corpus)


def _build(job: Job[BuildTask]) -> None:
    from core.jobs.work.extract import annotate_and_extract, load_model, read_corpus

    corpus = read_corpus(job)
    require_splits(corpus.sentences)
    loaded = load_model(job, job.task.model)
    passages = annotate_and_extract(job, loaded, corpus)

    from core.jobs.work.search import find_programs

    find_programs(job, SearchTask(loaded.info, ""), passages)


def _search(job: Job[SearchTask]) -> None:
    from core.jobs.work.search import find_programs

    find_programs(job, job.task, read_passages(job.place.workspace, job.task.passages))


def _claude(job: Job[ClaudeTask]) -> None:
    from core.jobs.work.llm import propose_programs

    propose_programs(job, read_passages(job.place.workspace, job.task.passages))


def _score(job: Job[ScoreTask]) -> None:
    from core.jobs.work.search import score_programs

    passages = read_passages(job.place.workspace, job.task.passages)
    score_programs(job, job.task.info, passages, job.task.programs, "person")


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


KINDS = Door(
    "kind of job",
    JobKind("build", "Build a workspace", BuildTask, _build),
    JobKind("extract", "Extract attention", ExtractTask, _extract),
    JobKind("synthesize", "Search for programs", SearchTask, _search),
    JobKind("claude", "Ask Claude", ClaudeTask, _claude, needs_device=False),
    JobKind("score", "Score programs", ScoreTask, _score),
    JobKind("hybrid", "Build and measure a hybrid", HybridTask, _hybrid),
    JobKind("measure", "Measure a hybrid", MeasureTask, _measure),
    JobKind("curve", "Measure a curve", CurveTask, _curve),
    JobKind("audit", "Audit", AuditTask, _audit),
    JobKind("downstream", "Answer questions", DownstreamTask, _downstream),
)


def kind_of(task: Task) -> JobKind:
    """The kind of job that is asked this."""
    return next(kind for kind in KINDS.values() if kind.task is type(task))
