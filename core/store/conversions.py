"""Programs of the language found for plain Python, and the best of both kinds side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from core.store.database import Database
from core.types import Conversion, Estimate, HeadId, LibraryBest

# Every head's best by validation among some programs, with its score on test.
_BEST = """
WITH best AS (
    SELECT layer, head, arg_min(program_id, (-iou, nodes, program_id)) AS program_id, max(iou) AS validation
    FROM scores JOIN programs USING (program_id)
    WHERE model_id = $model AND split = 'validation' AND {}
    GROUP BY layer, head
)
SELECT layer, head, program_id, source, validation, t.iou
FROM best JOIN programs USING (program_id)
JOIN (SELECT * FROM scores WHERE model_id = $model AND split = 'test') t USING (layer, head, program_id)
ORDER BY layer, head
"""
# A program that was here before a conversion found it again has no parent, and stays ours.
_OURS = """kind = 'language'
    AND (parent IS NULL OR parent NOT IN (SELECT program_id FROM programs WHERE kind = 'plain'))"""
_THEIRS = "program_id IN (SELECT unnest($programs::TEXT[]))"


class ConversionTable:
    """What conversions found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, model: str, program: str) -> list[Conversion]:
        """The conversions of a plain program, or those that a program came of; the closest first."""
        rows = self._database.rows(
            "SELECT plain_id, program_id, iou, low, high, passages FROM conversions "
            "WHERE model_id = ? AND (plain_id = ? OR program_id = ?) ORDER BY iou DESC, program_id",
            [model, program, program],
        )
        return [
            Conversion(plain, found, Estimate(iou, low, high), passages)
            for plain, found, iou, low, high, passages in rows
        ]

    def best_of_ours(self, model: str) -> dict[HeadId, LibraryBest]:
        """Each head's best program of the language by validation, those converted from others' left out."""
        return self._best(_OURS, {"model": model})

    def best_among(self, model: str, programs: Sequence[str]) -> dict[HeadId, LibraryBest]:
        """Each head's best by validation among these programs."""
        return self._best(_THEIRS, {"model": model, "programs": list(programs)})

    def _best(self, which: str, parameters: dict[str, object]) -> dict[HeadId, LibraryBest]:
        rows = self._database.rows(_BEST.format(which), parameters)
        return {HeadId(layer, head): LibraryBest(*rest) for layer, head, *rest in rows}


def add_conversions(cursor: duckdb.DuckDBPyConnection, model: str, found: Iterable[Conversion]) -> None:
    """Remember what was found; of what was found before, the new figures."""
    for one in found:
        if one.program is not None:
            cursor.execute(
                "INSERT OR REPLACE INTO conversions VALUES (?, ?, ?, ?, ?, ?, ?)",
                [model, one.plain, one.program, one.iou.value, one.iou.low, one.iou.high, one.passages],
            )
