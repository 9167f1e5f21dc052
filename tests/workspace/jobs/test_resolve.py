"""Best programs that look are resolved by a job of its own, which follows what finds programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core import wire
from core.errors import HybridError
from core.jobs import Jobs
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.kinds import KINDS
from core.jobs.tasks import ResolveTask
from core.language import ParsedProgram, parse
from core.maps import iou_of
from core.proposers import SearchLimits
from core.scoring import Resolved
from core.settings import Settings
from core.store import Library, Workspace
from core.types import Estimate, HeadId, ModelInfo, Score, Split

HEAD = HeadId(1, 1)
MISLED = """def attend(q, k):
    weight = 1.0
    weight *= (look("L0H1", q, k) + 0.01) ** 3.5
    weight *= 0.5 ** (q.index - k.index)
    return weight
"""
LOOKS = 'def attend(q, k):\n    return (look("L0H1", q, k) + 0.01) ** 2 + 0.1 * look("L1H0", q, k)\n'


@dataclass(frozen=True)
class Opened:
    """A workspace with jobs that run at once."""

    workspace: Workspace
    jobs: Jobs
    model: ModelInfo

    @property
    def library(self) -> Library:
        return self.workspace.library

    def resolve(self, refit: bool = False) -> str:
        """Run the job; its id."""
        job = self.jobs.start_resolving(self.model, refit)
        assert job is not None
        assert self.jobs.wait(job).state == "done"
        return job

    def put(self, source: str, head: HeadId = HEAD) -> ParsedProgram:
        """Make this the head's best program, given the heads."""
        parent, program = dict(self.library.best_programs(self.model.id))[head], parse(source)
        scores = [Score(program.id, head, split, Estimate(0.99), 0.0, 9, 0) for split in Split]
        self.library.save_edit(self.model.id, source, parent, scores)
        return program

    def resolved_iou(self, program: ParsedProgram, split: Split) -> float:
        """What a program reaches on its head with the resolved programs of the workspace, by hand."""
        sentences = self.workspace.models.sentences(self.model.id, split)
        features = self.workspace.tokens(self.model.id).read([sentence.id for sentence in sentences])
        behind = dict(self.library.resolution(self.model.id).programs) | {HEAD: program}
        maps, attention = (
            Resolved(behind, features, self.model.is_causal)[HEAD],
            self.workspace.attention(self.model.id),
        )
        pairs = zip(sentences, maps, strict=True)
        return float(np.mean([iou_of(attention.one(HEAD, sentence.id), own) for sentence, own in pairs]))


@pytest.fixture
def opened(workspace_copy: Path) -> Iterator[Opened]:
    workspace = Workspace.open(workspace_copy)
    jobs = Jobs(workspace, Settings(workspace.folder, device="cpu", runner="inline"))
    (model,) = workspace.models.all()
    yield Opened(workspace, jobs, model)
    workspace.close()


def test_what_looks_is_resolved_and_again_when_the_best_program_below_changes(opened: Opened) -> None:
    library, model = opened.library, opened.model
    assert opened.jobs.start_resolving(model) is None  # nothing is missing yet
    program = opened.put(LOOKS)
    assert library.unresolved(model.id) == [HEAD]
    opened.resolve()
    assert library.unresolved(model.id) == []
    reached = library.resolved(model.id, Split.TEST)[HEAD]
    assert abs(reached.value - opened.resolved_iou(program, Split.TEST)) < 1e-3
    assert library.resolved_cards(model.id)[HEAD, program.id][Split.TEST] == reached


def test_a_head_stands_by_its_program_of_text_where_that_does_better_resolved(opened: Opened) -> None:
    text, iou = opened.library.of_text(opened.model.id)[HEAD]
    program = opened.put('def attend(q, k):\n    return look("L1H0", q, k) ** 2 * k.is_punct\n')
    assert opened.library.resolution(opened.model.id).programs[HEAD].id == program.id  # not known yet
    opened.resolve()
    assert opened.resolved_iou(program, Split.VALIDATION) < iou
    assert opened.library.resolution(opened.model.id).programs[HEAD].source == text
    assert opened.library.unresolved(opened.model.id) == []
    assert opened.workspace.replacements.sources(opened.model.id, "best")[HEAD] == program.source
    assert opened.workspace.replacements.sources(opened.model.id, "resolved")[HEAD] == text


def misled(opened: Opened) -> ParsedProgram:
    """A best program that is far too sure of what it looks at, and no other but the worst baseline."""
    with opened.workspace.database.transaction() as cursor:
        at = [HEAD.layer, HEAD.head]
        cursor.execute(
            "DELETE FROM scores WHERE layer = ? AND head = ? AND program_id <> (SELECT "
            "arg_min(program_id, iou) FROM scores JOIN programs USING (program_id) WHERE layer = ? AND "
            "head = ? AND split = 'validation' AND origin = 'baseline')",
            [*at, *at],
        )
    return opened.put(MISLED)


