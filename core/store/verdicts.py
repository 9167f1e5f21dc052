"""The verdict log: accept, reject, skip, flag and undo, only ever appended."""

from __future__ import annotations

import pandas as pd

from core.store.database import Database
from core.types import Action, HeadId, Verdict

_COLUMNS = "event, layer, head, program_id, action, reviewer, reason, strftime(made_at, '%Y-%m-%dT%H:%M:%SZ')"


class VerdictLog:
    """Reviewers' decisions; the standing ones are a view over the log."""

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
    ) -> None:
        """Append a decision."""
        self._database.run(
            "INSERT INTO verdicts (model_id, layer, head, program_id, action, reviewer, reason, note) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [model, head.layer, head.head, program, str(action), reviewer, reason, note],
        )

    def undo(self, model: str, reviewer: str) -> Verdict | None:
        """Take back the reviewer's latest decision that stands; what it was, or None if there is none."""
        latest = self._latest(model, reviewer)
        if latest is not None:
            self._database.run(
                "INSERT INTO verdicts "
                "(model_id, layer, head, program_id, action, undoes, reviewer, reason, note) "
                "VALUES (?, ?, ?, ?, 'undo', ?, ?, '', '')",
                [model, latest.head.layer, latest.head.head, latest.program, latest.event, reviewer],
            )
        return latest

    def _latest(self, model: str, reviewer: str) -> Verdict | None:
        found = self.recent(model, 1, reviewer)
        return found[0] if found else None

    def recent(self, model: str, count: int, reviewer: str) -> list[Verdict]:
        """A reviewer's latest decisions that were not undone, newest first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM verdicts WHERE model_id = ? AND reviewer = ? AND action <> 'undo' "
            "AND event NOT IN (SELECT undoes FROM verdicts WHERE undoes IS NOT NULL) "
            "ORDER BY event DESC LIMIT ?",
            [model, reviewer, count],
        )
        return [_verdict(row) for row in rows]

    def standing(self, model: str) -> list[Verdict]:
        """The decision that stands on each (head, program), oldest first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM standing_verdicts WHERE model_id = ? ORDER BY event", [model]
        )
        return [_verdict(row) for row in rows]

    def accepted(self, model: str) -> dict[HeadId, str]:
        """Each head with an accepted program, and that program's source (the latest accepted)."""
        rows = self._database.rows(
            "SELECT layer, head, source FROM standing_verdicts JOIN programs USING (program_id) "
            "WHERE model_id = ? AND action = 'accept' ORDER BY event",
            [model],
        )
        return {HeadId(layer, head): source for layer, head, source in rows}

    def log(self, model: str) -> pd.DataFrame:
        """The whole log, oldest first."""
        return self._database.frame("SELECT * FROM verdicts WHERE model_id = ? ORDER BY event", [model])


def _verdict(row: tuple[object, ...]) -> Verdict:
    event, layer, head, program, action, reviewer, reason, at = row
    return Verdict(
        event=int(str(event)),
        head=HeadId(int(str(layer)), int(str(head))),
        program=str(program),
        action=Action(str(action)),
        reviewer=str(reviewer),
        reason=str(reason),
        at=str(at),
    )
