"""The figures of a workspace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.display import (
    CATEGORY_COLOURS,
    COSTS,
    PUBLISHED_INCREASE,
    PUBLISHED_IOU,
    RUNGS,
    VERDICTS,
    capitalised,
    counted,
)
from core.errors import WorkspaceError
from core.review import Circuit, Opinions
from core.scoring import FITS
from core.sharing.circuit import best_circuit
from core.sharing.figures.audits import audit_table, head_figures, of_best, scatter
from core.sharing.figures.costs import CostFigure, HybridCost
from core.sharing.figures.graph import GraphFigure
from core.sharing.figures.lines import CurveFigure, Histogram
from core.sharing.figures.maps import HeadMap
from core.sharing.figures.paper import Drawable
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import Action, HeadId, MapColour, ModelInfo, Split

Subject = Literal[
    "map", "histogram", "circuit", "curve", "table", "hybrids", "costs", "library", "audits", "points"
]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)
_OF_TEST = "Best programs, chosen on validation, on test passages, which chose nothing"
_SIGNED = (-0.5, 0.5)
Values = tuple[str, Sequence[float | str]]


def of_workspace(
    workspace: Workspace,
    model: ModelInfo,
    subject: Subject,
    colour: MapColour = "iou",
    lit: HeadId | None = None,
    axes: tuple[str, str] = ("IoU", "output error"),
) -> Drawable:
    """A figure of a model; raises WorkspaceError where there is nothing to draw.

    `axes` are the two figures of audits that points are drawn at, across and up.
    """
    match subject:
        case "map":
            return head_map(workspace, model, colour)
        case "histogram":
            return histogram(workspace, model)
        case "circuit":
            return graph(model, best_circuit(workspace, model), lit)
        case "curve":
            return curve(workspace, model)
        case "table":
            return head_table(workspace, model)
        case "hybrids":
            return hybrid_table(workspace, model)
        case "costs":
            return hybrid_costs(workspace, model)
        case "library":
            return library_table(model, workspace.catalogue.programs(model.id, FITS))
        case "audits":
            return audit_table(model, *of_best(workspace, model))
        case "points":
            found, standings = of_best(workspace, model)
            return scatter(model, head_figures(workspace, model, found), standings, *axes)


def head_map(workspace: Workspace, model: ModelInfo, colour: MapColour) -> HeadMap:
    """Every head by a figure or a kind of its best program."""
    frame = _best(workspace, model)
    what, values = _VALUES[colour](workspace, model, frame)
    known: dict[HeadId, float | str] = {
        head: value
        for head, value in zip(_heads(frame), values, strict=True)
        if isinstance(value, str) or not math.isnan(value)
    }
    if not known:
        raise WorkspaceError(f"{what} of {model.title} is not known yet; run `audit` first")
    colours: Mapping[str, Mapping[str, str]] = {
        "category": CATEGORY_COLOURS, "verdict": VERDICTS, "audits": RUNGS,
    }  # fmt: skip
    is_signed = colour in ("lift", "twin")
    return HeadMap(
        model.title, what, model.layers, model.heads, known, f"{_OF_TEST}.",
        _SIGNED if is_signed else (0.0, 1.0), dict(colours.get(colour, {})),
    )  # fmt: skip


def histogram(workspace: Workspace, model: ModelInfo) -> Histogram:
    """How the heads' best IoU is distributed, beside published means of other models."""
    values = [float(one) for one in _best(workspace, model).iou]
    caption = f"{_OF_TEST}. Dotted: published means, picked and reported on the same sentences."
    return Histogram(model.title, "IoU, test", "heads", values, caption, PUBLISHED_IOU)


def graph(model: ModelInfo, found: Circuit, lit: HeadId | None = None) -> GraphFigure:
    """Which programs look at which heads; raises WorkspaceError where none does."""
    if not found.edges:
        raise WorkspaceError(f"no program of {model.title} looks at another head")
    which = f"of and to {lit}" if lit else f"{counted(len(found.edges), 'arrow')}"
    caption = f"Arrows go from the head that is looked at to the head whose program looks: {which}."
    return GraphFigure(f"{model.title}: circuit", model.layers, model.heads, found, caption, lit)


def curve(workspace: Workspace, model: ModelInfo) -> CurveFigure:
    """The latest curve; raises WorkspaceError where there is none."""
    found = workspace.hybrids.curve(model.id)
    if found is None or not found.rows:
        raise WorkspaceError(f"{model.title} has no curve yet; run `curve`")
    caption = (
        f"{found.passages} passages, {found.tokens:,} tokens; 95 % intervals over passages. "
        "Dashed: controls in the place of the same heads. Logarithmic above 0.1."
    )
    return CurveFigure(f"{model.title}: {found.title}", found.rows, caption, found.measure)


def head_table(workspace: Workspace, model: ModelInfo) -> TableFigure:
    """Every head's best program, the best first."""
    frame = _best(workspace, model).sort_values(["iou", "layer", "head"], ascending=[False, True, True])
    rows = [
        (str(HeadId(int(row.layer), int(row["head"]))), float(row.iou), _known(row.resolved), float(row.lift),
         str(row.category), str(row.summary))
        for _, row in frame.iterrows()
    ]  # fmt: skip
    columns = ("head", "IoU", "resolved", "lift", "category", "program")
    return TableFigure(f"{model.title}: programs", columns, rows, f"{_OF_TEST}.")


