"""The owner's record of background jobs, and which of their events were taken in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb

from core.store.database import Database
from core.types import Json

State = Literal["queued", "running", "done", "failed", "stopped"]
Apply = Callable[[duckdb.DuckDBPyConnection, int, Json], None]  # of an event, its number and itself

_COLUMNS = (
    "job_id, kind, state, stage, done, total, message, model_id, settings, epoch(added_at), worked, "
    "stage_at, stage_from, progress_at, cost"
)
CANCELLED = "cancelled"  # message of a job that a person stopped


@dataclass(frozen=True)
class JobRecord:
    """A job as last heard of. Moments are seconds since 1970."""

    id: str
    kind: str
    state: State
    stage: str
    done: int
    total: int
    message: str
    model: str = ""  # ModelInfo.id; empty until it is known
    settings: Json = field(default_factory=dict)  # what it was asked: heads, limits and so on
    added_at: float = 0.0
    worked: float = 0.0  # seconds a worker was at it, without pauses
    stage_at: float = 0.0  # the stage's first progress since the worker started
    stage_from: int = 0  # what was done then
    progress_at: float = 0.0  # the latest progress
    cost: float = 0.0  # USD so far

    @property
    def is_active(self) -> bool:
        """Whether it waits or works."""
        return self.state in ("queued", "running")

    @property
    def was_interrupted(self) -> bool:
        """Whether its worker ended before it was done, and not because a person stopped it."""
        return self.state == "stopped" and self.message != CANCELLED

    @property
    def share(self) -> float:
        """How much of the current stage is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def rate(self) -> float | None:
        """Units of the current stage a second, since the worker started on it; None if not known yet."""
        done, seconds = self.done - self.stage_from, self.progress_at - self.stage_at
        return done / seconds if self.stage_at and done > 0 and seconds > 0 else None

    def seconds_left(self, now: float) -> float | None:
        """Until the current stage ends, at its rate so far; None if not known yet."""
        if self.rate is None or self.state != "running":
            return None
        return max(0.0, (self.total - self.done) / self.rate - (now - self.progress_at))


class JobTable:
    """The workspace's jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: str, kind: str, model: str = "", settings: Mapping[str, Any] | None = None) -> None:
        """Remember a job that waits for its turn."""
        self._database.run(
            "INSERT INTO jobs "
            "(job_id, kind, state, stage, done, total, message, model_id, settings, queued_at) "
            "VALUES (?, ?, 'queued', 'starting', 0, 0, '', ?, ?, ?)",
            [job, kind, model, json.dumps(settings or {}), time.time()],
        )

    def all(self) -> list[JobRecord]:
        """Every job, newest first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM jobs ORDER BY added_at DESC, job_id DESC")
        return [_record(row) for row in rows]

    def queue(self) -> list[JobRecord]:
        """Jobs that wait, the next first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM jobs WHERE state = 'queued' ORDER BY queued_at, job_id"
        )
        return [_record(row) for row in rows]

    def get(self, job: str) -> JobRecord:
        """One job; raises KeyError if there is none."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM jobs WHERE job_id = ?", [job])
        if not rows:
            raise KeyError(f"there is no job {job}")
        return _record(rows[0])

    def enqueue(self, job: str) -> None:
        """Put a job that stopped or failed at the end of the queue."""
        self._database.run(
            "UPDATE jobs SET state = 'queued', message = '', queued_at = ? WHERE job_id = ?",
            [time.time(), job],
        )

    def set_state(self, job: str, state: State, message: str = "") -> None:
        """Note that a job started, stopped, failed or ended."""
        with self._database.transaction() as cursor:
            set_job_state(cursor, job, state, message)

    def last_event(self, job: str) -> int:
        """The number of the last event taken in; 0 if none."""
        ((last,),) = self._database.rows(
            "SELECT coalesce(max(event), 0) FROM job_events WHERE job_id = ?", [job]
        )
        return int(last)

    def ingest(self, job: str, events: Iterable[tuple[int, Json]], apply: Apply) -> None:
        """Take in events, each once: `apply` its effects together with the note that it was applied."""
        with self._database.transaction() as cursor:
            for number, event in events:
                seen = cursor.execute(
                    "SELECT 1 FROM job_events WHERE job_id = ? AND event = ?", [job, number]
                ).fetchone()
                if seen is None:
                    cursor.execute("INSERT INTO job_events VALUES (?, ?)", [job, number])
                    _hear(cursor, job, event)
                    apply(cursor, number, event)


def set_job_state(cursor: duckdb.DuckDBPyConnection, job: str, state: State, message: str) -> None:
    """Note a job's state as part of a larger transaction."""
    cursor.execute("UPDATE jobs SET state = ?, message = ? WHERE job_id = ?", [state, message, job])


def set_job_model(cursor: duckdb.DuckDBPyConnection, job: str, model: str) -> None:
    """Note which model a job turned out to be about."""
    cursor.execute("UPDATE jobs SET model_id = ? WHERE job_id = ?", [model, job])


def _hear(cursor: duckdb.DuckDBPyConnection, job: str, event: Json) -> None:
    """Note when an event was, and what it says about the job itself."""
    at, what = event.get("at", 0.0), event["event"]
    pause = what == "start"  # no one was at work since the event before
    cursor.execute(
        "UPDATE jobs SET worked = worked + CASE WHEN ? OR heard_at = 0 THEN 0 ELSE greatest(0, ? - heard_at) "
        "END, heard_at = ?, stage_at = CASE WHEN ? THEN 0 ELSE stage_at END WHERE job_id = ?",
        [pause, at, at, pause, job],
    )
    if what == "progress":
        cursor.execute(
            "UPDATE jobs SET stage_at = CASE WHEN stage = $stage AND stage_at > 0 THEN stage_at "
            "ELSE $at END, stage_from = CASE WHEN stage = $stage AND stage_at > 0 THEN stage_from "
            "ELSE $done END, stage = $stage, done = $done, total = $total, progress_at = $at "
            "WHERE job_id = $job",
            {"job": job, "at": at, **{name: event[name] for name in ("stage", "done", "total")}},
        )
    elif what == "cost":
        cursor.execute("UPDATE jobs SET cost = ? WHERE job_id = ?", [event["usd"], job])


def _record(row: tuple[Any, ...]) -> JobRecord:
    values = list(row)
    values[8] = json.loads(values[8])  # settings
    return JobRecord(*values)
