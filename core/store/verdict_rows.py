"""The verdict log and the programs it is about, row by row, for leaving and entering a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from core.store.database import Database, insert
from core.store.library import add_programs

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_AT_ONCE = 10_000  # events taken in within one transaction
_AS_THEY_ARE = {
    "model": "model_id",
    "layer": "layer",
    "head": "head",
    "program": "program_id",
    "action": "action",
    "reviewer": "reviewer",
    "reason": "reason",
    "note": "note",
    "uid": "uid",
    "batch": "batch",
}  # of an event -> columns of the log
_EVENTS = pa.schema(
    [
        ("event", pa.int64()),
        *((name, pa.int32() if name in ("layer", "head") else pa.string()) for name in _AS_THEY_ARE.values()),
        ("undoes", pa.int64()),
        ("made_at", pa.timestamp("us")),
        ("is_imported", pa.bool_()),
    ]
)
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
            f"strftime(v.made_at, '{_TIME}') AS made_at "
            "FROM verdicts v LEFT JOIN verdicts u ON u.event = v.undoes ORDER BY v.event"
        )

    def known(self) -> tuple[dict[str, Row], set[str]]:
        """The events here by uid, and the ids of the programs here."""
        programs = self._database.rows("SELECT program_id FROM programs")
        return {row["uid"]: row for row in self.events()}, {str(name) for (name,) in programs}

    def add(self, programs: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> None:
        """Take in programs and events that are not here; an event after that which it undoes.

        In lots of a transaction each. What is cut off has taken in all programs and the first events, as if
        the log had been shorter; taking in the same again goes on.
        """
        with self._database.transaction() as cursor:
            add_programs(cursor, [(one["source"], one["origin"], one["parent"]) for one in programs])
        for start in range(0, len(events), _AT_ONCE):
            with self._database.transaction() as cursor:
                _add_events(cursor, events[start : start + _AT_ONCE])

    def _named(self, sql: str) -> list[Row]:
        """A query's rows as dictionaries."""
        names, rows = self._database.named(sql)
        return [dict(zip(names, row, strict=True)) for row in rows]


def _add_events(cursor: duckdb.DuckDBPyConnection, events: Sequence[Mapping[str, Any]]) -> None:
    """Events in their order, numbered on from those that are here."""
    sql = f"SELECT nextval('verdict_events') FROM range({len(events)})"
    numbers = {
        event["uid"]: number
        for event, (number,) in zip(events, sorted(cursor.execute(sql).fetchall()), strict=True)
    }
    undone = [event["undoes"] for event in events if event["undoes"] and event["undoes"] not in numbers]
    sql = "SELECT uid, event FROM verdicts WHERE uid IN (SELECT unnest($uids::TEXT[]))"
    known = dict(cursor.execute(sql, {"uids": undone}).fetchall()) | numbers
    rows = [
        (
            numbers[event["uid"]],
            *(event[name] for name in _AS_THEY_ARE),
            known.get(event["undoes"]),
            datetime.strptime(event["made_at"], _TIME),
            True,
        )
        for event in events
    ]
    insert(cursor, "verdicts", _EVENTS, rows)
