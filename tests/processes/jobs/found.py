"""What jobs find in a workspace, to be the same whoever worked on their units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core import wire
from core.audit import ready
from core.jobs import Jobs
from core.sandbox import programs_in
from core.scoring import program_of
from core.settings import Settings
from core.store import AttentionReader, Workspace, attention_folder
from core.types import HybridRequest, ModelInfo, Split
from tests.conftest import ROOT
from tests.stored import assert_same_attention

Found = Callable[[Workspace, Jobs], object]  # runs jobs, and says what is in the workspace then


def inline(folder: Path, found: Found) -> object:
    """What jobs come to in this process."""
    workspace = Workspace.open(folder)
    try:
        return found(workspace, Jobs(workspace, Settings(folder, device="cpu", runner="inline")))
    finally:
        workspace.close()


def check_attention(workspace: Workspace, info: ModelInfo, usual: Path) -> None:
    """A model's attention is that of another workspace, to the last bit."""
    there = AttentionReader(attention_folder(usual, info.id))
    assert_same_attention(workspace.attention(info.id), there, info)


def audited(workspace: Workspace, jobs: Jobs) -> object:
    """Findings of audits that read maps, that run the model, and that read its weights."""
    (model,) = workspace.models.all()
    best = {one.score.head: one.program.source for one in workspace.library.best(model.id, Split.VALIDATION)}
    usual = ready("program")
    asked = {name: usual[name] for name in ("coverage", "written", "load-bearing")}
    job = jobs.start_program_audits(model, asked, best)
    assert jobs.wait(job).state == "done"
    return {
        (head, found.audit): wire.dump(found.finding)  # as text, in which what is not known is the same
        for head, source in best.items()
        for found in workspace.findings.of_program(model.id, head, program_of(source).id)
    }


def costed(workspace: Workspace, jobs: Jobs) -> object:
    """Costs of all heads, and the hybrid that is chosen by them."""
    (model,) = workspace.models.all()
    best = {one.score.head: one.program.source for one in workspace.library.best(model.id, Split.VALIDATION)}
    passages = workspace.models.sentences(model.id, Split.TEST)
    job = jobs.start_hybrid(model, best, passages, "test", HybridRequest("half", count=6))
    assert jobs.wait(job).state == "done"
    made = workspace.hybrids.frame(model.id).iloc[0]
    return workspace.hybrids.costs(model.id), workspace.hybrids.spec(str(made.hybrid_id)), made.increase


def plain(workspace: Workspace, jobs: Jobs) -> object:
    """Scores, failures and costs of plain Python, which the sandbox runs wherever it is worked on."""
    (model,) = workspace.models.all()
    sources = [one.source for one in programs_in((ROOT / "docs/plain_programs.py").read_text())][:4]
    assert jobs.wait(jobs.start_scoring(model, sources)).state == "done"
    scores = workspace.database.rows("SELECT program_id, layer, head, split, iou FROM scores")
    failures = workspace.database.rows("SELECT program_id, kind, passages FROM program_failures")
    passages = workspace.models.sentences(model.id, Split.TEST)
    standing = dict(zip(model.head_ids(), sources, strict=False))
    job = jobs.start_hybrid(model, standing, passages, "test", HybridRequest("plain", count=2))
    assert jobs.wait(job).state == "done"
    return sorted(scores), sorted(failures), workspace.hybrids.costs(model.id)
