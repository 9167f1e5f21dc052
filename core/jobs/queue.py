"""The owner's side of jobs: a queue, the workers it starts, and what it takes in from them.

A job is queued, then running, then done, failed or stopped; the last two can be resumed. As many jobs that
need the device run at once as the runner has slots. All of this is in the database and the job folders, so
that another owner goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from threading import RLock
from typing import TypeVar

import duckdb

from core.errors import HeadscriptError, JobError, WorkspaceError
from core.jobs.crew.cluster import Tally
from core.jobs.folder import JobFolder
from core.jobs.intake import Intake
from core.jobs.kinds import KINDS, JobKind, kind_of
from core.jobs.place import Place
from core.jobs.runners import RUNNERS, Runner
from core.jobs.tasks import Task
from core.settings import Settings
from core.store.jobs import CANCELLED, JobRecord
from core.store.workspace import Workspace

T = TypeVar("T")

_EVENTS_AT_ONCE = 50  # taken in within one transaction


class JobQueue:
    """Queues, starts, watches and stops the jobs of an open workspace. Safe to use from several threads."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace = workspace
        self._settings = settings
        self._runners: dict[str, Runner] = {}
        self.run_on(settings.runner)
        self._secrets: dict[str, str] = {}  # handed in, by the names of environment variables
        self._unwritten = ""  # why what a job wrote could not be taken in
        self._lock = RLock()

    def run_on(self, runner: str) -> None:
        """Have the runner of this name start what is started from now on; raises PluginError."""
        if runner not in self._runners:
            self._runners[runner] = RUNNERS.named(runner).make(self._settings)
        self._runner = self._runners[runner]

    def folder(self, job: str) -> JobFolder:
        """A job's folder."""
        return JobFolder(self._workspace.folder / "jobs" / job)

    def notes(self, job: str) -> list[str]:
        """What the job had to say besides its progress; what a worker that went on said again, once."""
        events = (event for _, event in self.folder(job).events())
        return list(dict.fromkeys(event["message"] for event in events if event["event"] == "note"))

    def nodes(self, job: str) -> dict[str, Tally]:
        """How far each node of a cluster is with the job's units; none where no cluster works on it."""
        return self.folder(job).nodes()

    def resume(self, job: str, secrets: Mapping[str, str] | None = None) -> None:
        """Queue a job that stopped or failed again; finished units are not done again.

        Raises JobError if its folder is gone.
        """
        with self._lock:
            if self._workspace.jobs.get(job).is_active:
                return
            if not self.folder(job).path.is_dir():
                raise JobError(f"the job's folder {self.folder(job).path} is gone; start a new job instead")
            self._secrets |= secrets or {}
            self._workspace.jobs.enqueue(job)
            self.start_next()

    def cancel(self, job: str) -> None:
        """Stop a job, or take it out of the queue; what it finished stays."""
        if not self._workspace.jobs.get(job).is_active:
            return
        self._stop(self.folder(job))  # before whoever holds the lock is waited for
        with self._lock:
            self._stop(self.folder(job))  # it may have been started meanwhile
            self.refresh()
            if self._workspace.jobs.get(job).state not in ("done", "failed"):  # it may have just ended
                self._workspace.jobs.set_state(job, "stopped", CANCELLED)

    def refresh(self) -> list[JobRecord]:
        """Take in every job's new events and notice dead workers; all jobs, newest first."""
        if self._workspace.database.read_only:
            return self._workspace.jobs.all()
        with self._lock:
            for record in self._workspace.jobs.all():
                folder = self.folder(record.id)
                if record.state == "queued" and folder.worker() is not None and not folder.has_ended():
                    self._workspace.jobs.set_state(
                        record.id, "running"
                    )  # its owner died just after the start
                elif record.state == "running":
                    self._follow_up(record.id)
                    now = self._workspace.jobs.get(record.id)
                    if now.state == "done":
                        self._after(now)
            for runner in self._runners.values():
                runner.reap_ended()
            return self._workspace.jobs.all()

    def start_next(self) -> None:
        """Start what waits and may run: the first that needs the device once that is free, and all others."""
        with self._lock:
            records = self.refresh()
            at_work = [record for record in records if record.state == "running"]
            slots = self._runner.slots - sum(KINDS[record.kind].needs_device for record in at_work)
            for record in self._workspace.jobs.queue():
                needs_device = KINDS[record.kind].needs_device
                if not self.folder(record.id).path.is_dir():
                    self._workspace.jobs.set_state(record.id, "failed", "the job's folder is gone")
                elif self.folder(record.id).worker() is not None:
                    continue  # it has ended and is about to leave: next time
                elif slots > 0 or not needs_device:
                    self._runner.start(self.folder(record.id), self._secrets_of(KINDS[record.kind]))
                    self._workspace.jobs.set_state(record.id, "running")
                    slots -= needs_device

    def wait(
        self, job: str, show: Callable[[JobRecord], None] = lambda record: None, poll: float = 0.3
    ) -> JobRecord:
        """Take in events until the job ends, showing each state; its last record.

        Jobs queued before it are started as well, but none after it. Raises JobError if it did not end well,
        WorkspaceError if what it found cannot be stored.
        """
        while True:
            record = next(found for found in self.refresh() if found.id == job)
            show(record)
            if self._unwritten:
                raise WorkspaceError(self._unwritten)
            if not record.is_active:
                for runner in self._runners.values():
                    runner.reap(job)
            if record.state == "done":
                return record
            if record.state in ("failed", "stopped"):
                raise JobError(f"{record.message or 'the job failed'} (job folder: {self.folder(job).path})")
            if record.state == "queued":
                self.start_next()
            time.sleep(poll)

    def _start(self, task: Task, secrets: Mapping[str, str] | None = None) -> str:
        """Queue a job; its id. One that was asked the very same and is not done is gone on with instead.

        Secrets, these or the settings' own, reach only workers whose proposer needs them, through their
        environment.
        """
        kind = kind_of(task)
        with self._lock:
            same = self._unfinished(kind, task)
            if same is not None:
                self.resume(same, secrets)
                return same
            folder = JobFolder.create(self._workspace.folder / "jobs", kind.name, self._place(kind), task)
            self._secrets |= secrets or {}
            self._workspace.jobs.add(folder.id, kind.name, task.model_id, task.told())
            self.start_next()
            return folder.id

    def _secrets_of(self, kind: JobKind) -> dict[str, str]:
        """What the worker of a kind is handed, and no other is."""
        names = kind.proposer.secrets if kind.proposer else ()
        values = {name: self._secrets.get(name) or self._settings.secret(name) for name in names}
        return {name: value for name, value in values.items() if value}

    def _unfinished(self, kind: JobKind, task: Task) -> str | None:
        """The latest job of this kind that was asked this, of weights held like this, and is not done."""
        asked, held_like = task.question(), self._place(kind).holding
        for record in self.refresh():
            folder = self.folder(record.id)
            if record.kind == kind.name and record.state != "done" and folder.path.is_dir():
                try:
                    held = folder.spec()
                except JobError:  # damaged, or of an older version
                    continue
                if held.place.holding == held_like and all(
                    held.task.get(name) == value for name, value in asked.items()
                ):
                    return record.id
        return None

    def _place(self, kind: JobKind) -> Place:
        """Where a job of this kind works; those that run beside others leave the device to them."""
        return Place(
            self._workspace.folder.resolve(),
            self._settings.models_folder.resolve(),
            self._settings.device if kind.needs_device else "cpu",
            self._settings.spacy_pipeline,
            self._settings.dtype,
            self._settings.device_map,
            self._settings.attention,
        )

    def _after(self, record: JobRecord) -> None:
        """What follows from a job that has just been done."""

    def _stop(self, folder: JobFolder) -> None:
        for runner in self._runners.values():
            runner.stop(folder)

    def _follow_up(self, job: str) -> None:
        """Take in what a running job wrote, and notice its end."""
        folder, jobs = self.folder(job), self._workspace.jobs
        if not folder.path.is_dir():
            jobs.set_state(job, "failed", "the job's folder is gone")
            return
        alive = any(
            runner.is_alive(folder) for runner in self._runners.values()
        )  # before reading: what a dead worker wrote is all there
        new = folder.events(after=jobs.last_event(job))
        for events in _in_lots(new, _EVENTS_AT_ONCE):
            try:
                jobs.ingest(job, events, Intake(folder, self._workspace.folder))
            except WorkspaceError as error:  # the disk is full; the worker goes on
                self._unwritten = str(error)
                return
            except duckdb.TransactionException:  # a page wrote the same rows just now: next time
                return
            except (OSError, ValueError, KeyError, TypeError, HeadscriptError, duckdb.Error) as error:
                # Other jobs go on.
                self._stop(folder)
                why = f"what the job wrote cannot be read ({type(error).__name__}: {error})"
                jobs.set_state(job, "failed", f"{why}; delete its folder {folder.path} and start it anew")
                return
            self._unwritten = ""
        if not alive and jobs.get(job).state == "running":
            jobs.set_state(job, "stopped", "the worker ended before it was done, as where memory runs out")


def _in_lots(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while lot := list(islice(rest, size)):
        yield lot
