"""The verdict log: accept, reject, skip, flag and undo, only ever appended."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import duckdb
import pandas as pd

from core.store.database import Database
from core.store.library import Library
from core.types import Action, CardId, HeadId, Verdict

_COLUMNS = (
    "event, layer, head, program_id, action, reviewer, reason, strftime(made_at, '%Y-%m-%dT%H:%M:%SZ'), note"
)
_UNDONE = "(SELECT undoes FROM verdicts WHERE undoes IS NOT NULL)"
_LATEST = "is_imported, event DESC"

# One verdict for each head that is decided: the accept that stands and was made last; where no program of
# the head stands accepted, the reject that stands on its best one. The best programs are handed in, as the
# library remembers them: a pass over all scores after every key would be felt.
_DECIDED = """
WITH best AS (
    SELECT unnest($layers::INTEGER[]) AS layer, unnest($heads::INTEGER[]) AS head,
           unnest($programs::TEXT[]) AS program_id
)
FROM standing_verdicts
WHERE model_id = $model
  AND (action = 'accept' OR (action = 'reject' AND (layer, head, program_id) IN (FROM best)))
QUALIFY row_number() OVER (
    PARTITION BY layer, head ORDER BY action = 'reject', made_at DESC, event DESC) = 1
ORDER BY made_at, event
"""


class VerdictLog:
    """Reviewers' decisions; the standing ones are views over the log."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

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
        self, model: str, pairs: Sequence[CardId], action: Action, reviewer: str, reason: str = ""
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

    def decided(self, model: str) -> dict[HeadId, Verdict]:
        """The verdict that decides each head that is decided, the oldest first.

        A head is decided once any of its programs stands accepted, or its best program rejected. Which of
        several accepts counts: the latest.
        """
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM ({_DECIDED})", self._asked(model))
        return {verdict.head: verdict for verdict in map(_verdict, rows)}

    def accepted(self, model: str) -> dict[HeadId, str]:
        """Each head with an accepted program, and that program's source (the latest accepted)."""
        rows = self._database.rows(
            f"SELECT layer, head, source FROM ({_DECIDED}) JOIN programs USING (program_id) "
            "WHERE action = 'accept' ORDER BY made_at, event",
            self._asked(model),
        )
        return {HeadId(layer, head): source for layer, head, source in rows}

    def _asked(self, model: str) -> dict[str, Any]:
        """What `_DECIDED` is given."""
        best = self._library.best_programs(model)
        return {
            "model": model,
            "layers": [head.layer for head, _ in best],
            "heads": [head.head for head, _ in best],
            "programs": [program for _, program in best],
        }

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
    pair: CardId,
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
    event, layer, head, program, action, *rest = row
    return Verdict(event, HeadId(layer, head), program, Action(action), *rest)
