"""Hybrids that were built, and what they cost."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pandas as pd

from core import wire
from core.store.database import Database
from core.types import (
    FIGURES,
    Calibration,
    CardId,
    Curve,
    Evaluation,
    EvaluationDetails,
    HeadId,
    HybridProgram,
    HybridSpec,
    MadeHybrid,
    TaskAccuracy,
)

_NAME = "coalesce(nullif(name, ''), title)"  # a person's, else the one it was built under


class HybridTable:
    """The workspace's hybrids with what was measured of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, model: str) -> pd.DataFrame:
        """Every hybrid of a model, newest first, one row an evaluation; NaN where there is none yet.

        By the names that people gave them, with their notes and tags, without those they deleted.
        """
        found = self._database.frame(
            f"SELECT h.hybrid_id, {_NAME} AS title, heads, share, made, "
            "e.* EXCLUDE (hybrid_id, details, made_at), coalesce(e.made_at, h.added_at) AS made_at, "
            "coalesce(note, '') AS note, coalesce(tags, []) AS tags "
            "FROM hybrids h LEFT JOIN evaluations e ON h.hybrid_id = e.hybrid_id "
            "LEFT JOIN labels l ON h.hybrid_id = l.subject WHERE model_id = ? AND deleted_at IS NULL "
            "ORDER BY coalesce(e.made_at, h.added_at) DESC",
            [model],
        )
        return found.astype(dict.fromkeys(FIGURES, float))  # a column without any number has no kind

    def deleted(self, model: str) -> dict[str, str]:
        """The names of a model's hybrids that were deleted, by their ids, the latest first."""
        rows = self._database.rows(
            f"SELECT hybrid_id, {_NAME} FROM hybrids JOIN labels ON hybrid_id = subject "
            "WHERE model_id = ? AND deleted_at IS NOT NULL ORDER BY deleted_at DESC, hybrid_id",
            [model],
        )
        return dict(rows)

    def spec(self, hybrid: str) -> HybridSpec | None:
        """The heads and programs of a hybrid."""
        rows = self._database.rows("SELECT model_id, programs FROM hybrids WHERE hybrid_id = ?", [hybrid])
        if not rows:
            return None
        model, programs = rows[0]
        return HybridSpec.of(model, ((program.head, program.source) for program in _programs(programs)))

    def made(self, hybrid: str) -> MadeHybrid | None:
        """A hybrid as `add_hybrid` took it."""
        rows = self._database.rows(
            "SELECT programs, title, share, made FROM hybrids WHERE hybrid_id = ?", [hybrid]
        )
        if not rows:
            return None
        programs, title, share, made = rows[0]
        choice = wire.load(_Choice, made, "the stored choice of a hybrid")
        return MadeHybrid(_programs(programs), title, share, choice.order, choice.budget, choice.calibration)

    def details(self, hybrid: str, passages_from: str) -> EvaluationDetails:
        """Genres, strict figures and the damage to tokens of an evaluation."""
        rows = self._database.rows(
            "SELECT details FROM evaluations WHERE hybrid_id = ? AND passages_from = ?",
            [hybrid, passages_from],
        )
        if not rows:
            return EvaluationDetails()
        return wire.load(EvaluationDetails, rows[0][0], "the stored details of an evaluation")

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

    def curve(self, model: str) -> Curve | None:
        """The latest curve."""
        rows = self._database.rows(
            "SELECT content FROM curves WHERE model_id = ? ORDER BY curve DESC LIMIT 1", [model]
        )
        return wire.load(Curve, rows[0][0], "a stored curve") if rows else None

    def downstream(self, hybrid: str) -> list[TaskAccuracy]:
        """Accuracies on every task that a hybrid was tried on, newest first."""
        rows = self._database.rows(
            "SELECT content FROM downstream WHERE hybrid_id = ? ORDER BY made_at DESC", [hybrid]
        )
        return [wire.load(TaskAccuracy, content, "a stored accuracy") for (content,) in rows]


@dataclass(frozen=True)
class _Choice:
    """How a hybrid was chosen."""

    order: str | None = None
    budget: float | None = None
    calibration: Calibration = None


def _programs(stored: str) -> tuple[HybridProgram, ...]:
    return wire.load(tuple[HybridProgram, ...], stored, "the stored programs of a hybrid")


def hybrid_id(spec: HybridSpec) -> str:
    """Equal specs are one hybrid."""
    return hashlib.sha256(repr(spec).encode()).hexdigest()[:16]


def add_weights(cursor: duckdb.DuckDBPyConnection, model: str, fingerprint: str) -> None:
    """Remember a model's weights; adding them again changes nothing."""
    cursor.execute("INSERT INTO model_weights VALUES (?, ?) ON CONFLICT DO NOTHING", [model, fingerprint])


def add_hybrid(cursor: duckdb.DuckDBPyConnection, model: str, made: MadeHybrid) -> str:
    """Store a hybrid as a job or a shipped folder describes it, unless it is there; its id.

    One that was deleted is there again.
    """
    spec = made.spec(model)
    cursor.execute(
        "INSERT INTO hybrids (hybrid_id, model_id, title, heads, share, programs, made) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            hybrid_id(spec),
            model,
            made.title,
            len(spec.programs),
            made.share,
            wire.dump(made.programs, tuple[HybridProgram, ...]),
            wire.dump(_Choice(made.order, made.budget, made.calibration)),
        ],
    )
    cursor.execute("UPDATE labels SET deleted_at = NULL WHERE subject = ?", [hybrid_id(spec)])
    return hybrid_id(spec)


def add_evaluation(
    cursor: duckdb.DuckDBPyConnection,
    hybrid: str,
    passages_from: str,
    found: Evaluation,
    details: EvaluationDetails,
) -> None:
    """Store an evaluation, replacing an older one on the same passages."""
    figures = {name: None if math.isnan(figure) else figure for name, figure in found.figures().items()}
    cursor.execute(
        "INSERT OR REPLACE INTO evaluations (hybrid_id, passages_from, base_ppl, ppl, increase, low, high, "
        "kl, tokens, passages, kept, kl_low, kl_high, measure, details, made_at) "
        "VALUES ($hybrid, $passages_from, $base_ppl, $ppl, $increase, $low, $high, $kl, $tokens, $passages, "
        "$kept, $kl_low, $kl_high, $measure, $details, make_timestamp(epoch_us(now())))",
        {
            "hybrid": hybrid,
            "passages_from": passages_from,
            "measure": found.measure,
            "details": wire.dump(details),
            **figures,
        },
    )


def add_costs(
    cursor: duckdb.DuckDBPyConnection,
    model: str,
    costs: Mapping[CardId, float],
    passages: int,
    agreement: float | None,
) -> None:
    """Store what heads cost, nats of KL per token, replacing older estimates of the same programs."""
    rows = [
        [model, head.layer, head.head, program, kl, passages, agreement]
        for (head, program), kl in costs.items()
    ]
    cursor.executemany("INSERT OR REPLACE INTO head_costs VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def add_curve(cursor: duckdb.DuckDBPyConnection, curve: Curve) -> None:
    """Store a curve."""
    cursor.execute("INSERT INTO curves (model_id, content) VALUES (?, ?)", [curve.model, wire.dump(curve)])


def add_downstream(cursor: duckdb.DuckDBPyConnection, accuracy: TaskAccuracy) -> None:
    """Store a hybrid's accuracy on a task, replacing an older one."""
    cursor.execute(
        "INSERT OR REPLACE INTO downstream (hybrid_id, task, content) VALUES (?, ?, ?)",
        [accuracy.hybrid, accuracy.task, wire.dump(accuracy)],
    )
