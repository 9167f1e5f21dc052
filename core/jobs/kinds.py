"""The kinds of jobs, and the work of each in the worker's process. Each skips what is already done.

To add a kind: write a function of (folder, workspace, events) below that imports what it needs itself
(transformers and spaCy take longer than a small search) and reads what it was asked from `folder.spec`; add a
line to `KINDS`; give JobRunner a `start_...` method that writes such a spec. If it announces results of a new
sort (`events.result(what, ...)`), add a case for `what` to `intake.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.corpus import require_splits, sentence_from_json
from core.jobs.folder import EventWriter, JobFolder, Json
from core.types import ModelInfo, Sentence

Run = Callable[[JobFolder, Path, EventWriter], None]  # of a job's folder, the workspace's, and its events


@dataclass(frozen=True)
class Kind:
    """A kind of job."""

    name: str
    title: str  # for people
    needs_device: bool  # one such job runs at a time; others run beside it and are handed the API key
    run: Run  # everything a job's spec asks for; what its folder shows as finished is not done again


def _extract(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.extract import annotate_and_extract, load_model, read_corpus

    corpus = read_corpus(folder.spec, events)
    annotate_and_extract(workspace, load_model(folder.spec, events), corpus, events)


def _build(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.extract import annotate_and_extract, load_model, read_corpus

    corpus = read_corpus(folder.spec, events)
    require_splits(corpus.sentences)
    loaded = load_model(folder.spec, events)
    sentences = annotate_and_extract(workspace, loaded, corpus, events)

    from core.jobs.work.search import find_programs

    find_programs(folder, workspace, loaded.info, sentences, events)


def _synthesize(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.search import find_programs

    spec = folder.spec
    find_programs(folder, workspace, ModelInfo(**spec["info"]), _sentences(spec), events)


def _claude(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.llm import propose_programs

    spec = folder.spec
    propose_programs(folder, workspace, ModelInfo(**spec["info"]), _sentences(spec), events)


def _score(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.search import score_programs

    spec = folder.spec
    info = ModelInfo(**spec["info"])
    score_programs(folder, workspace, info, _sentences(spec), spec["programs"], "person", events)


def _hybrid(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.hybrid import measure_hybrid

    measure_hybrid(folder, workspace, _sentences(folder.spec), events)


def _curve(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.curve import measure_curve

    measure_curve(folder, workspace, _sentences(folder.spec), events)


def _downstream(folder: JobFolder, workspace: Path, events: EventWriter) -> None:
    from core.jobs.work.hybrid import measure_downstream

    measure_downstream(folder, workspace, events)


def _sentences(spec: Json) -> list[Sentence]:
    return [sentence_from_json(row) for row in spec["sentences"]]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("build", "Build a workspace", needs_device=True, run=_build),
        Kind("extract", "Extract attention", needs_device=True, run=_extract),
        Kind("synthesize", "Search for programs", needs_device=True, run=_synthesize),
        Kind("claude", "Ask Claude", needs_device=False, run=_claude),
        Kind("score", "Score programs", needs_device=True, run=_score),
        Kind("hybrid", "Build and measure a hybrid", needs_device=True, run=_hybrid),
        Kind("measure", "Measure a hybrid", needs_device=True, run=_hybrid),
        Kind("curve", "Measure a curve", needs_device=True, run=_curve),
        Kind("downstream", "Answer questions", needs_device=True, run=_downstream),
    )
}
