"""The owner's record of background jobs, and which of their events were taken in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import duckdb

from core.store.database import Database

State = Literal["running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class JobRecord:
    """A job as last heard of."""

    id: str
    kind: str
    state: State
    stage: str
    done: int
    total: int
    message: str

    @property
    def share(self) -> float:
        """How much of the current stage is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class JobTable:
    """The workspace's jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: str, kind: str) -> None:
        """Remember a job that is about to start."""
        self._database.run(
            "INSERT INTO jobs (job_id, kind, state, stage, done, total, message) "
            "VALUES (?, ?, 'running', 'starting', 0, 0, '')",
            [job, kind],
        )

    def all(self) -> list[JobRecord]:
        """Every job, newest first."""
        rows = self._database.rows(
            "SELECT job_id, kind, state, stage, done, total, message FROM jobs ORDER BY added_at DESC"
        )
        return [JobRecord(*row) for row in rows]

    def get(self, job: str) -> JobRecord:
        """One job; raises KeyError if there is none."""
        return next(record for record in self.all() if record.id == job)

    def set_state(self, job: str, state: State, message: str = "") -> None:
        """Note that a job stopped, failed, ended or runs again."""
        with self._database.transaction() as cursor:
            set_job_state(cursor, job, state, message)

    def set_progress(self, job: str, stage: str, done: int, total: int) -> None:
        """Note how far a job is."""
        self._database.run(
            "UPDATE jobs SET stage = ?, done = ?, total = ? WHERE job_id = ?", [stage, done, total, job]
        )

    def last_event(self, job: str) -> int:
        """The number of the last event taken in; 0 if none."""
        ((last,),) = self._database.rows(
            "SELECT coalesce(max(event), 0) FROM job_events WHERE job_id = ?", [job]
        )
        return int(last)

    def ingest(self, job: str, event: int, apply: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Apply an event's effects together with the note that it was applied, once."""
        with self._database.transaction() as cursor:
            seen = cursor.execute(
                "SELECT 1 FROM job_events WHERE job_id = ? AND event = ?", [job, event]
            ).fetchone()
            if seen is None:
                cursor.execute("INSERT INTO job_events VALUES (?, ?)", [job, event])
                apply(cursor)


def set_job_state(cursor: duckdb.DuckDBPyConnection, job: str, state: State, message: str) -> None:
    """Note a job's state as part of a larger transaction."""
    cursor.execute("UPDATE jobs SET state = ?, message = ? WHERE job_id = ?", [state, message, job])
