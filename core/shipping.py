"""Hybrids of the workspace as folders, and folders as hybrids of the workspace."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import HybridError
from core.hybrid import read_spec, ship
from core.hybrid.patched import parsed
from core.store.hybrids import add_hybrid, hybrid_id, spec_to_json
from core.store.workspace import Workspace
from core.types import ModelInfo

_FIGURES = ("increase", "low", "high", "kl", "base_ppl", "ppl")
_COUNTS = ("tokens", "passages", "kept")


def export_hybrid(workspace: Workspace, info: ModelInfo, hybrid: str, folder: Path) -> int:
    """Write a hybrid with its figures and the model's curve; how many heads it replaces.

    Raises HybridError if there is no such hybrid or the folder holds something else.
    """
    spec = workspace.hybrids.spec(hybrid)
    if spec is None:
        raise HybridError(f"the workspace holds no hybrid {hybrid}")
    rows = workspace.hybrids.frame(info.id)
    curve = workspace.hybrids.curve(info.id) or {}
    ship(folder, info, spec, _figures(rows[rows.hybrid_id == hybrid].iloc[0]), curve.get("rows", ()))
    return len(spec.programs)


def _figures(row: pd.Series) -> dict[str, Any]:
    figures: dict[str, Any] = {"title": str(row.title)}
    if pd.notna(row.increase):
        figures |= {name: float(row[name]) for name in _FIGURES}
        figures |= {name: int(row[name]) for name in _COUNTS}
        figures["passages_from"] = str(row.passages_from)
    return figures


def zipped(folder: Path) -> bytes:
    """A folder as a zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, Path(folder.name) / path.relative_to(folder))
    return packed.getvalue()


def import_hybrid(workspace: Workspace, folder: Path) -> tuple[str, int]:
    """Take a shipped hybrid in; its id and how many heads it replaces.

    Its figures stay outside: what it costs here is for this workspace to measure. Raises HybridError if
    the folder is damaged or its model is not in the workspace.
    """
    name, spec, figures = read_spec(folder)
    info = next((model for model in workspace.library.models() if model.id == spec.model), None)
    if info is None:
        raise HybridError(
            f"the workspace does not hold the model {name} ({spec.model}); add it with `extract`"
        )
    parsed(info, spec)
    made = {
        "programs": spec_to_json(spec),
        "title": str(figures.get("title", folder.name))[:200],
        "share": len(spec.programs) / (info.layers * info.heads),
    }
    with workspace.database.transaction() as cursor:
        add_hybrid(cursor, info.id, made)
    return hybrid_id(spec), len(spec.programs)
