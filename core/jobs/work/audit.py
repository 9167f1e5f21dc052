"""Audits of programs, head by head, or of a hybrid; a finished unit is an audit of a layer's programs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import wire
from core.audit import AUDITS, Audit, Finding, HybridSubject, Passages, ProgramSubject, Splits, probe_of
from core.audit.shared import Shared
from core.display import counted
from core.jobs.crew import Bench, Stage, Station
from core.jobs.folder import Job
from core.jobs.place import Place
from core.jobs.results import AuditsFound
from core.jobs.tasks import AskedAudit, AuditTask
from core.language import parse
from core.scoring import chains, program_of
from core.store.findings import StoredFinding
from core.store.loaded import reading_as_stored
from core.store.passages import read_passages
from core.store.tokens import TokenStore
from core.store.workspace import attention_folder, reader_of
from core.types import HybridSpec, ModelInfo, Sentence, Split, Told

if TYPE_CHECKING:
    from core.models.pretrained import LoadedModel


def run_audits(job: Job[AuditTask]) -> None:
    """Every audit that the task names; each finished unit is a result, and is not done again."""
    task = job.task
    passages = read_passages(job.place.workspace, task.passages)
    splits = splits_of(job.place.workspace, task.info, passages)
    if task.hybrid:
        _audit_hybrid(job, splits)
    else:
        _audit_programs(job, splits)


def splits_of(workspace: Path, info: ModelInfo, sentences: Iterable[Sentence]) -> dict[Split, Passages]:
    """The passages of each split that has any, with a reader of attention that sees no others.

    Raises WorkspaceError if their token features are not there.
    """
    at = attention_folder(workspace, info.id)
    features, attention = TokenStore(at).read(), reader_of(workspace, info.id)
    splits: dict[Split, list[Sentence]] = {}
    for sentence in sentences:
        splits.setdefault(sentence.split, []).append(sentence)
    found = {}
    for split, chosen in splits.items():
        names = [sentence.id for sentence in chosen]
        rows = features.select([features.row(name) for name in names])
        reader = attention.restricted(names)
        found[split] = Passages(tuple(chosen), rows, reader, info.is_causal)
    return found


def _audit_programs(job: Job[AuditTask], splits: Splits) -> None:
    task, events, finished = job.task, job.events, job.folder.finished()
    if task.left_out:
        events.note(f"{counted(task.left_out, 'program')} left out: plain Python is run and not read")
    pipeline = TokenStore(attention_folder(job.place.workspace, task.info.id)).pipeline()
    stage = Stage("auditing", _Auditing(job.place, task, splits, pipeline), task.info.name)
    of_layer = Counter(head.layer for head, _ in task.programs)
    for asked in task.audits:
        audit, _ = known(asked)
        units = {f"{audit.name}-layer-{layer:03}": _Asked(asked, layer) for layer in sorted(of_layer)}
        left = {name: unit for name, unit in units.items() if f"{name}.json" not in finished}
        done = sum(of_layer[unit.layer] for name, unit in units.items() if name not in left)
        events.progress(f"auditing {audit.title.lower()}", done, len(task.programs))
        for name, findings in job.crew.run(stage, left):
            events.result(name, AuditsFound(task.info.id, findings))
            done += of_layer[left[name].layer]
            events.progress(f"auditing {audit.title.lower()}", done, len(task.programs))


@dataclass(frozen=True)
class _Asked:
    """An audit of a layer's programs."""

    audit: AskedAudit
    layer: int


@dataclass(frozen=True)
class _Auditing:
    """Audits programs; what audits share of all heads is made once where they run."""

    place: Place
    task: AuditTask
    splits: Splits
    pipeline: str | None  # that read the tokens

    def __call__(self, bench: Bench) -> Station[_Asked, tuple[StoredFinding, ...]]:
        info = self.task.info

        @cache
        def load() -> LoadedModel:
            return replace(bench.model(self.place, info.name, info.id), pipeline=self.pipeline)

        programs = {head: parse(source) for head, source in self.task.programs}
        probes = {
            asked.name: probe for asked in self.task.audits if (probe := probe_of(*known(asked))) is not None
        }
        behind = {head: program_of(source) for head, source in self.task.behind}
        names = {h: chains(behind | {h: program})[h] for h, program in programs.items()} if behind else {}
        shared = Shared(info, programs, self.splits, load, bench.told, probes, behind)
        subjects = [
            ProgramSubject(info, head, program, self.splits, load, shared)
            for head, program in programs.items()
        ]
        told = _Notes(bench.told)

        def work(unit: _Asked) -> tuple[StoredFinding, ...]:
            audit, limits = known(unit.audit)
            return tuple(
                StoredFinding(
                    audit.name,
                    (subject.head, subject.program.id),
                    unit.audit.limits,
                    time.time(),
                    _given(subject, audit.run(subject, limits, told), bool(behind)),
                    names.get(subject.head, ""),
                )
                for subject in subjects
                if subject.head.layer == unit.layer
            )

        return Station(work)


def _given(subject: ProgramSubject, finding: Finding, is_resolved: bool) -> Finding:
    """The finding, with what a program that looks at heads takes for given: what these really attend to."""
    looks = ", ".join(map(str, sorted(subject.program.looks)))
    return replace(finding, given=f"the attention of {looks}") if looks and not is_resolved else finding


def _audit_hybrid(job: Job[AuditTask], splits: Splits) -> None:
    from core.hybrid import parsed, require_patchable

    task, events = job.task, job.events
    loaded = _loaded(job)
    require_patchable(loaded)
    subject = HybridSubject(loaded, HybridSpec.of(task.info.id, task.programs), splits)
    parsed(loaded.info, subject.spec)  # refuses a hybrid that does not fit the model before any work
    for asked in task.audits:
        audit, limits = known(asked)
        if f"{audit.name}.json" not in job.folder.finished():
            finding = audit.run(subject, limits, events)
            stored = StoredFinding(audit.name, task.hybrid, asked.limits, time.time(), finding)
            events.result(audit.name, AuditsFound(task.info.id, (stored,)))


def known(asked: AskedAudit) -> tuple[Audit[Any, Any], Any]:
    """The entry and its limits; raises PluginError if no installed package brings it any more."""
    audit = AUDITS.named(asked.name)
    return audit, wire.read(audit.limits, asked.limits, f"the limits of {asked.name}")


def _loaded(job: Job[AuditTask]) -> LoadedModel:
    from core.jobs.work.extract import load_model  # imports transformers

    loaded = load_model(job, job.task.info.name, job.task.info.id)
    return reading_as_stored(job.place.workspace, loaded)


@dataclass(frozen=True)
class _Notes:
    """Hears the audit of one head after another: the job tells how far it is, and nothing twice."""

    told: Told
    said: set[str] = field(default_factory=set)

    def progress(self, stage: str, done: int, total: int) -> None:
        pass

    def note(self, message: str) -> None:
        if message not in self.said:
            self.said.add(message)
            self.told.note(message)
