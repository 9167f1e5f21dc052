"""The owner's side of jobs: start workers, take in what they found, notice when they die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb
import psutil

from core.corpus import sentence_from_json
from core.errors import JobError
from core.jobs.folder import JobFolder, Json
from core.settings import Settings
from core.store.hybrids import add_evaluation, spec_from_json
from core.store.jobs import JobRecord, set_job_state
from core.store.library import add_model, add_program, add_proposals, add_scores, add_sentences
from core.store.workspace import Workspace
from core.synthesis.money import price_of
from core.types import (
    ClaudeLimits,
    Evaluation,
    HeadId,
    HybridSpec,
    ModelInfo,
    Score,
    SearchLimits,
    Sentence,
    Split,
)

_ROOT = Path(__file__).resolve().parents[2]
_START_GRACE = 30.0  # seconds a new worker may take to claim its folder before it counts as dead
_SECRETS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_STOP_GRACE = 2.0  # seconds between asking a worker to stop and killing it


class JobRunner:
    """Starts, watches and stops the jobs of an open workspace. One job runs at a time."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace = workspace
        self._settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._api_key = settings.api_key

    def start_build(self, model: str, corpus: str, limit: int | None = None, search: bool = True) -> str:
        """Extract a model's attention on a corpus and, with `search`, find first programs; the job's id."""
        kind = "build" if search else "extract"
        corpus = corpus if corpus == "bundled" or not Path(corpus).exists() else str(Path(corpus).resolve())
        model = str(Path(model).resolve()) if Path(model).exists() else model
        return self._start(kind, {"model": model, "corpus": corpus, "limit": limit})

    def start_or_resume_demo(self) -> str:
        """Build the demo workspace, or go on with the build that was interrupted; the job's id."""
        builds = [record for record in self.refresh() if record.kind == "build" and record.state != "done"]
        if not builds:
            return self.start_build(self._settings.demo_model, "bundled")
        if builds[0].state != "running":
            self.resume(builds[0].id)
        return builds[0].id

    def start_search(
        self, info: ModelInfo, heads: Sequence[HeadId] | None = None, limits: SearchLimits | None = None
    ) -> str:
        """Find programs for these heads, or all, of a model whose attention is extracted."""
        spec = {
            "info": asdict(info),
            "sentences": self._sentences(info),
            "heads": None if heads is None else [str(head) for head in heads],
            "limits": asdict(limits or SearchLimits()),
        }
        return self._start("synthesize", spec)

    def start_claude(
        self,
        info: ModelInfo,
        heads: Sequence[HeadId] | None = None,
        limits: ClaudeLimits | None = None,
        api_key: str | None = None,
    ) -> str:
        """Have Claude propose programs for these heads, or all, starting from the best known ones.

        The key, the settings' own if none is given, reaches the worker in its environment alone. Raises
        ClaudeError if there is none or the model's price is unknown.
        """
        limits = limits or ClaudeLimits(model=self._settings.claude_model)
        self._api_key = replace(self._settings, api_key=api_key or self._api_key).require_api_key()
        price_of(limits)
        chosen = set(heads or info.head_ids())
        best = self._workspace.library.best(info.id, Split.VALIDATION)
        spec = {
            "info": asdict(info),
            "sentences": self._sentences(info),
            "heads": None if heads is None else [str(head) for head in heads],
            "limits": asdict(limits),
            "known": {str(b.score.head): b.program.source for b in best if b.score.head in chosen},
        }
        return self._start("claude", spec)

    def start_scoring(self, info: ModelInfo, sources: list[str]) -> str:
        """Score programs on every head of a model."""
        spec = {"info": asdict(info), "sentences": self._sentences(info), "programs": sources}
        return self._start("score", spec)

    def start_hybrid(
        self, info: ModelInfo, programs: list[Json], title: str, passages: list[Sentence], passages_from: str
    ) -> str:
        """Measure a hybrid on passages."""
        spec = {
            "model": info.name,
            "model_id": info.id,
            "programs": programs,
            "title": title,
            "sentences": [asdict(sentence) for sentence in passages],
            "passages_from": passages_from,
        }
        return self._start("hybrid", spec)

    def resume(self, job: str) -> None:
        """Go on with a job that stopped or failed; finished units are not done again."""
        self._workspace.jobs.set_state(job, "running")
        self._spawn(self.folder(job))

    def cancel(self, job: str) -> None:
        """Stop a job; what it finished stays."""
        worker = self.folder(job).worker()
        if worker is not None:
            worker.terminate()
            try:
                worker.wait(_STOP_GRACE)
            except psutil.TimeoutExpired:
                worker.kill()
        self._reap(job)
        self.refresh()
        if self._workspace.jobs.get(job).state == "running":
            self._workspace.jobs.set_state(job, "stopped", "cancelled")

    def refresh(self) -> list[JobRecord]:
        """Take in every job's new events and notice dead workers; all jobs, newest first."""
        for record in self._workspace.jobs.all():
            if record.state == "running":
                child = self._children.get(record.id)
                ended = child is not None and child.poll() is not None
                alive = not ended and (child is not None or self._is_alive(record.id))
                self._ingest(record.id)
                if not alive and self._workspace.jobs.get(record.id).state == "running":
                    self._workspace.jobs.set_state(
                        record.id, "stopped", "the worker ended before it was done"
                    )
        return self._workspace.jobs.all()

    def wait(
        self, job: str, show: Callable[[JobRecord], None] = lambda record: None, poll: float = 0.3
    ) -> JobRecord:
        """Take in events until the job ends, showing each state; its last record.

        Raises JobError if the job did not end well.
        """
        while True:
            record = next(found for found in self.refresh() if found.id == job)
            show(record)
            if record.state != "running":
                self._reap(job)
            if record.state == "done":
                return record
            if record.state in ("failed", "stopped"):
                raise JobError(f"{record.message or 'the job failed'} (job folder: {self.folder(job).path})")
            time.sleep(poll)

    def folder(self, job: str) -> JobFolder:
        """A job's folder."""
        return JobFolder(self._workspace.folder / "jobs" / job)

    def notes(self, job: str) -> list[str]:
        """What the job had to say besides its progress."""
        return [event["message"] for _, event in self.folder(job).events() if event["event"] == "note"]

    def _sentences(self, info: ModelInfo) -> list[Json]:
        return [asdict(sentence) for sentence in self._workspace.library.sentences(info.id)]

    def _start(self, kind: str, spec: Mapping[str, Any]) -> str:
        running = [record for record in self.refresh() if record.state == "running"]
        if running:
            raise JobError(f"the job {running[0].id} is still running; wait for it or cancel it")
        place = {
            "workspace": str(self._workspace.folder.resolve()),
            "models": str(self._settings.models_folder.resolve()),
            "device": self._settings.device,
        }
        folder = JobFolder.create(self._workspace.folder / "jobs", kind, {**spec, **place})
        self._workspace.jobs.add(folder.id, kind)
        self._spawn(folder)
        return folder.id

    def _spawn(self, folder: JobFolder) -> None:
        with folder.log.open("ab") as log:
            self._children[folder.id] = subprocess.Popen(
                [sys.executable, "-m", "core", "worker", str(folder.path.resolve())],
                cwd=_ROOT,
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self, folder: JobFolder) -> dict[str, str]:
        """A worker's environment; only one that asks Claude is given the API key."""
        kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        if folder.spec["kind"] == "claude" and self._api_key:
            kept["ANTHROPIC_API_KEY"] = self._api_key
        return kept

    def _is_alive(self, job: str) -> bool:
        folder = self.folder(job)
        if folder.worker() is not None:
            return True
        claimed = (folder.path / "worker.json").is_file()
        return not claimed and time.time() - folder.path.stat().st_mtime < _START_GRACE

    def _reap(self, job: str) -> None:
        """Wait for a worker that said it is done, so that no zombie stays behind."""
        child = self._children.pop(job, None)
        if child is not None:
            child.wait()

    def _ingest(self, job: str) -> None:
        folder = self.folder(job)
        jobs = self._workspace.jobs
        progress: Json | None = None
        for number, event in folder.events(after=jobs.last_event(job)):
            if event["event"] == "progress":
                progress = event
            jobs.ingest(job, number, _Effect(folder, event))
        if progress is not None:
            jobs.set_progress(job, progress["stage"], progress["done"], progress["total"])


