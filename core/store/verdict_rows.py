"""The verdict log and the programs it is about, row by row, for leaving and entering a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import duckdb
import pyarrow as pa
from pydantic import Field

from core.store.database import Database, insert
from core.store.library import add_programs

_MOST = 100_000  # layers of a model, or heads of a layer
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
_Number = Annotated[int, Field(strict=True, ge=0, lt=_MOST)]


@dataclass(frozen=True)
class ProgramRow:
    """A program that a verdict is about."""

    id: str
    source: str
    origin: str
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class VerdictRow:
    """An event of the log under names that hold in every workspace."""

    uid: str
    model: str
    layer: _Number
    head: _Number
    program: str
    action: str
    undoes: str | None = None  # the uid of the event that an undo takes back
    batch: str | None = None
    reviewer: str
    reason: str
    note: str
    made_at: str  # 2026-01-31T12:00:00.000000Z


class VerdictRows:
    """Verdict events under names that hold in every workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def programs(self) -> list[ProgramRow]:
        """Every program that a verdict is about."""
        rows = self._database.rows(
            "SELECT program_id, source, origin, parent FROM programs "
            "WHERE program_id IN (SELECT program_id FROM verdicts) ORDER BY program_id"
        )
        return [ProgramRow(*row) for row in rows]

    def events(self) -> list[VerdictRow]:
        """Every event in the order of the log."""
        names, rows = self._database.named(
            "SELECT v.uid, v.model_id AS model, v.layer, v.head, v.program_id AS program, v.action, "
            "u.uid AS undoes, v.batch, v.reviewer, v.reason, v.note, "
            f"strftime(v.made_at, '{_TIME}') AS made_at "
            "FROM verdicts v LEFT JOIN verdicts u ON u.event = v.undoes ORDER BY v.event"
        )
        return [VerdictRow(**dict(zip(names, row, strict=True))) for row in rows]

    def known(self) -> tuple[dict[str, VerdictRow], set[str]]:
        """The events here by uid, and the ids of the programs here."""
        programs = self._database.rows("SELECT program_id FROM programs")
        return {row.uid: row for row in self.events()}, {str(name) for (name,) in programs}

    def add(self, programs: Sequence[ProgramRow], events: Sequence[VerdictRow]) -> None:
        """Take in programs and events that are not here; an event after that which it undoes.

        In lots of a transaction each. What is cut off has taken in all programs and the first events, as if
        the log had been shorter; taking in the same again goes on.
        """
        with self._database.transaction() as cursor:
            add_programs(cursor, [(one.source, one.origin, one.parent) for one in programs])
        for start in range(0, len(events), _AT_ONCE):
            with self._database.transaction() as cursor:
                _add_events(cursor, events[start : start + _AT_ONCE])


def _add_events(cursor: duckdb.DuckDBPyConnection, events: Sequence[VerdictRow]) -> None:
    """Events in their order, numbered on from those that are here."""
    sql = f"SELECT nextval('verdict_events') FROM range({len(events)})"
    numbers = {
        event.uid: number
        for event, (number,) in zip(events, sorted(cursor.execute(sql).fetchall()), strict=True)
    }
    undone = [event.undoes for event in events if event.undoes and event.undoes not in numbers]
    sql = "SELECT uid, event FROM verdicts WHERE uid IN (SELECT unnest($uids::TEXT[]))"
    known = dict(cursor.execute(sql, {"uids": undone}).fetchall()) | numbers
    rows = [
        (
            numbers[event.uid],
            *(getattr(event, name) for name in _AS_THEY_ARE),
            known.get(event.undoes),
            datetime.strptime(event.made_at, _TIME),
            True,
        )
        for event in events
    ]
    insert(cursor, "verdicts", _EVENTS, rows)
