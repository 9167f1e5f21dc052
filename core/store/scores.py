"""Scores: as a Parquet file that a worker writes, and as rows of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.files import replacing
from core.types import Estimate, HeadId, Score, Split

_SCHEMA = pa.schema(
    [
        ("program_id", pa.string()),
        ("layer", pa.int32()),
        ("head", pa.int32()),
        ("split", pa.string()),
        ("iou", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("js_distance", pa.float64()),  # nan where it was not measured
        ("sentences", pa.int32()),
        ("failures", pa.int32()),
    ]
)
_SAME = (
    "s.model_id = n.model_id AND s.program_id = n.program_id AND s.layer = n.layer "
    "AND s.head = n.head AND s.split = n.split"
)


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """A file of scores that is whole or absent."""
    with replacing(path) as scratch:
        pq.write_table(_table(scores), scratch, compression="zstd")


def read_scores(cursor: duckdb.DuckDBPyConnection, model: str, path: Path) -> None:
    """Take a file of scores in, as `add_scores` does. Raises OSError or ArrowException if it is damaged."""
    _take_in(cursor, model, pq.read_table(path, schema=_SCHEMA))


def scores_in(path: Path) -> list[Score]:
    """The scores of a file. Raises OSError or ArrowException if it is damaged."""
    return [
        Score(
            program=row["program_id"],
            head=HeadId(row["layer"], row["head"]),
            split=Split(row["split"]),
            iou=Estimate(row["iou"], row["low"], row["high"]),
            js_distance=row["js_distance"],
            sentences=row["sentences"],
            failures=row["failures"],
        )
        for row in pq.read_table(path, schema=_SCHEMA).to_pylist()
    ]


def add_scores(cursor: duckdb.DuckDBPyConnection, model: str, scores: Sequence[Score]) -> None:
    """Store scores, replacing older ones; a JS distance that was not measured again stays."""
    if scores:
        _take_in(cursor, model, _table(scores))


def _table(scores: Sequence[Score]) -> pa.Table:
    columns = [
        [score.program for score in scores],
        [score.head.layer for score in scores],
        [score.head.head for score in scores],
        [str(score.split) for score in scores],
        [score.iou.value for score in scores],
        [score.iou.low for score in scores],
        [score.iou.high for score in scores],
        [score.js_distance for score in scores],
        [score.sentences for score in scores],
        [score.failures for score in scores],
    ]
    return pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), _SCHEMA)


def _take_in(cursor: duckdb.DuckDBPyConnection, model: str, scores: pa.Table) -> None:
    cursor.register("new_scores", scores)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE taken_in AS SELECT n.* REPLACE "
        "(CASE WHEN isnan(n.js_distance) THEN s.js_distance ELSE n.js_distance END AS js_distance) "
        f"FROM (SELECT ? AS model_id, * FROM new_scores) n LEFT JOIN scores s ON {_SAME}",
        [model],
    )
    cursor.execute(f"DELETE FROM scores s USING taken_in n WHERE {_SAME}")
    cursor.execute("INSERT INTO scores BY NAME SELECT * FROM taken_in")
    cursor.execute("DROP TABLE taken_in")
    cursor.unregister("new_scores")
