"""The figures of runs that find programs: all of a model's, and what one did for its heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from itertools import groupby

import pandas as pd

from core.display import when
from core.proposers import PROPOSERS
from core.sharing.figures.lines import LineFigure
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.store import HeadGain, JobRecord, Label, Workspace
from core.types import HeadId, ModelInfo, Split

_BUILD = "build"  # the kind of job that ends with a search


def runs_of(workspace: Workspace, model: ModelInfo) -> list[JobRecord]:
    """The jobs that find programs for a model, newest first; also those that were deleted."""
    kinds = {_BUILD, *(proposer.job_kind for proposer in PROPOSERS.values())}
    return [job for job in workspace.jobs.all() if job.kind in kinds and job.model == model.id]


def run_table(
    workspace: Workspace,
    model: ModelInfo,
    runs: Sequence[JobRecord],
    title_of: Callable[[JobRecord], str],
) -> pd.DataFrame:
    """A row a run, in their order: its settings and its yield; a run without a name has its title."""
    gains, labels = workspace.gains.by_job(model.id), workspace.labels.all()
    rows = []
    for job in runs:
        found = gains.get(job.id)
        label = labels.get(job.id, Label())
        gained = None if found is None else found.gained
        rows.append(
            {
                "started": when(job.added_at),
                "run": label.name or title_of(job),
                "state": job.state,
                "settings": settings(job),
                "heads": f"{0 if found is None else found.heads} of {len(asked_heads(model, job))}",
                "before": None if found is None else found.before,
                "after": None if found is None else found.after,
                "gained": gained,
                "minutes": job.worked / 60,
                "a minute": _ratio(gained, job.worked / 60),
                "cost": job.cost or None,
                "a dollar": _ratio(gained, job.cost),
                "tags": list(label.tags) or None,
                "note": label.note or None,
            }
        )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def runs_figure(model: ModelInfo, table: pd.DataFrame) -> TableFigure:
    """The rows of `run_table` as a figure."""
    return TableFigure.of(f"{model.title}: runs", table, "IoU on validation passages.")


def run_figures(workspace: Workspace, model: ModelInfo, job: JobRecord) -> dict[str, Callable[[], Drawable]]:
    """By what they show: how the mean IoU of a run's heads climbed, and each of these heads.

    None where it has found no program yet.
    """
    steps = workspace.gains.of_job(job.id)
    if not steps:
        return {}

    def heads() -> TableFigure:
        best = workspace.library.best_frame(model.id, Split.VALIDATION)
        return TableFigure.of(f"{model.title}: a run's heads", run_heads(best, steps), "IoU on validation.")

    return {"climb": partial(climb_figure, model, climb(steps)), "heads": heads}


def climb(steps: Sequence[HeadGain]) -> pd.DataFrame:
    """Mean IoU on validation of the heads of a run, as it went: minutes, heads done, before, after.

    A head counts with what it had until it is done, so that the mean rises with every gain and never falls.
    """
    before: dict[HeadId, float] = {}
    for step in steps:
        before.setdefault(step.head, step.before)
    after, done = dict(before), set()
    rows = []
    for seconds, lot in groupby(steps, lambda step: step.seconds):
        for step in lot:
            after[step.head] = max(step.after, after[step.head])
            done.add(step.head)
        means = [sum(found.values()) / len(found) for found in (before, after)]
        rows.append((seconds / 60, len(done), *means))
    return pd.DataFrame(rows, columns=["minutes", "heads", "before", "after"])


def climb_figure(model: ModelInfo, means: pd.DataFrame) -> LineFigure:
    """The rows of `climb` as a figure."""
    lines = {name: list(zip(means.minutes, means[name], strict=True)) for name in ("before", "after")}
    caption = f"Mean IoU on validation of {int(means.heads.max())} heads, as they were done."
    return LineFigure(f"{model.title}: a run", "minutes", "mean IoU", lines, caption)


def run_heads(best: pd.DataFrame, steps: Sequence[HeadGain]) -> pd.DataFrame:
    """A row a head that a run found something for, the largest gain first.

    head, best program now, before, after. `best` is of `Library.best_frame`.
    """
    rows = best.to_dict("records")
    summaries = {HeadId(int(row["layer"]), int(row["head"])): str(row["summary"]) for row in rows}
    gains: dict[HeadId, tuple[float, float]] = {}
    for step in steps:
        gains[step.head] = (gains.get(step.head, (step.before, 0.0))[0], step.after)
    heads = sorted(gains, key=lambda head: gains[head][0] - gains[head][1])
    return pd.DataFrame(
        {
            "head": [str(head) for head in heads],
            "best program now": [summaries.get(head, "–") for head in heads],
            "before": [gains[head][0] for head in heads],
            "after": [gains[head][1] for head in heads],
        }
    )


def settings(job: JobRecord) -> str:
    """What a run was asked, in words."""
    proposer = next((one for one in PROPOSERS.values() if one.job_kind == job.kind), None)
    limits = job.settings.get("limits", {})
    words = []
    for entry in fields(proposer.limits) if proposer else ():
        value, text = limits.get(entry.name), entry.metadata["told"]
        if text and value is not None and value is not False:
            words.append(text.format(value))
    return " · ".join(words)


def asked_heads(model: ModelInfo, job: JobRecord) -> list[HeadId]:
    """The heads that a job was asked for; all if it names none."""
    names = job.settings.get("heads")
    return model.head_ids() if names is None else [HeadId.parse(name) for name in names]


def _ratio(gained: float | None, spent: float) -> float | None:
    return gained / spent if gained is not None and spent else None
