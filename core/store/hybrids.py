"""Hybrids that were built, and what they cost."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple

import duckdb
import pandas as pd

from core.store.database import Database
from core.types import Evaluation, HeadId, HybridSpec


class HybridTable:
    """The workspace's hybrids with their evaluations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, model: str) -> pd.DataFrame:
        """Every evaluated hybrid of a model, newest first, one row an evaluation."""
        return self._database.frame(
            "SELECT h.hybrid_id, title, heads, share, e.* EXCLUDE (hybrid_id) "
            "FROM hybrids h JOIN evaluations e USING (hybrid_id) WHERE model_id = ? ORDER BY e.made_at DESC",
            [model],
        )

    def spec(self, hybrid: str) -> HybridSpec | None:
        """The heads and programs of a hybrid."""
        rows = self._database.rows("SELECT model_id, programs FROM hybrids WHERE hybrid_id = ?", [hybrid])
        if not rows:
            return None
        model, programs = rows[0]
        return spec_from_json(model, json.loads(programs))


def hybrid_id(spec: HybridSpec) -> str:
    """Equal specs are one hybrid."""
    return hashlib.sha256(repr(spec).encode()).hexdigest()[:16]


def spec_to_json(spec: HybridSpec) -> list[dict[str, object]]:
    """The programs of a spec as plain objects."""
    return [{"layer": h.layer, "head": h.head, "source": source} for h, source in spec.programs]


def spec_from_json(model: str, programs: list[dict[str, object]]) -> HybridSpec:
    """The spec that `spec_to_json` wrote."""
    return HybridSpec.of(
        model, ((HeadId(int(str(p["layer"])), int(str(p["head"]))), str(p["source"])) for p in programs)
    )


def add_evaluation(
    cursor: duckdb.DuckDBPyConnection,
    spec: HybridSpec,
    title: str,
    share: float,
    passages_from: str,
    found: Evaluation,
) -> None:
    """Store a hybrid and its evaluation, replacing an older evaluation on the same passages."""
    name = hybrid_id(spec)
    cursor.execute(
        "INSERT INTO hybrids (hybrid_id, model_id, title, heads, share, programs) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [name, spec.model, title, len(spec.programs), share, json.dumps(spec_to_json(spec))],
    )
    cursor.execute(
        "INSERT OR REPLACE INTO evaluations "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamp(epoch_us(now())))",
        [name, passages_from, *astuple(found)],
    )
