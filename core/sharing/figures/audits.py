"""What audits found, as figures: heads and audits, two figures against each other, one subject's findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

from core.audit import AUDITS, Finding, Standing
from core.audit.words import in_words
from core.display import RUNGS
from core.errors import WorkspaceError
from core.scoring.ranks import rank_correlation
from core.sharing.audit_table import FIGURE_OF, Found, all_figures, heads_by_audits
from core.sharing.figures.paper import Drawable, Row
from core.sharing.figures.points import Point, ScatterFigure
from core.sharing.figures.tables import TableFigure
from core.store import Workspace
from core.types import CardId, ModelInfo

COST = "cost alone, validation"
_ALL = "figures"  # of every audit


def of_best(workspace: Workspace, model: ModelInfo) -> tuple[Found, dict[CardId, Standing]]:
    """What audits found of each head's best program given the heads, and where it stands.

    Raises WorkspaceError where nothing was audited.
    """
    found, known = workspace.findings.of_programs(model.id), workspace.findings.standings(model.id)
    best = [card for card in workspace.library.best_programs(model.id) if card in found]
    if not best:
        raise WorkspaceError(f"no program of {model.title} was audited yet; run `audit`")
    plain = {card: {name: one.finding for name, one in found[card].items()} for card in best}
    return plain, {card: known[card] for card in best if card in known}


def audit_table(model: ModelInfo, found: Found, standings: Mapping[CardId, Standing]) -> TableFigure:
    """A row a head, those that explain first: rung, IoU, and of each audit a figure or its verdict."""
    table = heads_by_audits(found, standings).sort_values(
        ["place", "layer", "head"], ascending=[False, True, True], kind="stable"
    )
    audits = [name for name in dict.fromkeys((*FIGURE_OF, *AUDITS)) if name in table.columns]
    named = {name: AUDITS[name].title.lower() if name in AUDITS else name for name in audits}
    shown = table[["name", "rung", "iou", *audits]].rename(
        columns={"name": "head", "rung": "audits say", "iou": "IoU", **named}
    )
    told = "; ".join(f"{named[name]}: {FIGURE_OF[name]}" for name in audits if name in FIGURE_OF)
    caption = f"Each head's best program, on test passages. {told}."
    return TableFigure.of(f"{model.title}: audits", shown, caption)


def head_figures(workspace: Workspace, model: ModelInfo, found: Found) -> pd.DataFrame:
    """A row a head by its name: every figure of every audit, and what its program alone costs."""
    figures = all_figures(found)
    cost_of = workspace.hybrids.costs(model.id)
    costs = {str(card[0]): cost_of[card] for card in found if card in cost_of}
    return figures.assign(**{COST: pd.Series(costs, dtype=float)}) if costs else figures


def scatter(
    model: ModelInfo,
    figures: pd.DataFrame,
    standings: Mapping[CardId, Standing],
    across: str,
    up: str,
) -> ScatterFigure:
    """Two of `head_figures` against each other; raises WorkspaceError for a name that is none of them."""
    for name in (across, up):
        if name not in figures.columns:
            known = "; ".join(sorted(map(str, figures.columns)))
            raise WorkspaceError(f"audits found no figure {name!r}; there are {known}")
    rungs: dict[str, str] = {str(head): one.rung for (head, _), one in standings.items()}
    points = [
        Point(str(name), rungs.get(str(name), "not audited"), float(x), float(y))
        for name, x, y in zip(figures.index, figures[across], figures[up], strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    rank = rank_correlation({one.name: one.across for one in points}, {one.name: one.up for one in points})
    told = f"Rank correlation over {len(points)} heads: {rank:+.2f}." if math.isfinite(rank) else ""
    caption = f"A point is a head. {told}".strip()
    return ScatterFigure(f"{model.title}: {up} against {across}", across, up, points, RUNGS, caption)


def finding_figures(subject: str, findings: Mapping[str, Finding]) -> dict[str, Callable[[], Drawable]]:
    """The tables of everything that audits found of a program or a hybrid, by what they show.

    First every figure of every audit; then, by the audit's name, the rows of each that has some, such as
    those by genre. None where nothing was found.
    """
    tables: dict[str, Callable[[], Drawable]] = {}
    if findings:
        tables[_ALL] = partial(_all, subject, findings)
    for name, finding in findings.items():
        if finding.rows:
            tables[name] = partial(_rows, subject, name, finding)
    return tables


def _all(subject: str, findings: Mapping[str, Finding]) -> TableFigure:
    rows: list[Row] = [
        (_title(name), finding.verdict, figure.name, _known(figure.estimate.value),
         _known(figure.estimate.low), _known(figure.estimate.high), figure.unit)
        for name, finding in findings.items()
        for figure in finding.figures
    ]  # fmt: skip
    columns = ("audit", "verdict", "figure", "value", "low", "high", "unit")
    return TableFigure(f"{subject}: audits", columns, rows, "On test passages; 95 % intervals over passages.")


def _rows(subject: str, name: str, finding: Finding) -> TableFigure:
    told = "; ".join(f"{figure.name} {in_words(figure)[0]}" for figure in finding.figures)
    given = f" Given {finding.given}." if finding.given else ""
    caption = f"{finding.verdict}. {finding.note}{given}{f' {told}.' if told else ''}"
    return TableFigure(f"{subject}: {_title(name)}", finding.columns, finding.rows, caption)


def _title(name: str) -> str:
    return AUDITS[name].title.lower() if name in AUDITS else name


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
