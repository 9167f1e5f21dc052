"""What jobs did for heads: their best IoU on validation before and after, result by result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from core.store.database import Database
from core.types import HeadId

Fits = dict[HeadId, float]  # best IoU on validation

_BEST = (
    "SELECT layer, head, max(iou) FROM scores JOIN programs USING (program_id) "
    "WHERE model_id = ? AND split = 'validation' AND layer IN (SELECT unnest(?)) AND origin LIKE ? "
    "GROUP BY layer, head"
)


@dataclass(frozen=True)
class HeadGain:
    """What one result of a job did for one head: best IoU on validation before and after."""

    head: HeadId
    seconds: float  # of work until then
    before: float
    after: float


@dataclass(frozen=True)
class JobYield:
    """What a job did for the heads it found something for."""

    heads: int
    before: float  # means over these heads
    after: float
    gained: float  # sum over these heads of what their best IoU on validation grew by


class Gains:
    """How far each job brought the heads it worked on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_job(self, job: str) -> list[HeadGain]:
        """One for each result and head, in order."""
        rows = self._database.rows(
            "SELECT layer, head, seconds, before, after FROM job_heads WHERE job_id = ? "
            "ORDER BY event, layer, head",
            [job],
        )
        return [HeadGain(HeadId(layer, head), *rest) for layer, head, *rest in rows]

    def by_job(self, model: str) -> dict[str, JobYield]:
        """The yield of every job that found something for this model, by job id."""
        rows = self._database.rows(
            "SELECT job_id, count(*), avg(before), avg(after), sum(after - before) FROM ("
            "  SELECT job_id, layer, head, arg_min(before, event) AS before, arg_max(after, event) AS after"
            "  FROM job_heads GROUP BY job_id, layer, head"
            ") JOIN jobs USING (job_id) WHERE model_id = ? GROUP BY job_id",
            [model],
        )
        return {job: JobYield(*rest) for job, *rest in rows}


def best_fits(cursor: duckdb.DuckDBPyConnection, model: str, layers: Iterable[int]) -> Fits:
    """The best IoU on validation of every head of these layers that has one."""
    return _fits(cursor, model, layers, "%")


def add_gains(
    cursor: duckdb.DuckDBPyConnection, job: str, event: int, model: str, heads: Sequence[HeadId], before: Fits
) -> None:
    """Remember what an event's scores, already added, did for these heads.

    A head that had no score before is compared with its best baseline.
    """
    layers = {head.layer for head in heads}
    after, baseline = _fits(cursor, model, layers, "%"), _fits(cursor, model, layers, "baseline")
    for head in heads:
        if head in after:
            start = before.get(head, baseline.get(head, 0.0))
            cursor.execute(
                "INSERT INTO job_heads SELECT job_id, ?, ?, ?, worked, ?, ? FROM jobs WHERE job_id = ?",
                [head.layer, head.head, event, start, after[head], job],
            )


def _fits(cursor: duckdb.DuckDBPyConnection, model: str, layers: Iterable[int], origin: str) -> Fits:
    rows = cursor.execute(_BEST, [model, list(layers), origin]).fetchall()
    return {HeadId(layer, head): iou for layer, head, iou in rows}
