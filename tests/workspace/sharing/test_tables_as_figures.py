"""Tables that pages show, as figures: of audits, of a head, of a hybrid, of a program."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from core.audit import Figure, Finding
from core.errors import WorkspaceError
from core.language import describe, parse
from core.sharing.figures import Drawable, figure_bytes
from core.sharing.figures.made import of_workspace
from core.sharing.figures.of_head import beside_maps
from core.sharing.figures.of_hybrid import hybrid_figures
from core.store import Workspace
from core.store.findings import StoredFinding, add_finding
from core.store.hybrids import add_downstream, add_evaluation, add_hybrid
from core.types import (
    Estimate,
    Evaluation,
    EvaluationDetails,
    HybridProgram,
    MadeHybrid,
    Split,
    TaskAccuracy,
)
from tests.conftest import call_core
from tests.workspace.review.test_doubt import keep_findings

GENRES = (("prose", 0.5), ("$verse$ <b>", None))


def rows(found: Drawable) -> list[list[str]]:
    assert figure_bytes(found, "pdf", 3.25, 8)[0].startswith(b"%PDF")
    return list(csv.reader(io.StringIO(figure_bytes(found, "csv", 3.25, 8)[0].decode())))


def test_audits_of_all_heads_are_a_table_and_points(workspace_copy: Path) -> None:
    cards = keep_findings(workspace_copy)
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    header, first, *rest = rows(of_workspace(workspace, model, "audits"))
    assert header == ["head", "audits say", "IoU", "text-blind twin", "what is written", "foresees edits"]
    assert first[:3] == [str(cards[0][0]), "explains", "0.7"]
    assert len(rest) == len(cards) - 1
    assert {row[1] for row in rest} == {"position only"}
    header, *points = rows(of_workspace(workspace, model, "points", axes=("IoU", "output error")))
    assert header == ["head", "audits say", "IoU", "output error"]
    assert [row[2:] for row in points] == [["0.7", "0.3"]] * len(cards)
    with pytest.raises(WorkspaceError, match="no figure 'taste'; there are IoU; IoU beyond the twin"):
        of_workspace(workspace, model, "points", axes=("IoU", "taste"))
    workspace.close()


def test_what_an_audit_found_by_genre_is_a_table_of_the_head(workspace_copy: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)[0]
    head, program = best.score.head, best.program.id
    found = Finding(
        "fails",
        "Not of verse.",
        (Figure("IoU of its worst genre", Estimate(0.25)),),
        ("genre", "IoU"),
        GENRES,
    )
    with workspace.database.transaction() as cursor:
        add_finding(cursor, model.id, StoredFinding("by-genre", (head, program), {}, 1.0, found))
    figures = beside_maps(workspace, model, head, program)
    assert list(figures) == ["programs", "figures", "by-genre"]
    assert rows(figures["by-genre"]()) == [["genre", "IoU"], ["prose", "0.5"], ["$verse$ <b>", ""]]
    assert rows(figures["figures"]())[1] == [
        "genre by genre", "fails", "IoU of its worst genre", "0.25", "", "", "",
    ]  # fmt: skip
    scored = workspace.library.head_scores(model.id, head)
    assert [row[0] for row in rows(figures["programs"]())[1:]] == list(scored.summary)
    tested = len(workspace.models.sentences(model.id, Split.TEST))
    workspace.close()

    out = tmp_path / "f.csv"
    drawn = ("figure", str(head), "--out", str(out), "--of")
    assert call_core(*drawn, "by-genre", workspace=workspace_copy).returncode == 0
    assert out.read_text().splitlines()[1] == "prose,0.5"
    assert call_core(*drawn, "passages", workspace=workspace_copy).returncode == 0
    counts = [int(line.split(",")[2]) for line in out.read_text().splitlines()[1:]]
    assert sum(counts) == tested
    refused = call_core(*drawn, "taste", workspace=workspace_copy)
    assert refused.returncode == 2
    assert f"{head} has no figure 'taste'; there is passages, programs, figures, by-genre" in refused.stderr


def test_a_hybrid_has_its_genres_programs_calibration_and_answers(
    workspace_copy: Path, tmp_path: Path
) -> None:
    workspace = Workspace.open(workspace_copy)
    model = workspace.models.all()[0]
    best = workspace.library.best(model.id, Split.VALIDATION)[0]
    made = MadeHybrid(
        (HybridProgram(best.score.head, best.program.source),),
        "one",
        1 / 12,
        "cost",
        None,
        ((0, 0.5), (8, 0.25)),
    )
    cost = Evaluation(20.0, 22.0, Estimate(0.1, 0.05, 0.15), Estimate(0.2, 0.1, 0.3), 900, 8, 1)
    with workspace.database.transaction() as cursor:
        name = add_hybrid(cursor, model.id, made)
        add_evaluation(cursor, name, "test", cost, EvaluationDetails({"prose": cost}))
        add_downstream(cursor, TaskAccuracy(name, "piqa", 10, 0.5, (0.4, 0.6), 0.25, (0.1, 0.4), 0.75))
    figures = hybrid_figures(workspace, model, workspace.hybrids.frame(model.id).iloc[0])
    found = {what: rows(figure()) for what, figure in figures.items()}
    assert found["genres"] == [
        ["genre", "increase", "low", "high", "kl", "tokens", "kept"],
        ["prose", "0.1", "0.05", "0.15", "0.2", "900", "1"],
    ]
    assert found["programs"][1][:2] == [str(best.score.head), describe(parse(best.program.source)).sentence]
    assert [row[1:] for row in found["calibration"][1:]] == [["0", "0.5"], ["8", "0.25"]]
    assert found["questions"][1] == ["piqa", "10", "0.5", "0.25", "0.75", "0"]
    workspace.close()

    out = tmp_path / "f.csv"
    assert call_core("figure", "hybrid", "--out", str(out), workspace=workspace_copy).returncode == 0
    assert out.read_text().startswith("genre,increase")
    file = tmp_path / "program.py"
    file.write_text(best.program.source)
    done = call_core("figure", "map", "--program", str(file), "--out", str(out), workspace=workspace_copy)
    assert done.returncode == 0, done.stderr
    by_head = {line.split(",")[0]: line.split(",")[3] for line in out.read_text().splitlines()[1:]}
    assert float(by_head[str(best.score.head)]) == pytest.approx(best.score.iou.value, abs=1e-4)