def test_the_second_pass_fits_what_looks_to_what_programs_say(opened: Opened) -> None:
    library, model, best = opened.library, opened.model, misled(opened)
    opened.resolve(refit=True)
    chosen = library.resolution(model.id).programs[HEAD]
    assert chosen.looks == best.looks
    assert opened.resolved_iou(chosen, Split.VALIDATION) > opened.resolved_iou(best, Split.VALIDATION) + 0.05
    rows = library.head_scores(model.id, HEAD).set_index("program_id")
    assert rows.loc[chosen.id].origin == "refit"
    (found,) = opened.workspace.cards.cards(model.id, [(HEAD, chosen.id)])
    assert found.parent == best.id
    for split in (Split.VALIDATION, Split.TEST):
        assert found.resolved[split].value == pytest.approx(opened.resolved_iou(chosen, split), abs=1e-3)
    evidence = opened.workspace.examiner(model, Split.TEST).compare(HEAD, chosen)
    by_head = {one.score.head: one for one in library.best_resolved(model.id, Split.TEST)}
    assert by_head[HEAD].score.iou.value == pytest.approx(evidence.fit.value, abs=1e-4)  # given the heads
    assert by_head[HEAD].resolved == found.resolved[Split.TEST]
    assert dict(library.best_programs(model.id))[HEAD] == best.id
    proposed = opened.workspace.database.rows("SELECT DISTINCT program_id FROM proposals")
    assert chosen.id in {program for (program,) in proposed}
    assert library.unresolved(model.id) == []


def test_a_refit_is_kept_where_heads_are_resolved_again_without_one(opened: Opened) -> None:
    misled(opened)
    opened.resolve(refit=True)
    before = opened.library.resolution(opened.model.id)
    task = opened.library.to_resolve(opened.model.id)
    assert before.programs[HEAD].source in [source for source, _ in task[HEAD]]
    opened.put("def attend(q, k):\n    return k == q.prev or k.is_first\n", HeadId(0, 1))
    assert opened.library.unresolved(opened.model.id) == [HEAD]
    opened.resolve()
    after = opened.library.resolution(opened.model.id)
    assert after.programs[HEAD].id == before.programs[HEAD].id
    assert after.chains[HEAD] != before.chains[HEAD]


@pytest.mark.parametrize("refit", [True, False])
def test_the_search_is_followed_by_the_second_pass_where_that_was_asked(opened: Opened, refit: bool) -> None:
    opened.put(LOOKS)
    opened.jobs.wait(opened.jobs.start_search(opened.model, [HEAD], SearchLimits(rules=2, refit=refit)))
    latest = next(record for record in opened.jobs.refresh() if record.kind == "resolve")
    assert opened.jobs.folder(latest.id).spec().task["refit"] is refit


def test_a_model_has_one_such_job_at_a_time(opened: Opened) -> None:
    opened.put(LOOKS)
    job, jobs = opened.resolve(), opened.workspace.jobs
    jobs.enqueue(job)
    opened.put(MISLED)
    assert opened.jobs.start_resolving(opened.model) == job
    other = opened.jobs.start_resolving(opened.model, refit=True)
    assert other not in (None, job)
    assert jobs.get(job).state == "stopped"


def test_heads_are_resolved_once_more_where_best_programs_changed_meanwhile(opened: Opened) -> None:
    opened.put(LOOKS)
    job = opened.jobs.start_resolving(opened.model)
    assert job is not None
    opened.put("def attend(q, k):\n    return k.is_first\n", HeadId(0, 1))  # the worker did not know
    opened.jobs.wait(job)
    latest = next(record.id for record in opened.jobs.refresh() if record.kind == "resolve")
    assert latest != job
    opened.jobs.wait(latest)
    assert opened.library.unresolved(opened.model.id) == []
    assert next(record.id for record in opened.jobs.refresh() if record.kind == "resolve") == latest


def test_what_no_longer_looks_keeps_no_resolved_scores(opened: Opened) -> None:
    opened.put(LOOKS)
    opened.resolve()
    assert HEAD in {head for head, _ in opened.library.resolved_cards(opened.model.id)}
    opened.put("def attend(q, k):\n    return 1.0 + k.is_first\n", HeadId(0, 1))  # so that all is done anew
    with opened.workspace.database.transaction() as cursor:
        cursor.execute("UPDATE scores SET iou = 0.1 WHERE program_id = ?", [parse(LOOKS).id])
    opened.put("def attend(q, k):\n    return 2.0 + k.is_first\n")
    opened.put(LOOKS, HeadId(2, 0))
    opened.resolve()
    text = opened.library.of_text(opened.model.id)[HEAD][0]
    assert opened.library.resolution(opened.model.id).programs[HEAD].source == text
    assert HEAD not in {head for head, _ in opened.library.resolved_cards(opened.model.id)}
    assert opened.library.unresolved(opened.model.id) == []


def test_resolved_programs_replace_no_head_before_they_are_known(opened: Opened) -> None:
    opened.put(LOOKS)
    with pytest.raises(HybridError, match="best programs of 1 head changed"):
        opened.workspace.replacements.sources(opened.model.id, "resolved")


def test_what_was_resolved_before_a_worker_died_is_not_done_again(opened: Opened) -> None:
    misled(opened)
    folder = opened.jobs.folder(opened.resolve(refit=True))
    results = folder.path / "results"
    whole = (results / "resolved.json").read_bytes()
    first = (results / "resolved-000.json").stat().st_mtime_ns
    log = folder.path / "events.jsonl"
    lines = [line for line in log.read_text().splitlines() if '"result"' not in line or "-000" in line]
    log.write_text("".join(f"{line}\n" for line in lines))
    for name in ("resolved.json", "resolved-001.json"):
        (results / name).unlink()
    again = JobFolder(folder.path)
    spec = again.spec()
    with EventWriter(again) as events:
        KINDS["resolve"].run(Job(again, spec.place, wire.read(ResolveTask, spec.task, "task"), events))
    assert (results / "resolved.json").read_bytes() == whole
    assert (results / "resolved-000.json").stat().st_mtime_ns == first
