"""The whole library at a glance: every program, how many heads it fits and which best."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.store.database import Database
from core.types import HeadId

_HEADS_SHOWN = 24  # of a program's heads in a sparkline


class Catalogue:
    """Programs with what their scores on validation say about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def programs(self, model: str, fits: float) -> pd.DataFrame:
        """Every program, the one that fits some head best first.

        Columns: program_id, source, category, summary, lookahead, nodes, origin, parent, added_at, heads
        (how many it fits with an IoU of `fits` or more), best (its highest IoU; NaN if it has no score),
        best_layer and best_head.
        """
        return self._database.frame(
            "SELECT p.program_id, source, category, summary, lookahead, nodes, origin, parent, added_at, "
            "coalesce(f.heads, 0) AS heads, f.best, f.place[1] AS best_layer, f.place[2] AS best_head "
            "FROM programs p LEFT JOIN ("
            "  SELECT program_id, count(*) FILTER (iou >= ?) AS heads, max(iou) AS best, "
            "  arg_min([layer, head], (-iou, layer, head)) AS place "
            "  FROM scores WHERE model_id = ? AND split = 'validation' GROUP BY program_id"
            ") f USING (program_id) ORDER BY best DESC NULLS LAST, nodes, p.program_id",
            [fits, model],
        )

    def best_ious(self, model: str, programs: Sequence[str]) -> dict[str, list[float]]:
        """Each program's IoU on the heads it fits best, the highest first."""
        rows = self._database.rows(
            "SELECT program_id, list(iou ORDER BY iou DESC)[1:?] FROM scores "
            "WHERE model_id = ? AND split = 'validation' AND program_id IN (SELECT unnest(?::TEXT[])) "
            "GROUP BY program_id",
            [_HEADS_SHOWN, model, list(programs)],
        )
        return {str(program): [float(iou) for iou in ious] for program, ious in rows}

    def ious(self, model: str, program: str) -> list[tuple[HeadId, float]]:
        """A program's IoU on every head it was scored on, the best first."""
        rows = self._database.rows(
            "SELECT layer, head, iou FROM scores WHERE model_id = ? AND program_id = ? "
            "AND split = 'validation' ORDER BY iou DESC, layer, head",
            [model, program],
        )
        return [(HeadId(layer, head), float(iou)) for layer, head, iou in rows]