def hybrid_table(workspace: Workspace, model: ModelInfo) -> TableFigure:
    """Every measured hybrid; raises WorkspaceError where there is none."""
    frame = _measured(workspace, model)
    words = COSTS[str(frame.iloc[0].measure)]
    rows = [
        (str(row["title"]), int(row["heads"]), float(row["share"]), _known(row["increase"]),
         _known(row["low"]), _known(row["high"]), float(row["kl"]), int(row["tokens"]))
        for row in frame.to_dict("records")
    ]  # fmt: skip
    columns = ("hybrid", "heads", "share", "increase", "low", "high", words.short, "tokens")
    caption = f"{capitalised(words.distance)} in {words.unit}; increase of perplexity with its 95 % interval."
    return TableFigure(f"{model.title}: hybrids", columns, rows, caption)


def hybrid_costs(workspace: Workspace, model: ModelInfo) -> CostFigure:
    """Every measured hybrid against its share of heads, beside published costs where the measure is theirs.

    Raises WorkspaceError where there is none.
    """
    frame = _measured(workspace, model)
    measure = str(frame.iloc[0].measure)
    words = COSTS[measure]
    what = ("increase", "low", "high") if words.perplexity else ("kl", "kl_low", "kl_high")
    costs = [
        HybridCost(str(row["title"]), float(row["share"]), *(float(row[name]) for name in what))
        for row in frame.to_dict("records")
    ]
    is_published = measure == "next tokens"
    caption = "Bars: 95 % intervals over passages." + (" Named: published increases." if is_published else "")
    return CostFigure(
        f"{model.title}: hybrids", f"{words.perplexity} increase" if words.perplexity else words.distance,
        costs, caption, bool(words.perplexity), PUBLISHED_INCREASE if is_published else None,
    )  # fmt: skip


def library_table(model: ModelInfo, programs: pd.DataFrame) -> TableFigure:
    """Rows of `Catalogue.programs`, in their order."""
    heads = [
        "" if math.isnan(layer) else str(HeadId(int(layer), int(head)))
        for layer, head in zip(programs.best_layer, programs.best_head, strict=True)
    ]
    table = programs.assign(best_head=heads)[
        ["summary", "best", "best_head", "heads", "category", "origin", "nodes"]
    ].rename(columns={"summary": "program", "best": "IoU", "best_head": "on head", "heads": "fits"})
    caption = f"IoU on validation passages; fits: heads with an IoU of {FITS} or more."
    return TableFigure.of(f"{model.title}: library", table, caption)


def program_map(model: ModelInfo, title: str, summary: str, ious: Sequence[tuple[HeadId, float]]) -> HeadMap:
    """One program on every head that it was scored on."""
    return HeadMap(
        title,
        "IoU, validation",
        model.layers,
        model.heads,
        dict(ious),
        f"One program on every head: {summary}",
    )


def _measured(workspace: Workspace, model: ModelInfo) -> pd.DataFrame:
    frame = workspace.hybrids.frame(model.id)
    frame = frame[frame.kl.notna()]
    if frame.empty:
        raise WorkspaceError(f"{model.title} has no measured hybrid yet; run `hybrid`")
    return frame


def _best(workspace: Workspace, model: ModelInfo) -> pd.DataFrame:
    frame = workspace.library.best_frame(model.id, Split.TEST)
    if frame.empty:
        raise WorkspaceError(f"no head of {model.title} has a program yet; run `synthesize` first")
    return frame


def _heads(frame: pd.DataFrame) -> list[HeadId]:
    return [HeadId(int(layer), int(head)) for layer, head in zip(frame["layer"], frame["head"], strict=True)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _numbers(column: str, what: str) -> Callable[[Workspace, ModelInfo, pd.DataFrame], Values]:
    return lambda workspace, model, frame: (what, [float(one) for one in frame[column]])


def _over_twin(workspace: Workspace, model: ModelInfo, frame: pd.DataFrame) -> Values:
    twins = workspace.findings.twins(model.id)
    over = frame.validation - np.array([twins.get(head, math.nan) for head in _heads(frame)])
    return "IoU over the twin, validation", [float(one) for one in over]


def _verdicts(workspace: Workspace, model: ModelInfo, frame: pd.DataFrame) -> Values:
    decided = workspace.verdicts.decided(model.id)
    disputed = Opinions(workspace.verdicts.opinions(model.id)).disputed
    words = {Action.ACCEPT: "accepted", Action.REJECT: "rejected"}
    return "verdict", [
        "undecided" if head not in decided
        else "disputed" if (head, decided[head].program) in disputed
        else words[decided[head].action]
        for head in _heads(frame)
    ]  # fmt: skip


def _rungs(workspace: Workspace, model: ModelInfo, frame: pd.DataFrame) -> Values:
    standings = workspace.findings.standings(model.id)
    cards = zip(_heads(frame), frame.program_id.map(str), strict=True)
    return "audits say", [
        standings[card].rung if card in standings else "not audited" for card in cards
    ]  # fmt: skip


def _categories(workspace: Workspace, model: ModelInfo, frame: pd.DataFrame) -> Values:
    return "category", [str(one) for one in frame.category]


_VALUES: Mapping[MapColour, Callable[[Workspace, ModelInfo, pd.DataFrame], Values]] = {
    "iou": _numbers("iou", "IoU, test"),
    "resolved": _numbers("resolved", "resolved IoU, test"),
    "lift": _numbers("lift", "lift, test"),
    "twin": _over_twin,
    "category": _categories,
    "verdict": _verdicts,
    "audits": _rungs,
}