class _Effect:
    """What an event changes in the database."""

    def __init__(self, folder: JobFolder, event: Json) -> None:
        self._folder = folder
        self._event = event

    def __call__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self._event["event"] == "end":
            set_job_state(cursor, self._folder.id, self._event["state"], self._event["message"])
        elif self._event["event"] == "result":
            self._take_in(cursor)

    def _take_in(self, cursor: duckdb.DuckDBPyConnection) -> None:
        content = self._folder.result(self._event["file"])
        match self._event["what"]:
            case "model":
                add_model(cursor, ModelInfo(**content))
            case "sentences":
                rows = [sentence_from_json(row) for row in content["sentences"]]
                add_sentences(cursor, content["model"], content["corpus"], rows)
            case "programs":
                for program in content["programs"]:
                    add_program(cursor, program["source"], program["origin"])
                add_scores(cursor, content["model"], [_score(row) for row in content["scores"]])
                found = [(HeadId(p["layer"], p["head"]), p["program"]) for p in content.get("proposals", [])]
                add_proposals(cursor, content["model"], found)
            case "evaluation":
                spec: HybridSpec = spec_from_json(content["model"], content["programs"])
                measured = Evaluation(**content["evaluation"])
                add_evaluation(
                    cursor, spec, content["title"], content["share"], content["passages_from"], measured
                )


def _score(row: Json) -> Score:
    head = HeadId(**row["head"])
    return Score(**{**row, "head": head, "split": Split(row["split"])})
