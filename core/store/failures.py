"""Why programs failed on a model's passages, so far as they were scored."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from core.store.database import Database
from core.types import FailedPassages


class FailureTable:
    """What is known of programs' failures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_program(self, model: str, program: str) -> list[FailedPassages]:
        """A program's failures on all passages, the most frequent sort first."""
        rows = self._database.rows(
            "SELECT kind, detail, passages FROM program_failures WHERE model_id = ? AND program_id = ? "
            "ORDER BY passages DESC, kind",
            [model, program],
        )
        return [FailedPassages(program, *row) for row in rows]


def add_failures(cursor: duckdb.DuckDBPyConnection, model: str, failures: Iterable[FailedPassages]) -> None:
    """Remember why programs failed, in place of what was known of each sort."""
    for one in failures:
        cursor.execute(
            "INSERT OR REPLACE INTO program_failures VALUES (?, ?, ?, ?, ?)",
            [model, one.program, one.kind, one.detail, one.passages],
        )
