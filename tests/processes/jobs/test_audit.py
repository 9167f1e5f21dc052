"""Audits as jobs, asked by the command line; a resumed one does nothing twice."""

import json
from pathlib import Path

import pytest

from core.audit import RUNGS, ready
from core.audit.coverage import CoverageLimits
from core.audit.damage import DamageLimits
from core.errors import AuditError, HybridError
from core.jobs import Jobs
from core.store import Workspace
from core.store.hybrids import add_hybrid
from core.types import HybridProgram, MadeHybrid, Split
from tests.conftest import Forked, call_core


def test_programs_are_audited_head_by_head(workspace_copy: Path) -> None:
    answer = call_core("audit", "coverage", "--heads", "L0H*,L2H1", "--json", workspace=workspace_copy)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert sum(told["coverage"].values()) == 5
    assert {row["of"] for row in told["rows"]} == {"L0H0", "L0H1", "L0H2", "L0H3", "L2H1"}
    assert {row["audit"] for row in told["rows"]} == {"coverage"}
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    (best, *_) = workspace.library.best(model.id, Split.TEST)
    (stored,) = workspace.findings.of_program(model.id, best.score.head, best.program.id)
    workspace.close()
    shown = stored.finding.figure("IoU, failures counted as 0").value
    assert shown == pytest.approx(best.score.iou.value, abs=2e-3)  # attention is stored as float16
    assert stored.limits == {"failing": 0.02}


def test_a_hybrid_is_audited_and_a_resumed_audit_finds_nothing_twice(
    workspace_copy: Path, forked: Forked
) -> None:
    workspace = Workspace.open(workspace_copy)
    runner = Jobs(workspace, forked(workspace_copy))
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)[:3]
    programs = tuple(HybridProgram(b.score.head, b.program.source) for b in best)
    with workspace.database.transaction() as cursor:
        hybrid = add_hybrid(cursor, model.id, MadeHybrid(programs, "three", 0.25))
    with pytest.raises(AuditError, match="is an audit of a program, not of a hybrid"):
        runner.start_hybrid_audits(model, {"coverage": CoverageLimits()}, hybrid)
    with pytest.raises(AuditError, match="no head has a program to audit"):
        runner.start_program_audits(model, {"coverage": CoverageLimits()}, {})
    with pytest.raises(HybridError, match="holds no hybrid"):
        runner.start_hybrid_audits(model, {"damage": DamageLimits()}, "none")
    job = runner.start_hybrid_audits(model, ready("hybrid"), hybrid)
    runner.wait(job)
    stored = {found.audit: found for found in workspace.findings.of_hybrid(model.id, hybrid)}
    assert set(stored) == {"lookahead", "damage", "controls", "sum-and-whole"}
    results = [e["file"] for _, e in runner.folder(job).events() if e["event"] == "result"]
    events = runner.folder(job).path / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"end"' not in line and "sum-and-whole.json" not in line]
    events.write_text("".join(kept))  # as if killed before the last audit ended
    workspace.jobs.set_state(job, "stopped", "killed")
    runner.resume(job)
    runner.wait(job)
    again = [e["file"] for _, e in runner.folder(job).events() if e["event"] == "result"]
    assert again == results
    after = {found.audit: found.made_at for found in workspace.findings.of_hybrid(model.id, hybrid)}
    assert after["damage"] == stored["damage"].made_at
    workspace.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nats", "1"], "options belong to one audit"),
        (["damage", "--failing", "0.1"], "has no option"),
        (["coverage", "--hybrid", "abc"], "is an audit of programs; leave out --hybrid"),
        (["damage", "--heads", "L0H1"], "--heads goes with audits of programs"),
        (["questions"], "no hybrid yet"),
        (["no-such"], "no-such"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: list[str], message: str, built: Path) -> None:
    answer = call_core("audit", *arguments, workspace=built)
    assert answer.returncode == 2
    assert message in answer.stderr


def test_all_audits_put_heads_on_the_ladder_and_best_tells_where(workspace_copy: Path) -> None:
    answer = call_core("audit", "--json", "--heads", "L0H*,L2H1", workspace=workspace_copy)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert set(told) == {
        *("model", "mean_iou", "mean_twin", "mean_off_sink", "median_output_error", "median_foresight"),
        *("verdicts", "audits", "heads", "resolved"),
    }
    assert list(told["verdicts"]) == list(RUNGS)
    assert sum(told["verdicts"].values()) == len(told["heads"]) == 5
    best = json.loads(call_core("best", "--json", workspace=workspace_copy).stdout)["heads"]
    audited = {(row["layer"], row["head"]): row for row in told["heads"]}
    for row in best:
        there = audited.get((row["layer"], row["head"]))
        for name in ("twin_iou", "off_sink", "output_error", "foresight", "verdict"):
            assert row[name] == (there and there[name]), (row["layer"], row["head"], name)
        if there:
            assert there["iou"] == pytest.approx(row["iou"], abs=2e-3)
