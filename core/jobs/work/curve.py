"""Perplexity against the share of heads replaced, for each order, with controls on the same heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.audit.control_patterns import controls
from core.features import Features
from core.hybrid import require_patchable
from core.hybrid.perplexity import Losses, Variant, evaluation, kl_beyond, measure
from core.hybrid.predicted import predictable
from core.jobs.folder import Job
from core.jobs.shares import curve_counts
from core.jobs.tasks import CurveTask
from core.jobs.work.candidates import chooser_of
from core.jobs.work.extract import load_model
from core.jobs.work.hybrid import features_of
from core.models.device import Halving
from core.store.passages import read_passages
from core.types import Curve, CurvePoint, Split


@dataclass(frozen=True)
class _Point:
    """A variant of the curve: where it stands."""

    order: str
    is_control: bool
    count: int
    variant: Variant


def measure_curve(job: Job[CurveTask]) -> None:
    """Orders and shares as the task names them; controls replace the heads of the first order."""
    task, events, workspace = job.task, job.events, job.place.workspace
    loaded = load_model(job, task.info.name, task.info.id)
    require_patchable(loaded)
    passages, others = (read_passages(workspace, name) for name in (task.measured_on, task.chosen_on))
    features = features_of(workspace, loaded, passages, events)
    predictable(loaded, features)  # refuses passages that are too short before any work

    def features_of_split(split: Split) -> Features:
        return features_of(workspace, loaded, [p for p in others if p.split == split], events)

    chooser = chooser_of(job, task.candidates, loaded, features_of_split(Split.VALIDATION), task.seed)
    total = loaded.info.head_count
    counts = curve_counts(task.shares, total, len(chooser.programs))
    ordered = {order: chooser.order(order, counts[-1]) for order in task.orders}
    points = [
        _Point(order, False, count, Variant(chooser.source, frozenset(heads[:count])))
        for order, heads in ordered.items()
        for count in counts
    ]
    if task.controls:
        first = ordered[task.orders[0]]
        named = controls(loaded, first, features_of_split(Split.TRAIN), task.seed, chooser.programs)
        points += [
            _Point(name, True, count, Variant(source, frozenset(first[:count])))
            for name, source in named.items()
            for count in counts
        ]

    def tell(done: int, total: int) -> None:
        events.progress(f"measuring {len(points)} hybrids", done, total)

    losses = measure(loaded, [p.variant for p in points], features, tell, Halving(events.note))
    rows = tuple(_row(losses, at, point, counts, total) for at, point in enumerate(points))
    programs = {head: program.id for head, program in sorted(chooser.programs.items())}
    curve = Curve(
        loaded.info.id,
        task.title,
        task.passages_from,
        len(features),
        len(losses.rows),
        rows,
        programs,
        losses.measure,
    )
    events.result("curve", curve)


def _row(losses: Losses, at: int, point: _Point, counts: Sequence[int], total: int) -> CurvePoint:
    measured = evaluation(losses, at)
    # Beside the programs on the same heads, which come first.
    beyond = kl_beyond(losses, at, counts.index(point.count)) if point.is_control else None
    return CurvePoint(
        point.order,
        point.is_control,
        point.count,
        point.count / total,
        measured.increase.value,
        measured.increase.low,
        measured.increase.high,
        measured.kl.value,
        measured.kept,
        None if beyond is None else (beyond.low, beyond.high),
    )
