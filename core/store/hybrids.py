"""Hybrids that were built, and what they cost."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import duckdb
import pandas as pd

from core.store.database import Database
from core.types import Evaluation, HeadId, HybridSpec


class HybridTable:
    """The workspace's hybrids with what was measured of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, model: str) -> pd.DataFrame:
        """Every hybrid of a model, newest first, one row an evaluation; NaN where there is none yet."""
        return self._database.frame(
            "SELECT h.hybrid_id, title, heads, share, made, e.* EXCLUDE (hybrid_id, details, made_at), "
            "coalesce(e.made_at, h.added_at) AS made_at FROM hybrids h LEFT JOIN evaluations e "
            "ON h.hybrid_id = e.hybrid_id WHERE model_id = ? ORDER BY coalesce(e.made_at, h.added_at) DESC",
            [model],
        )

    def spec(self, hybrid: str) -> HybridSpec | None:
        """The heads and programs of a hybrid."""
        rows = self._database.rows("SELECT model_id, programs FROM hybrids WHERE hybrid_id = ?", [hybrid])
        if not rows:
            return None
        model, programs = rows[0]
        return spec_from_json(model, json.loads(programs))

    def made(self, hybrid: str) -> dict[str, Any] | None:
        """A hybrid as `add_hybrid` took it: programs, title, share, and how it was chosen."""
        rows = self._database.rows(
            "SELECT programs, title, share, made FROM hybrids WHERE hybrid_id = ?", [hybrid]
        )
        if not rows:
            return None
        programs, title, share, made = rows[0]
        return {"programs": json.loads(programs), "title": title, "share": share, **json.loads(made)}

    def details(self, hybrid: str, passages_from: str) -> dict[str, Any]:
        """Genres, strict figures and the damage to tokens of an evaluation."""
        rows = self._database.rows(
            "SELECT details FROM evaluations WHERE hybrid_id = ? AND passages_from = ?",
            [hybrid, passages_from],
        )
        found: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
        return found

    def weights(self, model: str) -> str:
        """The fingerprint of a model's weights; empty until a job has loaded it."""
        rows = self._database.rows("SELECT fingerprint FROM model_weights WHERE model_id = ?", [model])
        return str(rows[0][0]) if rows else ""

    def costs(self, model: str) -> dict[tuple[HeadId, str], float]:
        """KL per token of each (head, program id) that was estimated, nats."""
        rows = self._database.rows(
            "SELECT layer, head, program_id, kl FROM head_costs WHERE model_id = ?", [model]
        )
        return {(HeadId(layer, head), program): kl for layer, head, program, kl in rows}

    def agreement(self, model: str, programs: Mapping[HeadId, str]) -> tuple[int, float] | None:
        """Of the estimate of most of these programs: its passages, and their halves' rank correlation."""
        rows = self._database.rows(
            "SELECT layer, head, program_id, passages, agreement FROM head_costs "
            "WHERE model_id = ? AND agreement IS NOT NULL",
            [model],
        )
        found = Counter(
            (int(passages), float(agreement))
            for layer, head, program, passages, agreement in rows
            if programs.get(HeadId(layer, head)) == program
        )
        return found.most_common(1)[0][0] if found else None

    def curve(self, model: str) -> dict[str, Any] | None:
        """The latest curve."""
        rows = self._database.rows(
            "SELECT content FROM curves WHERE model_id = ? ORDER BY curve DESC LIMIT 1", [model]
        )
        found: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
        return found

    def downstream(self, hybrid: str) -> list[dict[str, Any]]:
        """Accuracies on every task that a hybrid was tried on, newest first."""
        rows = self._database.rows(
            "SELECT content FROM downstream WHERE hybrid_id = ? ORDER BY made_at DESC", [hybrid]
        )
        return [json.loads(content) for (content,) in rows]


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


def add_weights(cursor: duckdb.DuckDBPyConnection, model: str, fingerprint: str) -> None:
    """Remember a model's weights; adding them again changes nothing."""
    cursor.execute("INSERT INTO model_weights VALUES (?, ?) ON CONFLICT DO NOTHING", [model, fingerprint])


def add_hybrid(cursor: duckdb.DuckDBPyConnection, model: str, made: dict[str, Any]) -> str:
    """Store a hybrid as a job or a shipped folder describes it, unless it is there; its id."""
    spec = spec_from_json(model, made["programs"])
    told = {name: made.get(name) for name in ("order", "budget", "calibration")}
    cursor.execute(
        "INSERT INTO hybrids (hybrid_id, model_id, title, heads, share, programs, made) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            hybrid_id(spec),
            model,
            made["title"],
            len(spec.programs),
            made["share"],
            json.dumps(made["programs"]),
            json.dumps(told),
        ],
    )
    return hybrid_id(spec)


def add_evaluation(
    cursor: duckdb.DuckDBPyConnection,
    hybrid: str,
    passages_from: str,
    found: Evaluation,
    details: dict[str, Any],
) -> None:
    """Store an evaluation, replacing an older one on the same passages."""
    figures = {name: None if math.isnan(figure) else figure for name, figure in found.figures().items()}
    cursor.execute(
        "INSERT OR REPLACE INTO evaluations (hybrid_id, passages_from, base_ppl, ppl, increase, low, high, "
        "kl, tokens, passages, kept, kl_low, kl_high, details, made_at) "
        "VALUES ($hybrid, $passages_from, $base_ppl, $ppl, $increase, $low, $high, $kl, $tokens, $passages, "
        "$kept, $kl_low, $kl_high, $details, make_timestamp(epoch_us(now())))",
        {"hybrid": hybrid, "passages_from": passages_from, **figures, "details": json.dumps(details)},
    )


def add_costs(cursor: duckdb.DuckDBPyConnection, content: dict[str, Any]) -> None:
    """Store what heads cost, replacing older estimates of the same programs."""
    rows = [
        [
            content["model"],
            row["layer"],
            row["head"],
            row["program"],
            row["kl"],
            content["passages"],
            content.get("agreement"),
        ]
        for row in content["heads"]
    ]
    cursor.executemany("INSERT OR REPLACE INTO head_costs VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def add_curve(cursor: duckdb.DuckDBPyConnection, content: dict[str, Any]) -> None:
    """Store a curve."""
    cursor.execute(
        "INSERT INTO curves (model_id, content) VALUES (?, ?)", [content["model"], json.dumps(content)]
    )


def add_downstream(cursor: duckdb.DuckDBPyConnection, content: dict[str, Any]) -> None:
    """Store a hybrid's accuracy on a task, replacing an older one."""
    cursor.execute(
        "INSERT OR REPLACE INTO downstream (hybrid_id, task, content) VALUES (?, ?, ?)",
        [content["hybrid"], content["task"], json.dumps(content)],
    )
