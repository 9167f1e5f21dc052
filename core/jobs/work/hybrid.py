"""From programs to a hybrid and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.audit.damage import token_damage
from core.audit.lookahead import losses_without_lookahead
from core.audit.questions import QuestionLimits, accuracies
from core.features import Features, annotate
from core.hybrid import ProgramPatterns, parsed, require_patchable
from core.hybrid.perplexity import Variant, evaluation, measure
from core.hybrid.predicted import predictable
from core.jobs.folder import EventWriter, Job
from core.jobs.results import HybridMeasured
from core.jobs.tasks import DownstreamTask, HybridTask, MeasureTask, Task
from core.jobs.work.calibrate import TRAIN_PASSAGES, as_they_are, calibrated, calibrated_within
from core.jobs.work.candidates import chooser_of
from core.jobs.work.extract import load_model, note_shortcomings
from core.language import ParsedProgram
from core.models.device import Halving
from core.models.pretrained import LoadedModel
from core.store.loaded import reading_as_stored
from core.store.passages import read_passages
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder
from core.types import (
    EvaluationDetails,
    HeadId,
    HybridProgram,
    HybridSpec,
    MadeHybrid,
    ModelInfo,
    Sentence,
    Split,
    StrictCost,
    TaskAccuracy,
    Told,
)


def build_hybrid(job: Job[HybridTask]) -> None:
    """Choose heads, calibrate if that was asked for, and measure perplexity and KL on passages."""
    task = job.task
    measured = _Measured.on(job, task.info, task.measured_on)
    if "hybrid.json" in job.folder.finished():
        made = job.folder.result("hybrid", "hybrid.json")
    else:
        made = _made(job, measured.loaded)
        job.events.result("hybrid", made)
    _measure(job, measured, made, task.passages_from, task.request.strict)


def measure_again(job: Job[MeasureTask]) -> None:
    """Measure perplexity and KL of a hybrid as it is."""
    task = job.task
    measured = _Measured.on(job, task.info, task.measured_on)
    _measure(job, measured, task.given, task.passages_from, task.strict)


@dataclass(frozen=True)
class _Measured:
    """A model and the passages that a hybrid of it is measured on."""

    loaded: LoadedModel
    passages: list[Sentence]
    features: Features

    @classmethod
    def on(cls, job: Job[Task], info: ModelInfo, passages: str) -> _Measured:
        """Raises HybridError if the model cannot be patched or the passages are too short to predict."""
        loaded = load_model(job, info.name, info.id)
        require_patchable(loaded)
        read = read_passages(job.place.workspace, passages)
        features = features_of(job.place.workspace, loaded, read, job.events)
        predictable(loaded, features)
        return cls(loaded, read, features)


def _measure(
    job: Job[Task], measured: _Measured, made: MadeHybrid, passages_from: str, is_strict: bool
) -> None:
    """Perplexity and KL of a hybrid, by genre and token, as a result."""
    loaded, features, events = measured.loaded, measured.features, job.events
    programs = parsed(loaded.info, made.spec(loaded.info.id))
    source = ProgramPatterns(programs, loaded.info.is_causal, loaded.device)

    def tell(done: int, total: int) -> None:
        events.progress("measuring the hybrid", done, total)

    losses = measure(loaded, [Variant(source, frozenset(source.heads))], features, tell, Halving(events.note))
    genre_of = {passage.id: passage.genre for passage in measured.passages}
    genres = np.array([genre_of[features.sentences[row]] for row in losses.rows])
    details = EvaluationDetails(
        genres={genre: evaluation(losses, tokens=genres == genre) for genre in sorted(set(genres.tolist()))},
        strict=_strict(measured, programs, events) if is_strict else None,
        damage=tuple(token_damage(losses, features)) if loaded.info.is_causal else (),
    )
    result = HybridMeasured(loaded.info.id, made, passages_from, evaluation(losses), details)
    events.result("evaluation", result)


def _made(job: Job[HybridTask], loaded: LoadedModel) -> MadeHybrid:
    """The hybrid: its programs, and how they were chosen."""
    events, request, workspace = job.events, job.task.request, job.place.workspace
    known = read_passages(workspace, job.task.chosen_on)
    validation = [passage for passage in known if passage.split == Split.VALIDATION]
    chooser = chooser_of(
        job, job.task.candidates, loaded, features_of(workspace, loaded, validation, events), request.seed
    )
    count = request.count
    heads = chooser.order(request.order, len(chooser.programs) if count is None else count)
    if count is None:
        assert request.budget is not None
        count = chooser.within(request.budget, heads)
    chosen, history = as_they_are(chooser, heads[:count]), None
    if request.calibrate:
        fitted_on = [passage for passage in known if passage.split == Split.TRAIN]
        fitted_on = fitted_on[: TRAIN_PASSAGES * request.steps]
        train = features_of(workspace, loaded, fitted_on, events)
        fitted = (
            calibrated(chooser, heads[:count], train, request.steps)
            if request.budget is None
            else calibrated_within(chooser, request.budget, heads, count, train, request.steps)
        )
        chosen, history = fitted.spec, fitted.history
    return MadeHybrid(
        tuple(HybridProgram(head, source, chooser.programs[head].id) for head, source in chosen.programs),
        request.title,
        len(chosen.programs) / loaded.info.head_count,
        request.order,
        request.budget,
        history,
    )


def features_of(workspace: Path, loaded: LoadedModel, sentences: list[Sentence], events: Told) -> Features:
    """Token features of these sentences: from the workspace where it holds them all, else read afresh."""
    tokens = TokenStore(attention_folder(workspace, loaded.info.id))
    if {sentence.id for sentence in sentences} <= tokens.sentences():
        return tokens.read([sentence.id for sentence in sentences])
    features = annotate(
        sentences, loaded.tokenizer, loaded.embeddings(), loaded.info.max_length, tokens.pipeline()
    )
    note_shortcomings(features, loaded.info, events)
    return features


def _strict(
    measured: _Measured, programs: Mapping[HeadId, ParsedProgram], events: EventWriter
) -> StrictCost | None:
    """The cost where programs see no further than the query, beside the usual one on the same passages."""
    losses = losses_without_lookahead(measured.loaded, programs, measured.features, measured.passages, events)
    if losses is None:
        return None
    return StrictCost(usual=evaluation(losses, 0), strict=evaluation(losses, 1))


def measure_downstream(job: Job[DownstreamTask]) -> None:
    """How often the model and a hybrid are right: on a PIQA-format file, or on tasks of lm-eval."""
    task, events = job.task, job.events
    loaded = reading_as_stored(job.place.workspace, load_model(job, task.info.name, task.info.id))
    require_patchable(loaded)
    hybrid = HybridSpec.of(loaded.info.id, task.programs)
    limits = QuestionLimits(task.questions, task.tasks, task.limit or 0)
    for name, reached in accuracies(loaded, hybrid, limits, events).items():
        # A file is called as it was asked for: its whole path may be that of a link's target.
        told = TaskAccuracy(
            hybrid=task.hybrid, task=task.title if task.questions else name, **reached.figures()
        )
        events.result(f"downstream-{len(job.folder.finished())}", told)
