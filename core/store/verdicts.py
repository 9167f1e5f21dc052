"""The verdict log: accept, reject, skip, flag and undo, only ever appended."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.store.database import Database
from core.types import Action, HeadId, Verdict

_COLUMNS = "event, layer, head, program_id, action, reviewer, reason, strftime(made_at, '%Y-%m-%dT%H:%M:%SZ')"
_UNDONE = "(SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)"
_LATEST = "is_imported, event DESC"
Pair = tuple[HeadId, str]  # a head and Program.id


class VerdictLog:
    """Reviewers' decisions; the standing ones are views over the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        model: str,
        head: HeadId,
        program: str,
        action: Action,
        reviewer: str,
        reason: str = "",
        note: str = "",
        uid: str | None = None,
    ) -> bool:
        """Append a decision; False if the event `uid` is in the log already, which is then left alone."""
        with self._database.transaction() as cursor:
            if uid is not None and cursor.execute("SELECT 1 FROM verdicts WHERE uid = ?", [uid]).fetchone():
                return False
            _append(cursor, model, (head, program), str(action), reviewer, reason, note, uid=uid)
        return True

    def record_all(
        self, model: str, pairs: Sequence[Pair], action: Action, reviewer: str, reason: str = ""
    ) -> None:
        """Append the same decision on many programs; one undo takes all of them back."""
        batch = uuid.uuid4().hex
        with self._database.transaction() as cursor:
            for pair in pairs:
                _append(cursor, model, pair, str(action), reviewer, reason, batch=batch)

    def undo(self, model: str, reviewer: str) -> list[Verdict]:
        """Take back the reviewer's latest decision that stands, with all that were made at once with it.

        The latest to enter the log, whatever the clock said; imported ones after all that were made here.
        What was taken back, the latest first; empty if there is nothing to undo.
        """
        rows = self._database.rows(
            f"WITH left_over AS (SELECT * FROM verdicts WHERE model_id = $model AND reviewer = $reviewer "
            f"AND action <> 'undo' AND event NOT IN {_UNDONE}), "
            f"latest AS (SELECT event, batch FROM left_over ORDER BY {_LATEST} LIMIT 1) "
            f"SELECT {_COLUMNS} FROM left_over WHERE event IN (SELECT event FROM latest) "
            "OR batch IN (SELECT batch FROM latest) ORDER BY event DESC",
            {"model": model, "reviewer": reviewer},
        )
        taken_back = [_verdict(row) for row in rows]
        with self._database.transaction() as cursor:
            for verdict in taken_back:
                pair = (verdict.head, verdict.program)
                _append(cursor, model, pair, "undo", reviewer, undoes=verdict.event)
        return taken_back

    def recent(self, model: str, count: int, reviewer: str) -> list[Verdict]:
        """A reviewer's latest events that were not undone, in the order in which `undo` takes them back."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM verdicts WHERE model_id = ? AND reviewer = ? AND action <> 'undo' "
            f"AND event NOT IN {_UNDONE} ORDER BY {_LATEST} LIMIT ?",
            [model, reviewer, count],
        )
        return [_verdict(row) for row in rows]

    def standing(self, model: str) -> list[Verdict]:
        """What stands on each (head, program), oldest first: the latest accept or reject of any reviewer.

        Where there is none, the latest flag, else the latest skip.
        """
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM standing_verdicts WHERE model_id = ? ORDER BY made_at, event", [model]
        )
        return [_verdict(row) for row in rows]

    def opinions(self, model: str) -> list[Verdict]:
        """Every reviewer's word on each (head, program), oldest first: the latest accept or reject.

        Where there is none, the latest flag, else the latest skip.
        """
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM reviewer_verdicts WHERE model_id = ? ORDER BY made_at, event", [model]
        )
        return [_verdict(row) for row in rows]

    def accepted(self, model: str) -> dict[HeadId, str]:
        """Each head with an accepted program, and that program's source (the latest accepted)."""
        rows = self._database.rows(
            "SELECT layer, head, source FROM standing_verdicts JOIN programs USING (program_id) "
            "WHERE model_id = ? AND action = 'accept' ORDER BY made_at, event",
            [model],
        )
        return {HeadId(layer, head): source for layer, head, source in rows}

    def revision(self) -> int:
        """A number that changes with every event."""
        ((last,),) = self._database.rows("SELECT coalesce(max(event), 0) FROM verdicts")
        return int(last)

    def log(self, model: str) -> pd.DataFrame:
        """The whole log, oldest first."""
        return self._database.frame("SELECT * FROM verdicts WHERE model_id = ? ORDER BY event", [model])


def _append(
    cursor: duckdb.DuckDBPyConnection,
    model: str,
    pair: Pair,
    action: str,
    reviewer: str,
    reason: str = "",
    note: str = "",
    undoes: int | None = None,
    batch: str | None = None,
    uid: str | None = None,
) -> None:
    """Add an event; its time is later than that of every other on the same program of the head."""
    head, program = pair
    place = [model, head.layer, head.head, program]
    cursor.execute(
        "INSERT INTO verdicts (model_id, layer, head, program_id, action, undoes, reviewer, reason, note, "
        "uid, batch, made_at) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "greatest(make_timestamp(epoch_us(now())), max(made_at) + INTERVAL 1 MICROSECOND) "
        "FROM verdicts WHERE model_id = ? AND layer = ? AND head = ? AND program_id = ?",
        [*place, action, undoes, reviewer, reason, note, uid or uuid.uuid4().hex, batch, *place],
    )


def _verdict(row: tuple[Any, ...]) -> Verdict:
    event, layer, head, program, action, reviewer, reason, at = row
    return Verdict(event, HeadId(layer, head), program, Action(action), reviewer, reason, at)
