"""What a workspace holds of a model, as pandas frames; the API's answers are made of the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from core.audit import Standing
from core.store import StoredFinding, Workspace
from core.types import CardId, HeadId, ModelInfo, Sentence, Verdict

VERDICTS = ("layer", "head", "program_id", "action", "reviewer", "reason", "note", "made_at")
FIGURES = ("layer", "head", "program_id", "audit", "verdict", "figure", "value", "low", "high", "unit")
STANDINGS = (
    "layer", "head", "program_id", "rung", "why", "fails", "iou", "twin_iou", "off_sink", "output_error",
    "foresight", "promise", "given",
)  # fmt: skip


def models(workspace: Workspace) -> pd.DataFrame:
    """Every model, the latest first."""
    rows = [
        (one.id, one.title, one.name, one.architecture, one.layers, one.heads, one.is_causal, one.parameters)
        for one in workspace.models.all()
    ]
    columns = ["model_id", "title", "name", "architecture", "layers", "heads", "is_causal", "parameters"]
    return pd.DataFrame(rows, columns=columns)


def sentences(found: Iterable[Sentence]) -> pd.DataFrame:
    """Passages: sentence_id, text, genre, split."""
    rows = [(one.id, one.text, one.genre, str(one.split)) for one in found]
    return pd.DataFrame(rows, columns=["sentence_id", "text", "genre", "split"])


def verdicts(found: Iterable[Verdict]) -> pd.DataFrame:
    """Decisions; columns VERDICTS."""
    rows = [
        (*_place((one.head, one.program)), str(one.action), one.reviewer, one.reason, one.note, one.at)
        for one in found
    ]
    return pd.DataFrame(rows, columns=list(VERDICTS))


def standings(workspace: Workspace, model: ModelInfo, resolved: bool = False) -> pd.DataFrame:
    """Where each audited program stands on the ladder, with its figures; columns STANDINGS.

    Given the heads that it looks at, or `resolved`, with their programs in their place.
    """
    chains = workspace.library.best_chains(model.id) if resolved else None
    found = workspace.findings.standings(model.id, chains)
    return pd.DataFrame([_standing(card, one) for card, one in found.items()], columns=list(STANDINGS))


def figures(found: Iterable[StoredFinding]) -> pd.DataFrame:
    """Every figure of audits of programs, a row each; columns FIGURES."""
    rows = [
        (
            *_place(stored.subject), stored.audit, stored.finding.verdict, figure.name,
            figure.estimate.value, figure.estimate.low, figure.estimate.high, figure.unit,
        )
        for stored in found
        if not isinstance(stored.subject, str)
        for figure in stored.finding.figures
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(FIGURES))


def _standing(card: CardId, standing: Standing) -> dict[str, object]:
    layer, head, program = _place(card)
    told = {**asdict(standing), "fails": ", ".join(standing.fails)}
    return {"layer": layer, "head": head, "program_id": program, **told}


def _place(card: tuple[HeadId, str]) -> tuple[int, int, str]:
    head, program = card
    return head.layer, head.head, program


def plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    """A frame's rows as plain values; what is not known is None."""
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return None if value is pd.NaT else value
