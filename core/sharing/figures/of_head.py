"""The figures of one head beside its maps: its programs, how one fits each passage, what audits found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from core.sharing.figures.audits import finding_figures
from core.sharing.figures.lines import Histogram
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import HeadId, ModelInfo


def program_table(workspace: Workspace, model: ModelInfo, head: HeadId) -> TableFigure:
    """Every program that was scored on a head, the best on validation first."""
    scores = workspace.library.head_scores(model.id, head)
    scores = scores.assign(lift=scores.test - scores[scores.origin == "baseline"].test.max())
    columns = ["summary", "test", "low", "high", "lift", "validation", "category", "origin"]
    shown = scores[columns].rename(columns={"summary": "program", "test": "IoU"})
    caption = "Best on validation first; IoU and its 95 % interval on test passages."
    return TableFigure.of(f"{model.title} {head}: programs", shown, caption)


def passage_histogram(title: str, ious: Sequence[float], which: str) -> Histogram:
    """How the IoU of a program is distributed over passages; `which` says over which these are."""
    return Histogram(title, "IoU of a passage", "passages", list(ious), f"{which}.")


def audit_figures(
    workspace: Workspace, model: ModelInfo, head: HeadId, program: str
) -> dict[str, Callable[[], Drawable]]:
    """What audits found of a program on a head, as `finding_figures`."""
    stored = workspace.findings.of_program(model.id, head, program)
    return finding_figures(f"{model.title} {head}", {one.audit: one.finding for one in stored})


def beside_maps(
    workspace: Workspace, model: ModelInfo, head: HeadId, program: str
) -> dict[str, Callable[[], Drawable]]:
    """By what they show: the head's programs, and what audits found of one."""
    programs = partial(program_table, workspace, model, head)
    return {"programs": programs, **audit_figures(workspace, model, head, program)}
