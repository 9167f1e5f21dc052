"""Hybrids of the workspace as folders, and folders as hybrids of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from core import wire
from core.corpus import whole_characters
from core.errors import HybridError
from core.hybrid import Making, read_spec, ship
from core.hybrid.card import model_card
from core.hybrid.folder import without_place
from core.hybrid.patched import parsed
from core.scoring import program_of
from core.settings import TRUST_AND_STRANGERS, trusts_programs
from core.store.hybrids import add_hybrid, hybrid_id
from core.store.workspace import Workspace
from core.types import (
    COUNTS,
    FIGURES,
    HeadId,
    HybridProgram,
    HybridSpec,
    MadeHybrid,
    ModelInfo,
    is_plain,
)

_SHOWN = (*FIGURES[2:], *FIGURES[:2])  # what was asked for first, perplexities last


def export_hybrid(workspace: Workspace, info: ModelInfo, hybrid: str, folder: Path) -> int:
    """Write a hybrid with its figures and the curve of its programs; how many heads it replaces.

    Raises HybridError if there is no such hybrid or the folder holds something else.
    """
    spec = workspace.hybrids.spec(hybrid)
    if spec is None:
        raise HybridError(f"the workspace holds no hybrid {hybrid}")
    rows = workspace.hybrids.frame(info.id)
    made = workspace.hybrids.made(hybrid)
    assert made is not None
    parents = _parents(made)
    ship(
        folder,
        info,
        spec,
        _figures(rows[rows.hybrid_id == hybrid].iloc[0]),
        _curve(
            workspace,
            info,
            {head: parents.get(head, program_of(source).id) for head, source in spec.programs},
        ),
        workspace.hybrids.weights(info.id),
        Making(made.order, made.budget, made.calibration, parents, _audited(workspace, info, spec, parents)),
    )
    return len(spec.programs)


def card_of(workspace: Workspace, info: ModelInfo, hybrid: str) -> str:
    """The model card of a hybrid of the workspace, in Markdown."""
    spec, made = workspace.hybrids.spec(hybrid), workspace.hybrids.made(hybrid)
    assert spec is not None
    assert made is not None
    rows = workspace.hybrids.frame(info.id)
    figures, parents = _figures(rows[rows.hybrid_id == hybrid].iloc[0]), _parents(made)
    return model_card(
        without_place(info), spec, figures, None, parents, _audited(workspace, info, spec, parents)
    )


def _parents(made: MadeHybrid) -> dict[HeadId, str]:
    """The program that each head's was fitted from, by head, where that is another."""
    return {
        program.head: program.parent
        for program in made.programs
        if program.parent and program.parent != program_of(program.source).id
    }


def _audited(
    workspace: Workspace, info: ModelInfo, spec: HybridSpec, parents: Mapping[HeadId, str]
) -> dict[HeadId, str]:
    """What audits call each head's program, or the one that it was fitted from, by head."""
    standings = workspace.findings.standings(info.id)
    said: dict[HeadId, str] = {}
    for head, source in spec.programs:
        names = (program_of(source).id, parents.get(head, ""))
        found = next((standings[head, name] for name in names if (head, name) in standings), None)
        if found is not None:
            said[head] = found.rung
    return said


def _curve(workspace: Workspace, info: ModelInfo, programs: Mapping[HeadId, str]) -> dict[str, Any] | None:
    """The model's latest curve, unless it is known to be of other programs than these, by head."""
    curve = workspace.hybrids.curve(info.id)
    if curve is None or not curve.rows:
        return None
    of = curve.programs
    if of is not None and any(of.get(head) != program for head, program in programs.items()):
        return None
    shown: dict[str, Any] = wire.plain(replace(curve, passages_from=Path(curve.passages_from).name))
    del shown["programs"]
    return shown


def _figures(row: pd.Series) -> dict[str, Any]:
    figures: dict[str, Any] = {"title": str(row.title)}
    if pd.notna(row.kl):
        figures["measure"] = str(row.measure)
        figures |= {name: float(row[name]) for name in _SHOWN if pd.notna(row[name])}
        figures |= {name: int(row[name]) for name in COUNTS}
        figures["passages_from"] = Path(row.passages_from).name
    return figures


def import_hybrid(workspace: Workspace, folder: Path) -> tuple[str, int]:
    """Take a shipped hybrid in; its id and how many heads it replaces.

    Its figures stay outside: what it costs here is for this workspace to measure. Raises HybridError if
    the folder is damaged or its model is not in the workspace.
    """
    shipped = read_spec(folder)
    models = workspace.models.all()
    info = next((m for m in models if shipped.fits(m.id, workspace.hybrids.weights(m.id))), None)
    if info is None:
        raise HybridError(
            f"the workspace does not hold the model {shipped.model} ({shipped.spec.model}); "
            "add it with `extract`"
        )
    spec = shipped.spec_of(info.id)
    if trusts_programs() and any(is_plain(source) for _, source in spec.programs):
        raise HybridError(f"{folder}: {TRUST_AND_STRANGERS}")
    parsed(info, spec)
    told = shipped.made
    made = MadeHybrid(
        tuple(
            HybridProgram(head, source, told.parents.get(head, program_of(source).id))
            for head, source in spec.programs
        ),
        whole_characters(str(shipped.figures.get("title", folder.name)))[:200],
        len(spec.programs) / info.head_count,
        told.order,
        told.budget,
        told.calibration,
    )
    with workspace.database.transaction() as cursor:
        add_hybrid(cursor, info.id, made)
    return hybrid_id(spec), len(spec.programs)
