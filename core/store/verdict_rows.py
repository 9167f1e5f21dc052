"""The verdict log and the programs it is about, row by row, for leaving and entering a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.store.database import Database
from core.store.library import add_program

_TIME = "'%Y-%m-%dT%H:%M:%S.%fZ'"
Row = dict[str, Any]


class VerdictRows:
    """Verdict events under names that hold in every workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def programs(self) -> list[Row]:
        """Every program that a verdict is about: id, source, origin, parent."""
        return self._named(
            "SELECT program_id AS id, source, origin, parent FROM programs "
            "WHERE program_id IN (SELECT program_id FROM verdicts) ORDER BY program_id"
        )

    def events(self) -> list[Row]:
        """Every event in the order of the log; `undoes` is the uid of the event that an undo takes back."""
        return self._named(
            "SELECT v.uid, v.model_id AS model, v.layer, v.head, v.program_id AS program, v.action, "
            "u.uid AS undoes, v.batch, v.reviewer, v.reason, v.note, "
            f"strftime(v.made_at, {_TIME}) AS made_at "
            "FROM verdicts v LEFT JOIN verdicts u ON u.event = v.undoes ORDER BY v.event"
        )

    def known(self) -> tuple[dict[str, Row], set[str]]:
        """The events here by uid, and the ids of the programs here."""
        programs = self._database.rows("SELECT program_id FROM programs")
        return {row["uid"]: row for row in self.events()}, {str(name) for (name,) in programs}

    def add(self, programs: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> None:
        """Take in programs and events that are not here, all or none; an event after that which it undoes."""
        with self._database.transaction() as cursor:
            for program in programs:
                add_program(cursor, program["source"], program["origin"], program["parent"])
            for event in events:
                cursor.execute(
                    "INSERT INTO verdicts (model_id, layer, head, program_id, action, undoes, reviewer, "
                    "reason, note, uid, batch, made_at, is_imported) "
                    "VALUES ($model, $layer, $head, $program, $action, "
                    "(SELECT event FROM verdicts WHERE uid = $undoes), "
                    f"$reviewer, $reason, $note, $uid, $batch, strptime($made_at, {_TIME}), TRUE)",
                    dict(event),
                )

    def _named(self, sql: str) -> list[Row]:
        """A query's rows as dictionaries."""
        names, rows = self._database.named(sql)
        return [dict(zip(names, row, strict=True)) for row in rows]
