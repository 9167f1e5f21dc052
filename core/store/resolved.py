"""What programs that look at other heads reach when those are resolved to their own programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from core.language import ParsedProgram
from core.scoring import chains
from core.store.database import Database
from core.types import Estimate, HeadId, Score, Split

Reached = tuple[HeadId, Split]


def add_resolved(
    cursor: duckdb.DuckDBPyConnection, model: str, scores: Sequence[Score], names: Mapping[HeadId, str]
) -> None:
    """Store resolved scores in the place of older ones, with the chains that they were reached with."""
    for score in scores:
        at = [model, score.head.layer, score.head.head, str(score.split)]
        cursor.execute("DELETE FROM resolved WHERE model_id = ? AND layer = ? AND head = ? AND split = ?", at)
        figures = [score.program, score.iou.value, score.iou.low, score.iou.high, score.failures]
        cursor.execute(
            "INSERT INTO resolved (model_id, layer, head, split, program_id, iou, low, high, failures, "
            "chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*at, *figures, names[score.head]],
        )


class ResolvedTable:
    """Resolved scores of the heads' best programs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, model: str, best: Mapping[HeadId, ParsedProgram]) -> dict[Reached, Estimate]:
        """Those that were reached with the programs that are the heads' best now."""
        names = chains(best)
        rows = self._database.rows(
            "SELECT layer, head, split, iou, low, high, chain FROM resolved WHERE model_id = ?", [model]
        )
        return {
            (HeadId(layer, head), Split(split)): Estimate(*figures)
            for layer, head, split, *figures, chain in rows
            if names.get(HeadId(layer, head)) == chain
        }
